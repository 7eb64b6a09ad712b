"""The darts sampler: conformance with a given prior, what the prior does, and what becomes of it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.testing.pytest_samplers import BasicSamplerTestCase, MultiObjectiveSamplerTestCase, RelativeSamplerTestCase

from nasopt.errors import UsageError
from nasopt.records.prior import ArchitecturePrior
from nasopt.samplers.darts import darts, requires
from nasopt.testing.sampler_problems import SIZES
from nasopt.testing.samplers import SamplerSuite

COARSE = ((0.6, 0.3, 0.1), (0.1, 0.3, 0.6))
PRIOR = ArchitecturePrior(
    objectives=("accuracy", "macs"),
    preferences=((0.2, 0.8), (0.8, 0.2)),
    choices=dict.fromkeys(("p", "q", "r", "s"), SIZES),
    probabilities=dict.fromkeys(("p", "q", "r", "s"), COARSE),
)
"""Small where cost matters, large where accuracy does; says nothing of the suites' other parameters."""


class DartsSuite(SamplerSuite):
    target = "nasopt.samplers.darts:darts"


class TestGivenPrior(DartsSuite, BasicSamplerTestCase, RelativeSamplerTestCase, MultiObjectiveSamplerTestCase):
    options = {"prior": PRIOR.to_json()}  # noqa: RUF012


class TestUniformControl(DartsSuite, BasicSamplerTestCase, RelativeSamplerTestCase, MultiObjectiveSamplerTestCase):
    options = {"control": "uniform"}  # noqa: RUF012


class TestShuffledControl(DartsSuite):
    options = {"prior": PRIOR.to_json(), "control": "shuffled"}  # noqa: RUF012


SPACE: dict[str, BaseDistribution] = {n: CategoricalDistribution(SIZES) for n in ("p", "q", "r", "s")} | {
    "tau": FloatDistribution(0, 1),
    "depth": IntDistribution(1, 3),
}


def ask(study: optuna.Study, count: int) -> list[dict[str, Any]]:
    return [study.ask(SPACE).params for _ in range(count)]


def study_with(**options: Any) -> optuna.Study:
    sampler = darts(seed=0, search_space=SPACE, **options)
    return optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)


def share(params: list[dict[str, Any]], value: str, name: str = "p") -> float:
    return float(np.mean([p[name] == value for p in params]))


def one_sided() -> ArchitecturePrior:
    return ArchitecturePrior(
        objectives=("accuracy", "macs"),
        preferences=((0.5, 0.5),),
        choices={"p": SIZES, "depth": (1, 2, 3)},
        probabilities={"p": ((0.9, 0.1, 0.0),), "depth": ((0.0, 0.1, 0.9),)},
    )


def test_first_trials_follow_the_prior() -> None:
    params = ask(study_with(prior=one_sided(), uniform_share=0.3), 300)
    assert share(params, "small") == pytest.approx(0.73, abs=0.08)
    assert share(params, "large") == pytest.approx(0.1, abs=0.06), "the uniform share"
    assert share(params, "small", "q") == pytest.approx(1 / 3, abs=0.09), "the prior says nothing of q"
    assert float(np.mean([p["depth"] == 3 for p in params])) == pytest.approx(0.73, abs=0.08)
    assert np.mean([p["tau"] for p in params]) == pytest.approx(0.5, abs=0.05)


def test_controls_lose_what_the_prior_knows() -> None:
    assert share(ask(study_with(control="uniform"), 200), "small") == pytest.approx(1 / 3, abs=0.1)
    shuffled = ask(study_with(prior=one_sided(), control="shuffled", uniform_share=0.0), 200)
    frequencies = sorted(share(shuffled, size) for size in SIZES)
    assert frequencies == pytest.approx([0, 0.1, 0.9], abs=0.08), "as sharp as before"
    assert share(shuffled, "small") < 0.5, "about another choice"


def test_the_mode_follows_the_preference() -> None:
    """Small and large both come, together in one network: the parameters share the drawn preference."""
    params = ask(study_with(prior=PRIOR, uniform_share=0.0), 200)
    counts = Counter(sum(p[n] == "large" for n in ("p", "q", "r", "s")) for p in params)
    assert counts[0] + counts[4] > counts[2]


def large_is_better(seed: int, trials: int) -> list[dict[str, Any]]:
    """Both objectives want p large and tau high, which the prior does not know."""
    sampler = darts(seed=seed, search_space=SPACE, prior=one_sided())
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
    taken = []
    for _ in range(trials):
        trial = study.ask(SPACE)
        worth = SIZES.index(trial.params["p"]) + trial.params["tau"]
        study.tell(trial, [worth, -worth])
        taken.append(trial.params)
    return taken


def test_data_overrule_the_prior() -> None:
    """Where the prior is wrong the trials win in the end; the first ones are what it proposes."""
    early = [params for seed in range(30) for params in large_is_better(seed, 2)]
    late = [params for seed in range(3) for params in large_is_better(seed, 60)[40:]]
    assert share(early, "small") > 0.5
    assert share(late, "large") > 0.8


def test_no_prior_is_an_error_at_the_first_draw() -> None:
    with pytest.raises(UsageError, match="has none"):
        study_with().ask(SPACE)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"control": "none of these"}, "control must be"),
        ({"uniform_share": 2}, "uniform_share must be a number from 0 to 1"),
        ({"prior_trials": 0}, "at least 1"),
        ({"prior": {"format": 1}}, "not an architecture prior"),
        ({"prior": {"format": 9}}, "expected format 1"),
        ({"prior": "/no/such/prior.json"}, "cannot read an architecture prior from /no/such/prior.json"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        darts(seed=0, **options)


def test_requirements_depend_on_the_options() -> None:
    assert requires({}) == {"prior"}
    assert requires({"control": "shuffled"}) == {"prior"}
    assert requires({"control": "uniform"}) == frozenset()
    assert requires({"prior": "file.json"}) == frozenset()
