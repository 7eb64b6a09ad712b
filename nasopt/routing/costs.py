"""What a routed network costs over a stream of inputs, from the costs of its paths."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nasopt.records import Cost, Provenance
from nasopt.statistics.binomial import binomial_weights, plus_four_error


@dataclass(frozen=True, slots=True, kw_only=True)
class PathCosts:
    """One cost of both paths: `easy` is paid by every input, `big` on top by the hard ones."""

    easy: Cost
    big: Cost

    @property
    def provenance(self) -> Provenance:
        """That of the parts, which must agree.

        Raises:
            ValueError: the parts come from different sources; adding them would hide it.
        """
        if self.easy.provenance != self.big.provenance:
            raise ValueError(f"cannot add a {self.easy.provenance} cost to a {self.big.provenance} one")
        return self.easy.provenance


def expected(paths: PathCosts, *, exit_rate: float, inputs: int) -> Cost:
    """E[cost] = easy + (1 - exit_rate) big, with the exit rate's sampling error over `inputs` in the interval.

    Half-widths of independent sources add in squares (delta method); the exit rate is binomial, see
    `plus_four_error`.
    """
    hard = 1.0 - exit_rate
    value = paths.easy.value + hard * paths.big.value
    rate_error = plus_four_error(exit_rate, inputs)
    low = math.hypot(_below(paths.easy), hard * _below(paths.big), paths.big.value * min(rate_error, hard))
    high = math.hypot(_above(paths.easy), hard * _above(paths.big), paths.big.value * min(rate_error, exit_rate))
    return Cost(value=value, ci95=(max(value - low, 0.0), value + high), provenance=paths.provenance)


def quantile(paths: PathCosts, *, exit_rate: float, q: float) -> Cost:
    """The q-quantile over inputs: an input costs either the easy path or both."""
    return paths.easy if exit_rate >= q else both(paths)


def worst(paths: PathCosts, *, exit_rate: float) -> Cost:
    """The dearest input: both paths unless every input leaves early."""
    return paths.easy if exit_rate >= 1.0 else both(paths)


def both(paths: PathCosts) -> Cost:
    """Cost of a hard input."""
    value = paths.easy.value + paths.big.value
    low = math.hypot(_below(paths.easy), _below(paths.big))
    high = math.hypot(_above(paths.easy), _above(paths.big))
    return Cost(value=value, ci95=(max(value - low, 0.0), value + high), provenance=paths.provenance)


def batched_latency(
    easy_batch: Cost, big_by_batch: Mapping[int, Cost], *, batch: int, exit_rate: float, inputs: int
) -> Cost:
    """Expected milliseconds for one batch whose hard inputs are gathered and run through the big network together.

    The number of hard inputs is binomial(batch, 1 - exit_rate); the big network's time at a number that was not
    measured is interpolated linearly between the measured batch sizes, and 0 inputs cost nothing.
    """
    sizes = [0, *sorted(big_by_batch)]
    counts = np.arange(batch + 1)

    def gathered(rate: float, pick: int | None) -> float:
        times = [0.0, *((c.value if pick is None else c.ci95[pick]) for _, c in sorted(big_by_batch.items()))]
        return float(np.dot(binomial_weights(batch, 1.0 - rate), np.interp(counts, sizes, times)))

    rate_error = plus_four_error(exit_rate, inputs)
    rate_low, rate_high = max(exit_rate - rate_error, 0.0), min(exit_rate + rate_error, 1.0)
    middle = gathered(exit_rate, None)
    value = easy_batch.value + middle
    low = math.hypot(_below(easy_batch), middle - gathered(exit_rate, 0), middle - gathered(rate_high, None))
    high = math.hypot(_above(easy_batch), gathered(exit_rate, 1) - middle, gathered(rate_low, None) - middle)
    provenances = {easy_batch.provenance, *(c.provenance for c in big_by_batch.values())}
    if len(provenances) > 1:
        raise ValueError(f"cannot add costs of different provenance: {', '.join(sorted(provenances))}")
    return Cost(value=value, ci95=(max(value - low, 0.0), value + high), provenance=easy_batch.provenance)


def _below(cost: Cost) -> float:
    return max(cost.value - cost.ci95[0], 0.0)


def _above(cost: Cost) -> float:
    return max(cost.ci95[1] - cost.value, 0.0)
