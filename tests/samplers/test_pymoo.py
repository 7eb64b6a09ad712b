"""pymoo's algorithms as samplers: conformance, and what is particular to them."""

from __future__ import annotations

import itertools
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import moocore
import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.testing.pytest_samplers import BasicSamplerTestCase, MultiObjectiveSamplerTestCase, RelativeSamplerTestCase

from nasopt.database import open_storage
from nasopt.errors import UsageError
from nasopt.samplers import pymoo
from nasopt.samplers.history import History
from nasopt.samplers.pymoo_sampling import shortlist
from nasopt.samplers.pymoo_schemes import directions
from nasopt.space.encoding import Encoding
from nasopt.testing.sampler_problems import GRID, grid_values
from nasopt.testing.samplers import SamplerSuite


class PymooSuite(SamplerSuite, BasicSamplerTestCase, RelativeSamplerTestCase, MultiObjectiveSamplerTestCase):
    pass


class TestNSGA2(PymooSuite):
    target = "nasopt.samplers.pymoo:nsga2"


class TestNSGA3(PymooSuite):
    target = "nasopt.samplers.pymoo:nsga3"


class TestSMSEMOA(PymooSuite):
    target = "nasopt.samplers.pymoo:smsemoa"


class TestAGEMOEA(PymooSuite):
    target = "nasopt.samplers.pymoo:agemoea"


class TestSPEA2(PymooSuite):
    target = "nasopt.samplers.pymoo:spea2"


class TestCTAEA(PymooSuite):
    target = "nasopt.samplers.pymoo:ctaea"
    feasible_first = False  # its archive of diversity looks at the objectives alone


class TestMOEAD(PymooSuite):
    target = "nasopt.samplers.pymoo:moead"


FACTORIES = (pymoo.nsga2, pymoo.nsga3, pymoo.smsemoa, pymoo.agemoea, pymoo.spea2, pymoo.ctaea, pymoo.moead)
MIXED = Encoding(
    {
        "a": CategoricalDistribution("xyz"),
        "b": IntDistribution(0, 4),
        "c": FloatDistribution(0, 1),
        "d": IntDistribution(1, 9, log=True),
    }
)


def _history(seed: int, *, trials: int, objectives: int, levels: int, feasible: float) -> History:
    rng = np.random.default_rng(seed)
    violations = np.where(rng.random(trials) < feasible, 0.0, rng.integers(1, 3, trials).astype(float))
    losses = rng.integers(levels, size=(trials, objectives)) / max(1, levels - 1)
    return History(codes=MIXED.draw(rng, trials), losses=losses, violations=violations)


@pytest.mark.parametrize("factory", FACTORIES)
@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    size=st.integers(2, 12),
    extra=st.integers(0, 60),
    objectives=st.integers(1, 5),
    levels=st.sampled_from([1, 2, 4, 1000]),
    feasible=st.sampled_from([0.0, 0.1, 0.6, 1.0]),
)
def test_breeds_from_any_history(
    factory: Any, seed: int, size: int, extra: int, objectives: int, levels: int, feasible: float
) -> None:
    """Ties, equal trials, few or none feasible: rows inside of the space, and no warning from a division by zero."""
    history = _history(seed, trials=size + extra, objectives=objectives, levels=levels, feasible=feasible)
    sampler = factory(seed=seed, population_size=size)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        rows = list(itertools.islice(sampler.offspring(history, MIXED, np.random.default_rng(seed)), 4))
    again = list(itertools.islice(sampler.offspring(history, MIXED, np.random.default_rng(seed)), 4))
    np.testing.assert_array_equal(rows, again)
    for row in rows:
        assert np.isfinite(row).all()
        assert all(0 <= code <= axis.top for code, axis in zip(row, MIXED.axes, strict=True))
        MIXED.decode(row)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), limit=st.integers(1, 60), feasible=st.sampled_from([0.0, 0.3, 1.0]))
