"""Describing ONNX graphs: their inputs, and the hash of everything that their cost may depend on."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from nasopt.errors import MeasurementError
from nasopt.records import ExportedModel, Precision

_EIGHT_BITS = (onnx.TensorProto.INT8, onnx.TensorProto.UINT8)
_FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE)
_CONVERSIONS = frozenset({"QuantizeLinear", "DequantizeLinear"})


def describe(path: Path) -> ExportedModel:
    """Describe an ONNX file, of this project or not.

    Raises:
        MeasurementError: the file cannot be read, or an input is not float32 of fixed shape.
    """
    return described(load(path), path, path.stat().st_size)


def load(path: Path) -> onnx.ModelProto:
    """The model stored at `path`.

    Raises:
        MeasurementError: there is no such file, or it is not ONNX.
    """
    try:
        model = onnx.load_model(str(path))
    except OSError as error:
        raise MeasurementError(f"cannot read the ONNX model {path}: {error.strerror or error}") from error
    except Exception as error:  # protobuf's DecodeError lives in different modules of different versions
        raise MeasurementError(f"{path} is not an ONNX model, or it is damaged: {error}") from error
    if not model.graph.node:
        raise MeasurementError(f"{path} is not an ONNX model: it holds no graph")
    return model


def described(model: onnx.ModelProto, path: Path, size: int) -> ExportedModel:
    """The record of a graph that is stored at `path` in `size` bytes; see `describe`."""
    constants = {t.name for t in model.graph.initializer}
    inputs = []
    for value in model.graph.input:
        if value.name in constants:
            continue
        tensor = value.type.tensor_type
        if tensor.elem_type != onnx.TensorProto.FLOAT:
            kind = onnx.TensorProto.DataType.Name(tensor.elem_type).lower()
            raise MeasurementError(f"{path}: input {value.name!r} is {kind}; only float32 inputs are measured")
        dims = [d.dim_value if d.HasField("dim_value") else (d.dim_param or "?") for d in tensor.shape.dim]
        if bad := [d for d in dims if not isinstance(d, int) or d < 1]:
            raise MeasurementError(
                f"{path}: input {value.name!r} has a dynamic shape {dims} ({bad[0]!r} is not fixed); export it with "
                "fixed shapes, for instance with onnxruntime.tools.make_dynamic_shape_fixed"
            )
        inputs.append((value.name, tuple(int(d) for d in dims)))
    if not inputs or any(not shape for _, shape in inputs):
        raise MeasurementError(f"{path}: expected at least one input with a batch dimension")
    return ExportedModel(
        path=path,
        inputs=tuple(inputs),
        structure=structure_hash(model),
        size_bytes=size,
        precision=precision_of(model.graph),
    )


def precision_of(graph: onnx.GraphProto) -> Precision:
    """In what a graph computes: the type that most of its weights have.

    8-bit weights count as int8 only where activations are quantised too: otherwise they are unpacked and the arithmetic
    is that of the activations.
    """
    weights: Counter[int] = Counter()
    operators: set[str] = set()
    graphs = [graph]
    while graphs:
        inner = graphs.pop()
        for tensor in inner.initializer:
            weights[tensor.data_type] += math.prod(tensor.dims)
        for node in inner.node:
            operators.add(node.op_type)
            values = (helper.get_attribute_value(a) for a in node.attribute)
            graphs += [v for v in values if isinstance(v, onnx.GraphProto)]
    eight = sum(weights[t] for t in _EIGHT_BITS)
    half, full = weights[onnx.TensorProto.FLOAT16], weights[onnx.TensorProto.FLOAT]
    if eight > max(half, full) and any(_quantizes(op) for op in operators):
        return "int8"
    return "fp16" if half > full else "fp32"


def _quantizes(operator: str) -> bool:
    return operator in ("QuantizeLinear", "DynamicQuantizeLinear") or operator.startswith("QLinear")


def structure_hash(model: onnx.ModelProto) -> str:
    """Hash of everything in a graph that its cost may depend on: operators, attributes, wiring, shapes.

    Float constants and those of quantisation (8-bit weights, biases, zero points) count by shape only, other integers
    (shapes, axes, sizes) by value. Names do not count.
    """
    opsets = sorted((o.domain, o.version) for o in model.opset_import)
    described = {"opset": opsets, "graph": _plain_graph(model.graph, {})}
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:24]


def _plain_graph(graph: onnx.GraphProto, outer: dict[str, str]) -> dict[str, Any]:
    names = dict(outer)
    prefix = f"{len(outer)}:"

    def number(values: Iterable[str], kind: str) -> list[str]:
        for value in values:
            names.setdefault(value, f"{prefix}{kind}{len(names)}") if value else names.setdefault("", "")
        return [names[v] for v in values]

    constants = {t.name: t for t in graph.initializer}
    inputs = [v for v in graph.input if v.name not in constants]
    number([v.name for v in inputs], "i")
    nodes = []
    used: list[str] = []
    for node in graph.node:
        fresh = [n for n in node.input if n in constants and n not in used]
        used += fresh
        wired = number(list(node.input), "c")
        attributes = {a.name: _plain_attribute(a, names) for a in node.attribute}
        nodes.append([node.domain, node.op_type, wired, number(list(node.output), "v"), attributes])
    used += [n for n in constants if n not in used]
    quantized = {n for node in graph.node if node.op_type in _CONVERSIONS for n in node.input}
    return {
        "inputs": [_plain_type(v) for v in inputs],
        "constants": [_plain_constant(constants[n], quantized=n in quantized) for n in used],
        "nodes": nodes,
        "outputs": [names.get(v.name, "") for v in graph.output],
    }


def _plain_attribute(attribute: onnx.AttributeProto, names: dict[str, str]) -> Any:
    value = helper.get_attribute_value(attribute)
    if isinstance(value, onnx.GraphProto):
        return _plain_graph(value, names)
    if isinstance(value, onnx.TensorProto):
        return _plain_constant(value)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, float):
        return round(value, 7)
    if isinstance(value, int | str):
        return value
    return [v.decode(errors="replace") if isinstance(v, bytes) else v for v in value]


def _plain_constant(tensor: onnx.TensorProto, *, quantized: bool = False) -> list[Any]:
    values = (
        None
        if quantized or tensor.data_type in _FLOATS or np.prod(tensor.dims) > 64
        else numpy_helper.to_array(tensor).tolist()
    )
    return [tensor.data_type, list(tensor.dims), values]


def _plain_type(value: onnx.ValueInfoProto) -> list[Any]:
    tensor = value.type.tensor_type
    return [tensor.elem_type, [d.dim_value or d.dim_param for d in tensor.shape.dim]]
