"""What each member of a portfolio has earned of late, and whose turn it is.

Everything is read from the trials: who proposed one is its user attribute `records.TrialKeys.PROPOSER`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import moocore
import numpy as np
from optuna import Study
from optuna.trial import FrozenTrial, TrialState

from nasopt.records import TrialKeys
from nasopt.samplers.history import History, Point, history_of
from nasopt.space.encoding import Array, Encoding

MARGIN = 1.1
"""Reference point of the contributions in every objective, where the front spans 0 to 1."""
PRIOR = 2.0
"""Trials that the prior of a member's rewards is worth."""
COUNTED_FROM = 7
"""From so many objectives on an exact hypervolume takes seconds: what enters the front counts 1 instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where the members of a portfolio stand, in their order."""

    turns: tuple[int, ...]
    """Trials that each has proposed so far, whatever became of them."""
    tried: tuple[int, ...]
    """Those of the window, RUNNING ones of other workers included."""
    earned: tuple[float, ...]
    """Sum of their rewards, each from 0 to 1."""


def standing(study: Study, trials: Sequence[FrozenTrial], labels: Sequence[str], window: int) -> Standing:
    """Read the members' standing from `trials`, given in the order of their numbers.

    The window is the last `window` trials that a member proposed, FAIL left out: a device that was lost says nothing of
    a network. Added and enqueued trials have no proposer; they count as part of the front.
    """
    proposed = [t for t in trials if proposer(t) in labels]
    counted = [t for t in proposed if t.state != TrialState.FAIL][-window:]
    added = _added(study, trials, since=counted[0].number) if counted else {}
    reward = ranked(np.array([added.get(t.number, 0.0) for t in counted]))
    by = [labels.index(proposer(t)) for t in counted]
    turns = Counter(proposer(t) for t in proposed)
    return Standing(
        turns=tuple(turns[label] for label in labels),
        tried=tuple(np.bincount(by, minlength=len(labels)).tolist()),
        earned=tuple(np.bincount(by, weights=reward, minlength=len(labels)).tolist()),
    )


def choose(now: Standing, *, floor: float, rng: np.random.Generator) -> int:
    """Index of the member whose turn it is: each once, then by Thompson sampling. [Chapelle2011]

    Each member's expected reward is drawn from a Beta distribution over its window, and the highest draw has the turn.
    The prior is worth `PRIOR` trials of the mean reward of all: a uniform one would promise of an untried member far
    more than any earns late in a study. `floor` is the least share of each.
    """
    if 0 in now.turns:
        return now.turns.index(0)
    if rng.random() < floor * len(now.turns):
        return int(rng.integers(len(now.turns)))
    earned, tried = np.array(now.earned), np.array(now.tried)
    mean = (earned.sum() + 1) / (tried.sum() + 2)
    return int(rng.beta(PRIOR * mean + earned, PRIOR * (1 - mean) + tried - earned).argmax())


def proposer(trial: FrozenTrial) -> str:
    """The member that proposed a trial; empty where none did."""
    found = trial.user_attrs.get(TrialKeys.PROPOSER, "")
    return found if isinstance(found, str) else ""


def _added(study: Study, trials: Sequence[FrozenTrial], *, since: int) -> dict[int, float]:
    """Contributions by trial number, of the COMPLETE trials from number `since` on."""
    nothing = Encoding({})  # the parameters do not matter here
    points = [Point(t, {}, nothing.encode({})) for t in trials if t.state == TrialState.COMPLETE]
    numbers = [p.trial.number for p in points]
    first = sum(number < since for number in numbers)
    added = contributions(history_of(points, study, nothing), first)
    return dict(zip(numbers[first:], added.tolist(), strict=True))


def contributions(history: History, first: int = 0) -> Array:
    """Hypervolume that each trial from index `first` on adds to that of all trials before it, shape (n - first,).

    Infeasible trials add nothing. With `first` at 0 the sum is the hypervolume of all trials.
    """
    reference = np.full(history.losses.shape[1], MARGIN)
    able = history.feasible & (history.losses < reference).all(axis=1)
    front = history.losses[:first][able[:first]]
    if len(front):
        front = front[moocore.is_nondominated(front)]
    added = np.zeros(len(history) - first)
    for i in np.flatnonzero(able[first:]):
        point = history.losses[first + i]
        if not (front <= point).all(axis=1).any():
            added[i] = _exclusive(point, front, reference)
            front = np.vstack([front[~(point <= front).all(axis=1)], point])
    return added


def _exclusive(point: Array, front: Array, reference: Array) -> float:
    """Volume that `point` (m,) dominates up to the reference and no row of `front` (k, m) does. [While2012]"""
    if len(point) >= COUNTED_FROM:
        return 1.0
    box = float(np.prod(reference - point))
    shared = float(moocore.hypervolume(np.maximum(front, point), ref=reference)) if len(front) else 0.0
    return max(0.0, box - shared)


def ranked(added: Array) -> Array:
    """Rewards (n,) of contributions (n,): 1 for the largest, less for smaller ones by rank, 0 for none. [Fialho2010]

    Contributions shrink by orders of magnitude as a front fills up; their sum would remember the first trials only.
    """
    positive = np.sort(added[added > 0])
    if not len(positive):
        return np.zeros(len(added))
    return np.where(added > 0, np.searchsorted(positive, added, side="right") / len(positive), 0.0)
