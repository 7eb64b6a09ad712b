"""Who evaluates what: slots, owners and the trials that a killed process leaves behind.

A slot is one draw of the sampler, a trial all of whose parameters are stored. Before each draw the sampler is built
with a seed derived from the study's seed and the slot's number, so that a resumed study continues as an undisturbed one
would. Draws happen one at a time under the study's gate, a file lock; each process holds a lock of its own for as long
as it lives, and a RUNNING trial whose owner's lock is free was interrupted: it is adopted and evaluated with its own
parameters, or, if it was killed while being drawn, closed so that its slot is drawn again. A trial whose device was
lost is set aside: nobody owns it until it is adopted.
"""

from __future__ import annotations

import functools
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from filelock import FileLock, Timeout
from optuna import Study, Trial
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from nasopt.database import file_lock
from nasopt.errors import SamplerError
from nasopt.records import TrialKeys
from nasopt.study.sampling import sampler_errors

_NOBODY = ""
"""Owner of a trial that was set aside."""


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
    """Being evaluated by living processes."""
    elsewhere: int
    """Of these, on other hosts, where nobody can see from here whether they live."""
    orphans: tuple[FrozenTrial, ...]
    """Left behind, fully drawn."""
    half_drawn: tuple[FrozenTrial, ...]
    """Left behind while being drawn."""
    aside: tuple[FrozenTrial, ...]
    """Set aside when their device was lost."""
    slots: int
    """Draws so far."""


