"""A portfolio of samplers: conformance, the bandit, and what is recorded."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import moocore
import numpy as np
import optuna
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.samplers import RandomSampler
from optuna.testing.pytest_samplers import BasicSamplerTestCase, MultiObjectiveSamplerTestCase, RelativeSamplerTestCase
from optuna.trial import Trial, TrialState

from nasopt import plugins
from nasopt.errors import NasoptError
from nasopt.records import TrialKeys
from nasopt.records.prior import ArchitecturePrior
from nasopt.samplers.history import History
from nasopt.samplers.portfolio import PortfolioSampler, portfolio
from nasopt.samplers.portfolio_credit import MARGIN, Standing, choose, contributions, ranked, standing
from nasopt.testing.sampler_problems import GRID, LINE, SIZES, UNION, line_values, run_grid
from nasopt.testing.samplers import SamplerSuite


class TestPortfolio(SamplerSuite, BasicSamplerTestCase, RelativeSamplerTestCase, MultiObjectiveSamplerTestCase):
    target = "nasopt.samplers.portfolio:portfolio"
    options = {"members": ["tpe", "evolution"]}  # noqa: RUF012


class TestPortfolioOfSamplersThatRepeat(SamplerSuite):
    target = "nasopt.samplers.portfolio:portfolio"
    options = {"members": ["random", "tpe", {"name": "tpe", "options": {"multivariate": False}}]}  # noqa: RUF012
    learns = False  # a third of it is random


@pytest.fixture(autouse=True)
def _quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def _history(seed: int, trials: int, objectives: int, feasible: float) -> History:
    rng = np.random.default_rng(seed)
    return History(
        codes=np.zeros((trials, 0)),
        losses=rng.integers(8, size=(trials, objectives)) / 6,
        violations=(rng.random(trials) >= feasible).astype(float),
    )


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    trials=st.integers(1, 40),
    objectives=st.integers(1, 5),
    feasible=st.sampled_from([0.0, 0.5, 1.0]),
    share=st.floats(0, 1),
)
def test_contributions_add_up(seed: int, trials: int, objectives: int, feasible: float, share: float) -> None:
    """Their sum is the hypervolume of all, and a window of them does not depend on where it starts."""
    history = _history(seed, trials, objectives, feasible)
    added = contributions(history)
    counted = history.losses[history.feasible & (history.losses < MARGIN).all(axis=1)]
    volume = moocore.hypervolume(counted, ref=np.full(objectives, MARGIN)) if len(counted) else 0.0
    assert added.sum() == pytest.approx(volume)
    assert (added[~history.feasible] == 0).all()
    first = int(share * trials)
    np.testing.assert_allclose(contributions(history, first), added[first:], atol=1e-12)


def test_many_objectives_count_what_enters_the_front() -> None:
    losses = np.array([[0.5] * 8, [0.6] * 8, [0.4, *[0.7] * 7]])
    added = contributions(History(codes=np.zeros((3, 0)), losses=losses, violations=np.zeros(3)))
    np.testing.assert_array_equal(added, [1, 0, 1])


@given(st.lists(st.sampled_from([0.0, 1e-12, 1e-3, 1.0, 5.0]), max_size=30))
def test_ranks_keep_the_order_and_forget_the_scale(values: list[float]) -> None:
    added = np.array(values)
    reward = ranked(added)
    assert ((reward > 0) == (added > 0)).all()
    assert (reward <= 1).all()
    for i in range(len(added)):
        assert (reward[added > added[i]] > reward[i]).all()
    np.testing.assert_array_equal(reward, ranked(added * 1e-9))
    assert not added.any() or reward.max() == 1


def test_members_come_in_turn_and_then_by_what_they_earn() -> None:
    rng = np.random.default_rng(0)
    assert choose(Standing(turns=(5, 0, 0), tried=(5, 0, 0), earned=(5.0, 0.0, 0.0)), floor=0.3, rng=rng) == 1
    earning = Standing(turns=(20, 20, 20), tried=(20, 20, 20), earned=(12.0, 1.0, 1.0))
    drawn = Counter(choose(earning, floor=0.05, rng=rng) for _ in range(2000))
    assert drawn[0] > 1600
    assert min(drawn[1], drawn[2]) > 0.03 * 2000, "the floor"
    idle = Standing(turns=(30, 30, 30), tried=(0, 20, 30), earned=(0.0, 0.0, 0.0))
    drawn = Counter(choose(idle, floor=0.0, rng=rng) for _ in range(2000))
    assert drawn[0] > drawn[1] > drawn[2], "who has been tried least is tried again first"


def _credit_study(*rows: tuple[str, TrialState, list[float] | None, float]) -> optuna.Study:
    """Trials of (proposer, state, values, violation); two objectives to be minimised."""
    study = optuna.create_study(directions=["minimize", "minimize"])
    for label, state, values, violation in rows:
        study.add_trial(
            optuna.create_trial(
                state=state,
                values=values,
                constraints={"bound": violation} if state == TrialState.COMPLETE else None,
                user_attrs={TrialKeys.PROPOSER: label} if label else {},
            )
        )
    return study


def test_who_earns_and_who_does_not() -> None:
    """Running and pruned trials are tried; failed ones are not, but had their turn; refused ones earn nothing."""
    study = _credit_study(
        ("", TrialState.COMPLETE, [0.5, 0.5], 0.0),
        ("a", TrialState.COMPLETE, [0.4, 0.6], 0.0),
        ("b", TrialState.COMPLETE, [0.0, 0.0], 1.0),
        ("b", TrialState.COMPLETE, [0.6, 0.7], 0.0),
        ("b", TrialState.RUNNING, None, 0.0),
        ("b", TrialState.PRUNED, None, 0.0),
        ("c", TrialState.FAIL, None, 0.0),
        ("a", TrialState.COMPLETE, [0.0, 1.0], 0.0),
        ("gone", TrialState.COMPLETE, [1.0, 0.0], 0.0),
    )
    now = standing(study, study.get_trials(), ("a", "b", "c"), 50)
    assert now == Standing(turns=(2, 4, 1), tried=(2, 4, 0), earned=(1.5, 0.0, 0.0))
    assert standing(study, study.get_trials(), ("a", "b", "c"), 1).tried == (1, 0, 0), "the window"


def test_a_better_single_objective_earns() -> None:
    study = optuna.create_study(direction="maximize")
    for label, value in (("a", 1.0), ("b", 0.5), ("b", 3.0), ("a", 2.0)):
        study.add_trial(optuna.create_trial(value=value, user_attrs={TrialKeys.PROPOSER: label}))
    now = standing(study, study.get_trials(), ("a", "b"), 50)
    assert now.earned[0] < now.earned[1]


class Corner(RandomSampler):
    """Proposes the worst corner of LINE, and notes what it is told."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(seed=seed)
        self.heard: list[tuple[str, int]] = []

    def before_trial(self, study: Any, trial: Any) -> None:
        self.heard.append(("before", trial.number))

    def after_trial(self, study: Any, trial: Any, state: Any, values: Any) -> None:
        self.heard.append(("after", trial.number))

    def sample_independent(self, study: Any, trial: Any, param_name: str, param_distribution: Any) -> Any:
        return param_distribution.high


