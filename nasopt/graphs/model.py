"""Writing ONNX graphs: names, constants, files."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import onnx
from onnx import helper, numpy_helper

from nasopt.errors import ExportError, MeasurementError
from nasopt.graphs.describe import described, load
from nasopt.records import ExportedModel

OPSET = 18
"""Old enough for the runtimes on boards (ONNX Runtime from 1.14), new enough for OpenVINO, which ignores the axes of
some reductions below (its issue 38238): a routed graph with the router `difficulty` failed there."""
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
        rename(self.nodes, old, new)

    def produces(self, name: str) -> bool:
        """Whether a node, rather than an input or constant, gives this value."""
        return any(name in node.output for node in self.nodes)


def rename(nodes: Iterable[onnx.NodeProto], old: str, new: str) -> None:
    """Give a value another name in these nodes."""
    for node in nodes:
        for names in (node.input, node.output):
            for i, name in enumerate(names):
                names[i] = new if name == old else name


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
        reason = error.strerror or error
        raise ExportError(f"cannot write {path}: {reason}; free some space or choose another folder") from error
    finally:
        with contextlib.suppress(OSError):  # its folder may not even be one
            scratch.unlink(missing_ok=True)
    return described(model, path, len(data))


def read(path: Path) -> onnx.ModelProto:
    """The model stored at `path`.

    Raises:
        ExportError: there is no such file, or it is not ONNX.
    """
    try:
        return load(path)
    except MeasurementError as error:
        raise ExportError(str(error)) from error
