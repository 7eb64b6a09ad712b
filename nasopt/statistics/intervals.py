"""Intervals by the bootstrap, and whether intervals tell two figures apart."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nasopt.records import Interval

_ENDS = (0.025, 0.975)


def resamples(*sizes: int, times: int) -> tuple[npt.NDArray[np.int64], ...]:
    """Rows to take for a bootstrap [Efron1979]: of each sample of `sizes` rows, an array (times, size).

    Every row is drawn with replacement, always the same ones: what was measured once has one interval. Several samples
    are drawn in turn, a resample of each after the other. `scipy.stats.bootstrap` draws a single sample alike, but
    neither promises to go on so nor takes exactly these percentiles, and its intervals would differ from stored ones.
    """
    draw = np.random.default_rng(0)
    if len(sizes) == 1:
        return (draw.integers(sizes[0], size=(times, sizes[0])),)
    rows = tuple(np.empty((times, size), dtype=np.int64) for size in sizes)
    for time in range(times):
        for sample, size in zip(rows, sizes, strict=True):
            sample[time] = draw.integers(size, size=size)
    return rows


def percentile_interval(figures: npt.NDArray[np.float64]) -> Interval:
    """The 95% interval of a figure from its values (times,) over resamples: their 2.5 and 97.5 percentiles."""
    low, high = np.quantile(figures, _ENDS)
    return float(low), float(high)


def holding(interval: Interval, figure: float) -> Interval:
    """The interval, widened where it does not hold the figure that it belongs to."""
    return min(interval[0], figure), max(interval[1], figure)


def overlap(first: Interval, second: Interval) -> bool:
    """Whether two intervals share a point; then the order of their figures is not established."""
    return first[0] <= second[1] and second[0] <= first[1]
