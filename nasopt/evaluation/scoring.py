"""Scores on the test split, for networks that a search has already chosen."""

from __future__ import annotations

from pathlib import Path

import numpy as np

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
    labels = np.asarray(data.test.labels)
    arrays = [np.asarray(a) for a in (predicted.little, predicted.big, predicted.scores)]
    return {**routed_quality(*arrays, labels, tau), "images": float(len(labels))}
