"""Scores on the test split, for networks that a search has already chosen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from nasopt.data import ImageData
from nasopt.errors import DataError
from nasopt.evaluation.conversion import predict_graphs, stored_graphs
from nasopt.evaluation.pairs import load_network
from nasopt.records import ArtifactNames, Candidate
from nasopt.routing.statistics import routed_quality
from nasopt.training import Predictions, predict


def score_test(files: Mapping[str, Path], data: ImageData, candidate: Candidate) -> dict[str, float]:
    """Quality metrics (fractions) of a stored network on the test split, and the number of `images`.

    Below fp32 it is the stored graphs that answer, under ONNX Runtime, as on the validation split.

    Args:
        files: the trial's artifacts by name.
        data: the data set that it was trained on.
        candidate: the trial's; its threshold and precision count.

    Raises:
        CacheError: weights or graphs are missing or cannot be restored.
        DataError: the data set's test images have no labels.
    """
    if not len(data.test):
        raise DataError(data.untested or f"{data.name} has no test images")
    predicted = _predict(files, data, candidate)
    labels = data.test.labels.numpy()
    quality = routed_quality(predicted.little, predicted.big, predicted.scores, labels, candidate.tau)
    return {**quality, "images": float(len(labels))}


def _predict(files: Mapping[str, Path], data: ImageData, candidate: Candidate) -> Predictions:
    if candidate.precision == "fp32":
        network, _ = load_network(files[ArtifactNames.WEIGHTS])
        return predict(network, data.test.images, data, candidate.resolution)
    shape = (1, data.channels, candidate.resolution, candidate.resolution)
    with TemporaryDirectory(prefix="nasopt-") as folder:
        easy, hard = stored_graphs(files, candidate, shape, Path(folder))
        return predict_graphs(easy, hard, data.test.images, data)
