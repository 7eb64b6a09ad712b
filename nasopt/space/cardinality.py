"""How many points a space has."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import cast

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from nasopt.space.distinct import told_apart


@dataclass(frozen=True, slots=True)
class Cardinality:
    """Size of a space: the exact number of its discrete points, and the dimensions that are continuous besides."""

    discrete: int
    continuous: tuple[str, ...]

    def __str__(self) -> str:
        exact = f"{self.discrete:,}"
        if self.discrete >= 10**6:
            exact += f" (about {Decimal(self.discrete):.3g})"  # may be beyond the floats
        if self.continuous:
            exact += f" discrete points, times the continuous {', '.join(self.continuous)}"
        return exact


def cardinality(distributions: Mapping[str, BaseDistribution]) -> Cardinality:
    """Exact count of the discrete points of a space, and the names of its continuous dimensions."""
    sizes = {name: _size(d) for name, d in distributions.items()}
    discrete = math.prod(s for s in sizes.values() if s is not None)
    return Cardinality(discrete, tuple(name for name, s in sizes.items() if s is None))


def _size(distribution: BaseDistribution) -> int | None:
    if isinstance(distribution, CategoricalDistribution):
        return len(told_apart(distribution.choices))
    if isinstance(distribution, IntDistribution):
        return (distribution.high - distribution.low) // distribution.step + 1
    float_distribution = cast(FloatDistribution, distribution)
    if float_distribution.single():
        return 1
    if float_distribution.step is None:
        return None
    return round((float_distribution.high - float_distribution.low) / float_distribution.step) + 1
