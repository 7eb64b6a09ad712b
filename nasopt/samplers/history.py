"""What a study has tried, as arrays: the teaching of a sampler and the points that it must not repeat."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import moocore
import numpy as np
from numpy.typing import NDArray
from optuna import Study
from optuna.trial import FrozenTrial, TrialState

from nasopt.samplers.lost import losses_of, teaches
from nasopt.space.encoding import Array, Encoding, Key, key_of
from nasopt.statistics.magnitude import column_units

_FARTHEST = 1e9
"""So many times the front's span away, losses are equally useless; squares of what is farther could overflow."""
PROPOSAL = "nasopt:proposal"
"""System attribute of a running trial: digest of the parameters that its sampler is about to store one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The trials of a study that teach (see `lost`), in the order of their numbers."""

    codes: Array
    """(n, d); NaN where a trial of a conditional space has no such parameter."""
    losses: Array
    """(n, m), all minimised and finite; the front found so far spans 0 to 1."""
    violations: Array
    """(n,), 0 where feasible; each constraint is scaled by its largest violation, then all are summed."""

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def feasible(self) -> NDArray[np.bool_]:
        """Mask of shape (n,)."""
        return self.violations <= 0


@dataclass(frozen=True, slots=True)
class Point:
    """A trial in the space."""

    trial: FrozenTrial
    params: Mapping[str, Any]
    """Its parameters; of an enqueued trial those that it will have."""
    row: Array | None
    """Codes of shape (d,), NaN where it has no such parameter; None where a value lies outside of the space."""


def read_points(study: Study, encoding: Encoding) -> list[Point]:
    """All trials in the order of their numbers, those that other workers run included."""
    trials = sorted(read_trials(study), key=lambda t: t.number)
    return [Point(t, params, encoding.encode(params)) for t in trials for params in (params_of(t),)]


def read_trials(study: Study) -> list[FrozenTrial]:
    """All trials as the storage has them now."""
    return study._get_trials(deepcopy=False, use_cache=False)


def teachers_of(points: Iterable[Point]) -> list[Point]:
    """Those of trials that teach, and whose parameters lie in the space."""
    return [p for p in points if p.row is not None and teaches(p.trial)]


def history_of(points: Iterable[Point], study: Study, encoding: Encoding) -> History:
    """What the points that teach say."""
    used = [(p.trial, p.row) for p in teachers_of(points)]
    values = losses_of([t for t, _ in used], study.directions)
    violations = _violations([t.constraints for t, _ in used])
    broken = (values == np.inf).any(axis=1)
    violations[broken & (violations <= 0)] = 1.0
    return History(
        codes=np.array([row for _, row in used]).reshape(len(used), len(encoding.axes)),
        losses=_scaled(values, violations <= 0),
        violations=violations,
    )


def known_rows(points: Iterable[Point], encoding: Encoding, *, but: int) -> Array:
    """Full rows (n, d) of trials in any state, those of trial number `but` left out."""
    rows = [p.row for p in points if p.row is not None and p.trial.number != but and not np.isnan(p.row).any()]
    return np.array(rows).reshape(-1, len(encoding.axes))


def _violations(constraints: Sequence[dict[str, float]]) -> Array:
    """(n,) from each trial's constraints; one that a trial lacks counts as violated most, as in Optuna."""
    keys = sorted({key for c in constraints for key in c})
    raw = np.array([[c.get(key, np.inf) for key in keys] for c in constraints], dtype=float)
    beyond = np.maximum(raw.reshape(len(constraints), len(keys)), 0.0)
    largest = np.where(np.isfinite(beyond), beyond, 0.0).max(axis=0, initial=0.0)
    largest[largest == 0] = 1.0
    scaled: Array = np.minimum(beyond / largest, 2.0).sum(axis=1)
    return scaled


def _scaled(values: Array, feasible: NDArray[np.bool_]) -> Array:
    """Losses (n, m) with the front's ideal at 0 and its nadir at 1, infinite ones just beyond the finite range.

    The front and not the whole range is the yardstick: a few hopeless architectures would squeeze all others together.
    """
    values = values / column_units(values)  # differences of figures up to 1.8e308 stay inside the floats
    finite = np.isfinite(values)
    low = np.where(finite, values, np.inf).min(axis=0, initial=np.inf)
    high = np.where(finite, values, -np.inf).max(axis=0, initial=-np.inf)
    low, high = np.where(low > high, 0.0, low), np.where(low > high, 0.0, high)
    margin = np.where(high > low, high - low, 1.0)
    clipped = np.where(finite, values, np.where(values > 0, high + margin, low - margin))
    if not len(clipped):
        return clipped
    inside = clipped[feasible] if feasible.any() else clipped
    front = inside[moocore.is_nondominated(inside, keep_weakly=True)]
    for part in (inside, front):
        span = part.max(axis=0) - part.min(axis=0)
        margin = np.where(span > 0, span, margin)
    with np.errstate(over="ignore"):
        scaled: Array = (clipped - front.min(axis=0)) / margin
    return np.clip(scaled, -_FARTHEST, _FARTHEST)


class Seen:
    """Points that trials of any state have taken.

    A trial of a conditional space takes every point that agrees with it where it has a parameter. Trials that were
    stopped while their parameters were drawn look alike, so only the sets of names that trials show which teach are
    believed. Trials with parameters beyond the space are no point of it.
    """

    def __init__(self, points: Iterable[Point], encoding: Encoding, *, own: int) -> None:
        """`own` is the number of the trial that is being drawn."""
        others = [p for p in points if p.trial.number != own]
        self._digests = {announced(p.trial) for p in others if p.trial.state == TrialState.RUNNING}
        self._taken: dict[tuple[int, ...], set[Key]] = {}
        names = frozenset(encoding.names)
        whole = tuple(range(len(encoding.axes)))
        shapes = {names} | {names.intersection(p.params) for p in others if teaches(p.trial)}
        for point in others:
            shape = names.intersection(point.params)
            if point.row is None or not shape or shape not in shapes or _has_strangers(point, names):
                continue
            where = whole if shape == names else tuple(np.flatnonzero(~np.isnan(point.row)).tolist())
            self._taken.setdefault(where, set()).add(key_of(point.row[list(where)]))

    def __contains__(self, row: Array) -> bool:
        """Whether a full row (d,) is taken."""
        return any(key_of(row[list(where)]) in keys for where, keys in self._taken.items())

    def promised(self, proposal: str) -> bool:
        """Whether another worker has announced the assignment of this digest."""
        return proposal in self._digests

    def add(self, proposals: Iterable[str]) -> None:
        """Take the announcements of other workers into account."""
        self._digests.update(proposals)


def announced(trial: FrozenTrial) -> str:
    """Digest of what the sampler proposed for a trial, empty where it announced nothing."""
    found = trial.system_attrs.get(PROPOSAL, "")
    return found if isinstance(found, str) else ""


def params_of(trial: FrozenTrial) -> dict[str, Any]:
    """Parameters of a trial; of an enqueued one those that it will have."""
    if trial.state.is_finished():
        return trial.params
    return trial.system_attrs.get("fixed_params", {}) | trial.params


def _has_strangers(point: Point, names: frozenset[str]) -> bool:
    """Whether the trial has parameters beyond the space that could have been others."""
    if names.issuperset(point.params):
        return False
    distributions = point.trial.distributions
    return any(n not in names and not (n in distributions and distributions[n].single()) for n in point.params)