def _share(study: optuna.Study, label: str, since: int) -> float:
    later = study.get_trials()[since:]
    return sum(t.user_attrs[TrialKeys.PROPOSER] == label for t in later) / len(later)


def test_a_useless_member_keeps_little_more_than_the_floor() -> None:
    corner = Corner()
    evolving = plugins.load("samplers", "evolution")(seed=0, search_space=LINE, trials=40)
    sampler = PortfolioSampler({"corner": corner, "evolution": evolving}, seed=0, search_space=LINE)
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
    for _ in range(100):
        trial = study.ask(LINE)
        study.tell(trial, line_values(trial.params))
    assert 0.02 < _share(study, "corner", 20) < 0.3
    mine = [t.number for t in study.get_trials() if t.user_attrs[TrialKeys.PROPOSER] == "corner"]
    assert corner.heard == [(when, number) for number in mine for when in ("before", "after")]


@pytest.mark.parametrize("seed", [0, 1])
def test_a_useful_member_gains_on_a_published_table(reference: Path, seed: int) -> None:
    """NAS-Bench-Macro, accuracy and MACs: evolution gets more of the trials than random search does."""
    columns = pq.read_table(reference / "benchmarks" / "nas_bench_macro_cifar10.parquet").to_pydict()
    names = [n for n, values in columns.items() if isinstance(values[0], str)]
    rows = {row: i for i, row in enumerate(zip(*(columns[n] for n in names), strict=True))}
    space = {n: CategoricalDistribution(sorted(set(columns[n]))) for n in names}
    members = ["random", "evolution"]
    sampler = portfolio(seed=seed, search_space=space, trials=150, members=members)
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
    for _ in range(150):
        trial = study.ask(space)
        row = rows[tuple(trial.params[n] for n in names)]
        study.tell(trial, [columns["accuracy"][row], columns["macs"][row]])
    assert _share(study, "evolution", 50) > 0.6


