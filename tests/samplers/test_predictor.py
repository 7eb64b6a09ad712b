"""The predictor: conformance, exact maths of its parts, and that it finds the front of a table."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

import moocore
import numpy as np
import optuna
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.testing.pytest_samplers import BasicSamplerTestCase, MultiObjectiveSamplerTestCase, RelativeSamplerTestCase
from optuna.trial import TrialState

from nasopt.errors import UsageError
from nasopt.samplers.initial_design import even_points
from nasopt.samplers.predictor import gp as process
from nasopt.samplers.predictor import predictor, search
from nasopt.samplers.predictor.box_decomposition import expected_improvement, improvement, open_boxes
from nasopt.samplers.predictor.collapse import collapsed
from nasopt.samplers.predictor.features import Features, enumerate_points, mutate, neighbours
from nasopt.samplers.predictor.observations import Observations
from nasopt.samplers.predictor.surrogate import POWERS, Scale, outlook, score
from nasopt.space.encoding import Encoding
from nasopt.testing.samplers import SamplerSuite

REFERENCE = Path(os.environ.get("NASOPT_REFERENCE", "../shared"))
TABLE = REFERENCE / "benchmarks" / "nas_bench_macro_cifar10.parquet"
OPERATIONS = ("skip", "small", "large")
CELL: dict[str, BaseDistribution] = {f"layer{i}": CategoricalDistribution(OPERATIONS) for i in range(5)}
MIXED: dict[str, BaseDistribution] = {
    "kind": CategoricalDistribution(["a", "b", None]),
    "width": CategoricalDistribution([0.25, 0.5, 1.0]),
    "depth": IntDistribution(1, 9, step=2),
    "channels": IntDistribution(1, 128, log=True),
    "rate": FloatDistribution(1e-4, 1.0, log=True),
    "share": FloatDistribution(0.0, 1.0, step=0.25),
    "fixed": IntDistribution(3, 3),
}


@pytest.mark.filterwarnings("ignore")
class TestPredictor(SamplerSuite, BasicSamplerTestCase, RelativeSamplerTestCase, MultiObjectiveSamplerTestCase):
    target = "nasopt.samplers.predictor:predictor"


def _cell(params: dict[str, Any]) -> list[float]:
    """Error and cost of a made-up network: later layers weigh more, two neighbouring skips hurt."""
    sizes = [OPERATIONS.index(params[f"layer{i}"]) for i in range(5)]
    twice = sum(a == b == 0 for a, b in itertools.pairwise(sizes))
    return [
        10.0 - sum(s**0.5 * (i + 1) for i, s in enumerate(sizes)) / 3 + 2.0 * twice,
        1.0 + sum(s * s for s in sizes),
    ]


def _run(study: optuna.Study, count: int) -> None:
    for _ in range(count):
        trial = study.ask(CELL)
        study.tell(trial, _cell(trial.params))


def _study(**options: Any) -> optuna.Study:
    sampler = predictor(search_space=CELL, **({"seed": 0} | options))
    return optuna.create_study(directions=["minimize", "minimize"], sampler=sampler)


def _hypervolume(values: np.ndarray) -> float:
    return float(moocore.hypervolume(values, ref=[20.0, 22.0]))


def test_finds_the_front_of_a_small_space_and_uses_all_of_it() -> None:
    study = _study()
    _run(study, 243)
    assert len({tuple(t.params.values()) for t in study.trials}) == 243
    values = np.array([t.values for t in study.trials])
    assert _hypervolume(values[:45]) > 0.999 * _hypervolume(values)


def test_a_new_process_goes_on_as_the_old_one_would() -> None:
    straight = _study()
    _run(straight, 32)
    resumed = _study()
    _run(resumed, 23)
    resumed.sampler = predictor(seed=0, search_space=CELL)
    _run(resumed, 9)
    assert [t.params for t in resumed.trials] == [t.params for t in straight.trials]


def test_a_sampler_built_anew_for_every_trial_keeps_its_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted = []

    def counted(encoding: Encoding, observations: Observations, **settings: Any) -> search.Stage:
        fitted.append(len(observations))
        return search.prepare(encoding, observations, **settings)

    monkeypatch.setattr("nasopt.samplers.predictor.sampler.prepare", counted)
    study = _study()
    for number in range(30):
        study.sampler = predictor(seed=number, search_space=CELL, pool=401)  # a pool that no other test has
        _run(study, 1)
    assert fitted == [16, 21, 26]


def test_running_trials_are_spread_around() -> None:
    study = _study()
    _run(study, 20)
    waiting = [study.ask(CELL) for _ in range(12)]
    assert len({tuple(t.params.values()) for t in waiting}) == 12
    sure = sum(t.state == TrialState.RUNNING for t in study.get_trials(deepcopy=False))
    assert sure == 12


@pytest.mark.parametrize("seed", [0, 1])
def test_avoids_what_constraints_refuse(seed: int) -> None:
    study = _study(seed=seed)
    for _ in range(60):
        trial = study.ask(CELL)
        trial.set_constraint("skips", sum(v == "skip" for v in trial.params.values()) - 1.0)
        study.tell(trial, _cell(trial.params))
    broken = [t.constraints["skips"] > 0 for t in study.trials]
    assert np.mean(broken[30:]) < 0.5 * np.mean(broken[5:16])


CUT: dict[str, BaseDistribution] = {
    f"edge{i}": CategoricalDistribution(("none", "pool", "skip", "narrow", "wide")) for i in range(5)
}


def _cut(params: dict[str, Any]) -> tuple[float, float]:
    """Error and cost of a made-up cell of two branches: nothing passes where both are cut, and nothing is computed."""
    quality = [("none", "pool", "skip", "narrow", "wide").index(params[f"edge{i}"]) for i in range(5)]
    branches = [quality[0] * quality[1], quality[2] * quality[3] * quality[4]]
    if not any(branches):
        return 0.99, 0.0
    live = [q for branch, edges in zip(branches, (quality[:2], quality[2:]), strict=True) if branch for q in edges]
    return 0.5 - 0.05 * sum(live) ** 0.75, 1.0 + sum(q * q for q in live)


def test_few_trials_are_spent_on_networks_that_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Gaussian process alone keeps hoping for networks half-way down the cliff."""

    def spent() -> int:
        study = optuna.create_study(directions=["minimize"] * 2, sampler=predictor(seed=1))
        for _ in range(100):
            trial = study.ask(CUT)
            study.tell(trial, _cut(trial.params))
        return sum(t.values[0] == 0.99 for t in study.trials[20:])

    told = spent()
    monkeypatch.setattr(search, "collapsed", lambda losses, front: np.zeros(len(losses), dtype=bool))
    assert 2 * told < spent()


