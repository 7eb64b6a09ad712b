"""A graph as it will run, once its inputs are fixed: constants computed, shapes inferred with data, decisions taken.

onnx' own shape inference with data propagation and its reference evaluator take turns until nothing more is known.
Only small tensors are computed (shapes, axes, scales), so that what a graph asks for here is bounded by its size.
Larger ones that hang on constants alone are known by shape and marked as constants. ONNX Runtime's offline optimiser
and onnxslim compute those too, 30 s for a VGG whose weights are written as ConstantOfShape, and onnxscript's folding
left a third of the shapes in an OCR model unknown (models of benchmarks/models.md).
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from nasopt.errors import MeasurementError
from nasopt.graphs.functions import inlined

SMALL = 4096
"""Elements of the largest tensor that is computed."""
_ROUNDS = 40
"""Of inference and computing; a chain of shapes that hang on each other takes one for each link."""
_RANDOM = frozenset(
    {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli", "Multinomial"}
)
_KEPT = frozenset({"If", "Loop", "Scan", "SequenceMap"})
"""Hold graphs of their own."""
_DATA_FIELDS = ("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data", "external_data")
Shape = tuple[int, ...]


def resolved(model: onnx.ModelProto, path: Path) -> onnx.ModelProto:
    """A copy of a model with the shapes of all values that can be known, and without what is computed beforehand.

    Values that hang on constants alone are initialisers; those of more than 4096 elements hold no data.

    Raises:
        MeasurementError: the shapes contradict each other, or values hang on each other in a circle.
    """
    plain = onnx.ModelProto()
    plain.CopyFrom(inlined(model))
    _hollow(plain.graph)
    _forget_negative(plain.graph)
    _sort(plain.graph, path)
    opset = list(plain.opset_import)
    for _ in range(_ROUNDS):
        plain = _inferred(plain, path)
        folding = _Folding(opset)
        folding.fold(plain.graph, _Known())
        if not folding.changed:
            break
    return plain


def shapes_of(graph: onnx.GraphProto) -> dict[str, Shape]:
    """Shape of every value of a graph that has a fixed one, weights included."""
    found = {t.name: tuple(t.dims) for t in graph.initializer}
    found |= {s.values.name: tuple(s.dims) for s in graph.sparse_initializer}
    for value in [*graph.input, *graph.value_info, *graph.output]:
        tensor = value.type.tensor_type
        if value.type.HasField("tensor_type") and tensor.HasField("shape"):
            dims = tensor.shape.dim
            if all(d.HasField("dim_value") and d.dim_value >= 0 for d in dims):
                found.setdefault(value.name, tuple(d.dim_value for d in dims))
    return found


def _inferred(model: onnx.ModelProto, path: Path) -> onnx.ModelProto:
    try:
        return onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    except Exception as error:  # InferenceError, and what protobuf says of more than 2 GB
        said = " ".join(str(error).split())
        raise MeasurementError(f"the shapes in {path} cannot be inferred: {said[:300]}") from error


def _hollow(graph: onnx.GraphProto) -> None:
    """Take the data out of large constants: shape inference copies the model, and needs shapes only."""
    for tensor in graph.initializer:
        if math.prod(tensor.dims) > SMALL:
            for name in _DATA_FIELDS:
                tensor.ClearField(name)
            tensor.ClearField("data_location")
    for node in graph.node:
        for attribute in node.attribute:
            for inner in _graphs(attribute):
                _hollow(inner)


def _forget_negative(graph: onnx.GraphProto) -> None:
    """Sizes below 0 are how some exporters write that one is open, which shape inference takes for a contradiction."""
    for value in [*graph.input, *graph.value_info, *graph.output]:
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_value < 0:
                dim.ClearField("dim_value")


def _graphs(attribute: onnx.AttributeProto) -> list[onnx.GraphProto]:
    return [attribute.g] if attribute.type == onnx.AttributeProto.GRAPH else list(attribute.graphs)


def needs(node: onnx.NodeProto) -> set[str]:
    """Names that a node reads, those that its graphs take from around them included."""
    found = {name for name in node.input if name}
    for attribute in node.attribute:
        for graph in _graphs(attribute):
            own = {v.name for v in graph.input} | {t.name for t in graph.initializer}
            own |= {name for inner in graph.node for name in inner.output}
            found |= {name for inner in graph.node for name in needs(inner)} - own
            found |= {v.name for v in graph.output} - own
    return found


def _sort(graph: onnx.GraphProto, path: Path) -> None:
    """Put every node after those whose results it reads; converters to half precision append casts at the end."""
    for node in graph.node:
        for attribute in node.attribute:
            for inner in _graphs(attribute):
                _sort(inner, path)
    made = {name: i for i, node in enumerate(graph.node) for name in node.output if name}
    before = [{made[name] for name in needs(node) if name in made} for node in graph.node]
    if all(not earlier or max(earlier) < i for i, earlier in enumerate(before)):
        return
    readers: dict[int, list[int]] = {}
    for i, earlier in enumerate(before):
        for j in earlier:
            readers.setdefault(j, []).append(i)
    open_ends = [len(earlier) for earlier in before]
    ready = [i for i, count in enumerate(open_ends) if not count]
    for i in ready:  # grows while it is walked
        for j in readers.get(i, ()):
            open_ends[j] -= 1
            if not open_ends[j]:
                ready.append(j)
    if len(ready) < len(before):
        stuck = graph.node[next(i for i, count in enumerate(open_ends) if count)]
        where = stuck.name or (stuck.output[0] if stuck.output else stuck.op_type)
        raise MeasurementError(f"{path}: {stuck.op_type} at {where!r} hangs on its own result; export the model again")
    nodes = [graph.node[i] for i in ready]
    del graph.node[:]
    graph.node.extend(nodes)


@dataclass(slots=True)
class _Known:
    """What is known of the values around and inside a graph."""

    data: dict[str, Any] = field(default_factory=dict)
    """Small constants as arrays."""
    constants: set[str] = field(default_factory=set)
    """Names of all that hang on constants alone."""
    shapes: dict[str, Shape] = field(default_factory=dict)
    types: dict[str, int] = field(default_factory=dict)

    def inside(self, graph: onnx.GraphProto) -> _Known:
        """The same, and what a graph brings itself."""
        known = _Known(dict(self.data), set(self.constants), dict(self.shapes), dict(self.types))
        for value in graph.input:  # may be called like something outside
            known.data.pop(value.name, None)
            known.constants.discard(value.name)
        known.shapes |= shapes_of(graph)
        for value in [*graph.input, *graph.value_info, *graph.output]:
            known.types[value.name] = value.type.tensor_type.elem_type
        for tensor in graph.initializer:
            known.constants.add(tensor.name)
            known.types[tensor.name] = tensor.data_type
            if math.prod(tensor.dims) <= SMALL and (array := _array(tensor)) is not None:
                known.data[tensor.name] = array
        for sparse in graph.sparse_initializer:
            known.constants.add(sparse.values.name)
        return known

    def small(self, name: str) -> bool:
        """Whether a value is known to have few elements."""
        return name in self.shapes and math.prod(self.shapes[name]) <= SMALL


def _array(tensor: onnx.TensorProto) -> Any:
    try:
        return numpy_helper.to_array(tensor)
    except Exception:  # hollow, or damaged
        return None


class _Folding:
    """One pass over a graph and those inside it."""

    def __init__(self, opset: list[Any]) -> None:
        self._opset = opset
        self.changed = False
        self._spliced = 0

    def fold(self, graph: onnx.GraphProto, outer: _Known) -> None:
        """Replace what hangs on constants alone by initialisers, and an `If` whose condition is known by its branch."""
        known = outer.inside(graph)
        kept: list[onnx.NodeProto] = []
        for node in list(graph.node):
            kept += self._node(node, graph, known)
        if len(kept) != len(graph.node) or self.changed:
            del graph.node[:]
            graph.node.extend(kept)
            _drop_unread(graph)

    def _node(self, node: onnx.NodeProto, graph: onnx.GraphProto, known: _Known) -> list[onnx.NodeProto]:
        """What stays of a node: itself, nothing where its results are constants, or a branch."""
        standard = node.domain in ("", "ai.onnx")
        if standard and node.op_type == "If" and node.input[0] in known.data:
            self.changed = True
            return self._branch(node, bool(known.data[node.input[0]].reshape(-1)[0]), graph)
        if node.op_type in _KEPT:
            for attribute in node.attribute:
                for inner in _graphs(attribute):
                    self.fold(inner, known)
            return [node]
        if not standard or node.op_type in _RANDOM:
            return [node]
        found = self._computed(node, known)
        if found is None:
            return [node]
        self.changed = True
        for name, tensor in found.items():
            graph.initializer.append(tensor)
            known.constants.add(name)
            known.shapes[name] = tuple(tensor.dims)
            if math.prod(tensor.dims) <= SMALL:
                known.data[name] = _array(tensor)
        return []

    def _computed(self, node: onnx.NodeProto, known: _Known) -> dict[str, onnx.TensorProto] | None:
        """Results of a node as initialisers, or None where they are not known yet, or hang on the input."""
        names = [n for n in node.output if n]
        if node.op_type in ("Shape", "Size") and node.input[0] in known.shapes:
            return {names[0]: _of_shape(node, known.shapes[node.input[0]])}
        if not all(n in known.constants for n in node.input if n):
            return None
        if all(n in known.data for n in node.input if n) and all(known.small(n) for n in names):
            return self._evaluated(node, names, known)
        if all(n in known.shapes and known.types.get(n) for n in names):
            large = any(not known.small(n) for n in names) or any(n and n not in known.data for n in node.input)
            if large:
                return {n: onnx.TensorProto(name=n, data_type=known.types[n], dims=known.shapes[n]) for n in names}
        return None

    def _evaluated(self, node: onnx.NodeProto, names: list[str], known: _Known) -> dict[str, onnx.TensorProto] | None:
        feeds = {n: known.data[n] for n in node.input if n}
        inputs = [onnx.ValueInfoProto(name=n) for n in feeds]
        graph = helper.make_graph([node], "one", inputs, [onnx.ValueInfoProto(name=n) for n in names])
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                model = helper.make_model(graph, opset_imports=self._opset)
                values = ReferenceEvaluator(model).run(None, feeds)
            return {n: numpy_helper.from_array(np.asarray(v), n) for n, v in zip(names, values, strict=True)}
        except Exception as error:  # an operator that the evaluator does not know stays as it is
            logging.getLogger(__name__).debug("%s is not computed beforehand: %s", node.op_type, error)
            return None

    def _branch(self, node: onnx.NodeProto, taken: bool, graph: onnx.GraphProto) -> list[onnx.NodeProto]:
        """The nodes of the branch that runs, with names of their own, in the place of its `If`."""
        self._spliced += 1
        wanted = "then_branch" if taken else "else_branch"
        branch = next(a.g for a in node.attribute if a.name == wanted)
        own = [name for inner in branch.node for name in inner.output] + [t.name for t in branch.initializer]
        names = {n: f"{node.output[0]}/{wanted}{self._spliced}/{n}" for n in own if n}
        nodes = [_renamed(inner, names) for inner in branch.node]
        for tensor in branch.initializer:
            copy = graph.initializer.add()
            copy.CopyFrom(tensor)
            copy.name = names[tensor.name]
        for value in branch.value_info:
            if value.name in names:
                copy = graph.value_info.add()
                copy.CopyFrom(value)
                copy.name = names[value.name]
        ends = zip(branch.output, node.output, strict=False)
        return nodes + [helper.make_node("Identity", [names.get(v.name, v.name)], [o]) for v, o in ends if o]


def _of_shape(node: onnx.NodeProto, shape: Shape) -> onnx.TensorProto:
    if node.op_type == "Size":
        return numpy_helper.from_array(np.asarray(math.prod(shape), np.int64), node.output[0])
    bounds: Mapping[str, int] = {a.name: a.i for a in node.attribute}
    part = shape[bounds.get("start", 0) : bounds.get("end", len(shape))]
    return numpy_helper.from_array(np.asarray(part, np.int64), node.output[0])


def _renamed(node: onnx.NodeProto, names: Mapping[str, str]) -> onnx.NodeProto:
    """A copy of a node, its graphs included, with other names for what it reads and makes."""
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    copy.input[:] = [names.get(n, n) for n in node.input]
    copy.output[:] = [names.get(n, n) for n in node.output]
    for attribute in copy.attribute:
        for graph in _graphs(attribute):
            own = {v.name for v in graph.input} | {n for inner in graph.node for n in inner.output}
            outside = {k: v for k, v in names.items() if k not in own}
            nodes = [_renamed(inner, outside) for inner in graph.node]
            del graph.node[:]
            graph.node.extend(nodes)
            for value in graph.output:
                value.name = outside.get(value.name, value.name)
    return copy


def _drop_unread(graph: onnx.GraphProto) -> None:
    """Leave out constants that nothing reads any more, and inferred shapes of values that are gone."""
    read: set[str] = {v.name for v in graph.output}
    for node in graph.node:
        read |= needs(node)
    made = {name for node in graph.node for name in node.output}
    _keep(graph.initializer, (t for t in graph.initializer if t.name in read))
    _keep(graph.value_info, (v for v in graph.value_info if v.name in made))


def _keep(field: Any, wanted: Iterable[Any]) -> None:
    kept = list(wanted)
    del field[:]
    field.extend(kept)
