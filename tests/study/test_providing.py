"""What a sampler requires is trained before the first draw, stored with the study, and charged to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from optuna.artifacts import get_all_artifact_meta

from nasopt.cache import Cache
from nasopt.errors import UsageError
from nasopt.records import ArtifactNames, StudyKeys
from nasopt.records.prior import ArchitecturePrior, read_prior
from nasopt.report.compare import total_seconds
from nasopt.report.hypervolume import spent
from nasopt.report.tables import prior_line
from nasopt.spec.study import StudySpec
from nasopt.study import run
from nasopt.study.events import Event, PreparationProgress
from tests.study.stand_in import StandIn, make_spec


def digits_spec(folder: Path, name: str, sampler: Any, trials: int = 3) -> StudySpec:
    return StudySpec.model_validate(
        {
            "study": {"name": name, "storage": f"sqlite:///{folder}/darts.db", "trials": trials},
            "data": "digits",
            "space": {
                "stem_channels": 8,
                "channels": [8, 16],
                "strides": [2, 1],
                "little": {"width": [0.25, 0.5], "depth": [1], "kernel": [3], "expansion": [1, 2]},
                "big": {"width": [0.5, 1.0], "depth": [1, 2], "kernel": [3, 5], "expansion": [2, 3]},
                "router": {"kind": "confidence", "tau": {"low": 0.3, "high": 0.99}},
            },
            "training": {
                "device": "cpu",
                "threads": 1,
                "supernet": {"epochs": 2},
                "cotrain": {"epochs": 0},
                "relaxation": {"epochs": 1, "min_steps": 0},
            },
            "hardware": "jetson_nano",
            "objectives": ["accuracy", "latency_ms"],
            "sampler": sampler,
        }
    )


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    return Cache(tmp_path_factory.mktemp("cache"))


def test_darts_on_digits(tmp_path: Path, cache: Cache) -> None:
    """Trained once, before the first trial; stored, charged, found again; and usable by another study as a file."""
    events: list[Event] = []
    spec = digits_spec(tmp_path, "first", "darts")
    result = run(spec, listener=events.append, cache=cache)
    assert result.finished == 3
    relaxed = [e for e in events if isinstance(e, PreparationProgress) and getattr(e.step, "task", "") == "relaxation"]
    assert relaxed
    view = result.study.view()
    assert view.prior["seconds"] > 0
    assert len(view.prior["entropy"]) == 3
    assert total_seconds(view) == pytest.approx(
        view.supernet["seconds"] + view.prior["seconds"] + sum(t.seconds for t in view.trials)
    )
    assert spent(view, by="seconds")[-1] == pytest.approx(total_seconds(view))
    assert "entropy" in (prior_line(view) or "")
    metas = get_all_artifact_meta(result.study.optuna, storage=result.study.storage)
    (file,) = [result.study.artifacts / m.artifact_id for m in metas if m.filename == ArtifactNames.PRIOR]
    prior = read_prior(file)
    assert set(prior.choices) == set(view.trials[0].params) - {"router.tau"}
    assert prior.objectives == ("accuracy", "latency_ms")

    events.clear()
    longer = digits_spec(tmp_path, "first", "darts", trials=4)
    assert run(longer, listener=events.append, cache=cache).contributed == 1
    assert not any(isinstance(e, PreparationProgress) for e in events), "supernet and prior come from the cache"

    given = tmp_path / "prior.json"
    given.write_text(json.dumps(prior.to_json()))
    other = run(digits_spec(tmp_path, "given", {"name": "darts", "options": {"prior": str(given)}}), cache=cache)
    assert other.finished == 3
    assert other.study.view().prior["seconds"] == view.prior["seconds"], "charged all the same"


def test_the_uniform_control_trains_nothing(tmp_path: Path, cache: Cache) -> None:
    spec = digits_spec(tmp_path, "uniform", {"name": "darts", "options": {"control": "uniform"}}, trials=1)
    result = run(spec, cache=cache)
    assert result.finished == 1
    assert StudyKeys.PRIOR not in result.study.optuna.user_attrs
    assert prior_line(result.study.view()) is None


def test_a_problem_without_a_supernet_is_refused() -> None:
    spec = make_spec("memory", sampler="darts")
    problem = StandIn(spec)
    with pytest.raises(UsageError, match="sampler darts needs a supernet to learn from, and this problem has none"):
        run(spec, problem=problem)
    assert not problem.evaluated


def test_a_prior_of_another_space_is_refused(tmp_path: Path) -> None:
    prior = ArchitecturePrior(
        objectives=("accuracy",), preferences=((1.0,),), choices={"op": (1, 2)}, probabilities={"op": ((0.5, 0.5),)}
    )
    file = tmp_path / "prior.json"
    file.write_text(json.dumps(prior.to_json()))
    spec = make_spec("memory", sampler={"name": "darts", "options": {"prior": str(file)}})
    with pytest.raises(UsageError, match=r"is about op, \.\.\., and this space has none of its parameters"):
        run(spec, problem=StandIn(spec))


def test_objectives_against_their_nature_are_refused(tmp_path: Path, cache: Cache) -> None:
    spec = digits_spec(tmp_path, "odd", "darts")
    odd = spec.model_dump(mode="json", by_alias=True)
    odd["objectives"] = ["accuracy", {"metric": "latency_ms", "direction": "maximize"}]
    with pytest.raises(UsageError, match="cannot maximize latency_ms"):
        run(StudySpec.model_validate(odd), cache=cache)
