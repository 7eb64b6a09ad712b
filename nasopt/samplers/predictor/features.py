"""What the surrogate sees of a point, and how a search moves from one point to others.

Points are rows of codes (see `encoding`). Choices have names that mean nothing here: they become one-hot features at
mutual distance 1. Whatever has an order (numbers, and choices that are all numbers) becomes a position besides, so that
its neighbours resemble each other, and for sums over the parameters its square, so that an optimum may lie within a
range. Where several parameters have the same choices, as the layers of a network do, it
also counts how many of them take each one: costs hang on that before they hang on the places.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasopt.space.encoding import Array, Axis, Encoding

FEW = 64
"""A scale of at most so many values has all of its steps tried as neighbours; of a longer one some."""


FAMILY = 3
"""So many parameters with the same choices have these counted."""


class Features:
    """The map from codes (n, d) to features (n, width).

    The features of one of `groups` share a length scale, those of one of `sums` a weight in what is linear: all names
    one, each number one of its own.
    """

    def __init__(self, encoding: Encoding) -> None:
        self.encoding = encoding
        self.continuous = cardinality(encoding) == math.inf
        self.groups: list[NDArray[np.intp]] = []
        self._numbers = [_numbers(axis) for axis in encoding.axes]
        self.width = 0
        numeric: list[NDArray[np.intp]] = []
        for axis, numbers in zip(encoding.axes, self._numbers, strict=True):
            if axis.kind == "choice":
                self._group(axis.levels or 1)
            if axis.kind != "choice" or numbers is not None:
                self._group(1)
                numeric.append(np.array([self.width - 1, self.width]))  # the place and its square
                self.width += 1
        self._families = _families(encoding)
        for _, _, size in self._families:
            for _ in range(size):
                self._group(1)
        names = np.setdiff1d(np.arange(self.width), np.concatenate([[], *numeric]))
        self.sums = [*([names] if len(names) else []), *numeric]

    def _group(self, size: int) -> None:
        self.groups.append(np.arange(self.width, self.width + size))
        self.width += size

    def __call__(self, codes: Array) -> Array:
        """Features (n, width); a parameter that a trial lacks (NaN) has no choice, or the middle of its range."""
        blocks: list[Array] = []
        for j, (axis, numbers) in enumerate(zip(self.encoding.axes, self._numbers, strict=True)):
            column = codes[:, j]
            if axis.kind == "choice":
                blocks.append((column[:, None] == np.arange(axis.levels or 1)) * math.sqrt(0.5))
                if numbers is not None:
                    known = np.where(np.isnan(column), 0, column).astype(int)
                    blocks.append(_bent(np.where(np.isnan(column), 0.5, numbers[known])))
            else:
                blocks.append(_bent(np.where(np.isnan(column), 0.5, column / (axis.top or 1.0))))
        for columns, shared, size in self._families:
            known = np.where(np.isnan(codes[:, columns]), -1, codes[:, columns]).astype(int)
            taken = np.where(known < 0, -1, shared[np.arange(len(columns)), known])
            blocks.append((taken[:, :, None] == np.arange(size)).sum(axis=1) / math.sqrt(len(columns)))
        return np.concatenate(blocks, axis=1)


def _bent(places: Array) -> Array:
    """Places (n,) in [0, 1] and their squares around the middle, of mean 0 over the range (n, 2)."""
    return np.stack([places, (2.0 * places - 1.0) ** 2 - 1.0 / 3.0], axis=1)


def _families(encoding: Encoding) -> list[tuple[list[int], NDArray[np.intp], int]]:
    """Parameters (k,) with the same set of choices, the place in it of each choice (k, size), and its size."""
    families: dict[frozenset[Any], list[int]] = {}
    for j, axis in enumerate(encoding.axes):
        if axis.kind == "choice":
            families.setdefault(frozenset(axis.lookup), []).append(j)
    found = []
    for columns in (c for c in families.values() if len(c) >= FAMILY):
        places = encoding.axes[columns[0]].lookup
        shared = np.zeros((len(columns), max(encoding.axes[j].levels or 1 for j in columns)), dtype=np.intp)
        for row, j in enumerate(columns):
            lookup = encoding.axes[j].lookup
            shared[row, : len(lookup)] = [places[key] for key in lookup]
        found.append((columns, shared, len(places)))
    return found


def _numbers(axis: Axis) -> Array | None:
    """Positions in [0, 1] of choices that are all numbers; None where they are not, or only two."""
    choices = axis.values
    if len(choices) < 3 or any(isinstance(c, bool) or not isinstance(c, int | float) for c in choices):
        return None
    values = np.array(choices, dtype=float)
    if not np.isfinite(values).all() or np.ptp(values) == 0:
        return None
    return (values - values.min()) / np.ptp(values)


def cardinality(encoding: Encoding) -> float:
    """How many points a space has; infinite where a parameter is continuous."""
    return math.prod(axis.levels or math.inf for axis in encoding.axes)


def enumerate_points(encoding: Encoding) -> Array:
    """Every point of a finite space (cardinality, d)."""
    scales = [np.array([axis.level(i) for i in range(axis.levels or 1)]) for axis in encoding.axes]
    return np.stack([grid.ravel() for grid in np.meshgrid(*scales, indexing="ij")], axis=1)


def mutate(encoding: Encoding, codes: Array, changes: NDArray[np.intp], rng: np.random.Generator) -> Array:
    """Copies of codes (n, d) with `changes` (n,) parameters of each drawn anew, ordered ones mostly nearby."""
    children = codes.copy()
    order = rng.random(codes.shape).argsort(axis=1)
    for j, axis in enumerate(encoding.axes):
        rows = np.flatnonzero(order[:, j] < changes)
        if axis.kind == "choice":
            levels = axis.levels or 1
            children[rows, j] = (codes[rows, j] + rng.integers(1, levels, size=len(rows))) % levels
            continue
        step = axis.top * 10.0 ** rng.uniform(-2.5, -0.3, size=len(rows))
        if axis.kind == "integer":
            step = np.maximum(1.0, np.rint(step))
        step *= rng.choice([-1.0, 1.0], size=len(rows)) * (1.0 if axis.kind == "integer" else rng.random(len(rows)))
        moved = codes[rows, j] + step
        outside = (moved < 0.0) | (moved > axis.top)
        moved = np.clip(np.where(outside, codes[rows, j] - step, moved), 0.0, axis.top)
        children[rows, j] = _snapped(axis, moved)
    return children


def neighbours(encoding: Encoding, codes: Array, rng: np.random.Generator) -> Array:
    """Points (k, d) one parameter away from one of codes (n, d): all values of short scales, a step of others."""
    found = [mutate(encoding, codes, np.ones(len(codes), dtype=np.intp), rng)]
    for j, axis in enumerate(encoding.axes):
        if axis.kind != "real" and (axis.levels or FEW + 1) <= FEW:
            for level in range(axis.levels or 1):
                block = codes[codes[:, j] != level].copy()
                block[:, j] = level
                found.append(block)
    return np.concatenate(found)


def shift(encoding: Encoding, codes: Array, step: float, rng: np.random.Generator) -> Array:
    """Copies of codes (n, d) with all continuous parameters moved by normal steps of so much of their range."""
    children = codes.copy()
    for j in (j for j, axis in enumerate(encoding.axes) if axis.levels is None):
        children[:, j] = np.clip(codes[:, j] + step * rng.standard_normal(len(codes)), 0.0, 1.0)
    return children


def cross(codes: Array, others: Array, rng: np.random.Generator) -> Array:
    """Children (n, d) that take each parameter from one of their parents (n, d)."""
    return np.where(rng.random(codes.shape) < 0.5, codes, others)


def _snapped(axis: Axis, codes: Array) -> Array:
    """Codes of axis values nearest to codes (n,)."""
    if axis.kind == "real" and axis.levels:
        return np.array([axis._snap(code) for code in codes])
    return codes
