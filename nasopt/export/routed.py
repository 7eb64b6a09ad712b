"""Exporting a routed network: each path as a graph, and one graph that runs the hard path only when it must."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnx
import torch
from onnx import compose, helper, numpy_helper
from torch import Tensor, nn

from nasopt.errors import ExportError
from nasopt.export.graph import float_value, make_model, read, rename, save
from nasopt.export.recording import record
from nasopt.export.translation import translate
from nasopt.records import ExportedModel

TAU = "tau"
"""Name of the initializer that holds the routing threshold."""
_HARD = "hard/"


class Routed(Protocol):
    """What an exportable network offers; `nasopt.models.RoutedNetwork` does."""

    def easy(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features (n, c, h, w), logits (n, classes) and score (n,) of images (n, channels, h, w)."""

    def hard(self, features: Tensor) -> Tensor:
        """Logits (n, classes) of the stem's features."""


def export_easy(network: nn.Module, shape: Sequence[int], path: Path) -> ExportedModel:
    """Export stem, little network and router.

    Input `image` (b, c, h, w); outputs `features` (b, c', h', w'), `logits` (b, classes), `score` (b,). The network is
    only read. `path` is written whole or not at all.

    Raises:
        ExportError: the network does not run on this shape or uses an operation without a translation.
    """
    return _export(network, _method(network, "easy"), shape, path, "image", ("features", "logits", "score"))


def export_hard(network: nn.Module, feature_shape: Sequence[int], path: Path) -> ExportedModel:
    """Export the big network: input `features` (b, c', h', w'), output `logits` (b, classes). See `export_easy`."""
    return _export(network, _method(network, "hard"), feature_shape, path, "features", ("logits",))


def _method(network: nn.Module, name: str) -> Callable[..., Any]:
    method = getattr(network, name, None)
    if not callable(method):
        raise ExportError(f"a {type(network).__name__} has no method {name!r}; expected a RoutedNetwork")
    return method


def _export(
    network: nn.Module,
    function: Callable[..., Any],
    shape: Sequence[int],
    path: Path,
    source: str,
    outputs: tuple[str, ...],
) -> ExportedModel:
    parameter = next(network.parameters(), None)
    device = parameter.device if parameter is not None else torch.device("cpu")
    example = torch.zeros(tuple(shape), device=device)
    recording = record(network, function, [example])
    if len(recording.outputs) != len(outputs):
        raise ExportError(f"expected outputs {', '.join(outputs)}, the network gives {len(recording.outputs)}")
    return save(translate(recording, network, [source], outputs), path)


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
