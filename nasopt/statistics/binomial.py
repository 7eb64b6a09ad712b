"""Shares that were counted over independent inputs: their intervals, and how many of a batch they make likely."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from nasopt.records import Interval

Z95 = 1.959963984540054
"""Standard errors on either side of a 95% interval: the 97.5% quantile of the standard normal distribution."""
Z95_ROUNDED = 1.959964
"""`Z95` as costs in studies have it: with the exact one, the same trial would be stored with other last digits."""


def wilson(share: float, inputs: int) -> Interval:
    """95% score interval of a share in [0, 1] that was counted over `inputs`. [Wilson1927]

    Written out, for `scipy.stats.binomtest` has the same interval only in a second of import and a fifth of a
    millisecond, and `nasopt status` prints it for each network of the front.
    """
    squared = Z95**2
    centre = (share + squared / (2 * inputs)) / (1 + squared / inputs)
    half = Z95 / (1 + squared / inputs) * math.sqrt(share * (1 - share) / inputs + squared / (4 * inputs**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def plus_four_error(share: float, inputs: int) -> float:
    """Half of the 95% interval of a share in [0, 1] that was counted over `inputs`, after two more of either outcome.

    So a share of 0 or 1 is not taken for certain. [Agresti1998]
    """
    adjusted = (share * inputs + 2.0) / (inputs + 4.0)
    return Z95_ROUNDED * math.sqrt(adjusted * (1.0 - adjusted) / (inputs + 4.0))


def binomial_weights(trials: int, probability: float) -> npt.NDArray[np.float64]:
    """Probability of 0 to `trials` successes, shape (trials + 1,).

    Args:
        trials: independent inputs of a batch.
        probability: of success; 0, or 1e-300 and more, for of less SciPy raises OverflowError. `1 - rate` always is.
    """
    from scipy import stats  # a second of processor, for which nobody else should pay

    return np.asarray(stats.binom.pmf(np.arange(trials + 1), trials, probability), dtype=np.float64)
