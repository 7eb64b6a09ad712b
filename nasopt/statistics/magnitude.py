"""Arithmetic on figures of any size a float can have, by powers of two, which change nothing but the exponent."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.float64]

LARGEST = float(np.finfo(np.float64).max)
_USUAL = 200
"""Exponents of two up to which figures are left as they are: products of five such figures stay inside the floats."""


def unit_of(sizes: Array | float) -> Array:
    """The power of two to divide figures of these sizes by, so that their differences and products neither overflow nor
    vanish; 1 for all from 1e-60 to 1e60, and for 0."""
    exponents = np.frexp(np.abs(sizes))[1]
    odd = (np.abs(exponents) > _USUAL) & (np.asarray(sizes) != 0)
    return np.ldexp(1.0, np.where(odd, exponents - 1, 0))


def column_units(values: Array) -> Array:
    """`unit_of` the largest finite figure of each column of values (n, m), shape (m,)."""
    sizes = np.where(np.isfinite(values), np.abs(values), 0.0)
    return unit_of(sizes.max(axis=0, initial=0.0))


def places(values: Array, low: Array, high: Array) -> Array:
    """Values (n, m) with `low` (m,) at 0 and `high` (m,) at 1; where these are equal, 0 at them and infinite beyond."""
    unit = unit_of(np.maximum(np.abs(low), np.abs(high)))
    with np.errstate(over="ignore", invalid="ignore"):
        apart = values / unit - low / unit
        width = high / unit - low / unit
        scaled = apart / np.where(width > 0, width, 1.0)
    beyond = np.where(apart > 0, np.inf, np.where(apart < 0, -np.inf, 0.0))
    result: Array = np.where(width > 0, scaled, beyond)
    return result


def beyond(low: Array, high: Array, factor: float) -> Array:
    """`low + factor * (high - low)`, shape (m,); infinite where no float is so large."""
    unit = unit_of(np.maximum(np.abs(low), np.abs(high)))
    with np.errstate(over="ignore"):
        found: Array = (low / unit + factor * (high / unit - low / unit)) * unit
    return found