def test_only_what_a_member_proposed_is_recorded() -> None:
    """Not what was enqueued, in whole or in part, nor added, nor what is taken up again."""
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=portfolio(seed=0, search_space=GRID))
    study.enqueue_trial(dict.fromkeys(GRID, "middle"))
    study.enqueue_trial({"p": "large"})
    study.add_trial(optuna.create_trial(params={}, distributions={}, values=[0.0, 0.0]))
    for _ in range(4):
        run_grid(study)
    recorded = [t.user_attrs.get(TrialKeys.PROPOSER) for t in study.get_trials()]
    assert recorded == [None, None, None, "predictor", "tpe"]
    drawn = study.ask(GRID)
    assert drawn.user_attrs[TrialKeys.PROPOSER] == "evolution"
    study.sampler = portfolio(seed=1, search_space=GRID, members=["random"])
    assert Trial(study, drawn._trial_id).user_attrs == drawn.user_attrs, "who drew it stays"


def test_a_portfolio_made_anew_for_each_draw_is_the_same() -> None:
    """Another process that goes on with the study chooses the same member and the same point."""
    study = optuna.create_study(directions=["maximize", "minimize"])
    for number in range(12):
        study.sampler = portfolio(seed=number, search_space=GRID, trials=20)
        run_grid(study)
    copied = optuna.create_study(directions=study.directions)
    copied.add_trials(study.get_trials())
    for one in (study, copied):
        one.sampler = portfolio(seed=99, search_space=GRID, trials=20)
        run_grid(one)
    first, second = study.get_trials()[-1], copied.get_trials()[-1]
    assert (first.params, first.user_attrs) == (second.params, second.user_attrs)


def test_repeats_become_new_points_nearby() -> None:
    """A member that knows one point only: the study gets its neighbours, each once."""
    sampler = PortfolioSampler({"corner": Corner()}, seed=0, search_space=LINE)
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
    for _ in range(30):
        trial = study.ask(LINE)
        study.tell(trial, line_values(trial.params))
    taken = [tuple(t.params.values()) for t in study.get_trials()]
    assert len(set(taken)) == 30
    assert taken[0] == (9, 9, 9, 9)
    assert np.mean([sum(v != 9 for v in point) for point in taken]) < 2


def test_the_default_members_share_a_study() -> None:
    """All three propose, the surrogates of predictor included, and no point comes twice."""
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=portfolio(seed=0, search_space=GRID))
    for _ in range(24):
        run_grid(study)
    assert {t.user_attrs[TrialKeys.PROPOSER] for t in study.get_trials()} == {"predictor", "tpe", "evolution"}
    assert len({tuple(t.params.values()) for t in study.get_trials()}) == 24


def test_members_of_conditional_spaces() -> None:
    study = optuna.create_study(sampler=portfolio(seed=0, search_space=UNION, members=["evolution", "tpe", "random"]))
    for _ in range(7):
        trial = study.ask()
        if trial.suggest_categorical("kind", ["cell", "chain"]) == "cell":
            study.tell(trial, "xyz".index(trial.suggest_categorical("cell", ["x", "y", "z"])))
        else:
            study.tell(trial, trial.suggest_int("depth", 1, 4))
    assert len({tuple(sorted(t.params.items(), key=str)) for t in study.get_trials()}) == 7


