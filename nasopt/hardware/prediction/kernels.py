"""What a runtime executes of a graph: its kernels, with their shapes, after the rewriting that usual runtimes do.

Names are resolved through operators that cost nothing, equal operators on equal values run once, BatchNorms are folded
into the convolution before them, and activations and additions join the convolution whose only reader they are.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx
from onnx import helper

from nasopt.errors import MeasurementError
from nasopt.hardware.graph_cost import inferred, shapes_of
from nasopt.hardware.operators import FREE, Kind, kind_of

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

    def size(self, value: str) -> int:
        return math.prod(self.shape(value))

    def shape(self, value: str) -> tuple[int, ...]:
        if value not in self.shapes:
            raise MeasurementError(f"{self.path}: the shape of {value!r} is not fixed; export with fixed shapes")
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
        found += _branch(node, state) if node.op_type == "If" else [_kernel(node, state, readers)]
    return tuple(found)


def _resolve(node: onnx.NodeProto, state: _Rewriting) -> bool:
    """Whether a node needs no kernel of its own: it renames a value, or another one has computed the same."""
    inputs = [state.name(n) for n in node.input]
    if node.op_type in FREE:
        if inputs:
            state.alias[node.output[0]] = inputs[0]
        return True
    if node.op_type == "BatchNormalization" and state.makers.get(inputs[0]) in _CONVOLUTIONS:
        state.alias[node.output[0]] = inputs[0]
        return True
    if node.op_type == "Conv":
        state.makers[node.output[0]] = "convolution"
    attributes = tuple(sorted((a.name, a.SerializeToString()) for a in node.attribute))
    key = (node.domain, node.op_type, tuple(inputs), attributes)
    if key in state.seen:
        state.alias.update(zip(node.output, state.seen[key], strict=True))
        return True
    state.seen[key] = list(node.output)
    return False


def _branch(node: onnx.NodeProto, state: _Rewriting) -> tuple[Kernel, ...]:
    graphs = (helper.get_attribute_value(a) for a in node.attribute if a.type == onnx.AttributeProto.GRAPH)
    ways = [kernels_of(graph, state.path, state.shapes) for graph in graphs]
    return max(ways, key=lambda way: sum(k.operations for k in way))


def _kernel(node: onnx.NodeProto, state: _Rewriting, readers: Counter[str]) -> Kernel:
    if node.op_type == "Conv":
        kernel = _convolution(node, state)
        state.makers[node.output[0]] = kernel.kind
        return kernel
    kind = kind_of(node, state.path)
    if kind == "dense":
        return _product(node, state)
    values = [state.name(n) for n in node.input if n and n not in state.constants]
    if kind in ("activation", "add"):
        kind = _fused(kind, values, node.output[0], state, readers)
    shape = state.shape(node.output[0])
    return Kernel(
        kind=kind,
        read=float(sum(state.size(v) for v in values)),
        written=float(math.prod(shape)),
        channels=(_channels(state.shape(values[0]) if values else shape), _channels(shape)),
        side=max(shape[2:], default=1),
        size=max(_attribute(node, "kernel_shape", (1,))),
        stride=max(_attribute(node, "strides", (1,))),
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
    source, weight, shape = (state.shape(n) for n in (node.input[0], node.input[1], node.output[0]))
    groups = math.prod(_attribute(node, "group", (1,)))
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
        side=max(shape[2:], default=1),
        size=size,
        stride=max(_attribute(node, "strides", (1,))),
        batch=_batch(shape),
    )


def _product(node: onnx.NodeProto, state: _Rewriting) -> Kernel:
    left, shape = state.shape(node.input[0]), state.shape(node.output[0])
    depth = left[0] if node.op_type == "Gemm" and _attribute(node, "transA", (0,))[0] else left[-1]
    stored = [n for n in node.input[1:] if n in state.constants]
    return Kernel(
        kind="dense",
        operations=2.0 * math.prod(shape) * depth,
        read=float(sum(state.size(n) for n in node.input if n and n not in stored)),
        written=float(math.prod(shape)),
        weights=float(sum(state.size(n) for n in stored)),
        channels=(depth, shape[-1]),
        batch=_batch(shape),
    )


def _channels(shape: tuple[int, ...]) -> int:
    return shape[1] if len(shape) > 1 else 1


def _batch(shape: tuple[int, ...]) -> int:
    return max(1, shape[0]) if len(shape) > 1 else 1


def _attribute(node: onnx.NodeProto, name: str, otherwise: Iterable[int]) -> tuple[int, ...]:
    for attribute in node.attribute:
        if attribute.name == name:
            value = helper.get_attribute_value(attribute)
            return tuple(value) if isinstance(value, list | tuple) else (value,)
    return tuple(otherwise)
