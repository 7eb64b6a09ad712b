"""ONNX graphs as torch modules.

The graph is run once on real tensors, which shows every shape, and then once on the proxies of torch.fx, which leaves
plain calls of torch: eager figures hold no interpreter, and torch.compile sees what a person would have written.
Needs torch and onnx.
"""

import operator
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch import fx

from .torch_operators import OPERATORS, UnsupportedError


class Node:
    """One ONNX node: its attributes, and the shapes that its inputs had when it ran."""

    def __init__(self, proto: Any, opset: int) -> None:
        self.proto, self.opset = proto, opset
        self.op, self.inputs, self.outputs = proto.op_type, list(proto.input), len(proto.output)
        self._attributes = {a.name: helper.get_attribute_value(a) for a in proto.attribute}
        self._seen: List[Any] = []

    def see(self, values: Any) -> None:
        """Note the shapes and types of the inputs."""
        self._seen = [None if v is None else (tuple(v.shape), v.dtype) for v in values]

    def shape(self, index: int) -> Tuple[int, ...]:
        """Shape of an input."""
        return self._seen[index][0]

    def floating(self, index: int) -> bool:
        """Whether an input is of floating point."""
        return self._seen[index][1].is_floating_point

    def number(self, name: str, default: Any) -> Any:
        """A number among the attributes."""
        return self._attributes.get(name, default)

    def ints(self, name: str, default: Any = None) -> List[int]:
        """A list of integers among the attributes."""
        return [int(i) for i in self._attributes.get(name, default)]

    def text(self, name: str, default: Any) -> Any:
        """A text among the attributes."""
        value = self._attributes.get(name, default)
        return value.decode() if isinstance(value, bytes) else value

    def dtype(self, name: str) -> Any:
        """A type among the attributes, numpy's."""
        return helper.tensor_dtype_to_np_dtype(self._attributes[name])

    def tensor(self, name: str) -> Any:
        """A tensor among the attributes, as an array."""
        if name not in self._attributes:
            raise UnsupportedError("{} without {}".format(self.op, name))
        return numpy_helper.to_array(self._attributes[name])

    def takes(self) -> List[str]:
        """Names of the values that it needs, those that its branches take from around it included."""
        inside = [g for g in self._attributes.values() if isinstance(g, onnx.GraphProto)]
        return self.inputs + [name for graph in inside for node in graph.node for name in node.input]

    def branch(self, name: str) -> Any:
        """A graph among the attributes."""
        return self._attributes[name]

    def __str__(self) -> str:
        name = "{}.{}".format(self.proto.domain, self.op) if self.proto.domain else self.op
        return "{}{}".format(name, " at {}".format(self.proto.name) if self.proto.name else "")


class Choice(torch.nn.Module):
    """ONNX `If`: runs the taken branch only."""

    def __init__(self, then: Any, otherwise: Any) -> None:
        super().__init__()
        self.then, self.otherwise = then, otherwise

    def forward(self, flag: Any, *values: Any) -> Any:
        """The results of one branch."""
        return self.then(*values) if bool(flag) else self.otherwise(*values)


class _Tracer(fx.proxy.GraphAppendingTracer):
    """Appends calls to a graph; real tensors become buffers of the root, equal ones once."""

    def __init__(self, graph: Any, root: Any) -> None:
        super().__init__(graph)
        self._root = root
        self._held: Dict[int, Tuple[str, Any]] = {}

    def create_arg(self, value: Any) -> Any:
        """Like the base, and tensors too."""
        if not isinstance(value, torch.Tensor):
            return super().create_arg(value)
        if id(value) not in self._held:
            name = "constant_{}".format(len(self._held))
            self._root.register_buffer(name, value)
            self._held[id(value)] = (name, value)  # holding it keeps its id from being taken again
        return self.create_node("get_attr", self._held[id(value)][0], (), {})


