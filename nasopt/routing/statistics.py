"""How good the routed answers are, and how well they know it."""

from __future__ import annotations

import numpy as np

from nasopt.routing.decisions import Bools, Floats, Ints, decide, is_correct, optimal_exits, route


def softmax(logits: Floats) -> Floats:
    """Probabilities of shape (n, classes)."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Floats = shifted / shifted.sum(axis=1, keepdims=True)
    return probabilities


def expected_calibration_error(logits: Floats, labels: Ints, *, bins: int = 15) -> float:
    """Mean gap between confidence and accuracy over equal-width bins of confidence, weighted by bin size. [Guo2017]"""
    probabilities = softmax(np.asarray(logits, dtype=np.float64))
    confidence = probabilities.max(axis=1)
    correct = is_correct(logits, labels)
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    gap = np.bincount(bin_of, weights=confidence - correct, minlength=bins)
    return float(np.abs(gap).sum() / len(labels))


def top_k_accuracy(logits: Floats, labels: Ints, k: int) -> float:
    """Share of inputs whose label is among the k largest logits."""
    k = min(k, logits.shape[1])
    best = np.argpartition(-logits, k - 1, axis=1)[:, :k]
    return float((best == labels[:, None]).any(axis=1).mean())


def routed_quality(little: Floats, big: Floats, scores: Floats, labels: Ints, tau: float) -> dict[str, float]:
    """The quality metrics of `metrics.METRICS`, all fractions, of logits (n, classes) routed at tau."""
    exited = decide(scores, tau)
    routed = route(little, big, exited)
    optimal = optimal_exits(is_correct(little, labels), is_correct(big, labels))
    return {
        "accuracy": float(is_correct(routed, labels).mean()),
        "top5": top_k_accuracy(routed, labels, 5),
        "ece": expected_calibration_error(routed, labels),
        "exit_rate": float(exited.mean()),
        "routing_accuracy": float((exited == optimal).mean()),
    }


def class_table(routed: Floats, exited: Bools, labels: Ints, classes: tuple[str, ...]) -> list[dict[str, float | str]]:
    """Accuracy, exit rate and number of images of each class that occurs."""
    correct = is_correct(routed, labels)
    rows: list[dict[str, float | str]] = []
    for index, name in enumerate(classes):
        mine = labels == index
        if mine.any():
            rows.append(
                {
                    "class": name,
                    "images": int(mine.sum()),
                    "accuracy": float(correct[mine].mean()),
                    "exit_rate": float(exited[mine].mean()),
                }
            )
    return rows
