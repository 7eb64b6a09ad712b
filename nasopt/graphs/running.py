"""Running exported graphs under ONNX Runtime on arrays of images, as a check and to score them."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime

from nasopt.errors import ExportError, ParityError
from nasopt.graphs.routed import with_tau
from nasopt.records import ExportedModel

Array = np.ndarray[Any, np.dtype[Any]]


class Runner:
    """A graph of fixed batch, loaded once, for any number of inputs; on one thread of the CPU."""

    def __init__(self, model: ExportedModel, tau: float | None = None, *, optimized: bool = True) -> None:
        """Raises ExportError where ONNX Runtime does not take the graph; see `session` for the options."""
        self._model = model
        self._session = session(model, tau, optimized=optimized)

    def __call__(self, batch: Array) -> list[Array]:
        """All rows of `batch` (n, ...) through the graph, each output with n rows; the last batch is filled up.

        Raises:
            ParityError: the graph is for other inputs.
        """
        (name, shape), size = self._model.inputs[0], self._model.batch
        if batch.shape[1:] != shape[1:]:
            raise ParityError(f"{self._model.path} takes inputs of shape {shape[1:]}, got {batch.shape[1:]}")
        missing = -len(batch) % size
        filled = np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)]) if missing else batch
        parts = [self._session.run(None, {name: filled[i : i + size]}) for i in range(0, len(filled), size)]
        return [np.concatenate(column)[: len(batch)] for column in zip(*parts, strict=True)]


def run(model: ExportedModel, batch: Array, tau: float | None = None) -> list[Array]:
    """One use of a `Runner`."""
    return Runner(model, tau)(batch)


def session(model: ExportedModel, tau: float | None = None, *, optimized: bool = True) -> Any:
    """A session on one thread of the CPU.

    Args:
        model: the graph.
        tau: replaces a routed graph's threshold.
        optimized: let the runtime fuse and rewrite the graph; without, it computes node by node what the graph says.

    Raises:
        ExportError: ONNX Runtime does not take the graph.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    data = str(model.path) if tau is None else with_tau(model.path, tau).SerializeToString()
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions share no base but this
        raise ExportError(f"ONNX Runtime {onnxruntime.__version__} does not take {model.path}: {error}") from error
