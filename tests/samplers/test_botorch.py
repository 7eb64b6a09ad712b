"""Gaussian processes by BoTorch: conformance, and what is particular to them."""

from __future__ import annotations

import logging
import math
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna import Study
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.testing.pytest_samplers import BasicSamplerTestCase, MultiObjectiveSamplerTestCase, RelativeSamplerTestCase
from optuna.trial import TrialState

from nasopt.errors import UsageError
from nasopt.records import Cost, Outcome, TrialKeys
from nasopt.samplers.botorch import botorch
from nasopt.samplers.history import history_of, read_points
from nasopt.space.encoding import Encoding
from nasopt.testing.sampler_problems import GRID, LINE, MIXED, grid_values, line_values, mixed_values
from nasopt.testing.samplers import SamplerSuite

torch = pytest.importorskip("torch")
pytest.importorskip("botorch", reason="needs botorch (pip install 'nasopt[botorch]')")

from nasopt.samplers.botorch.kernel import ArchitectureKernel, Features, KernelParameters  # noqa: E402
from nasopt.samplers.botorch.surrogate import Surrogate, fitted_on  # noqa: E402
from nasopt.samplers.botorch.training_data import squash, subset, teaching_of  # noqa: E402

QUICK: dict[str, Any] = {"startup_trials": 5, "samples": 8, "pool": 16, "fit_steps": 2}


@pytest.fixture(autouse=True)
def _one_thread() -> Any:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class TestBotorch(SamplerSuite, BasicSamplerTestCase, RelativeSamplerTestCase, MultiObjectiveSamplerTestCase):
    target = "nasopt.samplers.botorch:botorch"
    options = QUICK
    trials = 18


def _study(directions: Sequence[Any] = ("maximize", "minimize"), **options: Any) -> Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(directions=directions, sampler=botorch(seed=0, **(QUICK | options)))


def _add_random(study: Study, space: Any, values: Any, count: int, **kwargs: Any) -> None:
    encoding = Encoding(space)
    for row in encoding.draw(np.random.default_rng(0), count):
        params = encoding.decode(row)
        study.add_trial(optuna.create_trial(params=params, distributions=space, values=values(params), **kwargs))


def _teaching(study: Study, space: Any, limit: int = 100) -> Any:
    encoding = Encoding(space)
    points = read_points(study, encoding)
    used = [p.trial for p in points if p.trial.state == TrialState.COMPLETE]
    return teaching_of(used, history_of(points, study, encoding), study, limit)


def _parameters(d: int) -> KernelParameters:
    rng = np.random.default_rng(d)
    scales, shares, outer = (torch.from_numpy(rng.uniform(0.3, 2.0, n)) for n in (d, d, 2))
    return KernelParameters(scales=scales, shares=shares, outer=outer)


def test_covariance_agrees_with_its_formula() -> None:
    features, p = Features([3, None, 2]), _parameters(3)
    rows = torch.tensor([[0, 0.2, 1], [2, 0.9, 1], [0, 0.2, 0]], dtype=torch.double)
    got = ArchitectureKernel(features, p)(rows).to_dense()
    for a in range(3):
        for b in range(3):
            x, y = rows[a], rows[b]
            apart = torch.tensor([float(x[0] != y[0]), float(x[1] - y[1]), float(x[2] != y[2])]).double()
            r = math.sqrt(5 * float((apart / p.scales).square().sum()))
            u, v = 2 * x[1] - 1, 2 * y[1] - 1
            each = torch.stack(
                [(x[0] == y[0]).double(), u * v + (u**2 - 1 / 3) * (v**2 - 1 / 3), (x[2] == y[2]).double()]
            )
            wanted = p.outer[0] * (p.shares * each).sum() / 3 + p.outer[1] * (1 + r + r * r / 3) * math.exp(-r)
            assert float(got[a, b]) == pytest.approx(float(wanted), rel=1e-5)


