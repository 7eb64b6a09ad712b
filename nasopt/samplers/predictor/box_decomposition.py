"""What a point would add to the dominated hypervolume, in expectation and exactly.

The region that a front leaves open is cut into boxes; the expected improvement of a Gaussian prediction is then a sum
of products of one-dimensional terms, exact for independent objectives [Yang2019, Multi-objective Bayesian global
optimization using expected hypervolume improvement gradient]. All objectives are minimised.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr  # type: ignore[import-untyped]

from nasopt.space.encoding import Array

_ROOT = 1.0 / np.sqrt(2.0 * np.pi)
_FAR = 1e6  # stands for infinity where four or more objectives meet, beyond any loss of a front that spans 0 to 1
_CHUNK = 512  # rows at a time, so that they stay in the processor's cache


def open_boxes(front: Array, reference: Array) -> tuple[Array, Array]:
    """Lower and upper corners (b, m) of disjoint boxes: what a front (n, m) leaves open below the reference (m,).

    The front's points must be mutually nondominated and strictly below the reference. Lower corners may be -inf. For
    up to three objectives a plane sweep gives at most 2n + 1 boxes; above, local upper bounds do [Lacour2017].
    """
    m = front.shape[1]
    if m <= 3:
        padded = np.column_stack([front, np.zeros((len(front), 3 - m))])
        lower, upper = _sweep(padded, np.append(reference, np.ones(3 - m)))
        if m < 3:  # below height 0 nothing is dominated: those boxes are the padding's own
            kept = upper[:, 2] > 0.0
            if m == 1:
                kept &= upper[:, 1] > 0.0
            return (lower[kept][:, :m], upper[kept][:, :m]) if kept.any() else (lower[:0, :m], upper[:0, :m])
        return lower, upper
    bounds = _local_upper_bounds(front, reference)[0]
    far = _FAR - front.min(axis=0, initial=float(reference.min()))
    corners, definers = _local_upper_bounds(-bounds, far)
    first = definers[:, 0, :1]
    rest = np.stack([definers[:, :j, j].max(axis=1) for j in range(1, m)], axis=1)
    low = np.concatenate([first, rest], axis=1)
    high = np.concatenate([np.broadcast_to(far[:1], (len(corners), 1)), corners[:, 1:]], axis=1)
    kept = np.asarray((high > low).all(axis=1))
    return -high[kept], -low[kept]


def _sweep(front: Array, reference: Array) -> tuple[Array, Array]:
    """Boxes for three objectives: strips over the first axis, closed when a point of the next height cuts them."""
    infinity = np.inf
    strips: list[tuple[float, float, float, float]] = [(-infinity, reference[0], reference[1], -infinity)]
    boxes: list[tuple[float, ...]] = []
    for x, y, z in front[np.lexsort((front[:, 1], front[:, 0], front[:, 2]))].tolist():
        kept: list[tuple[float, float, float, float]] = []
        end = x
        for left, right, top, since in strips:  # tops fall from left to right
            if right <= x or top <= y:
                kept.append((left, right, top, since))
                continue
            if z > since:
                boxes.append((left, -infinity, since, right, top, z))
            if left < x:
                kept.append((left, x, top, z))
            end = right
        if end > x:
            kept.append((x, end, y, z))
            kept.sort()
        strips = kept
    boxes += [(left, -infinity, since, right, top, reference[2]) for left, right, top, since in strips]
    table = np.array(boxes)
    return table[:, :3], table[:, 3:]


def _local_upper_bounds(points: Array, reference: Array) -> tuple[Array, Array]:
    """Local upper bounds (u, m) of points (n, m) below a reference, and the points that define them (u, m, m)."""
    m = len(reference)
    bounds = reference[None].copy()
    definers = np.full((1, m, m), -_FAR * _FAR)
    definers[0, np.arange(m), np.arange(m)] = reference
    for z in points:
        inside = (bounds > z).all(axis=1)
        if not inside.any():
            continue
        cut, cut_by = bounds[inside], definers[inside]
        new, new_by = [bounds[~inside]], [definers[~inside]]
        for j in range(m):
            others = np.delete(cut_by[:, :, j], j, axis=1).max(axis=1)
            fits = z[j] >= others
            moved, moved_by = cut[fits].copy(), cut_by[fits].copy()
            moved[:, j] = z[j]
            moved_by[:, j] = z
            new.append(moved)
            new_by.append(moved_by)
        bounds, definers = np.concatenate(new), np.concatenate(new_by)
    return bounds, definers


def expected_improvement(mean: Array, deviation: Array, lower: Array, upper: Array) -> Array:
    """Expected hypervolume improvement (n,) of predictions mean and deviation (n, m) over open boxes (b, m)."""
    total = np.ones((len(mean), len(lower)))
    for k in range(mean.shape[1]):
        edges, where = np.unique(np.concatenate([lower[:, k], upper[:, k]]), return_inverse=True)
        finite = np.where(np.isfinite(edges), edges, 0.0)
        gap = finite[None] - mean[:, k : k + 1]
        u = gap / deviation[:, k : k + 1]
        gain = gap * ndtr(u) + deviation[:, k : k + 1] * _ROOT * np.exp(-0.5 * u * u)
        gain[:, ~np.isfinite(edges)] = 0.0
        b = len(lower)
        total *= gain[:, where[b:]] - gain[:, where[:b]]
    return np.maximum(total, 0.0).sum(axis=1)


def improvement(values: Array, lower: Array, upper: Array) -> Array:
    """Hypervolume improvement (n,) of certain values (n, m) over open boxes (b, m)."""
    gained = np.empty(len(values))
    for begin in range(0, len(values), _CHUNK):
        part = values[begin : begin + _CHUNK]
        total = np.ones((len(part), len(lower)))
        for k in range(values.shape[1]):
            total *= np.maximum(upper[None, :, k] - np.maximum(lower[None, :, k], part[:, k : k + 1]), 0.0)
        gained[begin : begin + _CHUNK] = total.sum(axis=1)
    return gained
