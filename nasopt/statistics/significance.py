"""Whether differences between methods, seed by seed, are more than chance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_EXACT = 50
"""Most pairs for which scipy has the exact distribution without ties."""
_RESAMPLES = 2**14
"""All sign flips up to 14 pairs; a sample of them beyond."""
_DECIMALS = 12
"""Shares that agree so far are equal: what is left is rounding."""


def paired_p(first: Sequence[float], second: Sequence[float]) -> float:
    """Two-sided p of Wilcoxon's signed-rank test on pairs of shares in [0, 1]; exact where feasible. [Wilcoxon1945]

    Pairs without a difference keep their rank [Pratt1959]. Where there are ties or such pairs, the distribution is that
    of all sign flips, up to 14 pairs; of a fixed sample of them beyond.
    """
    differences = np.round(np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64), _DECIMALS)
    sizes = np.abs(differences)
    if not sizes.any():
        return 1.0
    from scipy import stats  # a second of processor, for which nobody else should pay

    plain = len(np.unique(sizes)) == len(sizes) and sizes.all()
    if plain and len(sizes) <= _EXACT:
        return float(stats.wilcoxon(differences, method="exact").pvalue)
    flips = stats.PermutationMethod(n_resamples=_RESAMPLES, rng=np.random.default_rng(0))
    return float(stats.wilcoxon(differences, zero_method="pratt", method=flips).pvalue)


def smallest_p(pairs: int) -> float:
    """The least two-sided p that signed ranks can give with so many pairs: 2 of the 2^n patterns of signs."""
    return min(1.0, 2.0 / 2.0**pairs)


def pairs_needed(tests: int, level: float) -> int:
    """Fewest pairs with which one of so many tests can reach the level after Holm's correction."""
    pairs = 1
    while tests * smallest_p(pairs) > level:
        pairs += 1
    return pairs


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for their number, in the order given. [Holm1979]"""
    order = np.argsort(p_values, kind="stable")
    adjusted = np.empty(len(p_values))
    running = 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running
    return [float(p) for p in adjusted]


def average_ranks(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Mean rank over the rows of scores (runs, methods), 1 for the highest; ties share theirs. [Friedman1937]"""
    from scipy import stats

    return np.asarray(stats.rankdata(-np.round(scores, _DECIMALS), axis=1).mean(axis=0))