def test_own_posterior_is_that_of_the_botorch_model() -> None:
    """The cheap estimate and the acquisition function see the same mean and deviation."""
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.integers(3, size=30), rng.random(30), rng.integers(2, size=30)]).astype(float)
    values = rows[:, 0] + np.sin(3 * rows[:, 1]) + 5
    surrogate = Surrogate(Features([3, None, 2]), rows, values, None, 5)
    others = torch.from_numpy(rows[:7] * [1, 0.5, 1])
    mean, deviation = surrogate.predict(others)
    posterior = surrogate.model().posterior(others)
    np.testing.assert_allclose(posterior.mean[:, 0].detach(), mean, rtol=1e-4)
    np.testing.assert_allclose(posterior.variance[:, 0].sqrt().detach(), deviation, rtol=1e-2, atol=1e-3)


def test_a_sum_over_choices_is_learnt_from_few_trials() -> None:
    """A cost that layers add up to: 40 of 6,561 architectures are enough to tell all others within 1%."""
    rng = np.random.default_rng(1)
    rows = rng.integers(3, size=(300, 8)).astype(float)
    cost = rng.uniform(0, 1, (8, 3))[np.arange(8), rows.astype(int)].sum(1)
    surrogate = Surrogate(Features([3] * 8), rows[:40], cost[:40], None, 12)
    mean, _ = surrogate.predict(torch.from_numpy(rows[40:]))
    assert np.abs(mean.numpy() - cost[40:]).max() < 0.05 * cost.std()


def test_fits_are_few_and_never_of_trials_to_come() -> None:
    fits = [fitted_on(n) for n in range(5, 300)]
    assert all(f <= n for f, n in zip(fits, range(5, 300), strict=True))
    assert len(set(fits)) <= 25
    assert min(f / n for f, n in zip(fits, range(5, 300), strict=True)) > 0.75


def _outcome(latency: float, spread: float, provenance: Any) -> dict[str, Any]:
    cost = Cost(value=latency, ci95=(latency - spread, latency + spread), provenance=provenance)
    return {TrialKeys.OUTCOME: Outcome(quality={"accuracy": 0.5}, costs={"latency_ms": cost}).to_json()}


@pytest.mark.parametrize(("provenance", "known"), [("measured", True), ("predicted", False)])
def test_noise_comes_from_measured_intervals(provenance: str, known: bool) -> None:
    """Half the width over 1.96, on the scale that is taught; a prediction's interval is no noise."""
    study = _study()
    for i in range(8):
        params = dict.fromkeys(GRID, "small") | {"p": ("small", "middle", "large")[i % 3]}
        attributes = _outcome(2.0 + i, 0.098, provenance) if i else {}
        study.add_trial(
            optuna.create_trial(params=params, distributions=GRID, values=[float(i), 2.0 + i], user_attrs=attributes)
        )
    accuracy, latency = _teaching(study, GRID).objectives
    assert accuracy.variances is None
    if not known:
        assert latency.variances is None
        return
    losses = np.arange(8) / 7  # eight latencies, 1 ms apart; all on the front
    slopes = (squash(losses + 1e-6) - squash(losses)) / 1e-6
    np.testing.assert_allclose(latency.variances, (0.05 / 7 * slopes) ** 2, rtol=1e-3)


def test_good_losses_are_told_apart_and_useless_ones_are_not() -> None:
    losses = np.array([-0.5, 0.0, 0.1, 0.2, 1.0, 5.0, 5.1])
    bent = squash(losses)
    assert (np.diff(bent) > 0).all()
    assert bent[losses == 0.0] == 0.0
    assert bent[losses == 1.0] == pytest.approx(1.0)
    assert bent[2] - bent[1] > 10 * (bent[6] - bent[5])