class TestCollapsed:
    def test_a_pile_at_the_worst_value_clear_of_the_others(self) -> None:
        rng = np.random.default_rng(0)
        losses = rng.uniform(0.0, 0.6, size=(30, 2))
        losses[:5] = np.column_stack([rng.uniform(0.99, 1.0, 5), np.zeros(5)])
        front = np.array([[0.0, 0.5], [0.995, 0.0], [1.0, 0.0]])
        assert collapsed(losses, front).tolist() == [True] * 5 + [False] * 25
        assert not collapsed(losses[3:], front).any()  # two are no pile
        assert not collapsed(losses[:12], front).any()  # too few would remain
        assert not collapsed(losses, np.array([[1.0, 0.0], [1.0, 0.4]])).any()  # as good as the others in their way

    @given(st.integers(10, 200), st.integers(1, 4), st.integers(0, 2**31))
    def test_values_that_spread_are_none(self, count: int, objectives: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        losses = np.stack([rng.permutation(count) / (count - 1) for _ in range(objectives)], axis=1)
        assert not collapsed(losses, losses[:1]).any()

    @given(st.integers(9, 60), st.integers(1, 4))
    def test_values_that_are_all_alike_are_none(self, count: int, objectives: int) -> None:
        assert not collapsed(np.ones((count, objectives)), np.ones((1, objectives))).any()


def test_infinite_values_lose() -> None:
    study = _study()
    for _ in range(50):
        trial = study.ask(CELL)
        study.tell(trial, [float("inf"), 1.0] if trial.params["layer2"] == "large" else _cell(trial.params))
    assert sum(t.params["layer2"] == "large" for t in study.trials[20:]) < 10


@pytest.mark.parametrize("objectives", [1, 2, 4])
def test_mixed_spaces_of_any_number_of_objectives(objectives: int) -> None:
    sampler = predictor(seed=1, search_space=MIXED, startup=8)
    study = optuna.create_study(directions=["maximize"] + ["minimize"] * (objectives - 1), sampler=sampler)
    for _ in range(26):
        trial = study.ask(MIXED)
        p = trial.params
        gain = -((np.log10(p["rate"]) + 2.0) ** 2) + p["depth"] / 9.0 - (p["kind"] is None)
        costs = [p["channels"] * p["depth"], p["width"] + p["share"], p["depth"] - 4.0 * p["share"]]
        study.tell(trial, [gain, *costs[: objectives - 1]])
    for trial in study.trials:
        assert all(d._contains(d.to_internal_repr(trial.params[n])) for n, d in MIXED.items())
    if objectives == 1:
        assert study.best_value > 0.9


def test_options_are_checked() -> None:
    with pytest.raises(UsageError, match="no option 'size'"):
        predictor(size=3)
    with pytest.raises(UsageError, match="startup must be a whole number"):
        predictor(startup=1)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5), st.integers(1, 12), st.integers(0, 10_000))