def test_two_of_a_kind_are_told_apart_by_their_options() -> None:
    members = ["tpe", {"name": "tpe", "options": {"n_startup_trials": 5}}, "random"]
    study = optuna.create_study(sampler=portfolio(seed=0, search_space=LINE, members=members))
    for _ in range(3):
        trial = study.ask(LINE)
        study.tell(trial, 1.0)
    recorded = [t.user_attrs[TrialKeys.PROPOSER] for t in study.get_trials()]
    assert recorded == ["tpe", "tpe (n_startup_trials=5)", "random"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"members": ["tpe", "tpee"]}, "portfolio: no sampler named 'tpee'; installed: .*evolution"),
        ({"members": ["tpe", "portfolio"]}, "portfolio cannot be a member of a portfolio; list its own members"),
        ({"members": ["tpe"], "prior": "prior.json"}, "no member takes a prior"),
        ({"members": [{"name": "darts", "options": {"prior": "p.json"}}]}, "give the option prior to the portfolio"),
        ({"members": [{"name": "tpe", "options": {"wide": 1}}]}, "member tpe: sampler tpe has no option 'wide'; it ta"),
        ({"members": [{"name": "evolution", "options": {"population_size": 1}}]}, "at least 2, got 1"),
        ({"members": [{"name": "tpe", "options": {"seed": 1}}]}, "'seed' is set by nasopt itself"),
        ({"members": [{"name": "tpe", "option": {}}]}, "a member is a sampler's name, or"),
        ({"members": [{"options": {}}]}, "a member is a sampler's name, or"),
        ({"members": "tpe"}, "members must be a list of samplers, got 'tpe'"),
        ({"members": []}, "members must be a list"),
        ({"members": ["tpe", "tpe"]}, "the member tpe stands twice"),
        ({"member": ["tpe"]}, "no option 'member'; it takes members, window, floor"),
        ({"window": 0}, "window must be a whole number of at least 1, got 0"),
        ({"floor": 1.5}, "floor must be a number from 0 to 1"),
        ({"floor": 0.6}, "3 members cannot each keep a share of 0.6"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(NasoptError, match=said):
        portfolio(seed=0, **options)


def test_a_prior_is_passed_on_to_the_members_that_require_it() -> None:
    """darts draws the only choice that its prior believes in; the study is told to train one unless it is given."""
    prior = ArchitecturePrior(
        objectives=("accuracy",), preferences=((1.0,),), choices={"p": SIZES}, probabilities={"p": ((0.0, 1.0, 0.0),)}
    )
    members = [{"name": "darts", "options": {"uniform_share": 0.0}}, "tpe"]
    assert portfolio.requires({"members": members}) == {"prior"}  # type: ignore[attr-defined]
    assert portfolio.requires({"members": members, "prior": "x.json"}) == frozenset()  # type: ignore[attr-defined]
    assert portfolio.requires({"members": ["tpe"]}) == frozenset()  # type: ignore[attr-defined]
    study = optuna.create_study(sampler=portfolio(seed=0, search_space=GRID, members=members, prior=prior))
    trial = study.ask(GRID)
    assert (trial.user_attrs[TrialKeys.PROPOSER], trial.params["p"]) == ("darts", "middle")


def test_values_outside_of_a_distribution_are_left_to_optuna() -> None:
    """A member that gives a number too large: Optuna asks it again for this parameter."""

    class Beyond(Corner):
        def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, Any]:
            return {"x": IntDistribution(0, 3)}

        def sample_relative(self, study: Any, trial: Any, search_space: Any) -> dict[str, Any]:
            return {"x": 7}

    study = optuna.create_study(
        sampler=PortfolioSampler({"beyond": Beyond()}, search_space={"x": IntDistribution(0, 3)})
    )
    assert study.ask({"x": IntDistribution(0, 3)}).params == {"x": 3}
