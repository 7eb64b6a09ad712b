"""Search spaces as rows of numbers, so that populations are arrays."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from nasopt.space.distinct import choice_key, told_apart

Array: TypeAlias = NDArray[np.float64]
Key: TypeAlias = tuple[float, ...]

DIGITS = 12
"""Codes that agree to so many decimals are the same point: a real number passes through its parameter and back."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One parameter. Its code is an index for a choice or a stepped number, else a place between 0 and 1."""

    name: str
    distribution: BaseDistribution
    kind: Literal["choice", "integer", "real"]
    levels: int | None
    """How many values there are; None where they are continuous."""
    values: tuple[Any, ...] = ()
    """The choices that Optuna can tell apart, by index; empty for numbers."""
    lookup: Mapping[Any, int] = field(default_factory=dict)
    """Index of each of `values` by its `choice_key`."""

    @property
    def top(self) -> float:
        """Largest code; the smallest is 0."""
        return 1.0 if self.kind == "real" else float((self.levels or 1) - 1)

    def encode(self, value: Any) -> float | None:
        """Code of a value; None where this distribution does not contain it."""
        d = self.distribution
        if isinstance(d, CategoricalDistribution):
            index = self.lookup.get(choice_key(value))
            return None if index is None else float(index)
        if not d.low <= value <= d.high:  # type: ignore[attr-defined]
            return None
        if self.kind == "integer":
            return float(round((value - d.low) / d.step))  # type: ignore[attr-defined]
        low, high = _bounds(d)
        place = math.log(value) if d.log else value  # type: ignore[attr-defined]
        return round(min(max((place - low) / (high - low), 0.0), 1.0), DIGITS)

    def decode(self, code: float) -> Any:
        """The value of the nearest code that has one, as a plain Python scalar."""
        d = self.distribution
        if isinstance(d, CategoricalDistribution):
            return self.values[round(float(code))]
        code = min(max(float(code), 0.0), self.top)
        if self.kind == "integer":
            value = d.low + round(code) * d.step  # type: ignore[attr-defined]
            return int(value) if isinstance(d, IntDistribution) else float(min(value, d.high))  # type: ignore[attr-defined]
        low, high = _bounds(d)
        place = low + code * (high - low)
        value = math.exp(place) if d.log else place  # type: ignore[attr-defined]
        value = round(value) if isinstance(d, IntDistribution) else value
        return min(max(value, d.low), d.high)  # type: ignore[attr-defined]

    def level(self, index: int) -> float:
        """Code of the value with this index, where `levels` is not None."""
        if self.kind != "real":
            return float(index)
        code = self.encode(self.distribution.low + index)  # type: ignore[attr-defined]
        assert code is not None  # an index below `levels` lies inside
        return code

    def draw(self, rng: np.random.Generator, size: int) -> Array:
        """Codes of shape (size,), drawn as Optuna's random sampler draws values."""
        if self.kind == "real":
            drawn = rng.random(size)
            return np.array([self._snap(code) for code in drawn]) if self.levels else drawn.round(DIGITS)
        return rng.integers(self.levels or 1, size=size).astype(float)

    def _snap(self, code: float) -> float:
        snapped = self.encode(self.decode(code))
        assert snapped is not None  # a decoded value lies inside
        return snapped


def _bounds(d: BaseDistribution) -> tuple[float, float]:
    low, high = float(d.low), float(d.high)  # type: ignore[attr-defined]
    return (math.log(low), math.log(high)) if d.log else (low, high)  # type: ignore[attr-defined]


def _axis(name: str, d: BaseDistribution) -> Axis:
    if isinstance(d, CategoricalDistribution):
        values = told_apart(d.choices)
        return Axis(name, d, "choice", len(values), values, {choice_key(c): i for i, c in enumerate(values)})
    if isinstance(d, IntDistribution):
        levels = (d.high - d.low) // d.step + 1
        return Axis(name, d, "real" if d.log else "integer", levels)
    if isinstance(d, FloatDistribution):
        if d.step is None:
            return Axis(name, d, "real", None)
        return Axis(name, d, "integer", round((d.high - d.low) / d.step) + 1)
    raise TypeError(f"expected a categorical, integer or float distribution for {name!r}, got {type(d).__name__}")


class Encoding:
    """A search space as a grid of codes.

    Parameters with a single value are left out: Optuna fills them in itself.
    """

    def __init__(self, space: Mapping[str, BaseDistribution]) -> None:
        self.axes = tuple(_axis(name, d) for name, d in space.items() if not d.single())
        self.names = tuple(axis.name for axis in self.axes)

    def encode(self, params: Mapping[str, Any]) -> Array | None:
        """Codes of shape (d,), NaN for parameters that are absent; None where a value lies outside of the space."""
        row = np.full(len(self.axes), np.nan)
        for i, axis in enumerate(self.axes):
            if axis.name in params:
                if (code := axis.encode(params[axis.name])) is None:
                    return None
                row[i] = code
        return row

    def decode(self, row: Array) -> dict[str, Any]:
        """Parameters of a row (d,) without NaN."""
        return {axis.name: axis.decode(code) for axis, code in zip(self.axes, row, strict=True)}

    def snap(self, row: Array) -> Array:
        """The row (d,) whose codes have values, nearest to this one."""
        return np.array([axis._snap(code) for axis, code in zip(self.axes, row, strict=True)])

    def draw(self, rng: np.random.Generator, size: int) -> Array:
        """Random rows of shape (size, d)."""
        return np.stack([axis.draw(rng, size) for axis in self.axes], axis=1)

    def fill(self, rows: Array, rng: np.random.Generator) -> Array:
        """Rows (n, d) with random codes for what is NaN: parameters that a conditional space did not ask for."""
        missing = np.isnan(rows)
        return np.where(missing, self.draw(rng, len(rows)), rows) if missing.any() else rows

    def walk(self, rng: np.random.Generator, pinned: Array) -> Iterator[Array]:
        """Every row of a finite space once, from a random one on in strides, `pinned` (d,) held where it is not NaN.

        Nothing where a free axis is continuous.
        """
        free = [(i, axis) for i, axis in enumerate(self.axes) if np.isnan(pinned[i])]
        if any(axis.levels is None for _, axis in free):
            return
        levels = [axis.levels or 1 for _, axis in free]
        size = math.prod(levels)
        start, stride = (int(size * x) for x in rng.random(2))
        while math.gcd(stride, size) != 1:
            stride += 1
        for k in range(size):
            rest = (start + k * stride) % size
            row = pinned.copy()
            for (i, axis), count in zip(free, levels, strict=True):
                rest, index = divmod(rest, count)
                row[i] = axis.level(index)
            yield row


def key_of(row: Array) -> Key:
    """What makes a row the same point as another."""
    return tuple(row.tolist())


def digest(params: Mapping[str, Any]) -> str:
    """Short name of an assignment, short enough for an attribute of any database."""
    text = repr(sorted((name, type(value).__name__, value) for name, value in params.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
