"""The first points of a search that knows nothing yet: homogeneous ones, then points far from each other."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from nasopt.space.encoding import Array, Encoding

EVEN = 5
"""So many of the first points at most are homogeneous."""
SPREAD = 60
"""Random points of which the farthest from all known ones is next."""


def first_points(encoding: Encoding, known: Array, rng: np.random.Generator) -> Iterator[Array]:
    """Rows (d,) without end for a study that knows the rows (n, d) so far."""
    yield from (row for row in even_points(encoding, EVEN) if not (known == row).all(axis=1).any())
    tops = np.array([axis.top for axis in encoding.axes])
    choices = np.array([axis.kind == "choice" for axis in encoding.axes])
    for _ in itertools.count():
        drawn = encoding.draw(rng, SPREAD)
        if len(known):
            apart = np.abs(drawn[:, None] - known[None])
            distances = np.where(choices, apart > 0, apart / tops).sum(axis=2)
            drawn = drawn[np.argsort(-(distances.min(axis=1) + 0.01 * distances.mean(axis=1)), kind="stable")]
        yield from drawn[:3]


def even_points(encoding: Encoding, most: int) -> Array:
    """At most `most` points whose parameters all stand at the same place of their range (k, d).

    Where parameters share their choices, as the layers of a network do, these are the homogeneous networks: the
    smallest, the largest, and those between.
    """
    count = min(most, max(axis.levels or most for axis in encoding.axes))
    places = np.linspace(0.0, 1.0, max(2, count))
    rows = places[:, None] * np.array([axis.top for axis in encoding.axes])
    for j, axis in enumerate(encoding.axes):
        if axis.kind != "real":
            rows[:, j] = np.rint(rows[:, j])
    return np.array([encoding.snap(row) for row in rows])
