"""From recorded ATen operations to ONNX nodes, with BatchNorm folded into the convolution before it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import onnx
import torch
from onnx import helper
from torch import Tensor, nn

from nasopt.errors import ExportError
from nasopt.export.layers import batch_norm_arguments
from nasopt.export.operators import TRANSLATIONS
from nasopt.export.recording import Operation, Recording, Ref
from nasopt.graphs.model import GraphWriter, float_value, make_model

_NORMS = frozenset({"native_batch_norm", "_native_batch_norm_legit_no_training", "cudnn_batch_norm", "batch_norm"})
_CONVOLUTIONS = frozenset({"convolution", "conv2d"})


class Translator:
    """Turns one recording into one graph."""

    def __init__(self, recording: Recording, names: Mapping[int, str]) -> None:
        """`names` gives the parameter name of a storage address."""
        self.writer = GraphWriter()
        self.shapes: dict[int, tuple[int, ...]] = {}
        self._recording = recording
        self._names = names
        self._values: dict[int, str] = {}
        self._uses = Counter(n for op in recording.operations for n in op.inputs)
        self._uses.update(recording.outputs)
        self._norm_of = self._foldable()
        self._weights: dict[int, str] = {}

    def _foldable(self) -> dict[int, Operation]:
        """BatchNorms whose input is a convolution's result that nothing else reads, by that result."""
        made = {op.outputs[0] for op in self._recording.operations if op.name in _CONVOLUTIONS}
        return {
            op.inputs[0]: op
            for op in self._recording.operations
            if op.name in _NORMS and op.inputs[0] in made and self._uses[op.inputs[0]] == 1 and len(op.inputs) == 1
        }

    def used(self, value: int | None) -> bool:
        """Whether anything reads this value."""
        return value is not None and self._uses[value] > 0

    def name(self, argument: Any) -> str:
        """Name of an argument in the graph; weights and Python numbers become constants."""
        if isinstance(argument, Ref):
            return self._values[argument.number]
        if isinstance(argument, Tensor):
            return self._weight(argument)
        return self.writer.constant(argument)

    def _weight(self, tensor: Tensor) -> str:
        if (name := self._weights.get(id(tensor))) is None:
            if tensor.dtype not in (torch.float32, torch.int64, torch.bool):
                raise ExportError(f"expected float32 weights, found {tensor.dtype}; convert the network with .float()")
            array = tensor.detach().cpu().numpy()
            known = self._names.get(tensor.untyped_storage().data_ptr())
            name = self.writer.weight(array, known) if known else self.writer.constant(array, array.dtype)
            self._weights[id(tensor)] = name
        return name

    def bind(self, value: int | None, name: str) -> None:
        """Let later operations find this value under this name."""
        if value is not None:
            self._values[value] = name

    def shape(self, argument: Any) -> tuple[int, ...]:
        """Shape of an argument."""
        return self.shapes[argument.number] if isinstance(argument, Ref) else tuple(argument.shape)

    def convolution_weights(self, op: Operation) -> tuple[str, str | None]:
        """Names of a convolution's kernel and bias, a BatchNorm behind it folded in."""
        kernel, bias = op.args[1], op.args[2] if len(op.args) > 2 else None
        output = op.outputs[0]
        norm = self._norm_of.get(output) if output is not None else None
        if isinstance(kernel, Ref) or isinstance(bias, Ref):
            raise ExportError("a convolution whose kernel depends on the input cannot be exported")
        if norm is None:
            return self._weight(kernel), None if bias is None else self._weight(bias)
        gamma, beta, mean, variance, epsilon = batch_norm_arguments(norm)
        kernel64 = kernel.detach().double()
        scale = (variance.double() + epsilon).rsqrt()
        scale = scale if gamma is None else scale * gamma.double()
        shift = (0 if bias is None else bias.double()) - mean.double()
        shift = shift * scale if beta is None else shift * scale + beta.double()
        folded = (kernel64 * scale.reshape(-1, *[1] * (kernel.dim() - 1))).float().cpu().detach().numpy()
        name = self._names.get(kernel.untyped_storage().data_ptr(), "kernel")
        return (
            self.writer.weight(folded, name),
            self.writer.weight(shift.float().cpu().detach().numpy(), f"{name.removesuffix('.weight')}.bias"),
        )

    def run(self, input_names: Sequence[str], output_names: Sequence[str]) -> onnx.GraphProto:
        """The graph, with these names at its ends."""
        for value, name in zip(self._recording.inputs, input_names, strict=True):
            self._values[value] = name
        for op in self._recording.operations:
            self.shapes.update(op.shapes)
            folded = op.inputs[0] in self._norm_of and op is self._norm_of[op.inputs[0]]
            if folded:
                self.bind(op.outputs[0], self._values[op.inputs[0]])
            elif (translate := TRANSLATIONS.get(op.name)) is not None:
                translate(self, op)
            else:
                raise ExportError(
                    f"no ONNX translation of aten.{op.name}; write the network with other operations, or add a "
                    "translation to nasopt.export"
                )
        return self._graph(input_names, output_names)

    def _graph(self, input_names: Sequence[str], output_names: Sequence[str]) -> onnx.GraphProto:
        writer, recording = self.writer, self._recording
        for value, name in zip(recording.outputs, output_names, strict=True):
            current = self._values[value]
            if current in output_names or current in input_names or not writer.produces(current):
                # an input, a constant or a value that is already an output needs a node of its own
                current = writer.node("Identity", [current])
            writer.rename(current, name)
            self._values = {k: name if v == current else v for k, v in self._values.items()}
        shapes = dict(zip(recording.inputs, (tuple(t.shape) for t in recording.kept), strict=False))
        return helper.make_graph(
            writer.nodes,
            "graph",
            [float_value(n, shapes[v]) for n, v in zip(input_names, recording.inputs, strict=True)],
            [float_value(n, s) for n, s in zip(output_names, recording.output_shapes, strict=True)],
            initializer=list(writer.initializers.values()),
        )


def parameter_names(module: nn.Module) -> dict[int, str]:
    """Name of every parameter and buffer by the address of its memory."""
    tensors = [*module.named_parameters(), *module.named_buffers()]
    return {t.untyped_storage().data_ptr(): name for name, t in tensors if t.numel()}


def translate(
    recording: Recording, module: nn.Module, input_names: Sequence[str], output_names: Sequence[str]
) -> onnx.ModelProto:
    """The ONNX model of a recording of `module`.

    Raises:
        ExportError: an operation has no translation, or the weights are not float32.
    """
    graph = Translator(recording, parameter_names(module)).run(input_names, output_names)
    return make_model(_without_dead_nodes(graph))


def _without_dead_nodes(graph: onnx.GraphProto) -> onnx.GraphProto:
    """Drop what no output needs, from the end backwards."""
    needed = {v.name for v in graph.output}
    kept: list[onnx.NodeProto] = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            kept.append(node)
            needed.update(node.input)
    initializers = [t for t in graph.initializer if t.name in needed]
    del graph.node[:]
    graph.node.extend(reversed(kept))
    del graph.initializer[:]
    graph.initializer.extend(initializers)
    return graph
