"""Hypervolume: how much of the objective space a front dominates, up to a reference point fixed for all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from nasopt.errors import UsageError
from nasopt.report.view import Array, StudyView, TrialView
from nasopt.report.yardstick import Yardstick, yardstick
from nasopt.statistics.magnitude import LARGEST, unit_of

Budget = Literal["trials", "seconds", "wall"]
"""Trained and measured trials; seconds charged, as if no cache had answered; seconds by the clock."""


def reference_point(views: Sequence[StudyView], fixed: Sequence[float] | None = None) -> Array:
    """The losses, shape (objectives,), up to which hypervolume counts; the same for every study compared.

    By default the worst of each objective over the union of the fronts, and 10% of their range beyond it; where all
    search one table, the same of its true front.

    Args:
        views: studies with the same objectives.
        fixed: the point to take instead, as values in the directions of the objectives.

    Raises:
        UsageError: `fixed` has another number of values, or no study has a front.
    """
    objectives = views[0].objectives
    if fixed is not None:
        if len(fixed) != len(objectives):
            names = ", ".join(o.metric for o in objectives)
            raise UsageError(f"the reference point has {len(fixed)} values; expected one each for {names}")
        return np.array([o.sign * v for o, v in zip(objectives, fixed, strict=True)])
    points = [None if (s := yardstick(v)) is None else s.reference for v in views]
    first = points[0]
    alike = all(p is not None and first is not None and np.array_equal(p, first) for p in points)
    if first is not None and alike and np.isfinite(first).all():
        return first
    fronts = [v.losses(v.front()) for v in views]
    union = np.concatenate(fronts)
    if len(union) == 0:
        raise UsageError(
            f"no finished feasible trial in {', '.join(v.name for v in views)}; run more trials, "
            "or loosen the constraints that nasopt status names"
        )
    return _a_tenth_beyond(union.min(axis=0), union.max(axis=0))


def _a_tenth_beyond(ideal: Array, nadir: Array) -> Array:
    """The nadir and a tenth of the range, the next float at least: one point alone still dominates something."""
    unit = unit_of(np.maximum(np.abs(ideal), np.abs(nadir)))
    low, high = ideal / unit, nadir / unit
    margin = 0.1 * (high - low)
    single = margin == 0
    margin[single] = np.maximum(0.1 * np.abs(high[single]), 1e-9)
    with np.errstate(over="ignore"):
        return np.minimum(np.maximum((high + margin) * unit, np.nextafter(nadir, np.inf)), LARGEST)


def true_front(views: Sequence[StudyView]) -> tuple[Array, float] | None:
    """Reference point, as losses, and hypervolume of the true front, where all studies search the same whole table.

    The point lies 1.1 times as far from the ideal as the nadir, see `problems.true_front`.
    """
    fronts = [v.problem.get("front") for v in views]
    front = fronts[0]
    if not front or any(other != front for other in fronts):
        return None
    stick = yardstick(views[0])
    if stick is None or not np.isfinite(stick.reference).all():
        return None
    return stick.reference, whole_of(stick)


def whole_of(stick: Yardstick) -> float:
    """Hypervolume of a true front up to its reference point, as `hypervolume` counts it."""
    if stick.points is not None:  # the same sum of the same floats as a study's own: a share of 1 is 1
        return hypervolume(stick.points, stick.reference)
    unit = unit_of(stick.reference)
    return stick.hypervolume * float(np.prod(stick.nadir / unit - stick.ideal / unit))


def hypervolume(losses: Array, reference: Array) -> float:
    """Volume that `losses` (n, objectives) dominate up to `reference` (objectives,); 0 for none. [Zitzler1999]

    In the objectives' own units; where the reference point is beyond 1e60, or nearer to 0 than 1e-60, in the power of
    two next to it, so that volumes up to one point can be compared whatever its size.
    """
    from moocore import hypervolume as exact

    inside = losses[(losses < reference).all(axis=1)] if len(losses) else losses
    unit = unit_of(reference)
    with np.errstate(over="ignore"):
        volume = float(exact(inside / unit, ref=reference / unit)) if len(inside) else 0.0
    return min(volume, LARGEST)


def spent(view: StudyView, *, by: Budget) -> Array:
    """Budget used up when each of `view.finished()` was done, shape (n,).

    Trials count the trained and measured ones. Seconds are charged to the study as if no cache had answered, and
    include the supernet and the sampler's prior. The clock counts the study's own trials, each from its draw to
    its end, whatever ran between them. Both include the trials that failed.
    """
    done = view.finished()
    if by == "trials":
        return np.arange(1, len(done) + 1, dtype=np.float64)
    charged = {t.number: t.seconds if by == "seconds" else t.wall_s for t in view.trials}
    failed = [t for t in view.trials if t.finished is not None and not t.finished_trial]
    lost = sorted((t.finished, charged[t.number]) for t in failed if t.finished is not None)
    total, used, index = preparation(view, by=by), [], 0
    for trial in done:
        while index < len(lost) and trial.finished is not None and lost[index][0] <= trial.finished:
            total += lost[index][1]
            index += 1
        total += charged[trial.number]
        used.append(total)
    return np.array(used, dtype=np.float64)


def preparation(view: StudyView, *, by: Budget) -> float:
    """Budget used up before the first trial: the supernet and the sampler's prior, in charged seconds."""
    return view.preparation_seconds if by == "seconds" else 0.0


def history(view: StudyView, reference: Array, by: Budget = "trials") -> tuple[Array, Array]:
    """Budget used and hypervolume reached after each finished trial: two arrays of shape (n,)."""
    budget, reached = spent(view, by=by), []
    front = np.empty((0, len(view.objectives)))
    current = 0.0
    for trial in view.finished():
        point = view.losses([trial])[0]
        if _improves(trial, point, front, reference):
            front = np.vstack([front[~(point <= front).all(axis=1)], point])
            current = hypervolume(front, reference)
        reached.append(current)
    return budget, np.array(reached, dtype=np.float64)


def at(budget: Array, reached: Array, limit: float) -> float:
    """The hypervolume of a history once `limit` of the budget is used; 0 before its first trial."""
    index = int(np.searchsorted(budget, limit * (1 + 1e-12), side="right"))
    return float(reached[index - 1]) if index else 0.0


def _improves(trial: TrialView, point: Array, front: Array, reference: Array) -> bool:
    inside = trial.feasible and bool((point < reference).all())
    return inside and not (front <= point).all(axis=1).any()
