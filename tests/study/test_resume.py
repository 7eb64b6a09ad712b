"""Killed at any moment, a study ends with the trials that an undisturbed one has."""

from __future__ import annotations

import multiprocessing
import random
import time
from pathlib import Path

import optuna
import pytest

from nasopt.records import TrialKeys
from nasopt.spec.study import StudySpec
from nasopt.study import run
from tests.study.stand_in import StandIn, make_spec, run_here, run_until_killed, run_where_a_point_kills

context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(["tests.study.stand_in", "nasopt.study.running", "optuna"])


def completed(spec: StudySpec) -> list[optuna.trial.FrozenTrial]:
    study = optuna.load_study(study_name=spec.study.name, storage=spec.study.storage)
    return [t for t in study.get_trials() if t.user_attrs.get(TrialKeys.ENDED) == "completed"]


@pytest.mark.parametrize("sampler", ["nsga2", "tpe", "gp"])
def test_killed_at_random_writes_it_ends_as_if_undisturbed(tmp_path: Path, sampler: str) -> None:
    options = {"n_startup_trials": 5} if sampler in ("gp", "tpe") else {}
    choice = {"name": sampler, "options": options}
    quiet = make_spec(f"sqlite:///{tmp_path}/quiet.db", sampler=choice, study__trials=7)
    run(quiet, problem=StandIn(quiet))
    broken = make_spec(f"sqlite:///{tmp_path}/broken.db", sampler=choice, study__trials=7)
    moments = random.Random(sampler)
    kills = 0
    for _ in range(5):
        child = context.Process(target=run_until_killed, args=(broken, moments.randint(30, 130)))
        child.start()
        child.join(60)
        kills += child.exitcode == -9
    assert kills >= 3
    run(broken, problem=StandIn(broken))
    assert [t.params for t in completed(broken)] == [t.params for t in completed(quiet)]
    assert [t.values for t in completed(broken)] == [t.values for t in completed(quiet)]


def test_killed_while_drawing_the_slot_is_drawn_again(tmp_path: Path) -> None:
    spec, last = half_drawn(tmp_path)
    run(spec, problem=StandIn(spec))
    study = optuna.load_study(study_name=spec.study.name, storage=spec.study.storage)
    closed = study.get_trials()[last.number]
    assert closed.state == optuna.trial.TrialState.FAIL
    assert closed.user_attrs[TrialKeys.ENDED] == "interrupted"
    quiet = make_spec(f"sqlite:///{tmp_path}/quiet.db", study__trials=3)
    run(quiet, problem=StandIn(quiet))
    assert [t.params for t in completed(spec)] == [t.params for t in completed(quiet)]


def half_drawn(folder: Path) -> tuple[StudySpec, optuna.trial.FrozenTrial]:
    """A study whose process was killed while a trial was being drawn."""
    for commits in range(40, 100, 3):
        spec = make_spec(f"sqlite:///{folder}/{commits}.db", study__trials=3)
        child = context.Process(target=run_until_killed, args=(spec, commits))
        child.start()
        child.join(60)
        study = optuna.load_study(study_name=spec.study.name, storage=spec.study.storage)
        for trial in study.get_trials()[-1:]:
            if 0 < len(trial.params) < len(StandIn(spec).distributions):
                return spec, trial
    raise AssertionError("no kill fell into a draw")


def test_a_point_that_kills_its_process_is_given_up_after_three_deaths(tmp_path: Path) -> None:
    spec = make_spec(f"sqlite:///{tmp_path}/a.db", study__trials=3)
    ends = []
    for _ in range(4):
        child = context.Process(target=run_where_a_point_kills, args=(spec, tmp_path / "deadly.json"))
        child.start()
        child.join(60)
        ends.append(child.exitcode)
    assert ends == [137, 137, 137, 0]
    study = optuna.load_study(study_name=spec.study.name, storage=spec.study.storage)
    first = study.get_trials()[0]
    assert first.state == optuna.trial.TrialState.FAIL
    assert first.user_attrs[TrialKeys.ENDED] == "evaluation failed"
    assert first.user_attrs[TrialKeys.REASON] == "its process died three times"
    assert len(completed(spec)) == 3


def test_other_workers_are_not_killed_in_turn(tmp_path: Path) -> None:
    """Of three that work at once two die at most; who lives fills what there is before that point is tried again."""
    spec = make_spec(f"sqlite:///{tmp_path}/a.db", study__trials=6)
    arguments = (spec, tmp_path / "deadly.json", 0.5)
    children = [context.Process(target=run_where_a_point_kills, args=arguments) for _ in range(3)]
    for child in children:
        child.start()
        while not (tmp_path / "deadly.json").exists():  # the first one meets it before the others begin
            time.sleep(0.01)
    for child in children:
        child.join(120)
    assert len(completed(spec)) >= 5


def test_interruptions_are_no_deaths(tmp_path: Path) -> None:
    spec = make_spec(f"sqlite:///{tmp_path}/a.db", study__trials=1)

    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    for _ in range(5):
        with pytest.raises(KeyboardInterrupt):
            run(spec, problem=StandIn(spec, fault=interrupt))
    assert run(spec, problem=StandIn(spec)).finished == 1
    assert [t.number for t in completed(spec)] == [0]


def test_an_interrupted_trial_is_evaluated_with_its_own_parameters(tmp_path: Path) -> None:
    spec = make_spec(f"sqlite:///{tmp_path}/a.db", study__trials=2)

    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(spec, problem=StandIn(spec, fault=interrupt))
    study = optuna.load_study(study_name=spec.study.name, storage=spec.study.storage)
    (left,) = study.get_trials()
    assert left.state == optuna.trial.TrialState.RUNNING
    run(spec, problem=StandIn(spec))
    first, second = study.get_trials()
    assert first.params == left.params
    assert first.number == left.number
    assert {first.state, second.state} == {optuna.trial.TrialState.COMPLETE}


def test_several_processes_never_overshoot(tmp_path: Path) -> None:
    spec = make_spec(f"sqlite:///{tmp_path}/shared.db", study__trials=13, sampler="nsga2")
    children = [context.Process(target=run_here, args=(spec, 0.05)) for _ in range(4)]
    for child in children:
        child.start()
    for child in children:
        child.join(120)
    assert [child.exitcode for child in children] == [0] * 4
    trials = completed(spec)
    assert len(trials) == 13
    slots = [t.user_attrs[TrialKeys.SLOT] for t in trials]
    assert len({s["slot"] for s in slots}) == 13
    assert len({s["pid"] for s in slots}) > 1


def test_the_same_command_continues_to_more_trials(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    first = run(make_spec(url, study__trials=3), problem=StandIn(make_spec(url)))
    again = run(make_spec(url, study__trials=3), problem=StandIn(make_spec(url)))
    more = run(make_spec(url, study__trials=5), problem=StandIn(make_spec(url)))
    assert (first.contributed, again.contributed, more.contributed) == (3, 0, 2)
    assert more.finished == 5
