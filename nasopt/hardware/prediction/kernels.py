"""What a runtime executes of a graph: its kernels, with their shapes, after the rewriting that usual runtimes do.

Names are resolved through operators that cost nothing, equal operators on equal values run once, BatchNorms are folded
into the convolution before them, and activations and additions join the convolution whose only reader they are.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx

from nasopt.errors import MeasurementError
from nasopt.graphs.operations import attribute, operations_of
from nasopt.graphs.operators import Kind, is_free, kind_of
from nasopt.graphs.resolving import shapes_of
from nasopt.graphs.work import HOLD_GRAPHS, inferred, repeats, size_of

_MOST_KERNELS = 100_000
_CONVOLUTIONS = frozenset({"convolution", "pointwise", "depthwise", "grouped"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """One kernel as it runs, in values rather than bytes."""

    kind: Kind
    operations: float = 0.0
    """Arithmetic operations of a convolution or matrix product, two for each multiply-accumulate."""
    read: float
    """Values read, weights not among them."""
    written: float
    weights: float = 0.0
    """Values of weights and biases."""
    channels: tuple[int, int] = (1, 1)
    """In and out."""
    side: int = 1
    """Of the output, in pixels; of a rectangle the longer one."""
    size: int = 1
    """Side of the window of a convolution or pooling."""
    stride: int = 1
    batch: int = 1
    """Inputs that one run handles, where the first axis of the output counts them."""


@dataclass(slots=True)
class _Rewriting:
    """The names of a graph while its kernels are collected."""

    path: Path
    shapes: Mapping[str, tuple[int, ...]]
    constants: frozenset[str]
    alias: dict[str, str] = field(default_factory=dict)
    seen: dict[tuple[Any, ...], list[str]] = field(default_factory=dict)
    makers: dict[str, Kind] = field(default_factory=dict)
    """Kind of the kernel that writes a value which a following operator may still join."""

    def name(self, value: str) -> str:
        return self.alias.get(value, value)

    def size(self, value: str, node: onnx.NodeProto) -> int:
        return size_of(value, node, self.shapes, self.path)

    def shape(self, value: str, node: onnx.NodeProto) -> tuple[int, ...]:
        self.size(value, node)
        return self.shapes[value]


def kernels(path: Path) -> tuple[Kernel, ...]:
    """The kernels of the graph stored at `path`; of an `If` those of the branch with more operations.

    Raises:
        MeasurementError: the file is missing or damaged, a shape is not fixed, or an operator is not known.
    """
    return kernels_of(inferred(path).graph, path)


def kernels_of(
    graph: onnx.GraphProto, path: Path, outer: Mapping[str, tuple[int, ...]] | None = None
) -> tuple[Kernel, ...]:
    """The kernels of a graph whose values all have shapes; `path` is for messages."""
    constants = frozenset(t.name for t in graph.initializer)
    state = _Rewriting(path, {**(outer or {}), **shapes_of(graph)}, constants)
    nodes = [node for node in graph.node if not _resolve(node, state)]
    readers = Counter(state.name(n) for node in nodes for n in node.input)
    readers.update(state.name(v.name) for v in graph.output)
    found: list[Kernel] = []
    for node in nodes:
        found += _inside(node, graph, state) if node.op_type in HOLD_GRAPHS else [_kernel(node, state, readers)]
        if len(found) > _MOST_KERNELS:
            raise MeasurementError(f"{path}: more than {_MOST_KERNELS} kernels run; measure it on the device itself")
    return tuple(found)


def _resolve(node: onnx.NodeProto, state: _Rewriting) -> bool:
    """Whether a node needs no kernel of its own: it renames a value, or another one has computed the same."""
    inputs = [state.name(n) for n in node.input]
    if is_free(node):
        if inputs and node.op_type not in ("Shape", "Size"):
            state.alias[node.output[0]] = inputs[0]
        return True
    if node.op_type in HOLD_GRAPHS:
        return False
    if node.op_type == "BatchNormalization" and state.makers.get(inputs[0]) in _CONVOLUTIONS:
        state.alias[node.output[0]] = inputs[0]
        return True
    if node.op_type == "Conv":
        state.makers[node.output[0]] = "convolution"
    attributes = tuple(sorted((a.name, a.SerializeToString()) for a in node.attribute))
    key = (node.domain, node.op_type, tuple(inputs), attributes, tuple(map(bool, node.output)))
    if key in state.seen and not node.op_type.startswith("Random"):
        state.alias.update(zip(node.output, state.seen[key], strict=True))
        return True
    state.seen[key] = list(node.output)
    return False


def _inside(node: onnx.NodeProto, graph: onnx.GraphProto, state: _Rewriting) -> tuple[Kernel, ...]:
    """Of an `If` the kernels of the branch with more operations, of a loop those of its body as often as it runs."""
    graphs = (a.g for a in node.attribute if a.type == onnx.AttributeProto.GRAPH)
    ways = [kernels_of(inner, state.path, state.shapes) for inner in graphs]
    dearer = max(ways, key=lambda way: sum(k.operations for k in way))
    if node.op_type == "If":
        return dearer
    times = repeats(node, graph, state.shapes, state.path)
    return dearer * min(times, _MOST_KERNELS + 1)


def _kernel(node: onnx.NodeProto, state: _Rewriting, readers: Counter[str]) -> Kernel:
    kind = kind_of(node, state.path)
    shapes = [state.shape(n, node) for n in node.output if n]
    if node.op_type == "Conv":
        kernel = _convolution(node, state)
        state.makers[node.output[0]] = kernel.kind
        return kernel
    if kind in ("dense", "recurrent", "transposed", "convolution"):
        return _product(node, kind, state)
    values = [state.name(n) for n in node.input if n and n not in state.constants]
    if kind in ("activation", "add"):
        kind = _fused(kind, values, node.output[0], state, readers)
    shape = shapes[0] if shapes else ()
    return Kernel(
        kind=kind,
        read=float(sum(state.size(v, node) for v in values)),
        written=float(sum(math.prod(s) for s in shapes)),
        channels=(_channels(state.shape(values[0], node) if values else shape), _channels(shape)),
        side=_side(shape),
        size=max(attribute(node, "kernel_shape", (1,))),
        stride=max(attribute(node, "strides", (1,))),
        batch=_batch(shape),
    )


def _fused(kind: Kind, values: list[str], output: str, state: _Rewriting, readers: Counter[str]) -> Kind:
    """An activation or addition joins the convolution before it where nothing else reads that one's result."""
    joined = [v for v in values if state.makers.get(v) in _CONVOLUTIONS and readers[v] == 1]
    if not joined or (kind == "add" and len(set(values)) < 2):
        return kind
    if kind == "add":
        state.makers[output] = "convolution"  # an activation may follow
        return "fused-add"
    return "fused-activation"


