"""Graphs as TensorRT reads them: without `If`, and without what its quantisation does not know."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from nasopt.errors import MeasurementError
from nasopt.graphs.describe import describe, load

_WIDE = (onnx.TensorProto.INT32, onnx.TensorProto.INT64)


def readable(source: Path, folder: Path) -> Path:
    """The graph itself, or a copy in `folder` in which biases of 32 bits are floats again.

    TensorRT quantises to 8 bits, symmetrically; biases stay in floating point there.

    Raises:
        MeasurementError: it cannot be read, its shapes are not fixed, it decides on its input, or its quantisation has
            zero points.
    """
    describe(source)
    model = load(source)
    if any(node.op_type == "If" for node in model.graph.node):
        raise MeasurementError(
            f"{source} decides on its input (If), for which TensorRT takes as long as for the dearer branch whatever "
            "is decided (NVIDIA/TensorRT issue 4402); measure its paths as two graphs, as studies do"
        )
    constants = {t.name: t for t in model.graph.initializer}
    _refuse_zero_points(source, model.graph, constants)
    if not _unquantise_biases(model.graph, constants):
        return source
    target = folder / f"{hashlib.sha256(source.read_bytes()).hexdigest()[:24]}.onnx"
    target.write_bytes(model.SerializeToString(deterministic=True))
    return target


def _refuse_zero_points(source: Path, graph: onnx.GraphProto, constants: dict[str, onnx.TensorProto]) -> None:
    for node in graph.node:
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
            continue
        zero = constants.get(node.input[2]) if len(node.input) > 2 else None
        unsigned = zero is None or zero.data_type == onnx.TensorProto.UINT8
        if unsigned or numpy_helper.to_array(zero).any():
            raise MeasurementError(
                f"{source}: {node.op_type} at {node.name or node.output[0]} has "
                f"{'unsigned integers' if unsigned else 'a zero point'}, and TensorRT quantises to int8 around 0; "
                "quantise it so (training.quantization.activations: int8)"
            )


def _unquantise_biases(graph: onnx.GraphProto, constants: dict[str, onnx.TensorProto]) -> bool:
    """Put constants of more than 8 bits in the place of their DequantizeLinear; whether there were any."""
    kept: list[onnx.NodeProto] = []
    for node in graph.node:
        stored = constants.get(node.input[0]) if node.op_type == "DequantizeLinear" else None
        if stored is None or stored.data_type not in _WIDE:
            kept.append(node)
            continue
        values = numpy_helper.to_array(stored) * _along(node, stored, numpy_helper.to_array(constants[node.input[1]]))
        graph.initializer.append(numpy_helper.from_array(values.astype(np.float32), node.output[0]))
    if len(kept) == len(graph.node):
        return False
    del graph.node[:]
    graph.node.extend(kept)
    read = {name for node in kept for name in node.input}
    used = [t for t in graph.initializer if t.name in read]
    del graph.initializer[:]
    graph.initializer.extend(used)
    return True


def _along(node: onnx.NodeProto, stored: onnx.TensorProto, scale: Any) -> Any:
    """Scales as they go with the stored values: one for all, or one for each along the axis."""
    if scale.size == 1:
        return scale.reshape(())
    axis = next((a.i for a in node.attribute if a.name == "axis"), 1) % len(stored.dims)
    return scale.reshape([-1 if i == axis else 1 for i in range(len(stored.dims))])
