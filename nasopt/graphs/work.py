"""Counting a graph's work: operations, bytes moved and live activations of each node, by shape inference alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import onnx
from onnx import numpy_helper

from nasopt.errors import MeasurementError
from nasopt.graphs.describe import load
from nasopt.graphs.operations import operations_of
from nasopt.graphs.operators import is_free, kind_of
from nasopt.graphs.quantized import without_quantization
from nasopt.graphs.resolving import resolved, shapes_of

_FUSED = frozenset(
    [
        "Relu",
        "Clip",
        "LeakyRelu",
        "Sigmoid",
        "HardSigmoid",
        "HardSwish",
        "Tanh",
        "Elu",
        "BatchNormalization",
        "Add",
        "Mul",
    ]
)
"""Run inside the convolution or matrix product before them in every usual runtime."""
_PRODUCTS = frozenset({"Conv", "Gemm", "MatMul"})
_PICKING = frozenset({"Gather", "GatherElements", "GatherND", "Slice"})
"""Read no more of their first input than they give: one row of a table of words."""
HOLD_GRAPHS = frozenset({"If", "Loop", "Scan"})
_MOST_KERNELS = 1_000_000


_NO_WEIGHTS = frozenset({onnx.TensorProto.INT64, onnx.TensorProto.INT32, onnx.TensorProto.BOOL})
"""Types of constants that name axes, shapes and places; weights are floats, or integers of 8 bits and fewer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeCost:
    """Work of one node that runs as a kernel of its own."""

    op: str
    operations: float
    """Arithmetic operations; a multiply-accumulate is two."""
    elements: float
    """Values read and written, weights included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphCost:
    """Work of one run of a graph; of an `If` the dearer branch, so an upper bound."""

    nodes: tuple[NodeCost, ...]
    weights: int
    """Values stored in the graph."""
    peak_activations: int
    """Most values alive at once between two nodes, inputs and outputs included."""

    def peak_memory_mb(self, bytes_per_value: float) -> float:
        """Weights and live activations in 10^6 bytes: what any runtime needs at least."""
        return (self.weights + self.peak_activations) * bytes_per_value / 1e6


def graph_cost(path: Path) -> GraphCost:
    """Count the work of the graph stored at `path`.

    Raises:
        MeasurementError: the file is missing or damaged, a shape is not fixed, or the work of an operator is not known.
    """
    return _count(inferred(path).graph, {}, path)


def inferred(path: Path) -> onnx.ModelProto:
    """The model stored at `path` as it runs: see `resolving.resolved`, and without the ends of quantised kernels.

    Raises:
        MeasurementError: the file is missing or damaged, or its shapes contradict each other.
    """
    model = resolved(load(path), path)
    without_quantization(model.graph)
    return model


def _count(graph: onnx.GraphProto, outer: Mapping[str, tuple[int, ...]], path: Path) -> GraphCost:
    shapes = {**outer, **shapes_of(graph)}
    constants = {t.name: math.prod(t.dims) for t in graph.initializer}
    users: dict[str, int] = {}
    for node in graph.node:
        for name in node.input:
            users[name] = users.get(name, 0) + 1
    open_ended: set[str] = set()  # results of products, which a following element-wise node joins
    nodes: list[NodeCost] = []
    branches: list[GraphCost] = []
    for node in graph.node:
        if node.op_type in HOLD_GRAPHS:
            branches.append(_inside(node, graph, shapes, path))
            nodes += branches[-1].nodes
            continue
        fused = node.op_type in _FUSED and any(n in open_ended and users[n] == 1 for n in node.input)
        if fused or node.op_type in _PRODUCTS:
            open_ended.update(node.output)
        if not is_free(node) and not fused:
            nodes.append(_node_cost(node, shapes, path))
    return GraphCost(
        nodes=tuple(nodes),
        weights=_weights(graph) + sum(b.weights for b in branches),
        peak_activations=_peak(graph, shapes, constants) + max((b.peak_activations for b in branches), default=0),
    )


def _weights(graph: onnx.GraphProto) -> int:
    """Values stored for arithmetic: all but axes, shapes and places; biases of 8-bit products have 32 bits."""
    factors = {name for node in graph.node if node.op_type in _PRODUCTS for name in node.input}
    return sum(math.prod(t.dims) for t in graph.initializer if t.data_type not in _NO_WEIGHTS or t.name in factors)


def _inside(
    node: onnx.NodeProto, graph: onnx.GraphProto, shapes: Mapping[str, tuple[int, ...]], path: Path
) -> GraphCost:
    """Of an `If` the dearer branch, of a loop its body as often as it runs."""
    costs = [_count(a.g, shapes, path) for a in node.attribute if a.type == onnx.AttributeProto.GRAPH]
    dearer = max(costs, key=lambda c: sum(n.operations for n in c.nodes))
    if node.op_type == "If":
        return dearer
    times = repeats(node, graph, shapes, path)
    if times * len(dearer.nodes) > _MOST_KERNELS:
        raise MeasurementError(
            f"{path}: the {node.op_type} {node.name!r} runs {times} times; graphs of up to {_MOST_KERNELS} kernels are "
            "counted, measure this one on the device itself"
        )
    return replace(dearer, nodes=dearer.nodes * times)


def size_of(name: str, node: onnx.NodeProto, shapes: Mapping[str, tuple[int, ...]], path: Path) -> int:
    """Elements of a value.

    Raises:
        MeasurementError: its shape is not known.
    """
    if name not in shapes:
        raise MeasurementError(
            f"{path}: the shape of {name!r} at {node.op_type} {node.name!r} hangs on what the input holds, or on an "
            "operator that is not known; measure this graph on the device itself, or export it with fixed shapes"
        )
    return math.prod(shapes[name])


def repeats(node: onnx.NodeProto, graph: onnx.GraphProto, shapes: Mapping[str, tuple[int, ...]], path: Path) -> int:
    """How often a Loop or Scan runs its body.

    Raises:
        MeasurementError: that hangs on what the input holds.
    """
    body = next(a.g for a in node.attribute if a.name == "body")
    if node.op_type == "Scan":
        count = next(a.i for a in node.attribute if a.name == "num_scan_inputs")
        first = node.input[len(node.input) - count]
        size_of(first, node, shapes, path)
        axes = next((a.ints for a in node.attribute if a.name == "scan_input_axes"), [0])
        return shapes[first][axes[0]] if shapes[first] else 1
    numbers = {t.name: numpy_helper.to_array(t) for t in graph.initializer if math.prod(t.dims) == 1}
    own = {t.name: numpy_helper.to_array(t) for t in body.initializer if math.prod(t.dims) == 1}
    limit, start = numbers.get(node.input[0]), numbers.get(node.input[1])
    goes_on = own.get(body.output[0].name, body.output[0].name)
    passed = isinstance(goes_on, str) and len(body.input) > 1 and _source(goes_on, body) == body.input[1].name
    unended = passed or (not isinstance(goes_on, str) and bool(goes_on.reshape(-1)[0]))
    if limit is None or not unended or (node.input[1] and (start is None or not start.reshape(-1)[0])):
        raise MeasurementError(
            f"{path}: how often the Loop {node.name!r} runs hangs on what the input holds; measure this graph on the "
            "device itself"
        )
    return max(0, int(limit.reshape(-1)[0]))


def _source(name: str, graph: onnx.GraphProto) -> str:
    """What a value is another name of."""
    renamed = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Identity"}
    while name in renamed:
        name = renamed[name]
    return name


def _node_cost(node: onnx.NodeProto, shapes: Mapping[str, tuple[int, ...]], path: Path) -> NodeCost:
    kind_of(node, path)
    inputs = [size_of(n, node, shapes, path) for n in node.input if n]
    written = sum(size_of(n, node, shapes, path) for n in node.output if n)
    if node.op_type in _PICKING:
        inputs[0] = min(inputs[0], written)
    read = sum(inputs)
    return NodeCost(
        op=node.op_type, operations=operations_of(node, shapes, read, written), elements=float(read + written)
    )


def _peak(graph: onnx.GraphProto, shapes: Mapping[str, tuple[int, ...]], constants: Mapping[str, int]) -> int:
    """Most values alive at once: each from the node that makes it to the last one that reads it."""
    ends = {v.name for v in graph.output}
    last: dict[str, int] = {}
    for index, node in enumerate(graph.node):
        for name in node.input:
            last[name] = index
    last.update(dict.fromkeys(ends, len(graph.node)))
    for node in reversed(graph.node):
        if _renames(node):  # the result is the same memory, which lives as long as either name
            last[node.input[0]] = max(last.get(node.input[0], 0), last.get(node.output[0], 0))
    alive = {v.name: math.prod(shapes.get(v.name, ())) for v in graph.input if v.name not in constants}
    peak = sum(alive.values())
    for index, node in enumerate(graph.node):
        for name in node.output:
            if name in last:
                alive[name] = 0 if _renames(node) else math.prod(shapes.get(name, (0,)))
        peak = max(peak, sum(alive.values()))
        alive = {name: size for name, size in alive.items() if last.get(name, -1) > index}
    return peak


def _renames(node: onnx.NodeProto) -> bool:
    return is_free(node) and bool(node.input) and node.op_type not in ("Shape", "Size")