def _convolution(node: onnx.NodeProto, state: _Rewriting) -> Kernel:
    source, weight, shape = (state.shape(n, node) for n in (node.input[0], node.input[1], node.output[0]))
    groups = math.prod(attribute(node, "group", (1,)))
    inputs, outputs, size = source[1], shape[1], max(weight[2:], default=1)
    kind: Kind = "convolution" if size > 1 else "pointwise"
    if groups > 1:
        kind = "depthwise" if groups == inputs else "grouped"
    return Kernel(
        kind=kind,
        operations=2.0 * math.prod(shape) * math.prod(weight[1:]),
        read=float(math.prod(source)),
        written=float(math.prod(shape)),
        weights=float(math.prod(weight) + outputs),
        channels=(inputs, outputs),
        side=_side(shape),
        size=size,
        stride=max(attribute(node, "strides", (1,))),
        batch=_batch(shape),
    )


def _product(node: onnx.NodeProto, kind: Kind, state: _Rewriting) -> Kernel:
    """A matrix product, or what is computed like one. Vectors count as matrices of one row or column."""
    left = state.shape(node.input[0], node)
    shape = next((state.shape(n, node) for n in node.output if n), ())
    stored = [n for n in node.input if n and n in state.constants]
    others = [n for n in node.input if n and n not in state.constants]
    read = sum(state.size(n, node) for n in others)
    written = sum(state.size(n, node) for n in node.output if n)
    depth = left[0] if node.op_type == "Gemm" and any(attribute(node, "transA", (0,))) else (left or (1,))[-1]
    if kind in ("transposed", "convolution"):
        depth = _channels(left)
    return Kernel(
        kind=kind,
        operations=operations_of(node, state.shapes, read, written),
        read=float(read),
        written=float(written),
        weights=float(sum(state.size(n, node) for n in stored)),
        channels=(max(1, depth), max(1, _channels(shape) if kind != "dense" else (shape or (1,))[-1])),
        side=_side(shape) if kind != "dense" else 1,
        batch=_batch(shape),
    )


def _channels(shape: tuple[int, ...]) -> int:
    return max(1, shape[1]) if len(shape) > 1 else 1


def _side(shape: tuple[int, ...]) -> int:
    return max(1, *shape[2:]) if len(shape) > 2 else 1


def _batch(shape: tuple[int, ...]) -> int:
    return max(1, shape[0]) if len(shape) > 1 else 1
