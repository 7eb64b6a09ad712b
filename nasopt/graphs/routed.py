"""One graph that runs the hard path only when it must, composed of the graphs of both paths."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import compose, helper, numpy_helper

from nasopt.errors import ExportError
from nasopt.graphs.model import float_value, make_model, read, rename, save
from nasopt.records import ExportedModel

TAU = "tau"
"""Name of the initializer that holds the routing threshold."""
_HARD = "hard/"


def compose_routed(easy: ExportedModel, hard: ExportedModel, path: Path, tau: float) -> ExportedModel:
    """One graph for one image that runs the big network only where the score is below tau.

    Input `image` (1, c, h, w); outputs `logits` (1, classes) of the head that answered and `exited` (1,), true where
    the little network did. ONNX `If` evaluates the taken branch only; the hard branch reads the stem's features from
    the graph around it. tau is the initializer `tau`, see `set_tau`.

    Raises:
        ExportError: the graphs are for other batches than 1, or do not fit each other.
    """
    if easy.batch != 1 or hard.batch != 1:
        raise ExportError(f"`If` decides for one image at a time: expected batch 1, got {easy.batch} and {hard.batch}")
    outer, inner = read(easy.path), compose.add_prefix(read(hard.path), _HARD)
    source = outer.graph.input[0]
    shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in outer.graph.output}
    if set(shapes) != {"features", "logits", "score"}:
        raise ExportError(f"expected outputs features, logits and score in {easy.path}, found {', '.join(shapes)}")
    wanted = list(hard.inputs[0][1])
    if shapes["features"] != wanted:
        raise ExportError(f"{easy.path} gives features of shape {shapes['features']}, {hard.path} takes {wanted}")
    rename(inner.graph.node, f"{_HARD}features", "features")
    nodes = list(outer.graph.node)
    rename(nodes, "logits", "easy/logits")
    leave = helper.make_graph(
        [helper.make_node("Identity", ["easy/logits"], ["leave/logits"], name="leave/Identity")],
        "leave",
        [],
        [float_value("leave/logits", shapes["logits"])],
    )
    go_on = helper.make_graph(
        list(inner.graph.node), "go_on", [], list(inner.graph.output), initializer=list(inner.graph.initializer)
    )
    nodes += [
        helper.make_node("GreaterOrEqual", ["score", TAU], ["exited"], name="decide"),
        helper.make_node("If", ["exited"], ["logits"], name="route", then_branch=leave, else_branch=go_on),
    ]
    exited = helper.make_tensor_value_info("exited", onnx.TensorProto.BOOL, shapes["score"])
    graph = helper.make_graph(
        nodes,
        "routed",
        [source],
        [float_value("logits", shapes["logits"]), exited],
        initializer=[*outer.graph.initializer, _tau_tensor(tau)],
    )
    return save(make_model(graph), path)


def set_tau(source: ExportedModel | Path, target: Path, tau: float) -> ExportedModel:
    """Write a routed graph anew with another threshold.

    Raises:
        ExportError: the graph holds no threshold.
    """
    return save(with_tau(source.path if isinstance(source, ExportedModel) else source, tau), target)


def with_tau(path: Path, tau: float) -> onnx.ModelProto:
    """The routed graph at `path` with another threshold; see `set_tau`."""
    model = read(path)
    for tensor in model.graph.initializer:
        if tensor.name == TAU:
            tensor.CopyFrom(_tau_tensor(tau))
            return model
    raise ExportError(f"{path} is not a routed graph: it has no initializer {TAU!r}")


def _tau_tensor(tau: float) -> onnx.TensorProto:
    if not np.isfinite(tau):
        raise ExportError(f"expected a finite threshold, got {tau}")
    return numpy_helper.from_array(np.asarray(tau, dtype=np.float32).reshape(()), TAU)