def test_boxes_fill_exactly_what_the_front_leaves_open(objectives: int, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.random((count, objectives)).round(1)  # ties
    front = np.unique(values, axis=0)
    front = front[moocore.is_nondominated(front)] if objectives > 1 else front[:1]
    reference = np.full(objectives, 1.1)
    lower, upper = open_boxes(front, reference)
    queries = rng.random((20, objectives)) * 1.3 - 0.1
    inside = (queries < reference).all(axis=1)

    def volume(points: np.ndarray) -> float:
        return float(moocore.hypervolume(points, ref=reference)) if objectives > 1 else 1.1 - float(points.min())

    expected = [
        volume(np.vstack([front, q])) - volume(front) if k else 0.0 for q, k in zip(queries, inside, strict=True)
    ]
    np.testing.assert_allclose(improvement(queries, lower, upper), expected, atol=1e-9)
    np.testing.assert_allclose(
        expected_improvement(queries, np.full_like(queries, 1e-9), lower, upper), expected, atol=1e-6
    )


def test_expected_improvement_is_the_mean_over_draws() -> None:
    rng = np.random.default_rng(0)
    front = np.array([[0.1, 0.9, 0.5], [0.5, 0.4, 0.4], [0.8, 0.2, 0.9]])
    lower, upper = open_boxes(front, np.full(3, 1.1))
    mean, deviation = np.array([[0.4, 0.4, 0.5]]), np.array([[0.2, 0.1, 0.3]])
    drawn = improvement(mean + deviation * rng.standard_normal((400_000, 3)), lower, upper).mean()
    assert expected_improvement(mean, deviation, lower, upper)[0] == pytest.approx(drawn, rel=0.02)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=20), st.sampled_from(POWERS))
@example([0.0, 1.0, 256.0], 0.5)
def test_scales_are_monotone_and_invertible(values: list[float], power: float) -> None:
    array = np.array(values)
    scale = Scale.of(array, power)
    wide = np.sort(np.concatenate([array, [array.min() - 0.5 * scale.unit]]))
    forward = scale.forward(wide)
    assert (np.diff(forward) >= -1e-9).all()
    if np.ptp(array) < 1e3 * scale.unit:
        np.testing.assert_allclose(scale.backward(forward), wide, rtol=1e-6, atol=1e-6 * scale.unit)


@pytest.mark.parametrize("power", POWERS)
def test_outlook_is_the_better_side_of_a_skewed_prediction(power: float) -> None:
    rng = np.random.default_rng(0)
    scale = Scale.of(np.array([1.0, 2.0, 5.0]), power)
    middle, deviation = outlook(scale, np.array([0.3]), np.array([0.4]))
    drawn = scale.backward(0.3 + 0.4 * rng.standard_normal(400_000))
    better, median = np.quantile(drawn, [0.158655, 0.5])
    assert middle[0] == pytest.approx(median, rel=0.01)
    assert deviation[0] == pytest.approx(median - better, rel=0.02)


def test_choices_that_parameters_share_are_counted_by_name() -> None:
    """Whatever the order of the names; parameters with other choices, and missing ones, are left out."""
    space: dict[str, BaseDistribution] = {
        "a": CategoricalDistribution(["x", "y", "z"]),
        "b": CategoricalDistribution(["z", "y", "x"]),
        "c": CategoricalDistribution(["y", "x", "z"]),
        "d": CategoricalDistribution(["y", "x"]),
    }
    encoding = Encoding(space)
    features = Features(encoding)
    rows = np.array([encoding.encode({"a": "x", "b": "x", "c": "z", "d": "x"}), encoding.encode({"a": "y", "b": "z"})])
    counts = features(rows)[:, -3:] * np.sqrt(3)
    np.testing.assert_allclose(counts, [[2, 0, 1], [0, 1, 1]])  # x, y, z
    assert [len(group) for group in features.groups[-3:]] == [1, 1, 1]