def test_noise_is_believed() -> None:
    """What was measured precisely is met, what was measured loosely is not."""
    rows = np.arange(12.0)[:, None] / 11
    values = np.where(np.arange(12) == 6, 3.0, 0.0)
    variances = np.full(12, 1e-4)
    precise = Surrogate(Features([None]), rows, values, variances, 5).predict(torch.from_numpy(rows[6:7]))[0]
    variances[6] = 100.0
    loose = Surrogate(Features([None]), rows, values, variances, 5).predict(torch.from_numpy(rows[6:7]))[0]
    assert float(precise) > 2.5
    assert float(loose) < 0.5


def test_what_others_evaluate_is_taken_into_account() -> None:
    """Eight workers that ask at once get different points, of which the later ones are not neighbours of nothing."""
    study = _study(("minimize", "minimize"), startup_trials=8)
    _add_random(study, LINE, line_values, 12)
    trials = [study.ask(LINE) for _ in range(4)]
    assert len({tuple(t.params.values()) for t in trials}) == 4
    study.tell(trials[0], [0.0, 0.0])
    assert len({tuple(t.params.values()) for t in [*trials, study.ask(LINE)]}) == 5


def test_pending_points_lower_the_worth_around_them() -> None:
    from nasopt.samplers.botorch.acquisition import Worth

    rows = np.linspace(0, 1, 9)[:, None]
    outputs = [Surrogate(Features([None]), rows, v, None, 5) for v in (-((rows[:, 0] - 0.4) ** 2), -rows[:, 0])]
    at = torch.tensor([[0.31], [0.93]], dtype=torch.double)

    def worth(pending: Any) -> Any:
        return Worth(
            outputs,
            [],
            feasible=torch.from_numpy(rows),
            pending=pending,
            samples=32,
            generator=torch.Generator().manual_seed(0),
        )

    alone, beside = worth(None), worth(at[:1])
    assert float(beside.estimate(at)[0]) < float(alone.estimate(at)[0])
    assert float(beside.function()(at[:1, None])) < float(alone.function()(at[:1, None]))


def test_constraints_steer_before_anything_is_feasible() -> None:
    """Sum of four digits at most 6, which 3 in 100 random points keep: found by its distance alone."""
    study = _study()
    for _ in range(22):
        trial = study.ask(LINE)
        total = sum(trial.params.values())
        trial.set_constraint("total", float(total - 6))
        kept = total <= 6
        study.tell(trial, line_values(trial.params) if kept else None, state=None if kept else TrialState.PRUNED)
    feasible = [t for t in study.get_trials() if t.constraints["total"] <= 0]
    assert len([t for t in feasible if t.number >= 12]) >= 5


@pytest.mark.parametrize("directions", [["minimize"], ["minimize"] * 3, ["minimize"] * 4])
def test_mixed_spaces_with_constraints(directions: list[str]) -> None:
    """One objective, three and four, each by its own acquisition function, on a space with continuous numbers."""
    study = _study(directions)
    for _ in range(9):
        trial = study.ask(MIXED)
        trial.set_constraint("rate", trial.params["rate"] - 0.5)
        study.tell(trial, (mixed_values(trial) * 2)[: len(directions)])
    assert all(t.state == TrialState.COMPLETE for t in study.get_trials())
    assert len({repr(t.params) for t in study.get_trials()}) == 9  # True and 1 are two choices


def test_a_subset_of_many_trials_keeps_the_front(caplog: pytest.LogCaptureFixture) -> None:
    """Beyond max_data the processes learn from a subset, which is said once."""
    study = _study(("minimize", "minimize"), max_data=24)
    _add_random(study, LINE, lambda p: [float(p["x0"]), float(9 - p["x0"] + p["x1"])], 80)
    encoding = Encoding(LINE)
    history = history_of(read_points(study, encoding), study, encoding)
    kept = subset(history, 24)
    assert len(set(kept.tolist())) == 24
    best = {tuple(v) for v in history.losses[kept].tolist()}
    assert {tuple(history.losses[t.number].tolist()) for t in study.best_trials} <= best
    with caplog.at_level(logging.INFO, logger="nasopt"):
        for _ in range(2):
            study.tell(study.ask(LINE), [1.0, 1.0])
    assert len([r for r in caplog.records if "max_data" in r.getMessage()]) == 1


