"""A good citizen of Optuna: studies and trials of others are left as they are, and what they offer is checked."""

from __future__ import annotations

import hashlib
import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from nasopt.errors import UsageError
from nasopt.records import TrialKeys
from nasopt.report import foreign_text
from nasopt.spec.study import StudySpec
from nasopt.study import run
from nasopt.study.events import Event, StudyOpened, TrialEnded
from nasopt.study.foreign import misfit
from tests.study.stand_in import LIGHTER, StandIn, make_spec, run_elsewhere

context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(["tests.study.stand_in", "nasopt.study.running", "optuna"])


def plain(spec: StudySpec) -> optuna.Study:
    """The study as a user of plain Optuna has it."""
    return optuna.load_study(study_name=spec.study.name, storage=spec.study.storage)


def begun(tmp_path: Path, **changes: Any) -> tuple[StudySpec, optuna.Study]:
    """A study of nasopt with two trials, to go on to six."""
    url = f"sqlite:///{tmp_path}/a.db"
    few = make_spec(url, study__trials=2, **changes)
    run(few, problem=StandIn(few))
    return make_spec(url, study__trials=6, **changes), plain(few)


def ours(study: optuna.Study) -> list[FrozenTrial]:
    return [t for t in study.get_trials() if t.user_attrs.get(TrialKeys.ENDED) == "completed"]


@pytest.mark.parametrize("directions", [["minimize"], ["minimize", "maximize"], ["maximize", "minimize"]])
def test_a_study_that_others_made_is_refused_and_its_file_stays_as_it_was(
    tmp_path: Path, directions: list[str]
) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    study = optuna.create_study(study_name="stand-in", storage=url, directions=directions)
    study.optimize(lambda t: [t.suggest_float("x", 0, 1)] * len(directions), n_trials=2)
    study._storage._backend.engine.dispose()  # type: ignore[attr-defined]
    before = hashlib.sha256((tmp_path / "a.db").read_bytes()).hexdigest()
    spec = make_spec(url)
    with pytest.raises(
        UsageError, match=r"'stand-in' that nasopt did not make \(2 trials, .*give this one another name"
    ):
        run(spec, problem=StandIn(spec))
    assert hashlib.sha256((tmp_path / "a.db").read_bytes()).hexdigest() == before


def test_what_a_run_left_that_was_killed_at_once_is_taken_up(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    optuna.create_study(study_name="stand-in", storage=url, directions=["maximize", "minimize"])
    assert run(make_spec(url), problem=StandIn(make_spec(url))).finished == 8


def test_a_trial_that_somebody_holds_is_left_to_them(tmp_path: Path) -> None:
    spec, study = begun(tmp_path)
    space = StandIn(spec).distributions
    held = [study.ask(), study.ask(space), study.ask({k: space[k] for k in list(space)[:3]})]
    assert run(spec, problem=StandIn(spec)).finished == 6
    for trial in held:
        stored = study.get_trials()[trial.number]
        assert stored.state == TrialState.RUNNING
        assert stored.user_attrs == {}
        study.tell(trial, [0.1, 1.0])
    assert len(ours(study)) == 6


def added(spec: StudySpec, values: list[float], **changes: Any) -> FrozenTrial:
    """A finished trial of somebody else's, as good as can be."""
    space = StandIn(spec).distributions
    params = {name: d.choices[0] if isinstance(d, CategoricalDistribution) else d.low for name, d in space.items()}  # type: ignore[attr-defined]
    return create_trial(params=params | changes, distributions=dict(space), values=values)


@pytest.mark.parametrize("sampler", ["gp", "nsga2", "tpe", "predictor", "botorch", "pymoo-nsga2"])
def test_finished_trials_of_others_are_known_to_the_sampler_and_no_trials_of_ours(tmp_path: Path, sampler: str) -> None:
    """Constraints are set on all trials of nasopt's and on none of theirs."""
    spec, study = begun(tmp_path, sampler=sampler, constraints=[{"metric": "accuracy", "min": 0.1}])
    study.add_trial(added(spec, [2.0, 1.0]))
    study.add_trial(create_trial(params={"x": 0.5}, distributions={"x": FloatDistribution(0, 1)}, values=[3.0, 2.0]))
    seen: list[Event] = []
    result = run(spec, problem=StandIn(spec), listener=seen.append)
    assert result.finished == len(ours(study)) == 6
    view = result.study.view()
    assert [t.number for t in view.elsewhere()] == [t.number for t in view.best_elsewhere()] == [2, 3]
    assert not {2, 3} & {t.number for t in view.front()}
    (opened,) = [e for e in seen if isinstance(e, StudyOpened)]
    (notice,) = [n for n in opened.notices if "elsewhere" in n]
    assert notice == foreign_text(view)
    assert notice.startswith("2 trials were added elsewhere (2, 3)")
    assert "Optuna's best_trials has 2, 3 among its own" in notice
    assert {t.number for t in study.best_trials} >= {2, 3}


def test_a_sampler_meets_points_of_the_space_alone_with_the_constraints_that_can_be_reckoned(tmp_path: Path) -> None:
    from nasopt.study.constraints import ConstraintSet
    from nasopt.study.foreign import SeenStudy, seeing

    spec, study = begun(tmp_path, constraints=[{"metric": "accuracy", "min": 0.1}])
    study.add_trial(added(spec, [0.05, 1.0]))
    study.add_trial(create_trial(params={"x": 0.5}, distributions={"x": FloatDistribution(0, 1)}, values=[3.0, 2.0]))
    study.ask()
    problem = StandIn(spec)
    constraints = ConstraintSet(spec.constraints, problem.structural)
    seen = SeenStudy(study, seeing(spec, problem, constraints)).get_trials()
    assert [t.number for t in seen if t.number >= 2] == [2]
    assert list(seen[-1].constraints) == sorted([LIGHTER, "accuracy_min"])
    assert seen[-1].constraints["accuracy_min"] == pytest.approx(0.5)
    assert study.get_trials()[2].constraints == {}


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"router.tau": 7.0}, "router.tau=7.0 is not in 0.3 to 0.99"),
    ({"router.tau": float("nan")}, "router.tau=nan is not in"),
    ({"router.tau": "0.5"}, "router.tau='0.5' is not in"),
    ({"nothing": 1}, "nothing is no parameter of this study"),
    ({"big.1.kernel": 4}, "big.1.kernel=4 is not in its choices (3, 5, 7)"),
]