def test_score_prefers_the_truth() -> None:
    values = np.random.default_rng(0).standard_normal(4000)
    ones = np.ones(4000)
    honest = score(values, 0 * ones, ones).mean()
    assert honest < min(score(values, 0 * ones, s * ones).mean() for s in (0.5, 2.0))
    assert honest < score(values, 0.5 * ones, ones).mean()


def test_process_learns_additive_costs_exactly_and_leaves_out_correctly() -> None:
    encoding = Encoding(CELL)
    features = Features(encoding)
    x = features(enumerate_points(encoding))
    y = x @ np.random.default_rng(0).random(x.shape[1])
    known = np.random.default_rng(1).choice(len(x), 40, replace=False)
    kernel = process.fit(features.groups, features.sums, x[known], y[known])
    mean, _ = process.condition(kernel, x[known], y[known]).predict(x)
    assert np.abs(mean - y).max() < 0.01 * np.ptp(y)
    posterior = process.condition(kernel, x[known], y[known])
    target = (y[known] - posterior.offset) / posterior.scale
    mean, deviation = posterior.left_out()
    covariance = kernel.between(x[known], x[known]) + (kernel.noise + 1e-6) * np.eye(40)
    rest = np.delete(np.arange(40), 7)
    solved = np.linalg.solve(covariance[np.ix_(rest, rest)], covariance[rest, 7])
    assert (mean[7] - posterior.offset) / posterior.scale == pytest.approx(solved @ target[rest], rel=1e-3)
    own = covariance[7, 7] - solved @ covariance[rest, 7]
    assert deviation[7] / posterior.scale == pytest.approx(own**0.5, rel=1e-3)


def test_features_do_not_know_the_names_of_choices() -> None:
    plain = {"x": CategoricalDistribution(["0.25", "0.5", "1.0"]), "y": CategoricalDistribution(["c", "a", "b"])}
    x = Features(Encoding(plain))(enumerate_points(Encoding(plain)))
    distances = ((x[:, None] - x[None]) ** 2).sum(axis=2)
    assert set(np.unique(distances.round(9))) == {0.0, 1.0, 2.0}


def test_moves_stay_in_the_space() -> None:
    rng = np.random.default_rng(0)
    encoding = Encoding(MIXED)
    codes = encoding.draw(rng, 200)
    children = mutate(encoding, codes, np.ones(200, dtype=np.intp), rng)
    changed = (children != codes).sum(axis=1)
    assert changed.max() == 1
    assert changed.mean() > 0.8  # a long logarithmic scale may round back
    for row in [*children, *neighbours(encoding, codes[:5], rng), *even_points(encoding, 5)]:
        np.testing.assert_allclose(encoding.snap(row), row, atol=1e-9)


@pytest.mark.skipif(not TABLE.exists(), reason=f"needs the table {TABLE}; set NASOPT_REFERENCE")
def test_near_the_front_of_a_published_table() -> None:
    import pyarrow.parquet as pq

    table = pq.read_table(TABLE).to_pydict()
    names = [n for n in table if n.startswith("layer")]
    rows = list(zip(*(table[n] for n in names), strict=True))
    losses = np.column_stack([-np.array(table["accuracy"]), np.array(table["macs"], dtype=float)])
    space: dict[str, BaseDistribution] = {n: CategoricalDistribution(sorted(set(table[n]))) for n in names}
    found = dict(zip(rows, losses.tolist(), strict=True))
    study = optuna.create_study(directions=["minimize"] * 2, sampler=predictor(seed=0, search_space=space))
    for _ in range(60):
        trial = study.ask(space)
        study.tell(trial, found[tuple(trial.params[n] for n in names)])
    front = losses[moocore.is_nondominated(losses)]
    ideal, nadir = front.min(axis=0), front.max(axis=0)
    values = (np.array([t.values for t in study.trials]) - ideal) / (nadir - ideal)
    best = moocore.hypervolume((front - ideal) / (nadir - ideal), ref=[1.1, 1.1])
    assert moocore.hypervolume(values, ref=[1.1, 1.1]) / best > 0.98
    assert len({tuple(t.params.values()) for t in study.trials}) == 60
