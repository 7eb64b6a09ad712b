"""Several workers of one database, whatever they call it and wherever their locks are: a trial has one of them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from nasopt import database
from nasopt.records import TrialKeys
from nasopt.spec.study import StudySpec
from nasopt.study import run
from nasopt.study.events import Event, TrialLost, WaitingForOthers
from tests.study.stand_in import StandIn, make_spec, run_elsewhere

context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(["tests.study.stand_in", "nasopt.study.running", "optuna"])

Start = Callable[..., Any]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a worker of its own in another process."""
    children = []

    def begin(spec: StudySpec, seconds: float, state: str, patience_s: float = 90.0) -> Any:
        child = context.Process(target=run_elsewhere, args=(spec, seconds, str(tmp_path / state), patience_s))
        child.start()
        children.append(child)
        return child

    yield begin
    for child in children:
        if child.is_alive():
            child.kill()
        child.join(10)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., StudySpec]]:
    """Specs of one study on a real PostgreSQL."""
    pytest.importorskip("psycopg", reason="the driver psycopg is not installed")
    with socket.socket() as probe:
        probe.settimeout(1)
        if probe.connect_ex(("127.0.0.1", 5432)):
            pytest.skip("no server listens on 127.0.0.1:5432")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    name = f"shared-{uuid.uuid4().hex[:8]}"

    def spec(host: str = "127.0.0.1", **changes: Any) -> StudySpec:
        return make_spec(f"postgresql://postgres@{host}:5432/test", study__name=name, **changes)

    yield spec
    storage = database.open_storage(spec().study.storage)
    if name in {s.study_name for s in storage.get_all_studies()}:
        optuna.delete_study(study_name=name, storage=storage)


def trials(spec: StudySpec) -> list[optuna.trial.FrozenTrial]:
    storage = database.open_storage(spec.study.storage)
    return optuna.load_study(study_name=spec.study.name, storage=storage).get_trials()


def wait_until_running(spec: StudySpec) -> optuna.trial.FrozenTrial:
    drawn = len(StandIn(spec).distributions)
    for _ in range(600):
        time.sleep(0.05)
        try:
            found = [t for t in trials(spec) if t.state == TrialState.RUNNING and len(t.params) == drawn]
        except Exception:
            continue
        if found:
            time.sleep(0.2)  # for the gate to open
            return found[0]
    raise AssertionError("no trial after 30 s")


def assert_each_once(spec: StudySpec, budget: int) -> None:
    found = trials(spec)
    completed = [t for t in found if t.user_attrs.get(TrialKeys.ENDED) == "completed"]
    assert len(completed) == budget
    slots = Counter(t.user_attrs[TrialKeys.SLOT]["slot"] for t in found if t.params)
    assert set(slots.values()) == {1}
    assert sorted(slots) == list(range(len(slots)))
    assert not [t for t in found if not t.state.is_finished()]


def test_a_symlinked_file_is_the_same_database(tmp_path: Path, start: Start) -> None:
    spec = make_spec(f"sqlite:///{tmp_path}/a.db", study__trials=3)
    child = start(spec, 5, "state")
    held = wait_until_running(spec)
    os.kill(child.pid, signal.SIGSTOP)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "b.db").symlink_to(tmp_path / "a.db")
    other = make_spec(f"sqlite:///{tmp_path}/elsewhere/b.db", study__trials=3)
    waits: list[WaitingForOthers] = []

    def listener(event: Event) -> None:
        if isinstance(event, WaitingForOthers):
            waits.append(event)
            os.kill(child.pid, signal.SIGCONT)

    problem = StandIn(other)
    assert run(other, problem=problem, listener=listener).finished == 3
    child.join(60)
    assert child.exitcode == 0
    assert held.params not in problem.evaluated
    assert len(waits) == 1
    assert f"by process {child.pid} on {socket.gethostname()}, since 20" in waits[0].holders[0]
    assert_each_once(spec, 3)


@pytest.mark.parametrize("state", ["state", "another state"])
def test_two_spellings_and_two_state_folders_are_one_study(
    server: Callable[..., StudySpec], start: Start, state: str
) -> None:
    spec = server(study__trials=16, sampler="nsga2")
    children = [start(spec, 0.1, "state"), start(server("localhost", study__trials=16, sampler="nsga2"), 0.1, state)]
    for child in children:
        child.join(120)
    assert [child.exitcode for child in children] == [0, 0]
    assert_each_once(spec, 16)
    assert len({t.user_attrs[TrialKeys.SLOT]["pid"] for t in trials(spec)}) == 2


def test_a_worker_of_another_place_that_dies_is_taken_over_in_the_end(
    server: Callable[..., StudySpec], start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nasopt.study.workers.PATIENCE_S", 4.0)
    spec = server(study__trials=2)
    child = start(spec, 60, "another state", 4.0)
    held = wait_until_running(spec)
    child.kill()
    child.join(10)
    seen: list[Event] = []
    problem = StandIn(spec)
    assert run(spec, problem=problem, listener=seen.append).finished == 2
    assert any(isinstance(e, WaitingForOthers) for e in seen)
    assert held.params in problem.evaluated
    assert_each_once(spec, 2)


def test_a_worker_that_was_taken_for_dead_finds_out_before_it_tells(
    server: Callable[..., StudySpec], start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("nasopt.study.workers.PATIENCE_S", 2.0)
    spec = server(study__trials=2)
    child = start(spec, 4.0, "another state", 2.0)
    wait_until_running(spec)
    os.kill(child.pid, signal.SIGSTOP)  # as where a machine sleeps
    try:
        assert run(spec, problem=StandIn(spec)).finished == 2
    finally:
        os.kill(child.pid, signal.SIGCONT)
    before = [(t.values, t.user_attrs) for t in trials(spec)]
    child.join(60)
    assert child.exitcode == 0
    assert [(t.values, t.user_attrs) for t in trials(spec)] == before
    assert_each_once(spec, 2)


def test_a_trial_that_others_ended_is_lost_and_no_fault_of_the_sampler(tmp_path: Path) -> None:
    spec = make_spec(f"sqlite:///{tmp_path}/a.db", study__trials=2)
    seen: list[Event] = []

    def end_it(_: Any) -> None:
        study = optuna.load_study(study_name="stand-in", storage=spec.study.storage)
        last = study.get_trials()[-1]
        if last.number == 0:
            study.tell(0, [0.5, 1.0])

    result = run(spec, problem=StandIn(spec, fault=end_it), listener=seen.append)
    assert [e.number for e in seen if isinstance(e, TrialLost)] == [0]
    assert result.finished == 2
    assert trials(spec)[0].values == [0.5, 1.0]
