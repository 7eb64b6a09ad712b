"""A contest: studies of several samplers on one problem, filled by turns so that nobody runs under better conditions.

Seed after seed, each trial goes to the study that has the fewest. Which competitor begins a round moves on with the
seed, because the first to evaluate a point is the one that finds no cached answer. A study has one trial under way at a
time, however many processes work on the contest: so its draws depend on its own history alone, and the result does not
depend on the number of processes.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from optuna.storages import BaseStorage

from nasopt import database
from nasopt.cache import Cache
from nasopt.errors import InfeasibleStudyError, SamplerError, UsageError
from nasopt.problems import Problem
from nasopt.problems.opening import open_problem
from nasopt.spec.contest import ContestSpec, Entry
from nasopt.spec.study import StudySpec
from nasopt.study.claims import Claims, Tally
from nasopt.study.cost import SearchCost
from nasopt.study.events import CompetitorOut, ContestOpened, Listener, ignore
from nasopt.study.running import (
    POLL_S,
    Filling,
    RunResult,
    check_sampler,
    claims_of,
    expected_warnings_silenced,
    found_data,
    notices,
    prepare,
    run,
)
from nasopt.study.store import Study, create_or_resume
from nasopt.study.workers import Presence


@dataclass(frozen=True, slots=True, kw_only=True)
class ContestResult:
    """What the run of a contest leaves behind."""

    name: str
    runs: tuple[RunResult, ...]
    """Of all studies, competitor by competitor."""
    out: dict[str, str]
    """Studies that could not get to their end, with the reason: all was refused, or the sampler raised."""

    @property
    def filled(self) -> bool:
        """Whether every study has all trials that the file asks for."""
        return all(run.filled for run in self.runs)


def run_contest(
    spec: ContestSpec,
    *,
    listener: Listener = ignore,
    allow_changes: bool = False,
    storage: BaseStorage | None = None,
    cache: Cache | None = None,
    problem: Problem | None = None,
) -> ContestResult:
    """Run a contest, or go on with it, until every study of it has `spec.study.trials` trials.

    Several processes may run the same contest at once. Killed at any moment, the next run goes on where it was. A study
    whose sampler raises, or to which constraints refuse everything, ends alone; the next run takes it up again.

    Args:
        spec: from `load_contest`.
        listener: receives the records of `study.events` as things happen.
        allow_changes: go on with studies that were made from another file.
        storage: an open Optuna storage to use instead of the file's.
        cache: of supernets, pairs and measurements, shared by all; the user's own by default.
        problem: what to search, where it is not the one that the file names.

    Raises:
        NasoptError: see `nasopt.errors`; what is stored stays.
    """
    url = database.expand(spec.study.storage)
    entries = spec.entries()
    shared = problem or open_problem(entries[0].spec, cache)
    _check_samplers(entries, shared)
    with ExitStack() as stack:
        stack.enter_context(database.database_errors(url))
        stack.enter_context(database.quiet_optuna())
        stack.enter_context(expected_warnings_silenced())
        storage = storage or database.open_storage(url)
        studies = _open(spec, entries, shared, storage, allow_changes)
        presence = stack.enter_context(studies[0].presence())
        lanes = [_lane(spec, entry, study, shared, presence) for entry, study in zip(entries, studies, strict=True)]
        listener(_opened(spec, shared, lanes))
        if waiting := [lane for lane in lanes if lane.taken < spec.study.trials]:
            with SearchCost([lane.study.optuna for lane in lanes], spec.study.country) as cost:
                prepare([lane.study for lane in waiting], [lane.provided for lane in waiting], shared, listener)
                for lane in waiting:
                    lane.filling = Filling(lane.study, shared, lane.claims, listener, cost)
                _fill(waiting, spec.study.trials, listener)
        return _result(spec, shared, lanes)


def run_file(
    spec: StudySpec | ContestSpec, *, listener: Listener = ignore, allow_changes: bool = False
) -> RunResult | ContestResult:
    """Run what `load_file` read, a study or a contest."""
    if isinstance(spec, ContestSpec):
        return run_contest(spec, listener=listener, allow_changes=allow_changes)
    return run(spec, listener=listener, allow_changes=allow_changes)


def _check_samplers(entries: Sequence[Entry], problem: Problem) -> None:
    """Refuse bad options of any competitor before anything runs."""
    checked: set[str] = set()
    for entry in entries:
        if entry.label not in checked:
            checked.add(entry.label)
            try:
                check_sampler(entry.spec, problem)
            except UsageError as error:
                raise type(error)(f"competitor {entry.label!r}: {error}") from error


def _open(
    spec: ContestSpec, entries: Sequence[Entry], problem: Problem, storage: BaseStorage, allow_changes: bool
) -> list[Study]:
    name = spec.study.name + problem.suffix
    if any(s.study_name == name for s in storage.get_all_studies()):
        raise UsageError(
            f"the database holds a study named {name!r}, which is no contest; give the contest another name "
            "(study.name)"
        )
    shared = {
        "name": name,
        "labels": list(spec.labels),
        "seeds": list(spec.contest.seed_list),
        "control": spec.contest.control,
        "reference": spec.contest.reference,
    }
    return [
        create_or_resume(
            entry.spec,
            problem,
            storage=storage,
            allow_changes=allow_changes,
            contest={**shared, "label": entry.label, "seed": entry.seed},
        )
        for entry in entries
    ]


@dataclass(slots=True, kw_only=True)
class _Lane:
    """One study of the contest, as this process sees it."""

    study: Study
    claims: Claims
    provided: dict[str, Any]
    """What its sampler requires; empty until that is made."""
    seed_index: int
    turn: int
    """Place in a round among the competitors of this seed."""
    taken: int
    """Trials that are finished, as far as this process knows."""
    filling: Filling | None = None
    """What evaluates its trials; None where it has all of them."""
    out: str = ""
    """Why the study cannot go on; empty where it can."""

    def place(self) -> tuple[int, int, int]:
        """Whose turn it is: the least first."""
        return self.seed_index, self.taken, self.turn


def _lane(spec: ContestSpec, entry: Entry, study: Study, problem: Problem, presence: Presence) -> _Lane:
    """Take part in a study for as long as `presence` lasts."""
    provided: dict[str, Any] = {}
    claims = claims_of(study, problem, provided, presence)
    index = spec.contest.seed_list.index(entry.seed)
    return _Lane(
        study=study,
        claims=claims,
        provided=provided,
        seed_index=index,
        turn=(spec.labels.index(entry.label) - index) % len(spec.labels),
        taken=claims.tally().finished,
    )


def _opened(spec: ContestSpec, problem: Problem, lanes: Sequence[_Lane]) -> ContestOpened:
    return ContestOpened(
        name=spec.study.name + problem.suffix,
        storage=database.shown(lanes[0].study.url),
        finished={lane.study.name: lane.taken for lane in lanes},
        trials=spec.study.trials,
        notices=tuple(notices(lanes[0].study)),
        objectives=tuple(o.metric for o in spec.objectives),
        data=found_data(lanes[0].study),
    )


def _fill(lanes: Sequence[_Lane], budget: int, listener: Listener) -> None:
    """Take turns until no study has a trial left for this process."""
    pending = list(lanes)
    said: dict[str, tuple[str, ...]] = {}
    while pending:
        if any(_step(lane, budget, listener) for lane in sorted(pending, key=_Lane.place)):
            pending = [lane for lane in pending if not lane.out]
            continue
        tallies = [(lane, lane.claims.tally()) for lane in pending if not lane.out]
        for lane, tally in tallies:
            lane.taken = tally.finished
        pending = [lane for lane, tally in tallies if tally.finished < budget]
        held = [(lane, tally) for lane, tally in tallies if lane in pending and tally.holders]
        if pending and len(held) == len(pending):
            said = _say_holders(held, budget, said)
        time.sleep(POLL_S)


def _say_holders(
    held: Sequence[tuple[_Lane, Tally]], budget: int, said: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """Tell who has the trials that are left of these studies; what was told of each."""
    told = {}
    for lane, tally in held:
        if lane.filling is not None:
            told[lane.study.name] = lane.filling.say_holders(tally, budget, said.get(lane.study.name, ()))
    return told


def _step(lane: _Lane, budget: int, listener: Listener) -> bool:
    """One trial of a study; False where it has none to give now. What is its sampler's own fault ends it alone."""
    if lane.filling is None or lane.taken >= budget:
        return False
    before = lane.filling.contributed
    try:
        moved = lane.filling.step(budget, alone=True)
    except (InfeasibleStudyError, SamplerError) as error:
        lane.out = str(error)
        listener(CompetitorOut(study=lane.study.name, reason=lane.out))
        return True
    lane.taken += lane.filling.contributed - before
    return moved


def _result(spec: ContestSpec, problem: Problem, lanes: Sequence[_Lane]) -> ContestResult:
    runs = []
    for lane in lanes:
        tally = lane.claims.tally()
        runs.append(
            RunResult(
                study=lane.study,
                finished=tally.finished,
                running_elsewhere=len(tally.holders),
                contributed=0 if lane.filling is None else lane.filling.contributed,
            )
        )
    return ContestResult(
        name=spec.study.name + problem.suffix,
        runs=tuple(runs),
        out={lane.study.name: lane.out for lane in lanes if lane.out},
    )
