"""Samplers compute on one thread, and leave the process's settings as they were."""

from __future__ import annotations

from typing import Any

import optuna
import pytest
import torch
from optuna.distributions import CategoricalDistribution
from threadpoolctl import threadpool_info, threadpool_limits

from nasopt.samplers import botorch, predictor

SPACE = {f"layer{i}": CategoricalDistribution(("skip", "small", "large")) for i in range(4)}


def _blas_threads() -> int:
    return max(int(library["num_threads"]) for library in threadpool_info() if library["user_api"] == "blas")


@pytest.mark.parametrize(
    ("factory", "within"),
    [
        (predictor.predictor, "nasopt.samplers.predictor.sampler.rank"),
        (botorch.botorch, "nasopt.samplers.botorch.sampling.teaching_of"),
    ],
    ids=["predictor", "botorch"],
)
def test_one_thread_within_and_as_before_after(factory: Any, within: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    path, _, name = within.rpartition(".")
    original = getattr(__import__(path, fromlist=[name]), name)

    def watched(*args: Any, **kwargs: Any) -> Any:
        seen.append(_blas_threads())
        return original(*args, **kwargs)

    monkeypatch.setattr(within, watched)
    study = optuna.create_study(directions=["minimize"] * 2, sampler=factory(seed=0))
    before = torch.get_num_threads()
    with threadpool_limits(2, user_api="blas"):
        for _ in range(18):
            trial = study.ask(SPACE)
            size = sum(("skip", "small", "large").index(v) for v in trial.params.values())
            study.tell(trial, [float(size), 8.0 - size**0.5])
        assert _blas_threads() == 2
    assert seen
    assert set(seen) == {1}
    assert torch.get_num_threads() == before
