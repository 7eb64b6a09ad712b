"""The predictor on numbers: smooth objectives are learnt from few trials, and fronts that curve are followed."""

from __future__ import annotations

from typing import Any

import moocore
import numpy as np
import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import RandomSampler
from scipy.optimize import minimize

from nasopt.samplers.predictor import gp as process
from nasopt.samplers.predictor import predictor
from nasopt.samplers.predictor.features import Features, shift
from nasopt.samplers.predictor.search import REFINED
from nasopt.space.encoding import Array, Encoding

Space = dict[str, BaseDistribution]
NUMBERS: Space = {f"x{i}": FloatDistribution(0.0, 1.0) for i in range(7)}
LEVELS = {"e": 0.0, "b": 0.25, "d": 0.5, "a": 0.75, "c": 1.0}
NAMED: Space = NUMBERS | {f"x{i}": CategoricalDistribution(tuple(LEVELS)) for i in (1, 3, 5)}
INTEGERS: Space = NUMBERS | {"x0": IntDistribution(0, 20), "x4": FloatDistribution(0.0, 1.0, step=0.1)}


def _sphere(params: dict[str, Any], middle: float = 0.4) -> list[float]:
    """Three losses whose front is a part of a sphere, in reach where all but two numbers stand at the middle."""
    x = np.array([LEVELS.get(v, v) / (20 if isinstance(v, int) else 1) for v in params.values()])
    radius = 1.0 + ((x[2:] - middle) ** 2).sum()
    a, b = 0.5 * np.pi * x[:2]
    return [radius * np.cos(a) * np.cos(b), radius * np.cos(a) * np.sin(b), radius * np.sin(a)]


def _share(space: Space, sampler: optuna.samplers.BaseSampler, trials: int) -> float:
    study = optuna.create_study(directions=["minimize"] * 3, sampler=sampler)
    for _ in range(trials):
        trial = study.ask(space)
        study.tell(trial, _sphere({n: trial.params[n] for n in space}))
    values = np.array([t.values for t in study.trials])
    return float(moocore.hypervolume(values, ref=[2.0, 2.0, 2.0])) / 8.0


@pytest.mark.parametrize("space", [NUMBERS, NAMED, INTEGERS], ids=["numbers", "names", "integers"])
def test_follows_a_curved_front_of_three_objectives(space: Space) -> None:
    """It was no better than random where numbers have their best value within their range."""
    ours = [_share(space, predictor(seed=s, search_space=space), 40) for s in (0, 1)]
    control = [_share(space, RandomSampler(seed=s), 40) for s in range(4)]
    assert min(ours) > max(control)
    assert np.mean(ours) > np.mean(control) + 0.07


def test_learns_smooth_objectives_from_few_trials() -> None:
    encoding = Encoding(NUMBERS)
    features = Features(encoding)
    codes = encoding.draw(np.random.default_rng(0), 340)
    losses = np.array([_sphere(encoding.decode(row)) for row in codes])
    x = features(codes)
    explained = []
    for y in losses.T:
        kernel = process.fit(features.groups, features.sums, x[:40], y[:40])
        mean, _ = process.condition(kernel, x[:40], y[:40]).predict(x[40:])
        explained.append(1.0 - ((mean - y[40:]) ** 2).mean() / y[40:].var())
    assert np.mean(explained) > 0.955  # .928 where sums have no squares


@pytest.mark.parametrize("matern", [False, True])
def test_gradients_of_the_likelihood(monkeypatch: pytest.MonkeyPatch, matern: bool) -> None:
    encoding = Encoding(NAMED)
    features = Features(encoding)
    x = features(encoding.draw(np.random.default_rng(0), 30))
    y = np.random.default_rng(1).standard_normal(30)
    checked = []

    def compared(objective: Any, begin: Array, **settings: Any) -> Any:
        steps = 1e-5 * np.eye(len(begin))
        numeric = [(objective(begin + s)[0] - objective(begin - s)[0]) / 2e-5 for s in steps]
        np.testing.assert_allclose(objective(begin)[1], numeric, atol=1e-6)
        checked.append(len(begin))
        return minimize(objective, begin, **settings)

    monkeypatch.setattr("nasopt.samplers.predictor.gp.minimize", compared)
    process.fit(features.groups, features.sums, x, y, matern=matern)
    assert checked == [len(features.groups) + len(features.sums) + 2]


def test_each_number_has_a_weight_of_its_own_in_the_sum_and_names_share_one() -> None:
    space: Space = {
        "name": CategoricalDistribution(["x", "y", "z"]),
        "number": FloatDistribution(1.0, 3.0),
        "levels": CategoricalDistribution([1, 2, 4]),
    }
    features = Features(Encoding(space))
    assert [s.tolist() for s in features.sums] == [[0, 1, 2, 5, 6, 7], [3, 4], [8, 9]]
    assert not features.continuous or features.width == 10
    place, bent = features(np.array([[0.0, 0.25, 1.0]]))[0, 3:5]
    assert (place, bent) == (0.25, pytest.approx(0.25 - 1 / 3))
    assert [s.tolist() for s in Features(Encoding({"name": space["name"]})).sums] == [[0, 1, 2]]


def test_a_prediction_without_noise_is_sure_where_a_trial_is() -> None:
    encoding = Encoding(NUMBERS)
    features = Features(encoding)
    x = features(encoding.draw(np.random.default_rng(0), 40))
    y = x @ np.linspace(0.0, 1.0, features.width) + 0.1 * np.random.default_rng(1).standard_normal(40)
    kernel = process.fit(features.groups, features.sums, x, y)
    posterior = process.condition(kernel, x, y)
    _, whole = posterior.predict(x)
    _, own = posterior.predict(x, noise=False)
    np.testing.assert_allclose(whole**2 - own**2, kernel.noise * posterior.scale**2, rtol=1e-6)


def test_small_steps_move_continuous_parameters_only() -> None:
    encoding = Encoding(INTEGERS | {"name": CategoricalDistribution(["x", "y"])})
    rng = np.random.default_rng(0)
    codes = encoding.draw(rng, 50)
    moved = shift(encoding, codes, REFINED[-1], rng)
    discrete = [axis.levels is not None for axis in encoding.axes]
    assert (moved[:, discrete] == codes[:, discrete]).all()
    assert (moved[:, ~np.array(discrete)] != codes[:, ~np.array(discrete)]).mean() > 0.9
    assert moved.min() >= 0.0
    assert np.abs(moved - codes).max() < 8 * REFINED[-1]
