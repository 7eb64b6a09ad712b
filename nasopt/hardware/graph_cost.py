"""Counting a graph's work: operations, bytes moved and live activations of each node, by shape inference alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx import helper

from nasopt.errors import MeasurementError
from nasopt.hardware.operators import FREE, kind_of
from nasopt.hardware.quantized import without_quantization
from nasopt.hardware.structure import load

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
_OPERATIONS = {"Softmax": 5, "LogSoftmax": 6, "Sigmoid": 4, "Tanh": 6, "HardSwish": 4, "Erf": 8, "Exp": 4, "Log": 4}
"""Operations for each element, 1 where not named."""


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
    """The model stored at `path` with the shapes of all its values, without the ends of quantised kernels.

    Raises:
        MeasurementError: the file is missing or damaged, or its shapes contradict each other.
    """
    try:
        model = onnx.shape_inference.infer_shapes(load(path), strict_mode=True)
    except onnx.shape_inference.InferenceError as error:
        raise MeasurementError(f"the shapes in {path} cannot be inferred: {error}") from error
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
        subgraphs = [helper.get_attribute_value(a) for a in node.attribute if a.type == onnx.AttributeProto.GRAPH]
        if subgraphs:
            costs = [_count(g, shapes, path) for g in subgraphs]
            branches.append(max(costs, key=lambda c: sum(n.operations for n in c.nodes)))
            nodes += branches[-1].nodes
        fused = node.op_type in _FUSED and any(n in open_ended and users[n] == 1 for n in node.input)
        if fused or node.op_type in _PRODUCTS:
            open_ended.update(node.output)
        if node.op_type not in FREE and node.op_type != "If" and not fused:
            nodes.append(_node_cost(node, shapes, path))
    return GraphCost(
        nodes=tuple(nodes),
        weights=sum(constants.values()) + sum(b.weights for b in branches),
        peak_activations=_peak(graph, shapes, constants) + max((b.peak_activations for b in branches), default=0),
    )


def shapes_of(graph: onnx.GraphProto) -> dict[str, tuple[int, ...]]:
    """Shape of every value of a graph that has a fixed one, weights included."""
    found = {t.name: tuple(t.dims) for t in graph.initializer}
    for value in [*graph.input, *graph.value_info, *graph.output]:
        dims = value.type.tensor_type.shape.dim
        if all(d.HasField("dim_value") for d in dims) and value.type.HasField("tensor_type"):
            found[value.name] = tuple(d.dim_value for d in dims)
    return found


def _node_cost(node: onnx.NodeProto, shapes: Mapping[str, tuple[int, ...]], path: Path) -> NodeCost:
    def size(name: str) -> int:
        if name not in shapes:
            where = node.name or node.op_type
            raise MeasurementError(f"{path}: the shape of {name!r} at {where} is not fixed; export with fixed shapes")
        return math.prod(shapes[name])

    read = sum(size(n) for n in node.input if n)
    written = size(node.output[0])
    kind_of(node, path)
    if (counter := _COUNTERS.get(node.op_type)) is not None:
        operations = counter(node, shapes)
    else:
        operations = float(_OPERATIONS.get(node.op_type, 1) * (read if "Reduce" in node.op_type else written))
    return NodeCost(op=node.op_type, operations=operations, elements=float(read + written))


def _conv_operations(node: onnx.NodeProto, shapes: Mapping[str, tuple[int, ...]]) -> float:
    return 2.0 * math.prod(shapes[node.output[0]]) * math.prod(shapes[node.input[1]][1:])


def _gemm_operations(node: onnx.NodeProto, shapes: Mapping[str, tuple[int, ...]]) -> float:
    transposed = any(a.name == "transA" and a.i for a in node.attribute)
    return 2.0 * math.prod(shapes[node.output[0]]) * shapes[node.input[0]][0 if transposed else -1]


def _matmul_operations(node: onnx.NodeProto, shapes: Mapping[str, tuple[int, ...]]) -> float:
    return 2.0 * math.prod(shapes[node.output[0]]) * shapes[node.input[0]][-1]


def _pool_operations(node: onnx.NodeProto, shapes: Mapping[str, tuple[int, ...]]) -> float:
    kernel = next((math.prod(a.ints) for a in node.attribute if a.name == "kernel_shape"), None)
    return float(math.prod(shapes[node.input[0]]) if kernel is None else kernel * math.prod(shapes[node.output[0]]))


_COUNTERS: dict[str, Callable[[onnx.NodeProto, Mapping[str, tuple[int, ...]]], float]] = {
    "Conv": _conv_operations,
    "Gemm": _gemm_operations,
    "MatMul": _matmul_operations,
    "GlobalAveragePool": _pool_operations,
    "AveragePool": _pool_operations,
    "MaxPool": _pool_operations,
}


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
            last[node.input[0]] = max(last[node.input[0]], last.get(node.output[0], 0))
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
    return node.op_type in FREE and bool(node.input) and node.op_type != "Shape"