def test_global_random_state_is_left_alone() -> None:
    """Neither torch's nor numpy's generator moves: a training beside the study draws what it would have drawn."""
    study = _study()
    _add_random(study, GRID, grid_values, 8)
    torch.manual_seed(7)
    np.random.seed(7)  # noqa: NPY002
    study.ask(GRID)
    study_mixed = _study(["minimize"])
    _add_random(study_mixed, {"x": FloatDistribution(0, 1)}, lambda p: [p["x"]], 8)
    study_mixed.ask({"x": FloatDistribution(0, 1)})
    drawn = float(torch.rand(1)), float(np.random.rand())  # noqa: NPY002
    torch.manual_seed(7)
    np.random.seed(7)  # noqa: NPY002
    assert drawn == (float(torch.rand(1)), float(np.random.rand()))  # noqa: NPY002


STALE = """
import sys, optuna, logging
from nasopt.samplers.botorch import botorch
from optuna.distributions import CategoricalDistribution
logging.basicConfig(level=logging.INFO, stream=sys.stdout)
optuna.logging.set_verbosity(optuna.logging.ERROR)
GRID = {name: CategoricalDistribution([0, 1, 2]) for name in "pqrs"}
study = optuna.create_study(directions=["maximize", "minimize"], sampler=botorch(seed=0, startup_trials=4))
for _ in range(7):
    trial = study.ask(GRID)
    study.tell(trial, [float(trial.params["p"]), float(sum(trial.params.values()))])
print("done")
"""


def test_a_stale_compile_lock_hangs_nobody(tmp_path: Path) -> None:
    """BoTorch would wait for ever for the compiler of a process that was killed."""
    lock = tmp_path / "logei_fused_ext" / "lock"
    lock.parent.mkdir()
    lock.touch()
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", STALE],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env=os.environ | {"TORCH_EXTENSIONS_DIR": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "done"
    assert done.stdout.count("C++ kernel is not compiled") == 1
    assert lock.exists(), "nobody touched it"


def test_a_branch_that_is_not_asked_for() -> None:
    """Both branches of a conditional space are searched, and the better one more."""
    space = {
        "kind": CategoricalDistribution(["cell", "chain"]),
        "cell": CategoricalDistribution(list("uvwxyz")),
        "depth": IntDistribution(1, 12),
    }
    sampler = botorch(seed=1, search_space=space, **QUICK)
    study = optuna.create_study(directions=["minimize", "minimize"], sampler=sampler)
    for _ in range(16):
        trial = study.ask()
        if trial.suggest_categorical("kind", ["cell", "chain"]) == "cell":
            study.tell(trial, [9.0 + "uvwxyz".index(trial.suggest_categorical("cell", list("uvwxyz"))), 9.0])
        else:
            depth = trial.suggest_int("depth", 1, 12)
            study.tell(trial, [depth / 2, 6.5 - depth / 2])
    taken = [t.params for t in study.get_trials()]
    assert len({tuple(p.items()) for p in taken}) == 16
    assert sum(p["kind"] == "chain" for p in taken[6:]) > 5


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"n_startup_trials": 5}, "no option 'n_startup_trials'; it takes startup_trials, samples, pool"),
        ({"samples": 2}, "samples must be a whole number of at least 8, got 2"),
        ({"max_data": 5.5}, "max_data must be a whole number of at least 20"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        botorch(seed=0, **options)


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nasopt.samplers.botorch.sampling", None)
    with pytest.raises(UsageError, match=r"needs botorch \(pip install 'nasopt\[botorch\]'\)"):
        botorch(seed=0)
