"""Who evaluates what: slots, owners and the trials that a killed process leaves behind.

A slot is one draw of the sampler, a trial all of whose parameters are stored. Before each draw the sampler is built
with a seed derived from the study's seed and the slot's number, so that a resumed study continues as an undisturbed one
would. On a host, draws happen one at a time under the study's gate, a file lock. What is drawn or taken up, and by
whom, is decided under the database's gate, and a new trial is stored together with its mark: slot and owner. So a slot
is given once, whoever draws, and a trial without a mark is somebody else's, who may be at work on it.

A RUNNING trial whose owner has ended (`study.workers`) was interrupted: it is adopted and evaluated with its own
parameters, or, if it was killed while being drawn, closed so that its slot is drawn again. A trial whose device was
lost is set aside: nobody owns it until it is adopted. How many processes died with a trial stands in its mark; after
three it is given up. An owner that was taken for dead finds out before it tells.
"""

from __future__ import annotations

import functools
import itertools
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from optuna import Study, Trial
from optuna.distributions import BaseDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from nasopt.database import file_lock
from nasopt.errors import LostTrialError, SamplerError
from nasopt.records import TrialKeys
from nasopt.study.foreign import See, SeenStudy, enqueued_params, is_ours, mark_of, misfit
from nasopt.study.sampling import sampler_errors
from nasopt.study.workers import Presence

log = logging.getLogger(__name__)

_DEATHS = 3
"""After so many deaths of its process a point is given up: it is too large for the memory, or ends in a crash."""
_NOBODY = ""
"""Owner of a trial that was set aside."""
_KINDS = {"completed": "finished", "infeasible": "refused", "pruned": "refused", "interrupted": "", "refused": ""}
"""What the ends of trials count as; all others have failed."""


