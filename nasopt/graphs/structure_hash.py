"""The hash of everything in an ONNX graph that its cost may depend on.

In it by value: operators, attributes, wiring, shapes, types, functions, and constants. Left out by value are weights
alone, of which shape and type are in: what is multiplied and added, such as the weights of a convolution or the
vectors of a normalisation. A constant is no weight where it is a single number in element-wise arithmetic (runtimes
drop `* 1` and square for `** 2`), or where its value leads to a shape, a count or a decision: the scales of a Resize,
the bounds of a loop, a threshold before an `If`, and whatever these are computed from.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import onnx
from onnx import helper, numpy_helper

from nasopt.errors import MeasurementError
from nasopt.graphs.functions import inlined

VERSION = 2
"""Of what is hashed: figures and engines that were kept under another version are not found again."""

_FLOATS = frozenset(onnx.TensorProto.DataType.Value(n) for n in ("FLOAT", "FLOAT16", "DOUBLE", "BFLOAT16"))
_WEIGHTED_NAMES = (
    "Conv ConvTranspose DeformConv Gemm MatMul BatchNormalization LayerNormalization InstanceNormalization "
    "GroupNormalization RMSNormalization PRelu RNN LSTM GRU QuantizeLinear DequantizeLinear QLinearConv QLinearMatMul "
    "ConvInteger MatMulInteger Gather GatherElements GatherND Attention"
)
_WEIGHTED = frozenset(_WEIGHTED_NAMES.split())
"""Read weights, of whatever type and size; of some inputs the value counts all the same, see `_BY_VALUE`."""
_ARITHMETIC_NAMES = (
    "Add Sub Mul Div Pow Sum Mean Min Max Mod Where Einsum Less LessOrEqual Greater GreaterOrEqual Equal And Or Xor "
    "Not Abs Neg Sign Sqrt Reciprocal Erf Exp Log Ceil Floor Round Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh Acosh "
    "Atanh Relu LeakyRelu Sigmoid HardSigmoid HardSwish Tanh Elu Selu Celu Gelu Mish Swish Softplus Softsign "
    "ThresholdedRelu Clip Softmax LogSoftmax Hardmax LRN LpNormalization MeanVarianceNormalization CumSum IsNaN IsInf "
    "AveragePool MaxPool LpPool GlobalAveragePool GlobalMaxPool GlobalLpPool MaxUnpool ReduceMean ReduceMax ReduceMin "
    "ReduceSum ReduceProd ReduceLogSumExp ReduceLogSum ReduceL1 ReduceL2 ReduceSumSquare ArgMax ArgMin TopK Identity "
    "Cast CastLike Concat Transpose Reshape Flatten Squeeze Unsqueeze Expand Tile Slice Split Pad Resize Upsample "
    "GridSample ScatterElements ScatterND DepthToSpace SpaceToDepth Trilu Dropout OneHot"
)
_ARITHMETIC = frozenset(_ARITHMETIC_NAMES.split())
"""Take as long whatever the values in their tensors are, but for the inputs in `_BY_VALUE`."""
_BY_VALUE: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("RNN", "LSTM", "GRU"), (4,)),
    **dict.fromkeys(("Gather", "GatherElements", "GatherND"), (1,)),
    **dict.fromkeys(("Reshape", "Expand", "Tile", "Squeeze", "Unsqueeze", "Split", "TopK", "CumSum", "Trilu"), (1,)),
    **{name: (1,) for name in _ARITHMETIC if name.startswith("Reduce")},
    **dict.fromkeys(("Slice", "Pad"), (1, 2, 3, 4)),
    **dict.fromkeys(("Resize", "Upsample", "Clip", "Dropout"), (1, 2, 3)),
    **dict.fromkeys(("ScatterElements", "ScatterND", "MaxUnpool"), (1, 2)),
    "OneHot": (1, 2),
}
"""Inputs that are counts, shapes, bounds or places."""
_OF_SHAPES = frozenset({"Shape", "Size"})
"""What they give does not depend on values."""
Node: TypeAlias = onnx.NodeProto


def structure_hash(model: onnx.ModelProto) -> str:
    """The hash of a model, 24 hexadecimal digits; names do not count.

    Raises:
        MeasurementError: an attribute or constant cannot be read.
    """
    plain = inlined(model)
    opsets = sorted((o.domain, o.version) for o in model.opset_import)
    described = {
        "version": VERSION,
        "opset": opsets,
        "functions": len(model.functions),
        "graph": _plain_graph(plain.graph, None, _Constants.of(plain.graph)),
    }
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:24]


@dataclass(frozen=True, slots=True)
class _Constants:
    """By name: which values decide, and which are weights."""

    deciding: frozenset[str]
    weights: frozenset[str]

    @classmethod
    def of(cls, graph: onnx.GraphProto) -> _Constants:
        nodes = list(_all_nodes(graph))
        deciding = _deciding(nodes)
        stored = {t.name: t for g in _all_graphs(graph) for t in g.initializer}
        readers: dict[str, list[Node]] = {}
        for node in nodes:
            for name in node.input:
                if name in stored:
                    readers.setdefault(name, []).append(node)
        weights = {n for n, found in readers.items() if n not in deciding and _is_weight(stored[n], found)}
        return cls(frozenset(deciding), frozenset(weights))


def _is_weight(tensor: onnx.TensorProto, readers: list[Node]) -> bool:
    """Whether all that read a constant take as long whatever it holds."""
    number = math.prod(tensor.dims) == 1 or tensor.data_type not in _FLOATS
    return all(node.op_type in _WEIGHTED or (node.op_type in _ARITHMETIC and not number) for node in readers)


def _deciding(nodes: list[Node]) -> set[str]:
    """Names of values that lead to a shape, a count or a decision, or that an unknown operator reads."""
    found: set[str] = set()
    before = -1
    while len(found) != before:
        before = len(found)
        for node in reversed(nodes):
            found.update(_read_for_decisions(node, found))
    return found


def _read_for_decisions(node: Node, deciding: set[str]) -> Iterator[str]:
    op = node.op_type if node.domain in ("", "ai.onnx") else ""
    follows = any(name in deciding for name in node.output)
    inside = [a.g for a in node.attribute if a.type == onnx.AttributeProto.GRAPH]
    if op == "Loop":
        yield from (g.output[0].name for g in inside if g.output)
    if follows:
        yield from (v.name for g in inside for v in g.output)
    if op in _OF_SHAPES:
        return
    if follows or not (op in _WEIGHTED or op in _ARITHMETIC or op == "Constant"):
        yield from node.input
    else:
        yield from (node.input[i] for i in _BY_VALUE.get(op, ()) if i < len(node.input))


def _all_graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in [attribute.g] if attribute.type == onnx.AttributeProto.GRAPH else list(attribute.graphs):
                yield from _all_graphs(inner)


def _all_nodes(graph: onnx.GraphProto) -> Iterator[Node]:
    for inner in _all_graphs(graph):
        yield from inner.node


@dataclass(slots=True)
class _Scope:
    """Names of one graph as places, so that what a value is called does not count."""

    outer: _Scope | None
    constants: dict[str, Any]
    """Tensors by name; a sparse one under the name of its values."""
    depth: int = 0
    places: dict[str, str] = field(default_factory=dict)
    used: list[str] = field(default_factory=list)
    """Constants in the order in which they are first read, here or inside."""

    def place(self, name: str, kind: str = "v") -> str:
        """Where a name stands; one that is not known yet becomes a value of this graph."""
        if not name:
            return ""
        scope: _Scope | None = self
        while scope is not None:
            if name in scope.places:
                return scope.places[name]
            if name in scope.constants:
                scope.used.append(name)
                return scope._put(name, "c")
            scope = scope.outer
        return self._put(name, kind)

    def define(self, name: str, kind: str) -> str:
        """The place of a value that this graph makes, whatever is called so around it."""
        return self.places.get(name) or (self._put(name, kind) if name else "")

    def _put(self, name: str, kind: str) -> str:
        self.places[name] = f"{self.depth}{kind}{len(self.places)}"
        return self.places[name]


def _plain_graph(graph: onnx.GraphProto, outer: _Scope | None, kinds: _Constants) -> dict[str, Any]:
    constants: dict[str, Any] = {t.name: t for t in graph.initializer}
    constants |= {s.values.name: s for s in graph.sparse_initializer}
    scope = _Scope(outer, constants, outer.depth + 1 if outer else 0)
    inputs = [v for v in graph.input if v.name not in constants]
    for value in inputs:
        scope.define(value.name, "i")
    stored = {t.name for t in graph.initializer}
    nodes = [_plain_node(node, scope, kinds, stored) for node in graph.node]
    outputs = [scope.place(v.name) for v in graph.output]
    scope.used += [n for n in constants if n not in scope.used]
    return {
        "inputs": [_plain_type(v) for v in inputs],
        "constants": [plain_constant(constants[n], weight=n in kinds.weights) for n in scope.used],
        "nodes": nodes,
        "outputs": outputs,
    }


def _plain_node(node: Node, scope: _Scope, kinds: _Constants, stored: set[str]) -> list[Any]:
    wired = [scope.place(name) for name in node.input]
    attributes = {a.name: _plain_attribute(a, node, scope, kinds) for a in node.attribute}
    made = [scope.define(name, "v") for name in node.output]
    plain = [node.domain, node.op_type, wired, made, attributes]
    if node.op_type == "DequantizeLinear" and node.input[0] in stored and len(node.input) > 2:
        plain.append(_centred(node.input[2], scope))
    return plain


def _centred(name: str, scope: _Scope) -> bool:
    """Whether stored weights are quantised around 0, for which runtimes have kernels of their own."""
    tensor = scope.constants.get(name)
    return isinstance(tensor, onnx.TensorProto) and not _array(tensor).any()


def _plain_attribute(attribute: onnx.AttributeProto, node: Node, scope: _Scope, kinds: _Constants) -> Any:
    kind = attribute.type
    if kind == onnx.AttributeProto.GRAPH:
        return _plain_graph(attribute.g, scope, kinds)
    if kind == onnx.AttributeProto.GRAPHS:
        return [_plain_graph(g, scope, kinds) for g in attribute.graphs]
    if kind == onnx.AttributeProto.TENSOR:
        weight = node.op_type == "Constant" and attribute.t.data_type in _FLOATS and math.prod(attribute.t.dims) > 1
        return plain_constant(attribute.t, weight=weight and node.output[0] not in kinds.deciding)
    if kind == onnx.AttributeProto.TENSORS:
        return [plain_constant(t) for t in attribute.tensors]
    if kind in (onnx.AttributeProto.SPARSE_TENSOR, onnx.AttributeProto.SPARSE_TENSORS):
        return [plain_constant(t) for t in (attribute.sparse_tensor, *attribute.sparse_tensors)]
    if kind in (onnx.AttributeProto.TYPE_PROTO, onnx.AttributeProto.TYPE_PROTOS):
        return [t.SerializeToString(deterministic=True).hex() for t in (attribute.tp, *attribute.type_protos)]
    try:
        return _plain_value(helper.get_attribute_value(attribute))
    except (TypeError, ValueError) as error:
        where = f"{node.op_type} {node.name or (node.output or [''])[0]!r}"
        raise MeasurementError(f"the attribute {attribute.name!r} of {where} cannot be read: {error}") from error


def _plain_value(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float):
        return value.hex()
    if isinstance(value, int | str):
        return value
    return [_plain_value(v) for v in value]


def plain_constant(tensor: Any, *, weight: bool = False) -> list[Any]:
    """A tensor, sparse or not, as type, shape and a digest of its values; without the digest where it is a weight.

    Raises:
        MeasurementError: its values cannot be read.
    """
    if isinstance(tensor, onnx.SparseTensorProto):
        return ["sparse", list(tensor.dims), plain_constant(tensor.values), plain_constant(tensor.indices)]
    digest = None if weight else hashlib.sha256(_content(tensor)).hexdigest()[:24]
    return [tensor.data_type, list(tensor.dims), digest]


def _content(tensor: onnx.TensorProto) -> bytes:
    if tensor.data_type == onnx.TensorProto.STRING:
        return b"\0".join(_lengths(tensor.string_data))
    return _array(tensor).tobytes()


def _lengths(texts: Iterable[bytes]) -> Iterator[bytes]:
    for text in texts:
        yield b"%d:%s" % (len(text), text)


def _array(tensor: onnx.TensorProto) -> Any:
    try:
        return numpy_helper.to_array(tensor)
    except Exception as error:  # numpy's and onnx' share no base but this
        shape = "x".join(map(str, tensor.dims)) or "one number"
        raise MeasurementError(
            f"the constant {tensor.name!r} ({shape}) cannot be read: {error}; export the model again"
        ) from error


def _plain_type(value: onnx.ValueInfoProto) -> list[Any]:
    if not value.type.HasField("tensor_type"):
        return [value.type.SerializeToString(deterministic=True).hex()]
    tensor = value.type.tensor_type
    return [tensor.elem_type, [d.dim_value or d.dim_param for d in tensor.shape.dim]]
