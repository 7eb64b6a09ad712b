"""Writing ONNX graphs: names, constants, files, and the hash of a structure."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import onnx
from onnx import helper, numpy_helper

from nasopt.errors import ExportError
from nasopt.records import ExportedModel

OPSET = 17
"""Old enough for runtimes on boards (ONNX Runtime 1.12, TensorRT 8.5, OpenVINO 2022.3), new enough for LayerNormalization."""
IR_VERSION = 8
_PRODUCER = "nasopt"


class GraphWriter:
    """Collects the nodes and constants of one graph and names what has no name."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, onnx.TensorProto] = {}
        self._counts: Counter[str] = Counter()
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def node(self, op: str, inputs: Sequence[str], outputs: int = 1, **attributes: Any) -> str:
        """Append a node with one result of interest and return that result's name."""
        return self.node_outputs(op, inputs, outputs, **attributes)[0]

    def node_outputs(self, op: str, inputs: Sequence[str], outputs: int, **attributes: Any) -> list[str]:
        """Append a node and return the names of its results."""
        self._counts[op] += 1
        name = f"{op}_{self._counts[op]}"
        results = [name if i == 0 else f"{name}.{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), results, name=name, **attributes))
        return results

    def constant(self, value: Any, dtype: Any = np.float32) -> str:
        """Name of a small constant; equal ones are stored once."""
        array = np.asarray(value, dtype=dtype)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = self.weight(array, f"constant_{len(self._constants) + 1}")
        return self._constants[key]

    def weight(self, array: np.ndarray[Any, Any], name: str) -> str:
        """Store an array under this name, or a numbered variant where another array has it."""
        array = np.ascontiguousarray(array).reshape(array.shape)
        tensor = numpy_helper.from_array(array, name)
        if (held := self.initializers.get(name)) is not None:
            if held.raw_data == tensor.raw_data and held.dims == tensor.dims and held.data_type == tensor.data_type:
                return name
            self._counts[name] += 1
            return self.weight(array, f"{name}.{self._counts[name]}")
        self.initializers[name] = tensor
        return name

    def rename(self, old: str, new: str) -> None:
        """Give a result its final name everywhere."""
        for node in self.nodes:
            for field in (node.input, node.output):
                for i, name in enumerate(field):
                    if name == old:
                        field[i] = new

    def produces(self, name: str) -> bool:
        """Whether a node, rather than an input or constant, gives this value."""
        return any(name in node.output for node in self.nodes)


def float_value(name: str, shape: Sequence[int]) -> onnx.ValueInfoProto:
    """A float32 input or output of fixed shape."""
    return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, list(shape))


def make_model(graph: onnx.GraphProto) -> onnx.ModelProto:
    """A model of this project's opset around a graph."""
    return helper.make_model(
        graph, producer_name=_PRODUCER, ir_version=IR_VERSION, opset_imports=[helper.make_opsetid("", OPSET)]
    )


def save(model: onnx.ModelProto, path: Path) -> ExportedModel:
    """Check a graph, write it (whole or not at all) and describe it.

    Raises:
        ExportError: the graph is not valid ONNX, or the file cannot be written.
    """
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(f"the graph for {path.name} is not valid ONNX: {error}") from error
    data = model.SerializeToString(deterministic=True)
    scratch = path.with_name(f".{path.name}.{uuid4().hex[:8]}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_bytes(data)
        os.replace(scratch, path)
    except OSError as error:
        raise ExportError(f"cannot write {path}: {error.strerror or error}; free some space or choose another folder") from error
    finally:
        scratch.unlink(missing_ok=True)
    return _described(model, path, len(data))


def read(path: Path) -> onnx.ModelProto:
    """The model stored at `path`.

    Raises:
        ExportError: there is no such file, or it is not ONNX.
    """
    try:
        model = onnx.load_model(str(path))
    except OSError as error:
        raise ExportError(f"cannot read the ONNX model {path}: {error.strerror or error}") from error
    except Exception as error:  # protobuf's DecodeError lives in different modules of different versions
        raise ExportError(f"{path} is not an ONNX model, or it is damaged: {error}") from error
    if not model.graph.node:
        raise ExportError(f"{path} is not an ONNX model: it holds no graph")
    return model


def describe(path: Path) -> ExportedModel:
    """Describe an ONNX file, of this project or not.

    Raises:
        ExportError: the file cannot be read, or an input is not float32 of fixed shape.
    """
    return _described(read(path), path, path.stat().st_size)


def _described(model: onnx.ModelProto, path: Path, size: int) -> ExportedModel:
    constants = {t.name for t in model.graph.initializer}
    inputs = []
    for value in model.graph.input:
        if value.name in constants:
            continue
        tensor = value.type.tensor_type
        if tensor.elem_type != onnx.TensorProto.FLOAT:
            kind = onnx.TensorProto.DataType.Name(tensor.elem_type).lower()
            raise ExportError(f"{path}: input {value.name!r} is {kind}; only float32 inputs are measured")
        dims = [d.dim_value if d.HasField("dim_value") else (d.dim_param or "?") for d in tensor.shape.dim]
        if bad := [d for d in dims if not isinstance(d, int) or d < 1]:
            raise ExportError(
                f"{path}: input {value.name!r} has a dynamic shape {dims} ({bad[0]!r} is not fixed); export it with "
                "fixed shapes, for instance with onnxruntime.tools.make_dynamic_shape_fixed"
            )
        inputs.append((value.name, tuple(int(d) for d in dims)))
    if not inputs or any(not shape for _, shape in inputs):
        raise ExportError(f"{path}: expected at least one input with a batch dimension")
    return ExportedModel(path=path, inputs=tuple(inputs), structure=structure_hash(model), size_bytes=size)


def structure_hash(model: onnx.ModelProto) -> str:
    """Hash of everything in a graph that its cost may depend on: operators, attributes, wiring, shapes.

    Float constants count by shape only, integers (shapes, axes, sizes) by value. Names do not count.
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
    return {
        "inputs": [_plain_type(v) for v in inputs],
        "constants": [_plain_constant(constants[n]) for n in used],
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


def _plain_constant(tensor: onnx.TensorProto) -> list[Any]:
    floating = tensor.data_type in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE)
    values = None if floating or np.prod(tensor.dims) > 64 else numpy_helper.to_array(tensor).tolist()
    return [tensor.data_type, list(tensor.dims), values]


def _plain_type(value: onnx.ValueInfoProto) -> list[Any]:
    tensor = value.type.tensor_type
    return [tensor.elem_type, [d.dim_value or d.dim_param for d in tensor.shape.dim]]
