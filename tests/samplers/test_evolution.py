"""Evolution on a weighted sum: conformance, and what its options do."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.testing.pytest_samplers import BasicSamplerTestCase, MultiObjectiveSamplerTestCase, RelativeSamplerTestCase

from nasopt.errors import UsageError
from nasopt.samplers.evolution import evolution
from nasopt.space import cardinality
from nasopt.space.encoding import Encoding
from nasopt.testing.sampler_problems import LINE
from nasopt.testing.samplers import SamplerSuite


class EvolutionSuite(SamplerSuite, BasicSamplerTestCase, RelativeSamplerTestCase, MultiObjectiveSamplerTestCase):
    target = "nasopt.samplers.evolution:evolution"


class TestEvolution(EvolutionSuite):
    pass


class TestAgeingEvolution(SamplerSuite):
    target = "nasopt.samplers.evolution:evolution"
    options = {"ageing": True, "weights": "equal", "tournament_size": 3, "mutation_prob": 0.3}  # noqa: RUF012


SPACE: dict[str, BaseDistribution] = {"x": IntDistribution(0, 30), "y": IntDistribution(0, 30)}


def _search(count: int = 60, **options: object) -> optuna.Study:
    """Cost x and loss 30 - x: every x is on the front, and y should be 0."""
    sampler = evolution(seed=0, search_space=SPACE, population_size=12, **options)
    study = optuna.create_study(directions=["minimize", "minimize"], sampler=sampler)
    for _ in range(count):
        trial = study.ask(SPACE)
        study.tell(trial, [trial.params["x"] + trial.params["y"], 30 - trial.params["x"] + trial.params["y"]])
    return study


def test_weights_choose_the_end_of_the_front() -> None:
    cheap, good = (
        np.mean([t.params["x"] for t in _search(weights=weights).trials[30:]]) for weights in ([1.0, 0.1], [0.1, 1.0])
    )
    assert cheap < 12
    assert good > 18


def test_drawn_weights_spread_along_the_front() -> None:
    drawn = [t.params["x"] for t in _search(weights="drawn").trials[30:]]
    assert min(drawn) < 5
    assert max(drawn) > 25


def test_ageing_forgets_the_old() -> None:
    """Good old trials are no parents any more: with no mutation children lie among the newest trials' values."""
    study = optuna.create_study(directions=["minimize"])
    for number in range(40):
        value = 0 if number < 20 else 9
        params = dict.fromkeys(LINE, value) | {"x0": number % 10}
        study.add_trial(optuna.create_trial(params=params, distributions=LINE, value=float(value)))
    children: dict[bool, Counter[int]] = {}
    for ageing in (False, True):
        sampler = evolution(
            seed=0, search_space=LINE, population_size=10, ageing=ageing, mutation_prob=0.25, crossover_prob=1.0
        )
        study.sampler = sampler
        children[ageing] = Counter(study.ask(LINE).params["x3"] for _ in range(20))
    assert children[False].most_common(1)[0][0] == 0
    assert children[True].most_common(1)[0][0] == 9


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"population": 5}, "no option 'population'; it takes population_size"),
        ({"population_size": 1}, "at least 2, got 1"),
        ({"crossover_prob": 1.5}, "crossover_prob must be a number from 0 to 1, got 1.5"),
        ({"mutation_prob": "often"}, "mutation_prob must be"),
        ({"weights": [1, -1]}, "weights must be"),
        ({"weights": [0, 0]}, "not all be 0"),
        ({"weights": "even"}, "weights must be"),
        ({"ageing": "yes"}, "ageing must be true or false"),
        ({"tournament_size": 0}, "at least 1"),
    ],
)
def test_bad_options_are_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        evolution(seed=0, **options)


def test_weights_must_match_the_objectives() -> None:
    with pytest.raises(UsageError, match="3 weights for 2 objectives"):
        _search(weights=[1, 1, 1])


names = st.sampled_from("abcdef")
choice = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.floats(), st.text(max_size=3))
distributions = st.one_of(
    st.lists(choice, min_size=2, max_size=6).map(CategoricalDistribution),  # some of them equal
    st.tuples(st.integers(-50, 50), st.integers(1, 60), st.integers(1, 7)).map(
        lambda t: IntDistribution(t[0], t[0] + t[1] * t[2], step=t[2])
    ),
    st.tuples(st.integers(1, 50), st.integers(1, 500)).map(lambda t: IntDistribution(t[0], t[0] + t[1], log=True)),
    st.tuples(st.floats(-1e3, 1e3), st.floats(0.01, 1e3)).map(lambda t: FloatDistribution(t[0], t[0] + t[1])),
    st.tuples(st.floats(1e-9, 1.0), st.floats(1.5, 1e6)).map(lambda t: FloatDistribution(t[0], t[0] * t[1], log=True)),
    st.tuples(st.floats(-10, 10), st.sampled_from([0.1, 0.25, 1 / 3]), st.integers(1, 40)).map(
        lambda t: FloatDistribution(t[0], t[0] + t[1] * t[2], step=t[1])
    ),
)


