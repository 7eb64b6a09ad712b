"""Which values of a distribution Optuna can tell apart.

It stores a choice as the place of the first one that equals it, and Python calls 1, 1.0 and True equal: of
`[False, 0, "auto"]` a database holds two values. It keeps whole numbers as floats, which are exact up to 2^53 only.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

_EXACT = 2**53
"""Largest whole number up to which every one is a float of its own."""


def told_apart(choices: Sequence[Any]) -> tuple[Any, ...]:
    """The choices that Optuna gives back, in order: of those that are equal the first."""
    kept: dict[Any, Any] = {}
    for choice in choices:
        kept.setdefault(choice_key(choice), choice)
    return tuple(kept.values())


def choice_key(choice: Any) -> Any:
    """What is equal for choices that Optuna takes for one, and for no others."""
    return math.nan if _is_nan(choice) else choice  # the one object, which a mapping finds although it equals nothing


def mistaken_values(distributions: Mapping[str, BaseDistribution]) -> Iterator[str]:
    """One phrase for each parameter with values that Optuna cannot tell apart, its name first."""
    for name, distribution in distributions.items():
        if isinstance(distribution, CategoricalDistribution):
            if (pair := _equal_pair(distribution.choices)) is not None:
                yield f"{name} has the choices {pair[0]!r} and {pair[1]!r}, which are equal to Python; keep one of them"
        elif isinstance(distribution, IntDistribution):
            if max(abs(distribution.low), abs(distribution.high)) > _EXACT:
                ends = f"{distribution.low} to {distribution.high}"
                yield f"{name} runs from {ends}; whole numbers are exact up to 2^53 only"
        elif isinstance(distribution, FloatDistribution) and (step := distribution.step) is not None:
            low, high = distribution.low, distribution.high
            if low < high and (low + step == low or high - step == high):
                yield f"{name} has the step {step:g}, too small to tell its values {low:g} to {high:g} apart; widen it"


def _equal_pair(choices: Sequence[Any]) -> tuple[Any, Any] | None:
    """The first two choices that Optuna takes for one."""
    first: dict[Any, Any] = {}
    for choice in choices:
        key = choice_key(choice)
        if key in first:
            return first[key], choice
        first[key] = choice
    return None


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)
