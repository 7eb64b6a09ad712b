"""Float32 ONNX graphs of plain convolutional networks as LiteRT files.

The converters that are kept (litert-torch, onnx2tf) need TensorFlow, or a PyTorch older than nasopt's. What nasopt's
own networks consist of is few operators, written here with the schema that ai-edge-litert brings; a graph with others
is refused. Images and features change from (n, c, h, w) to LiteRT's (n, h, w, c), in inputs and outputs as well.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper, shape_inference

from nasopt.errors import MeasurementError
from nasopt.graphs.describe import load

Array = np.ndarray[Any, np.dtype[Any]]

_BINARY = {"Add": "ADD", "Sub": "SUB", "Mul": "MUL"}
_UNARY = {"Relu": "RELU", "Sigmoid": "LOGISTIC", "Softmax": "SOFTMAX"}
_KNOWN = (*_BINARY, *_UNARY, "Conv", "Flatten", "Gemm", "GlobalAveragePool", "ReduceMax", "Reshape", "Identity")


def convert(source: Path, target: Path) -> None:
    """Write the graph at `source` as a LiteRT file.

    Raises:
        MeasurementError: it cannot be read, holds an operator or a use of one that is not translated, or its shapes are
            not fixed.
    """
    target.write_bytes(_Writer(source).written())


class _Writer:
    def __init__(self, source: Path) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self._schema = schema
        self._source = source
        model = load(source)
        self._graph = shape_inference.infer_shapes(model, strict_mode=False).graph
        self._constants = {t.name: numpy_helper.to_array(t) for t in self._graph.initializer}
        values = (*self._graph.input, *self._graph.value_info, *self._graph.output)
        self._shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in values}
        self._buffers = [schema.BufferT()]
        self._tensors: list[Any] = []
        self._operators: list[Any] = []
        self._codes: list[Any] = []
        self._places: dict[str, int] = {}

    def written(self) -> bytes:
        """The file."""
        import flatbuffers

        schema = self._schema
        names = [v.name for v in self._graph.input if v.name not in self._constants]
        for value in self._graph.input:
            if value.name in names and value.type.tensor_type.elem_type != onnx.TensorProto.FLOAT:
                raise self._refused(f"its input {value.name!r} is not float32")
        subgraph = schema.SubGraphT()
        subgraph.inputs = [self._value(name) for name in names]
        for node in self._graph.node:
            self._node(node)
        subgraph.outputs = [self._value(v.name) for v in self._graph.output]
        subgraph.tensors, subgraph.operators = self._tensors, self._operators
        model = schema.ModelT()
        model.version, model.subgraphs, model.buffers = 3, [subgraph], self._buffers
        model.operatorCodes = self._codes
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def _node(self, node: onnx.NodeProto) -> None:
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        op, inputs, output = node.op_type, list(node.input), node.output[0]
        if node.domain not in ("", "ai.onnx") or op not in _KNOWN:
            raise self._refused(f"operator {op} has no translation (there are {', '.join(sorted(_KNOWN))})")
        if op in ("Conv", "Gemm"):
            (self._conv if op == "Conv" else self._gemm)(attributes, inputs, output)
        elif op in _BINARY:
            options = getattr(self._schema, f"{op}OptionsT")()
            self._emit(_BINARY[op], [self._value(i) for i in inputs], output, f"{op}Options", options)
        elif op in _UNARY:
            self._unary(op, attributes, inputs, output)
        elif op in ("GlobalAveragePool", "ReduceMax"):
            self._reduce(op, attributes, inputs, output)
        else:
            self._reshape(inputs[0], output)

    def _conv(self, attributes: dict[str, Any], inputs: list[str], output: str) -> None:
        schema, weights = self._schema, self._constant(inputs[1])
        group, strides = attributes.get("group", 1), attributes.get("strides", [1, 1])
        pads, channels = list(attributes.get("pads", [0] * 4)), self._shape(inputs[0])[1]
        usual = weights.ndim == 4 and attributes.get("auto_pad", b"NOTSET") in (b"NOTSET", b"VALID")
        if not usual or list(attributes.get("dilations", [1, 1])) != [1, 1] or group not in (1, channels):
            raise self._refused("of convolutions only whole and depthwise ones in two dimensions are translated")
        source = self._value(inputs[0])
        if any(pads):
            source = self._padded(source, inputs[0], pads)
        bias = self._constant(inputs[2]) if len(inputs) > 2 else np.zeros(len(weights), np.float32)
        depthwise = group == channels and group > 1
        laid = weights.transpose(1, 2, 3, 0) if depthwise else weights.transpose(0, 2, 3, 1)
        kind = "DepthwiseConv2DOptions" if depthwise else "Conv2DOptions"
        options = getattr(schema, f"{kind}T")()
        options.padding = schema.Padding.VALID
        options.strideH, options.strideW = strides
        options.dilationHFactor = options.dilationWFactor = 1
        if depthwise:
            options.depthMultiplier = len(weights) // channels
        used = [source, self._stored(laid), self._stored(bias)]
        self._emit("DEPTHWISE_CONV_2D" if depthwise else "CONV_2D", used, output, kind, options)

    def _padded(self, source: int, name: str, pads: list[int]) -> int:
        n, c, h, w = self._shape(name)
        top, left, bottom, right = pads
        target = self._tensor([n, h + top + bottom, w + left + right, c], 0)
        sides = self._stored(np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32))
        self._operator("PAD", [source, sides], target, "PadOptions", self._schema.PadOptionsT())
        return target

    def _gemm(self, attributes: dict[str, Any], inputs: list[str], output: str) -> None:
        scaled = attributes.get("alpha", 1.0) != 1 or attributes.get("beta", 1.0) != 1 or attributes.get("transA", 0)
        if scaled:
            raise self._refused("Gemm with alpha, beta or transA is not translated")
        weights = self._constant(inputs[1])
        weights = weights if attributes.get("transB", 0) else weights.T
        bias = self._constant(inputs[2]) if len(inputs) > 2 else np.zeros(len(weights), np.float32)
        used = [self._value(inputs[0]), self._stored(weights), self._stored(bias.reshape(-1))]
        options = self._schema.FullyConnectedOptionsT()
        self._emit("FULLY_CONNECTED", used, output, "FullyConnectedOptions", options)

    def _unary(self, op: str, attributes: dict[str, Any], inputs: list[str], output: str) -> None:
        options: Any = None
        if op == "Softmax":
            options = self._schema.SoftmaxOptionsT()
            options.beta = 1.0
            if len(self._shape(inputs[0])) != 2 or attributes.get("axis", -1) not in (-1, 1):
                raise self._refused("only a softmax over classes is translated")
        self._emit(_UNARY[op], [self._value(inputs[0])], output, "SoftmaxOptions" if options else "", options)

    def _reduce(self, op: str, attributes: dict[str, Any], inputs: list[str], output: str) -> None:
        pooled = op == "GlobalAveragePool"
        if not pooled and len(self._shape(inputs[0])) != 2:
            raise self._refused("ReduceMax is translated over classes only")
        options = self._schema.ReducerOptionsT()
        options.keepDims = pooled or bool(attributes.get("keepdims", 1))
        given = attributes.get("axes", [0, 1])
        if len(inputs) > 1:
            if inputs[1] not in self._constants:
                raise self._refused("the axes of ReduceMax are computed")
            given = self._constants[inputs[1]].reshape(-1)
        axes = [1, 2] if pooled else [int(a) for a in given]
        used = [self._value(inputs[0]), self._stored(np.array(axes, np.int32))]
        self._emit("MEAN" if pooled else "REDUCE_MAX", used, output, "ReducerOptions", options)

    def _reshape(self, source: str, output: str) -> None:
        shape = self._shape(source)
        if len(shape) == 4 and shape[2:] != [1, 1] and self._shape(output) != shape:
            raise self._refused("features are reshaped, which would mix channels last with channels first")
        wanted = self._stored(np.array(self._laid(self._shape(output)), np.int32))
        self._emit("RESHAPE", [self._value(source), wanted], output, "ReshapeOptions", self._schema.ReshapeOptionsT())

    def _emit(self, code: str, inputs: list[int], output: str, kind: str, options: Any) -> None:
        self._operator(code, inputs, self._value(output), kind, options)

    def _operator(self, code: str, inputs: list[int], output: int, kind: str, options: Any) -> None:
        schema, operator = self._schema, self._schema.OperatorT()
        number = getattr(schema.BuiltinOperator, code)
        known = [c.builtinCode for c in self._codes]
        if number not in known:
            entry = schema.OperatorCodeT()
            entry.builtinCode, entry.deprecatedBuiltinCode, entry.version = number, min(number, 127), 1
            self._codes.append(entry)
            known.append(number)
        operator.opcodeIndex, operator.inputs, operator.outputs = known.index(number), inputs, [output]
        if options is not None:
            operator.builtinOptionsType, operator.builtinOptions = getattr(schema.BuiltinOptions, kind), options
        self._operators.append(operator)

    def _value(self, name: str) -> int:
        """Place of a value's tensor."""
        if name not in self._places:
            if name in self._constants:
                array = self._constants[name]
                self._places[name] = self._stored(array.transpose(0, 2, 3, 1) if array.ndim == 4 else array)
            else:
                self._places[name] = self._tensor(self._laid(self._shape(name)), 0, name)
        return self._places[name]

    def _stored(self, array: Array) -> int:
        array = np.ascontiguousarray(array)
        buffer = self._schema.BufferT()
        buffer.data = np.frombuffer(array.tobytes(), np.uint8)
        self._buffers.append(buffer)
        integer = array.dtype.kind == "i"
        return self._tensor(list(array.shape), len(self._buffers) - 1, integer=integer)

    def _tensor(self, shape: list[int], buffer: int, name: str = "", *, integer: bool = False) -> int:
        tensor = self._schema.TensorT()
        tensor.shape, tensor.buffer, tensor.name = shape, buffer, (name or f"t{len(self._tensors)}").encode()
        tensor.type = self._schema.TensorType.INT32 if integer else self._schema.TensorType.FLOAT32
        self._tensors.append(tensor)
        return len(self._tensors) - 1

    def _shape(self, name: str) -> list[int]:
        shape = self._shapes.get(name)
        if shape is None or any(d < 1 for d in shape):
            raise self._refused(f"the shape of {name!r} is not fixed; export it with fixed shapes")
        return shape

    @staticmethod
    def _laid(shape: list[int]) -> list[int]:
        """Channels last, where there are four dimensions."""
        return [shape[0], shape[2], shape[3], shape[1]] if len(shape) == 4 else shape

    def _constant(self, name: str) -> Array:
        if name not in self._constants or self._constants[name].dtype != np.float32:
            raise self._refused(f"{name!r} is not a constant in float32")
        return self._constants[name]

    def _refused(self, why: str) -> MeasurementError:
        other = self._source.with_suffix(".tflite").name
        return MeasurementError(
            f"{self._source} cannot be converted for LiteRT: {why}; convert it with litert-torch or onnx2tf and put "
            f"the result beside it as {other}"
        )
