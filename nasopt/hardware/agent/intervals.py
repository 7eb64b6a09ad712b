"""95% intervals of a median from few blocks."""

import math
from typing import Sequence, Tuple

import numpy as np

from .refusals import RefusedError

_STUDENT = (12.706, 4.303, 3.182, 2.776)
"""97.5% quantiles of Student's t with 1 to 4 degrees of freedom."""


def block_interval(medians: Sequence[float], centre: float) -> Tuple[float, float]:
    """A 95% interval of the median from the medians of blocks, widened to hold `centre`.

    Runs within a block share the machine's mood, so blocks and not runs are the independent observations. With six
    blocks or more it is the interval between order statistics (no assumption on the distribution, coverage at least
    95%), with fewer Student's t.
    """
    values = np.sort(np.asarray(medians, dtype=np.float64))
    count = len(values)
    if count >= 6:
        skip = _left_out(count)
        low, high = float(values[skip]), float(values[count - 1 - skip])
    elif count >= 2:
        half = float(_STUDENT[count - 2] * values.std(ddof=1) / math.sqrt(count))
        low, high = float(values.mean()) - half, float(values.mean()) + half
    else:
        raise RefusedError("one block of runs has no interval", "use 2 blocks or more")
    return max(0.0, min(low, centre)), max(high, centre)


def _left_out(count: int) -> int:
    """The largest k with P(at most k of `count` fair coins) <= 2.5%."""
    tail, ways, k = 1, 1, 0
    while True:
        ways = ways * (count - k) // (k + 1)
        tail += ways
        if tail > 0.025 * 2**count:
            return k
        k += 1