@pytest.mark.filterwarnings("ignore:The distribution is specified by")
@settings(max_examples=60, deadline=None)
@given(space=st.dictionaries(names, distributions, min_size=1, max_size=5), seed=st.integers(0, 2**32 - 1))
def test_codes_round_trip(space: dict[str, BaseDistribution], seed: int) -> None:
    """Every drawn row decodes to values of its distributions and is encoded as the same row again."""
    encoding = Encoding(space)
    if not encoding.axes:
        return
    for row in encoding.draw(np.random.default_rng(seed), 5):
        params = encoding.decode(row)
        for name, value in params.items():
            assert space[name]._contains(space[name].to_internal_repr(value))
        again = encoding.encode(params)
        assert again is not None
        np.testing.assert_allclose(again, row, atol=1e-9)
        np.testing.assert_array_equal(encoding.snap(row), encoding.snap(encoding.snap(row)))
        stored = {n: space[n].to_external_repr(space[n].to_internal_repr(v)) for n, v in params.items()}
        np.testing.assert_allclose(encoding.encode(stored), row, atol=1e-9)


@pytest.mark.parametrize(
    ("choices", "told_apart"),
    [
        ([False, 0, "auto"], [False, "auto"]),
        ([True, 1, 1.0, None], [True, None]),
        ([0, False], [0]),
        ([float("nan"), 2, float("nan")], [float("nan"), 2]),
        (["1", 1, "1.0", None, "None"], ["1", 1, "1.0", None, "None"]),
    ],
)
def test_an_axis_has_the_choices_that_a_database_gives_back(choices: list[Any], told_apart: list[Any]) -> None:
    space = {"x": CategoricalDistribution(choices), "y": CategoricalDistribution("ab")}
    encoding = Encoding(space)
    axis = encoding.axes[0]
    assert str(list(axis.values)) == str(told_apart)
    assert axis.levels == cardinality({"x": space["x"]}).discrete == len(told_apart)
    assert len(list(encoding.walk(np.random.default_rng(0), np.full(2, np.nan)))) == 2 * len(told_apart)
    drawn = axis.draw(np.random.default_rng(0), 200)
    assert sorted(set(drawn)) == list(range(len(told_apart)))
    storage = optuna.storages.InMemoryStorage()
    study = optuna.create_study(storage=storage)
    for code in range(len(told_apart)):
        study.enqueue_trial({"x": axis.decode(code), "y": "a"})
        stored = study.ask(space).params["x"]
        assert axis.encode(stored) == code
        assert str(stored) == str(told_apart[code])


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), pinned=st.booleans())
def test_a_walk_visits_every_point_once(seed: int, pinned: bool) -> None:
    encoding = Encoding(
        {"a": CategoricalDistribution("xyz"), "b": IntDistribution(1, 6, log=True), "c": IntDistribution(0, 6, step=2)}
    )
    fixed = np.array([1.0, np.nan, np.nan]) if pinned else np.full(3, np.nan)
    rows = [tuple(row) for row in encoding.walk(np.random.default_rng(seed), fixed)]
    assert len(rows) == len(set(rows)) == (24 if pinned else 72)


class Forgetful(BaseSampler):
    """Repeats one point, and gives numpy's numbers."""

    def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, BaseDistribution]:
        return {}

    def sample_relative(self, study: Any, trial: Any, search_space: Any) -> dict[str, Any]:
        return {}

    def sample_independent(self, study: Any, trial: Any, param_name: str, param_distribution: BaseDistribution) -> Any:
        if isinstance(param_distribution, CategoricalDistribution):
            return param_distribution.choices[-1]
        return np.float64(param_distribution.high)


def forgetful(**options: Any) -> BaseSampler:
    return Forgetful()


@pytest.mark.parametrize(
    ("check", "arguments"),
    [
        ("test_python_values_inside_a_mixed_space", (True,)),
        ("test_no_point_twice", ()),
        ("test_better_than_random", ()),
        ("test_learns_from_added_trials", ()),
        ("test_constraints", ()),
        ("test_trials_in_other_states", ()),
        ("test_enqueued_trials", ()),
        ("test_waiting_trials_are_not_repeated", ()),
        ("test_reseeded_copies_differ", ()),
        ("test_refuses_unknown_options", ()),
    ],
)
def test_the_suite_catches(check: str, arguments: tuple[object, ...]) -> None:
    """The suite fails a sampler that breaks the promise."""

    class Suite(SamplerSuite):
        target = f"{__name__}:forgetful"

    with pytest.raises((AssertionError, pytest.fail.Exception, KeyError)):
        getattr(Suite(), check)(*arguments)