def test_enqueued_points_are_checked_one_by_one_and_the_study_goes_on(tmp_path: Path) -> None:
    spec, study = begun(tmp_path, sampler="nsga2")
    for params, _ in WRONG:
        study.enqueue_trial(params)
    study.enqueue_trial({"router.tau": 0.625, "big.1.kernel": 7})
    seen: list[Event] = []
    assert run(spec, problem=StandIn(spec), listener=seen.append).finished == 6
    refused = [e for e in seen if isinstance(e, TrialEnded) and e.ended == "refused"]
    assert [e.number for e in refused] == [2, 3, 4, 5, 6]
    for event, (_, message) in zip(refused, WRONG, strict=True):
        assert f"enqueued, but {message}" in str(event.reason)
        assert study.get_trials()[event.number].state == TrialState.FAIL
    partial = study.get_trials()[7]
    assert (partial.params["router.tau"], partial.params["big.1.kernel"]) == (0.625, 7)
    assert partial.user_attrs[TrialKeys.ENDED] in ("completed", "infeasible")
    assert partial.params.keys() == StandIn(spec).distributions.keys()


@pytest.mark.parametrize(
    ("value", "distribution", "fits"),
    [
        (3, IntDistribution(1, 9, step=2), True),
        (4, IntDistribution(1, 9, step=2), False),
        (3.0, IntDistribution(1, 9, step=2), True),
        (3.5, IntDistribution(1, 9), False),
        (True, IntDistribution(0, 9), False),
        (0.25, FloatDistribution(0.0, 1.0, step=0.25), True),
        (0.3, FloatDistribution(0.0, 1.0, step=0.25), False),
        (5.0, FloatDistribution(0.0, 1.0), False),
        (1, FloatDistribution(0.0, 1.0), True),
        (float("inf"), FloatDistribution(0.0, 1.0), False),
        (None, FloatDistribution(0.0, 1.0), False),
        ("a", CategoricalDistribution(["a", "b"]), True),
        ("c", CategoricalDistribution(["a", "b"]), False),
        (None, CategoricalDistribution([None, 1]), True),
    ],
)
def test_values_are_held_against_ranges_steps_and_choices(value: Any, distribution: Any, fits: bool) -> None:
    assert (misfit({"x": value}, {"x": distribution}) is None) == fits


def optimise(spec: StudySpec, trials: int, seconds: float) -> None:
    """A worker of plain Optuna, with a space of its own, on the study that nasopt runs."""
    study = plain(spec)

    def objective(trial: optuna.Trial) -> tuple[float, float]:
        x = trial.suggest_float("mine", 0, 1)
        time.sleep(seconds)
        return x, 1 - x

    study.optimize(objective, n_trials=trials)


@pytest.mark.parametrize("at_once", [True, False])
def test_a_worker_of_plain_optuna_and_nasopt_share_a_study(tmp_path: Path, at_once: bool) -> None:
    spec, study = begun(tmp_path, sampler="nsga2")
    start: Callable[..., Any] = context.Process
    theirs = start(target=optimise, args=(spec, 8, 0.1))
    nasopt = start(target=run_elsewhere, args=(spec, 0.2, str(tmp_path / "state")))
    theirs.start()
    if not at_once:
        theirs.join(60)
    nasopt.start()
    for process in (theirs, nasopt):
        process.join(90)
        assert process.exitcode == 0
    trials = study.get_trials()
    foreign = [t for t in trials if "mine" in t.params]
    assert len(foreign) == 8
    for trial in foreign:
        assert trial.state == TrialState.COMPLETE
        assert trial.user_attrs == {}
        assert trial.constraints == {}
        assert trial.values == [trial.params["mine"], 1 - trial.params["mine"]]
    assert len(ours(study)) == 6
    assert all(t.user_attrs[TrialKeys.SLOT] for t in trials if t not in foreign)