def slot_seed(seed: int, slot: int) -> int:
    """Seed of the sampler that draws this slot."""
    return int(np.random.SeedSequence([seed, slot]).generate_state(1)[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A trial that this process is to evaluate and tell."""

    trial: Trial
    slot: int
    adopted: bool
    """True when an interrupted process had drawn it."""
    refused: str = ""
    """Why the point that was enqueued is none of this study's; it is told as such, and not evaluated."""
    given_up: str = ""
    """Why the point is not evaluated again; it is told as failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taken:
    """A trial that is marked as this worker's, before the sampler has drawn it."""

    trial_id: int
    slot: int
    adopted: bool = False
    refused: str = ""
    given_up: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Another worker's hold on a trial."""

    trial: int
    host: str
    pid: int
    since: datetime | None

    def __str__(self) -> str:
        since = f", since {self.since:%Y-%m-%d %H:%M:%S}" if self.since else ""
        return f"trial {self.trial} by process {self.pid} on {self.host}{since}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Where a study stands."""

    finished: int
    """Trained and measured."""
    refused: int
    """By constraints before they were evaluated, or given up by the evaluation itself."""
    failed: int
    """Ended otherwise, interruptions left out."""
    running: int
    """Being evaluated by living workers."""
    holders: tuple[Holder, ...]
    """The other workers among these."""
    orphans: tuple[FrozenTrial, ...]
    """Left behind, fully drawn."""
    half_drawn: tuple[FrozenTrial, ...]
    """Left behind while being drawn."""
    aside: tuple[FrozenTrial, ...]
    """Set aside when their device was lost."""
    enqueued: tuple[FrozenTrial, ...]
    """Points that somebody has put in the queue."""
    slot: int
    """The next to draw."""


class Claims:
    """Hands out the trials of one study to this process."""

    def __init__(
        self,
        study: Study,
        *,
        presence: Presence,
        folder: Path | None,
        seed: int,
        distributions: Mapping[str, BaseDistribution],
        sampler: str,
        build_sampler: Callable[[int], BaseSampler],
        see: See,
    ) -> None:
        """`folder` holds the study's gate; None where no other process can see the study. `sampler` is the name for
        messages, `build_sampler` takes a seed; `see` gives it foreign trials as it may meet them."""
        self._study = SeenStudy(study, see)
        self._all = study
        self._presence = presence
        self._folder = folder
        self._seed = seed
        self._distributions = dict(distributions)
        self._sampler = sampler
        self._build_sampler = build_sampler

    @contextmanager
    def gate(self, *, wait: bool = True) -> Iterator[None]:
        """One process of this host at a time: to draw. Raises Timeout where it may not wait."""
        lock = self._lock("gate")
        with nullcontext() if lock is None else lock.acquire(timeout=-1 if wait else 0):
            yield

    def tally(self) -> Tally:
        """Count the study's trials, as the database has them now."""
        counts: Counter[str] = Counter()
        orphans: list[FrozenTrial] = []
        half_drawn: list[FrozenTrial] = []
        aside: list[FrozenTrial] = []
        enqueued: list[FrozenTrial] = []
        holders: list[Holder] = []
        slots: set[int] = set()
        alive = functools.cache(self._presence.alive)
        for trial in self._all.get_trials(deepcopy=False):
            mark = mark_of(trial) or {}
            drawn = len(trial.params) == len(self._distributions)
            if trial.state == TrialState.WAITING:
                enqueued.append(trial)
                continue
            if not is_ours(trial):
                continue
            if trial.state.is_finished():
                counts[_KINDS.get(trial.user_attrs.get(TrialKeys.ENDED, ""), "failed")] += 1
            elif not mark:  # killed while an older version closed it
                half_drawn.append(trial)
            elif mark["owner"] == _NOBODY:
                aside.append(trial)
            elif alive(mark["owner"]):
                counts["running"] += 1
                slots.add(mark["slot"])
                if mark["owner"] != self._presence.worker:
                    holders.append(_holder(trial, mark))
            else:
                (orphans if drawn else half_drawn).append(trial)
            if mark and drawn:
                slots.add(mark["slot"])
        return Tally(
            finished=counts["finished"],
            refused=counts["refused"],
            failed=counts["failed"],
            running=counts["running"],
            holders=tuple(holders),
            orphans=tuple(orphans),
            half_drawn=tuple(half_drawn),
            aside=tuple(aside),
            enqueued=tuple(enqueued),
            slot=next(s for s in itertools.count() if s not in slots),
        )

    def next(self, budget: int, *, alone: bool = False, fresh: bool = False) -> Claim | None:
        """A trial to evaluate: an interrupted one first, then one set aside or enqueued, else a fresh draw.

        Raises SamplerError where the sampler does; its slot is drawn again by the next call. None when `budget` trials
        are taken. `alone` gives none either while another process works on the study, so that
        its draws come one after another. `fresh` leaves those set aside where they are, as long as there is another.
        """
        with ExitStack() as stack:
            try:
                stack.enter_context(self.gate(wait=not alone))
            except Timeout:
                return None
            while True:
                with self._presence.gate():
                    taken = self._take(budget, alone=alone, fresh=fresh)
                if taken is None:
                    return None
                try:
                    return self._opened(taken)
                except LostTrialError:  # this process was silent for so long that others closed the trial
                    continue

    def _take(self, budget: int, *, alone: bool, fresh: bool) -> _Taken | None:
        """Decide what to evaluate next, and mark it as this worker's."""
        tally = self.tally()
        if alone and tally.running:
            return None
        for trial in tally.half_drawn:
            self._close(trial)
        if tally.finished + tally.running >= budget:
            return None
        taken_up = tally.finished + tally.running + len(tally.orphans)
        for orphan in tally.orphans:
            if _deaths(orphan) == _DEATHS - 1 and taken_up < budget:
                continue  # what killed two processes waits until the rest is done, lest it kill all workers in turn
            if (taken := self._adopt(orphan)) is not None:
                return taken
        if tally.aside and (not fresh or tally.finished + tally.running + len(tally.aside) >= budget):
            return self._adopt(tally.aside[0])
        for waiting in tally.enqueued:
            if (taken := self._dequeue(waiting, tally.slot)) is not None:
                return taken
        template = create_trial(state=TrialState.RUNNING, user_attrs={TrialKeys.SLOT: self._mark(tally.slot)})
        trial_id = self._study._storage.create_new_trial(self._study._study_id, template_trial=template)
        return _Taken(trial_id=trial_id, slot=tally.slot)

    def _adopt(self, orphan: FrozenTrial) -> _Taken | None:
        """Take up a trial with its own parameters; None where its owner has ended it after all."""
        mark = mark_of(orphan)
        assert mark is not None
        since = datetime.now().isoformat()  # local and naive, as Optuna's own times are
        deaths = _deaths(orphan)
        try:
            self._write_mark(orphan._trial_id, {**self._mark(mark["slot"]), "since": since, "deaths": deaths})
        except UpdateFinishedTrialError:
            return None
        given_up = "its process died three times" if deaths >= _DEATHS else ""
        return _Taken(trial_id=orphan._trial_id, slot=mark["slot"], adopted=True, given_up=given_up)

    def _dequeue(self, waiting: FrozenTrial, slot: int) -> _Taken | None:
        """Take a point out of the queue; None where somebody else was faster."""
        if not self._study._storage.set_trial_state_values(waiting._trial_id, TrialState.RUNNING):
            return None
        self._write_mark(waiting._trial_id, self._mark(slot))
        refused = misfit(enqueued_params(waiting), self._distributions) or ""
        return _Taken(trial_id=waiting._trial_id, slot=slot, refused=refused)

    def _opened(self, taken: _Taken) -> Claim:
        """The trial with the sampler of its slot behind it, which draws what it lacks, as `Study.ask` does."""
        self._study._thread_local.cached_all_trials = None
        try:
            with sampler_errors(self._sampler):
                self._study.sampler = self._build_sampler(slot_seed(self._seed, taken.slot))
                trial = Trial(self._study, taken.trial_id)
                if not taken.adopted and not taken.refused:
                    for name, distribution in self._distributions.items():
                        trial._suggest(name, distribution)
        except SamplerError as error:
            if not taken.adopted:
                self._close(self._study._storage.get_trial(taken.trial_id), str(error))
            raise
        return Claim(
            trial=trial, slot=taken.slot, adopted=taken.adopted, refused=taken.refused, given_up=taken.given_up
        )

    def holds(self, trial: Trial) -> bool:
        """Whether the trial is still this worker's: one that was silent for too long may have lost it."""
        stored = self._study._storage.get_trial(trial._trial_id)
        mark = mark_of(stored)
        return not stored.state.is_finished() and mark is not None and mark["owner"] == self._presence.worker

    def let_go(self, trial: Trial) -> None:
        """Note that this worker leaves a trial of its own accord: no death of its process."""
        try:
            with self._presence.gate():
                if self.holds(trial):
                    self._write_mark(trial._trial_id, {**trial.user_attrs[TrialKeys.SLOT], "let_go": True})
        except Exception:  # the database may be what ended the run; then it counts as one death of three
            log.info("trial %s could not be let go", trial.number, exc_info=True)

    def set_aside(self, trial: Trial, reason: str) -> None:
        """Leave a trial to whoever takes it up again, with its own parameters and under its own number."""
        with self._presence.gate():
            if not self.holds(trial):
                raise LostTrialError(f"trial {trial.number} was taken up by another worker")
            mark = {**trial.user_attrs[TrialKeys.SLOT], "owner": _NOBODY, "reason": reason}
            self._write_mark(trial._trial_id, mark)

    def _close(self, trial: FrozenTrial, reason: str = "the process ended while this trial was drawn") -> None:
        """Fail a trial that was not drawn to the end; the sampler never hears of it and its slot is free again."""
        storage = self._study._storage
        try:
            storage.set_trial_user_attr(trial._trial_id, TrialKeys.ENDED, "interrupted")
            storage.set_trial_user_attr(trial._trial_id, TrialKeys.REASON, reason)
            storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
        except UpdateFinishedTrialError:
            return  # another worker was faster

    def _mark(self, slot: int) -> dict[str, Any]:
        seed, here = slot_seed(self._seed, slot), self._presence
        return {"slot": slot, "seed": seed, "owner": here.worker, "host": here.host, "pid": os.getpid()}

    def _write_mark(self, trial_id: int, mark: Mapping[str, Any]) -> None:
        self._study._storage.set_trial_user_attr(trial_id, TrialKeys.SLOT, dict(mark))

    def _lock(self, name: str) -> FileLock | None:
        return None if self._folder is None else file_lock(self._folder / f"{name}.lock")


def _deaths(orphan: FrozenTrial) -> int:
    """How many processes have died while they had this trial, the last one included."""
    mark = mark_of(orphan) or {}
    left_alive = mark.get("owner") == _NOBODY or mark.get("let_go", False)
    return int(mark.get("deaths", 0)) + (not left_alive)


def _holder(trial: FrozenTrial, mark: Mapping[str, Any]) -> Holder:
    since = mark.get("since")
    return Holder(
        trial=trial.number,
        host=str(mark.get("host")),
        pid=int(mark.get("pid") or 0),
        since=datetime.fromisoformat(since) if since else trial.datetime_start,
    )
