"""Who leaves at the little head, and what that makes of accuracy; pure functions over logits and router scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.floating]
Bools: TypeAlias = NDArray[np.bool_]
Ints: TypeAlias = NDArray[np.integer]


def decide(scores: Floats, tau: float) -> Bools:
    """Mask (n,) of the inputs that leave at the little head: router score (n,) of at least tau.

    The comparison is made in float32, as the exported graph makes it.
    """
    decided: Bools = np.asarray(scores, dtype=np.float32) >= np.float32(tau)
    return decided


def route(little: Floats, big: Floats, exited: Bools) -> Floats:
    """Logits (n, classes) that the routed network answers with."""
    return np.where(exited[:, None], little, big)


def is_correct(logits: Floats, labels: Ints) -> Bools:
    """Mask (n,) of right top-1 answers."""
    correct: Bools = logits.argmax(axis=1) == labels
    return correct


def optimal_exits(little_correct: Bools, big_correct: Bools) -> Bools:
    """Mask (n,) of inputs for which calling the big network gains nothing: little is right, or big is wrong too."""
    return little_correct | ~big_correct


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeOff:
    """Accuracy of the routed network at every exit rate that a threshold can reach, from all big to all little."""

    exit_rate: Floats
    """Ascending, shape (k,)."""
    accuracy: Floats
    """Shape (k,)."""
    tau: Floats
    """Threshold that reaches it, shape (k,)."""

    def area(self) -> float:
        """Mean accuracy over exit rates uniform in [0, 1]."""
        return float(np.trapezoid(self.accuracy, self.exit_rate))


def sweep(little: Floats, big: Floats, scores: Floats, labels: Ints) -> TradeOff:
    """All thresholds at once, without running anything: O(n log n) over cached logits (n, classes) and scores (n,)."""
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    gain = is_correct(little, labels)[order].astype(int) - is_correct(big, labels)[order].astype(int)
    correct = is_correct(big, labels).sum() + np.concatenate([[0], np.cumsum(gain)])
    last_of_score = np.append(ranked[1:] != ranked[:-1], True)  # inputs of equal score leave together
    kept = np.concatenate([[True], last_of_score])
    tau = np.concatenate([[np.inf], ranked])
    n = len(scores)
    return TradeOff(exit_rate=np.arange(n + 1)[kept] / n, accuracy=correct[kept] / n, tau=tau[kept])