class Graph:
    """An ONNX graph that runs on tensors or on proxies alike."""

    def __init__(self, proto: Any, opset: int, outer: Sequence[str] = ()) -> None:
        self._nodes = _in_order([Node(n, opset) for n in proto.node])
        self.constants = {t.name: torch.from_numpy(np.array(numpy_helper.to_array(t))) for t in proto.initializer}
        self.inputs = [i for i in proto.input if i.name not in self.constants]
        self.results = [o.name for o in proto.output]
        known = set(outer) | set(self.constants) | {i.name for i in self.inputs}
        self.free: List[str] = []
        for node in self._nodes:
            if (node.proto.domain not in ("", "ai.onnx") or node.op not in OPERATORS) and node.op != "If":
                raise UnsupportedError(_why(node))
            self.free += [n for n in node.inputs if n and n not in known and n not in self.free]
            known |= set(node.proto.output)
        self._branches: Dict[int, List[Graph]] = {}
        for node in self._nodes:
            if node.op == "If":
                both = [Graph(node.branch(key), opset) for key in ("then_branch", "else_branch")]
                self._branches[id(node)] = both
                self.free += [n for b in both for n in b.free if n not in known and n not in self.free]

    def run(self, values: Any, root: Any = None) -> List[Any]:
        """Execute every node. `values` maps names to tensors or proxies, and is filled; `root` owns what is traced."""
        values.update(self.constants)
        for node in self._nodes:
            given = [values[name] if name else None for name in node.inputs]
            try:
                found = self._step(node, given, values, root)
            except UnsupportedError as error:
                raise UnsupportedError("{}: {}".format(node, error)) from error
            for name, value in zip(node.proto.output, found if isinstance(found, tuple) else (found,)):
                values[name] = value
        return [values[name] for name in self.results]

    def _step(self, node: Node, given: Any, values: Any, root: Any) -> Any:
        if root is None:
            node.see(given)
        if node.op != "If":
            return OPERATORS[node.op](node, *given)
        both = self._branches[id(node)]
        if root is None:
            return tuple([b.run(dict(values)) for b in both][0])  # noqa: RUF015 (the shapes of both are wanted)
        names = sorted({n for b in both for n in b.free if not isinstance(values[n], torch.Tensor)})
        fixed = {n: values[n] for b in both for n in b.free if isinstance(values[n], torch.Tensor)}
        choice = Choice(*[b.traced(names, fixed) for b in both])
        name = "choice_{}".format(len(list(root.module.children())))
        root.module.add_module(name, choice)
        arguments = tuple(root.tracer.create_arg(v) for v in [given[0]] + [values[n] for n in names])
        called = fx.Proxy(root.tracer.create_node("call_module", name, arguments, {}), root.tracer)
        return tuple(operator.getitem(called, i) for i in range(node.outputs))

    def traced(self, names: Sequence[str], fixed: Any = None) -> fx.GraphModule:
        """A GraphModule that takes the values of these names and gives a tuple of results. Call `run` before."""
        module, graph = torch.nn.Module(), fx.Graph()
        tracer = _Tracer(graph, module)
        values = dict(fixed or {})
        for i, name in enumerate(names):
            values[name] = fx.Proxy(graph.placeholder("input_{}".format(i)), tracer)
        results = self.run(values, _Root(module, tracer))
        graph.output(tuple(tracer.create_arg(r) for r in results))
        traced = fx.GraphModule(module, graph)
        traced.graph.eliminate_dead_code()
        traced.recompile()
        return traced


class _Root:
    def __init__(self, module: Any, tracer: Any) -> None:
        self.module, self.tracer = module, tracer


def _in_order(nodes: Sequence[Node]) -> List[Node]:
    """Nodes after those whose results they take; converters to half precision append casts at the end."""
    made, waiting, sorted_nodes = {o: n for n in nodes for o in n.proto.output}, list(nodes), []
    done = set()
    while waiting:
        later = []
        for node in waiting:
            if all(name in done or name not in made for name in node.takes()):
                sorted_nodes.append(node)
                done |= set(node.proto.output)
            else:
                later.append(node)
        if len(later) == len(waiting):
            raise UnsupportedError("a graph with a circle at {}".format(later[0]))
        waiting = later
    return sorted_nodes


def _why(node: Node) -> str:
    if node.op in ("QuantizeLinear", "DequantizeLinear") or node.op.startswith(("QLinear", "DynamicQuantize")):
        return (
            "a quantised graph ({}): torch would compute it in float32 with the rounding added, which is no integer "
            "arithmetic; measure it with onnxruntime or openvino".format(node)
        )
    return "no translation of {}; measure it with onnxruntime or openvino".format(node)


def as_module(path: str) -> Tuple[fx.GraphModule, List[Tuple[str, Tuple[int, ...]]], List[Any]]:
    """The module that computes the graph at `path`, (name, shape) of each input, and their types as numpy's.

    Raises UnsupportedError where an operator has no translation, an input is no tensor of numbers of fixed shape, or a
    shape hangs on the input's values.
    """
    model = onnx.load(str(path))
    if not model.graph.node:
        raise UnsupportedError("it holds no graph")
    opset = max([o.version for o in model.opset_import if o.domain in ("", "ai.onnx")] or [1])
    graph = Graph(model.graph, opset)
    inputs, kinds = [], []
    for value in graph.inputs:
        tensor = value.type.tensor_type
        shape = [d.dim_value for d in tensor.shape.dim]
        if not value.type.HasField("tensor_type") or not all(d > 0 for d in shape):
            raise UnsupportedError(
                "input {!r} is no tensor of fixed shape; export it with fixed shapes".format(value.name)
            )
        inputs.append((value.name, tuple(shape)))
        kinds.append(np.dtype(helper.tensor_dtype_to_np_dtype(tensor.elem_type)))
    if not inputs:
        raise UnsupportedError("nothing in it hangs on an input")
    with torch.no_grad():
        graph.run({name: _example(shape, kind) for (name, shape), kind in zip(inputs, kinds)})
        return graph.traced([name for name, _ in inputs]).eval(), inputs, kinds


def _example(shape: Tuple[int, ...], kind: Any) -> Any:
    if kind.kind == "f":
        return torch.rand(shape).to(torch.from_numpy(np.zeros(1, kind)).dtype)
    return torch.from_numpy(np.ones(shape, kind))
