"""Scores on the test split, for networks that a search has already chosen."""

from __future__ import annotations

from pathlib import Path

from nasopt.evaluation.pairs import load_network
from nasopt.routing.statistics import routed_quality
from nasopt.training import ImageData, predict


def score_test(weights: Path, data: ImageData, *, tau: float) -> dict[str, float]:
    """Quality metrics (fractions) of a stored network on the test split, and the number of `images`.

    Raises:
        CacheError: the weights cannot be restored.
    """
    network, candidate = load_network(weights)
    predicted = predict(network, data.test.images, data, candidate.resolution)
    labels = data.test.labels.numpy()
    quality = routed_quality(predicted.little, predicted.big, predicted.scores, labels, tau)
    return {**quality, "images": float(len(labels))}
