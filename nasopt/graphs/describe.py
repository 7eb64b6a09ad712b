"""Reading and describing ONNX files: their inputs, and the precision in which they compute."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import onnx
from onnx import helper
from onnx.external_data_helper import load_external_data_for_model

from nasopt.errors import MeasurementError
from nasopt.graphs.structure_hash import structure_hash
from nasopt.records import ExportedModel, Precision

LARGEST_MB = 1024.0
"""Bound of one tensor, in 10^6 bytes."""
_KINDS = {
    "sequence_type": "a sequence",
    "optional_type": "an optional value",
    "map_type": "a map",
    "sparse_tensor_type": "a sparse tensor",
    "nothing": "of no type",
}
_WIDTHS = {
    getattr(onnx.TensorProto, name): width
    for width, names in {
        1: ("BOOL", "INT8", "UINT8"),
        2: ("FLOAT16", "INT16", "UINT16"),
        4: ("FLOAT", "INT32", "UINT32"),
        8: ("DOUBLE", "INT64", "UINT64"),
    }.items()
    for name in names
}
"""Bytes of an element, by the types that inputs may have."""
_EIGHT_BITS = (onnx.TensorProto.INT8, onnx.TensorProto.UINT8)


def describe(path: Path) -> ExportedModel:
    """Describe an ONNX file, of this project or not.

    Raises:
        MeasurementError: the file cannot be read, or an input is no tensor of numbers, of open shape, or larger than
            10^9 bytes.
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


def described(model: onnx.ModelProto, path: Path, size: int, largest_mb: float = LARGEST_MB) -> ExportedModel:
    """The record of a graph that is stored at `path` in `size` bytes; see `describe`."""
    constants = {t.name for t in model.graph.initializer}
    inputs = []
    for value in model.graph.input:
        if value.name in constants:
            continue
        width = _width(value, path)
        shape = _shape(value, path)
        refuse_size(path, f"input {value.name!r}", shape, width, largest_mb)
        inputs.append((value.name, shape))
    if not inputs:
        raise MeasurementError(f"{path} takes no input: what it computes is a constant; expected at least one input")
    return ExportedModel(
        path=path,
        inputs=tuple(inputs),
        structure=structure_hash(model),
        size_bytes=size,
        precision=precision_of(model.graph),
    )


def shown(sizes: Sequence[int | str]) -> str:
    """A shape as people write it: 1x3x224x224."""
    return "x".join(map(str, sizes)) or "a single number"


def refuse_size(path: Path, what: str, shape: Sequence[int], width: int, largest_mb: float) -> None:
    """Raises MeasurementError for a tensor of more than so many 10^6 bytes, before anything is allocated."""
    if (takes_mb := math.prod(shape) * width / 1e6) > largest_mb:
        raise MeasurementError(
            f"{path}: {what} of shape {shown(shape)} takes {takes_mb:,.0f} MB; at most {largest_mb:,.0f} MB are "
            "allowed for one tensor: raise it with --largest-mb (largest_mb in Python) if that is meant"
        )


def _width(value: onnx.ValueInfoProto, path: Path) -> int:
    """Bytes of an element of an input."""
    kind = value.type.WhichOneof("value") or "nothing"
    if kind != "tensor_type":
        raise MeasurementError(
            f"{path}: input {value.name!r} is {_KINDS.get(kind, kind)}; only tensors are measured, so export the part "
            "of the model that takes tensors"
        )
    number = value.type.tensor_type.elem_type
    if number not in _WIDTHS:
        name = onnx.TensorProto.DataType.Name(number).lower() if number else "of no type"
        raise MeasurementError(
            f"{path}: input {value.name!r} is {name}; inputs of 16 bits or more in floating point, integers of 8 to 64 "
            "bits and booleans are measured"
        )
    return _WIDTHS[number]


def _shape(value: onnx.ValueInfoProto, path: Path) -> tuple[int, ...]:
    tensor, name = value.type.tensor_type, value.name
    if not tensor.HasField("shape"):
        raise MeasurementError(
            f"{path}: input {name!r} has no shape; give it: --shape {name}=1x3x224x224, or export it with one"
        )
    dims = [d.dim_value if d.HasField("dim_value") else (d.dim_param or "?") for d in tensor.shape.dim]
    if 0 in dims:
        raise MeasurementError(
            f"{path}: input {name!r} is {shown(dims)}: a size of 0 leaves nothing to run; export it with sizes of 1 "
            "and more"
        )
    if bad := [d for d in dims if not isinstance(d, int) or d < 1]:
        example = "x".join(str(d) if isinstance(d, int) and d > 0 else "1" for d in dims)
        raise MeasurementError(
            f"{path}: input {name!r} has a dynamic shape {shown(dims)} ({bad[0]!r} is not fixed); give it, for "
            f"instance --shape {name}={example}, or export it with fixed shapes"
        )
    return tuple(int(d) for d in dims)


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