class Claims:
    """Hands out the trials of one study to this process."""

    def __init__(
        self,
        study: Study,
        *,
        folder: Path | None,
        seed: int,
        distributions: Mapping[str, BaseDistribution],
        sampler: str,
        build_sampler: Callable[[int], BaseSampler],
    ) -> None:
        """`folder` holds the locks; None where no other process can see the study. `sampler` is the name for messages,
        `build_sampler` takes a seed."""
        self._study = study
        self._folder = folder
        self._seed = seed
        self._distributions = dict(distributions)
        self._sampler = sampler
        self._build_sampler = build_sampler
        self._host = socket.gethostname()
        self._owner = uuid4().hex
        self._own_lock = self._lock(f"owners/{self._owner}")

    def __enter__(self) -> Claims:
        if self._own_lock is not None:
            self._own_lock.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        if self._own_lock is not None:
            self._own_lock.release()
            Path(self._own_lock.lock_file).unlink(missing_ok=True)

    @contextmanager
    def gate(self, *, wait: bool = True) -> Iterator[None]:
        """One process at a time: to draw, or to change what all share. Raises Timeout where it may not wait."""
        lock = self._lock("gate")
        with nullcontext() if lock is None else lock.acquire(timeout=-1 if wait else 0):
            yield

    def tally(self) -> Tally:
        """Count the study's trials, as the database has them now."""
        counts = {"finished": 0, "refused": 0, "failed": 0, "running": 0, "elsewhere": 0, "slots": 0}
        orphans: list[FrozenTrial] = []
        half_drawn: list[FrozenTrial] = []
        aside: list[FrozenTrial] = []
        alive = functools.cache(self._alive)
        for trial in self._study.get_trials(deepcopy=False):
            drawn = len(trial.params) == len(self._distributions)
            counts["slots"] += drawn
            if trial.state == TrialState.RUNNING:
                mark = trial.user_attrs.get(TrialKeys.SLOT)
                if mark is not None and mark["owner"] == _NOBODY:
                    aside.append(trial)
                elif mark is not None and alive(mark["owner"], mark["host"]):
                    counts["running"] += 1
                    counts["elsewhere"] += mark["host"] != self._host
                else:
                    (orphans if drawn else half_drawn).append(trial)
            elif trial.state.is_finished():
                kind = {"completed": "finished", "infeasible": "refused", "pruned": "refused", "interrupted": None}
                if (name := kind.get(trial.user_attrs.get(TrialKeys.ENDED, ""), "failed")) is not None:
                    counts[name] += 1
        return Tally(**counts, orphans=tuple(orphans), half_drawn=tuple(half_drawn), aside=tuple(aside))

    def next(self, budget: int, *, alone: bool = False, fresh: bool = False) -> Claim | None:
        """A trial to evaluate: an interrupted one first, then one set aside, else a fresh draw.

        Raises SamplerError where the sampler does; its slot is drawn again by the next call. None when `budget` trials
        are taken. `alone` gives none either while another process works on the study, so that
        its draws come one after another. `fresh` leaves those set aside where they are, as long as there is another.
        """
        with ExitStack() as stack:
            try:
                stack.enter_context(self.gate(wait=not alone))
            except Timeout:
                return None
            tally = self.tally()
            if alone and tally.running:
                return None
            for trial in tally.half_drawn:
                self._close(trial)
            if tally.finished + tally.running >= budget:
                return None
            if tally.orphans:
                return self._adopt(tally.orphans[0])
            if tally.aside and (not fresh or tally.finished + tally.running + len(tally.aside) >= budget):
                return self._adopt(tally.aside[0])
            return self._draw(tally.slots)

    def _draw(self, slot: int) -> Claim:
        try:
            with sampler_errors(self._sampler):
                self._study.sampler = self._build_sampler(slot_seed(self._seed, slot))
                trial = self._study.ask(self._distributions)
        except SamplerError as error:
            for left in self.tally().half_drawn:
                self._close(left, str(error))
            raise
        trial.set_user_attr(TrialKeys.SLOT, self._mark(slot))
        return Claim(trial=trial, slot=slot, adopted=False)

    def _adopt(self, orphan: FrozenTrial) -> Claim:
        mark = orphan.user_attrs.get(TrialKeys.SLOT)
        earlier = [t for t in self._study.get_trials(deepcopy=False) if t.number < orphan.number]
        slot = mark["slot"] if mark else sum(len(t.params) == len(self._distributions) for t in earlier)
        with sampler_errors(self._sampler):
            self._study.sampler = self._build_sampler(slot_seed(self._seed, slot))
        trial = Trial(self._study, orphan._trial_id)
        since = datetime.now().isoformat()  # local and naive, as Optuna's own times are
        trial.set_user_attr(TrialKeys.SLOT, {**self._mark(slot), "since": since})
        return Claim(trial=trial, slot=slot, adopted=True)

    def set_aside(self, trial: Trial, reason: str) -> None:
        """Leave a trial to whoever takes it up again, with its own parameters and under its own number."""
        trial.set_user_attr(TrialKeys.SLOT, {**trial.user_attrs[TrialKeys.SLOT], "owner": _NOBODY, "reason": reason})

    def _close(self, trial: FrozenTrial, reason: str = "the process ended while this trial was drawn") -> None:
        """Fail a trial that was not drawn to the end; the sampler never hears of it and its slot is free again."""
        storage = self._study._storage
        storage.set_trial_user_attr(trial._trial_id, TrialKeys.ENDED, "interrupted")
        storage.set_trial_user_attr(trial._trial_id, TrialKeys.REASON, reason)
        storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)

    def _mark(self, slot: int) -> dict[str, Any]:
        seed = slot_seed(self._seed, slot)
        return {"slot": slot, "seed": seed, "owner": self._owner, "host": self._host, "pid": os.getpid()}

    def _alive(self, owner: str, host: str) -> bool:
        """Whether the owner still holds its lock. Another host's lock cannot be seen, so it counts as alive."""
        if owner == self._owner or self._folder is None:
            return owner == self._owner
        if host != self._host:
            return True
        file = self._folder / "owners" / f"{owner}.lock"
        if not file.exists():
            return False
        try:
            with FileLock(file, timeout=0):
                pass
        except Timeout:
            return True
        file.unlink(missing_ok=True)
        return False

    def _lock(self, name: str) -> FileLock | None:
        return None if self._folder is None else file_lock(self._folder / f"{name}.lock")