def test_shortlist_keeps_the_best(seed: int, limit: int, feasible: float) -> None:
    """Nothing that is kept is worse than anything that is not: by feasibility, violation, then front."""
    history = _history(seed, trials=60, objectives=2, levels=8, feasible=feasible)
    kept = shortlist(history, limit)
    assert len(kept) == limit
    assert kept.feasible.sum() == min(limit, history.feasible.sum())
    np.testing.assert_array_equal(np.sort(kept.violations), np.sort(history.violations)[:limit], "the least stay")
    if kept.feasible.all():
        losses = history.losses[history.feasible]
        ranks = moocore.pareto_rank(losses)
        rank_of = dict(zip(map(tuple, losses.tolist()), ranks.tolist(), strict=True))
        assert max(rank_of[tuple(v)] for v in kept.losses.tolist()) == np.sort(ranks)[limit - 1]


@given(objectives=st.integers(2, 7), size=st.integers(2, 90))
def test_directions_are_weights(objectives: int, size: int) -> None:
    weights = directions(objectives, size)
    assert 1 <= len(weights) <= size
    assert weights.shape[1] == objectives
    np.testing.assert_allclose(weights.sum(axis=1), 1)


@pytest.mark.parametrize("factory", FACTORIES)
def test_says_nothing(factory: Any, capfd: pytest.CaptureFixture[str]) -> None:
    """pymoo's hints and warnings stay off the terminal, and switch nothing off for the process."""
    sampler = factory(seed=0, search_space=GRID, population_size=6)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
    filters = list(warnings.filters)
    for _ in range(12):
        trial = study.ask(GRID)
        study.tell(trial, grid_values(trial.params))
    assert warnings.filters == filters
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"pop_size": 5},
            "no option 'pop_size'; it takes population_size, crossover_prob, mutation_prob",
        ),
        ({"population_size": 2.5}, "at least 2, got 2.5"),
        ({"crossover_prob": -1}, "crossover_prob must be a number from 0 to 1"),
        ({"mutation_prob": True}, "mutation_prob must be"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        pymoo.nsga2(seed=0, **options)


def test_moead_has_options_of_its_own() -> None:
    assert pymoo.moead(seed=0, neighbors=3, neighbor_mating_prob=0.5) is not None
    with pytest.raises(UsageError, match="neighbors must be a whole number of at least 2"):
        pymoo.moead(seed=0, neighbors=1)
    with pytest.raises(UsageError, match="no option 'neighbors'"):
        pymoo.nsga2(seed=0, neighbors=3)


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nasopt.samplers.pymoo_sampling", None)
    with pytest.raises(UsageError, match="needs pymoo"):
        pymoo.nsga2(seed=0)


WORKER = """
import sys, optuna
from nasopt.database import open_storage
from nasopt.samplers.pymoo import nsga2
from optuna.distributions import CategoricalDistribution
optuna.logging.set_verbosity(optuna.logging.ERROR)
GRID = {name: CategoricalDistribution(["small", "middle", "large"]) for name in "pqrs"}
study = optuna.load_study(study_name="s", storage=open_storage(sys.argv[1]))
study.sampler = nsga2(seed=int(sys.argv[2]), search_space=GRID, population_size=8)
for _ in range(5):
    trial = study.ask(GRID)
    study.tell(trial, [float(list(trial.params.values()).count(size)) for size in ("small", "large")])
"""


def test_eight_processes(tmp_path: Path) -> None:
    """40 of the 81 points, none twice, though eight processes draw at the same time."""
    url = f"sqlite:///{tmp_path / 'study.db'}"
    optuna.create_study(storage=open_storage(url), study_name="s", directions=["maximize", "minimize"])
    command = [sys.executable, "-W", "ignore", "-c", WORKER, url]
    workers = [subprocess.Popen([*command, str(i)], stderr=subprocess.PIPE, text=True) for i in range(8)]
    said = [worker.communicate(timeout=120)[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * 8, said
    trials = optuna.load_study(study_name="s", storage=open_storage(url)).get_trials()
    assert len({tuple(t.params[n] for n in GRID) for t in trials}) == len(trials) == 40
