"""Reading and describing ONNX files: their inputs, and the precision in which they compute."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import onnx
from onnx import helper
from onnx.external_data_helper import load_external_data_for_model

from nasopt.errors import MeasurementError
from nasopt.hardware.structure_hash import structure_hash
from nasopt.records import ExportedModel, Precision

_EIGHT_BITS = (onnx.TensorProto.INT8, onnx.TensorProto.UINT8)


def describe(path: Path) -> ExportedModel:
    """Describe an ONNX file, of this project or not.

    Raises:
        MeasurementError: the file cannot be read, or an input is not float32 of fixed shape.
    """
    return described(load(path), path, path.stat().st_size)


def load(path: Path) -> onnx.ModelProto:
    """The model stored at `path`, with the weights that it keeps in other files.

    Raises:
        MeasurementError: there is no such file, it is not ONNX, or weights beside it are missing or elsewhere.
    """
    try:
        model = onnx.load_model(str(path), load_external_data=False)
    except OSError as error:
        raise MeasurementError(f"cannot read the ONNX model {path}: {error.strerror or error}") from error
    except Exception as error:  # protobuf's DecodeError lives in different modules of different versions
        raise MeasurementError(f"{path} is not an ONNX model, or it is damaged: {error}") from error
    if not model.graph.node:
        raise MeasurementError(f"{path} is not an ONNX model: it holds no graph")
    try:
        load_external_data_for_model(model, str(path.resolve().parent))
    except Exception as error:  # onnx' own errors share no base with those of the file system
        raise _external(path, model, error) from error
    return model


def _external(path: Path, model: onnx.ModelProto, error: Exception) -> MeasurementError:
    """What is wrong with weights in files beside the model."""
    files = sorted({e.value for t in model.graph.initializer for e in t.external_data if e.key == "location"})
    missing = [name for name in files if not (path.parent / name).exists()]
    if missing:
        beside = ", ".join(repr(name) for name in missing)
        return MeasurementError(
            f"{path} keeps weights in {beside}, which is not there; put the file beside the model, or save the model "
            "in one piece: onnx.save(model, path, save_as_external_data=False)"
        )
    said = str(error).strip().splitlines() or [type(error).__name__]
    return MeasurementError(
        f"the weights of {path} cannot be read: {said[0]}; only plain files in the model's own folder are read, save "
        "the model in one piece: onnx.save(model, path, save_as_external_data=False)"
    )


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
