"""The ATen operations that can be exported and the ONNX nodes that compute the same (opset 17)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import torch

from nasopt.errors import ExportError
from nasopt.export.recording import Operation, Ref

if TYPE_CHECKING:
    from nasopt.export.translation import Translator

Translation = Callable[["Translator", Operation], None]
TRANSLATIONS: dict[str, Translation] = {}
"""How each operation is written, by its ATen name."""


def _translates(*names: str) -> Callable[[Translation], Translation]:
    def register(function: Translation) -> Translation:
        TRANSLATIONS.update(dict.fromkeys(names, function))
        return function

    return register


def _argument(op: Operation, index: int, name: str, default: Any = None) -> Any:
    """An argument given by position or by name."""
    return op.args[index] if len(op.args) > index else op.kwargs.get(name, default)


def _result(t: Translator, op: Operation, onnx_op: str, inputs: Sequence[str], **attributes: Any) -> None:
    t.bind(op.outputs[0], t.writer.node(onnx_op, inputs, **attributes))


def _output_shape(op: Operation, index: int = 0) -> tuple[int, ...]:
    number = op.outputs[index]
    assert number is not None
    return op.shapes[number]


def _integers(t: Translator, values: Sequence[int]) -> str:
    return t.writer.constant(list(values), np.int64)


def _axes(t: Translator, op: Operation, dims: Any) -> list[int]:
    """Dimensions to reduce, counted from the front; all of them where none is named."""
    rank = len(t.shape(op.args[0]))
    listed = list(range(rank)) if dims is None or dims == () else [dims] if isinstance(dims, int) else list(dims)
    return sorted(d % rank for d in listed)


def _pair(values: Any) -> list[int]:
    listed = [values] if isinstance(values, int) else list(values)
    return listed * 2 if len(listed) == 1 else listed


# Layers


def batch_norm_arguments(op: Operation) -> tuple[Any, Any, Any, Any, float]:
    """Scale, shift, mean, variance and epsilon of any of PyTorch's inference BatchNorms."""
    index = {"_native_batch_norm_legit_no_training": 6, "batch_norm": 7}.get(op.name, 7)
    training = False if op.name == "_native_batch_norm_legit_no_training" else op.args[5]
    if training or op.args[3] is None:
        raise ExportError("a BatchNorm without running statistics depends on its batch and cannot be exported")
    return op.args[1], op.args[2], op.args[3], op.args[4], float(op.args[index])


@_translates("convolution", "conv2d")
def _convolution(t: Translator, op: Operation) -> None:
    if op.name == "convolution":
        stride, padding, dilation, transposed, groups = op.args[3], op.args[4], op.args[5], op.args[6], op.args[8]
    else:
        stride, padding = _argument(op, 3, "stride", 1), _argument(op, 4, "padding", 0)
        dilation, groups, transposed = _argument(op, 5, "dilation", 1), _argument(op, 6, "groups", 1), False
    rank = len(t.shape(op.args[0]))
    if transposed or rank != 4 or isinstance(padding, str):
        raise ExportError("only plain 2-d convolutions with numeric padding can be exported")
    kernel, bias = t.convolution_weights(op)
    pads = _pair(padding)
    _result(
        t,
        op,
        "Conv",
        [t.name(op.args[0]), kernel, *([bias] if bias else [])],
        kernel_shape=list(t.shape(op.args[1]))[2:],
        strides=_pair(stride),
        pads=[*pads, *pads],
        dilations=_pair(dilation),
        group=groups,
    )


@_translates("native_batch_norm", "_native_batch_norm_legit_no_training", "cudnn_batch_norm", "batch_norm")
def _batch_norm(t: Translator, op: Operation) -> None:
    gamma, beta, mean, variance, epsilon = batch_norm_arguments(op)
    gamma = torch.ones_like(mean) if gamma is None else gamma
    beta = torch.zeros_like(mean) if beta is None else beta
    inputs = [t.name(v) for v in (op.args[0], gamma, beta, mean, variance)]
    _result(t, op, "BatchNormalization", inputs, epsilon=epsilon)


@_translates("native_layer_norm")
def _layer_norm(t: Translator, op: Operation) -> None:
    x, normalised, weight, bias, epsilon = op.args[:5]
    weight = torch.ones(normalised) if weight is None else weight
    inputs = [t.name(x), t.name(weight), *([] if bias is None else [t.name(bias)])]
    _result(t, op, "LayerNormalization", inputs, axis=-len(normalised), epsilon=float(epsilon))


@_translates("addmm")
def _addmm(t: Translator, op: Operation) -> None:
    bias, a, b = op.args[:3]
    alpha, beta = float(op.kwargs.get("alpha", 1)), float(op.kwargs.get("beta", 1))
    _result(t, op, "Gemm", [t.name(a), t.name(b), t.name(bias)], alpha=alpha, beta=beta)


@_translates("linear")
def _linear(t: Translator, op: Operation) -> None:
    x, weight = op.args[:2]
    bias = _argument(op, 2, "bias")
    if len(t.shape(x)) == 2:
        inputs = [t.name(x), t.name(weight), *([] if bias is None else [t.name(bias)])]
        return _result(t, op, "Gemm", inputs, transB=1)
    product = t.writer.node("MatMul", [t.name(x), t.name(weight.t().contiguous())])
    t.bind(op.outputs[0], product if bias is None else t.writer.node("Add", [product, t.name(bias)]))
    return None


@_translates("mm", "bmm", "matmul", "mv")
def _matmul(t: Translator, op: Operation) -> None:
    _result(t, op, "MatMul", [t.name(op.args[0]), t.name(op.args[1])])


@_translates("mean")
def _mean(t: Translator, op: Operation) -> None:
    axes, keep = _axes(t, op, _argument(op, 1, "dim")), bool(_argument(op, 2, "keepdim", False))
    if len(t.shape(op.args[0])) == 4 and axes == [2, 3]:
        pooled = t.writer.node("GlobalAveragePool", [t.name(op.args[0])])
        t.bind(op.outputs[0], pooled if keep else t.writer.node("Flatten", [pooled], axis=1))
    else:
        _result(t, op, "ReduceMean", [t.name(op.args[0])], axes=axes, keepdims=int(keep))


@_translates("avg_pool2d", "_adaptive_avg_pool2d", "max_pool2d_with_indices", "max_pool2d")
def _pool(t: Translator, op: Operation) -> None:
    height, width = t.shape(op.args[0])[-2:]
    if op.name == "_adaptive_avg_pool2d":
        rows, columns = op.args[1]
        if height % rows or width % columns:
            raise ExportError(f"adaptive pooling of {height}x{width} to {rows}x{columns} has windows of unequal size")
        window = [height // rows, width // columns]
        return _result(t, op, "AveragePool", [t.name(op.args[0])], kernel_shape=window, strides=window)
    window = _pair(op.args[1])
    stride = _pair(_argument(op, 2, "stride") or window)
    pads = _pair(_argument(op, 3, "padding", 0))
    common: dict[str, Any] = {"kernel_shape": window, "strides": stride, "pads": [*pads, *pads]}
    if op.name == "avg_pool2d":
        if _argument(op, 6, "divisor_override") is not None:
            raise ExportError("average pooling with divisor_override cannot be exported")
        common["count_include_pad"] = int(_argument(op, 5, "count_include_pad", True))
        return _result(
            t, op, "AveragePool", [t.name(op.args[0])], ceil_mode=int(_argument(op, 4, "ceil_mode", False)), **common
        )
    if t.used(op.outputs[1] if len(op.outputs) > 1 else None):
        raise ExportError("the indices of a max pooling cannot be exported")
    dilations = _pair(_argument(op, 4, "dilation", 1))
    ceil = int(_argument(op, 5, "ceil_mode", False))
    return _result(t, op, "MaxPool", [t.name(op.args[0])], dilations=dilations, ceil_mode=ceil, **common)


@_translates("constant_pad_nd")
def _pad(t: Translator, op: Operation) -> None:
    rank, flat = len(t.shape(op.args[0])), list(op.args[1])
    begins, ends = [0] * rank, [0] * rank
    for i in range(len(flat) // 2):  # PyTorch lists pads from the last dimension on
        begins[rank - 1 - i], ends[rank - 1 - i] = flat[2 * i], flat[2 * i + 1]
    value = t.writer.constant(float(_argument(op, 2, "value", 0.0)))
    _result(t, op, "Pad", [t.name(op.args[0]), _integers(t, [*begins, *ends]), value])


# Element by element

_UNARY = {
    "relu": "Relu",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "exp": "Exp",
    "log": "Log",
    "sqrt": "Sqrt",
    "abs": "Abs",
    "neg": "Neg",
    "reciprocal": "Reciprocal",
    "erf": "Erf",
    "hardswish": "HardSwish",
    "floor": "Floor",
    "ceil": "Ceil",
    "sign": "Sign",
    "logical_not": "Not",
}
_BINARY = {
    "add": "Add",
    "sub": "Sub",
    "mul": "Mul",
    "div": "Div",
    "maximum": "Max",
    "minimum": "Min",
    "gt": "Greater",
    "ge": "GreaterOrEqual",
    "lt": "Less",
    "le": "LessOrEqual",
    "eq": "Equal",
    "pow": "Pow",
    "logical_and": "And",
    "logical_or": "Or",
}


@_translates(*_UNARY)
def _unary(t: Translator, op: Operation) -> None:
    _result(t, op, _UNARY[op.name], [t.name(op.args[0])])


@_translates(*_BINARY)
def _binary(t: Translator, op: Operation) -> None:
    if op.kwargs.get("rounding_mode") is not None:
        raise ExportError("division with a rounding mode cannot be exported")
    left, right = t.name(op.args[0]), t.name(op.args[1])
    alpha = _argument(op, 2, "alpha", 1)
    if op.name == "pow" and op.args[1] == 2:
        return _result(t, op, "Mul", [left, left])
    if alpha != 1:
        right = t.writer.node("Mul", [right, t.writer.constant(float(alpha))])
    return _result(t, op, _BINARY[op.name], [left, right])


@_translates("rsub")
def _rsub(t: Translator, op: Operation) -> None:
    if _argument(op, 2, "alpha", 1) != 1:
        raise ExportError("rsub with alpha cannot be exported")
    _result(t, op, "Sub", [t.name(op.args[1]), t.name(op.args[0])])


@_translates("hardtanh", "clamp", "clamp_min", "clamp_max", "relu6")
def _clip(t: Translator, op: Operation) -> None:
    low: Any
    high: Any
    if op.name == "clamp_max":
        low, high = None, _argument(op, 1, "max")
    elif op.name == "relu6":
        low, high = 0.0, 6.0
    else:
        defaults = (-1.0, 1.0) if op.name == "hardtanh" else (None, None)
        low = _argument(op, 1, "min_val" if op.name == "hardtanh" else "min", defaults[0])
        high = None if op.name == "clamp_min" else _argument(op, 2, "max", defaults[1])
    bounds = ["" if b is None else t.writer.constant(float(b)) for b in (low, high)]
    _result(t, op, "Clip", [t.name(op.args[0]), *(bounds if bounds[1] else bounds[:1])])


@_translates("hardsigmoid")
def _hardsigmoid(t: Translator, op: Operation) -> None:
    _result(t, op, "HardSigmoid", [t.name(op.args[0])], alpha=1 / 6, beta=0.5)


@_translates("silu")
def _silu(t: Translator, op: Operation) -> None:
    x = t.name(op.args[0])
    _result(t, op, "Mul", [x, t.writer.node("Sigmoid", [x])])


@_translates("mish", "softplus")
def _softplus(t: Translator, op: Operation) -> None:
    x = t.name(op.args[0])
    if op.name == "softplus":
        if _argument(op, 1, "beta", 1) != 1:
            raise ExportError("softplus with beta cannot be exported")
        return _result(t, op, "Softplus", [x])
    return _result(t, op, "Mul", [x, t.writer.node("Tanh", [t.writer.node("Softplus", [x])])])


@_translates("gelu")
def _gelu(t: Translator, op: Operation) -> None:
    w, x = t.writer, t.name(op.args[0])
    if op.kwargs.get("approximate", "none") == "tanh":
        cube = w.node("Mul", [w.node("Mul", [x, x]), w.node("Mul", [x, w.constant(0.044715)])])
        inner = w.node("Mul", [w.node("Add", [x, cube]), w.constant(math.sqrt(2 / math.pi))])
        gate = w.node("Tanh", [inner])
    else:
        gate = w.node("Erf", [w.node("Mul", [x, w.constant(1 / math.sqrt(2))])])
    half = w.node("Mul", [x, w.constant(0.5)])
    _result(t, op, "Mul", [half, w.node("Add", [gate, w.constant(1.0)])])


@_translates("leaky_relu", "elu")
def _sloped(t: Translator, op: Operation) -> None:
    default = 0.01 if op.name == "leaky_relu" else 1.0
    alpha = float(_argument(op, 1, "negative_slope" if op.name == "leaky_relu" else "alpha", default))
    _result(t, op, "LeakyRelu" if op.name == "leaky_relu" else "Elu", [t.name(op.args[0])], alpha=alpha)


@_translates("log1p")
def _log1p(t: Translator, op: Operation) -> None:
    _result(t, op, "Log", [t.writer.node("Add", [t.name(op.args[0]), t.writer.constant(1.0)])])


@_translates("rsqrt")
def _rsqrt(t: Translator, op: Operation) -> None:
    _result(t, op, "Reciprocal", [t.writer.node("Sqrt", [t.name(op.args[0])])])


@_translates("special_entr")
def _entropy_terms(t: Translator, op: Operation) -> None:
    """-x log x with 0 at 0, for probabilities."""
    w, x = t.writer, t.name(op.args[0])
    safe = w.node("Max", [x, w.constant(np.finfo(np.float32).tiny)])
    _result(t, op, "Neg", [w.node("Mul", [x, w.node("Log", [safe])])])


@_translates("where")
def _where(t: Translator, op: Operation) -> None:
    _result(t, op, "Where", [t.name(a) for a in op.args[:3]])


@_translates("_to_copy")
def _convert(t: Translator, op: Operation) -> None:
    kind = op.kwargs.get("dtype")
    if kind is None:
        return _same(t, op)
    types = {
        torch.float32: onnx.TensorProto.FLOAT,
        torch.int64: onnx.TensorProto.INT64,
        torch.bool: onnx.TensorProto.BOOL,
    }
    if kind not in types:
        raise ExportError(f"a conversion to {kind} cannot be exported; keep the network in float32")
    return _result(t, op, "Cast", [t.name(op.args[0])], to=types[kind])


# Reductions and order


@_translates("_softmax", "_log_softmax", "softmax", "log_softmax")
def _softmax(t: Translator, op: Operation) -> None:
    name = "LogSoftmax" if "log" in op.name else "Softmax"
    _result(t, op, name, [t.name(op.args[0])], axis=int(op.args[1]))


_REDUCTIONS = {"amax": "ReduceMax", "amin": "ReduceMin", "logsumexp": "ReduceLogSumExp", "prod": "ReduceProd"}


@_translates(*_REDUCTIONS)
def _reduce(t: Translator, op: Operation) -> None:
    axes, keep = _axes(t, op, _argument(op, 1, "dim")), int(_argument(op, 2, "keepdim", False))
    _result(t, op, _REDUCTIONS[op.name], [t.name(op.args[0])], axes=axes, keepdims=keep)


@_translates("sum")
def _sum(t: Translator, op: Operation) -> None:
    axes, keep = _axes(t, op, _argument(op, 1, "dim")), int(_argument(op, 2, "keepdim", False))
    _result(t, op, "ReduceSum", [t.name(op.args[0]), _integers(t, axes)], keepdims=keep)


@_translates("linalg_vector_norm", "norm")
def _norm(t: Translator, op: Operation) -> None:
    order = _argument(op, 1, "ord", 2)
    if order not in (1, 2):
        raise ExportError(f"a norm of order {order} cannot be exported")
    axes, keep = _axes(t, op, _argument(op, 2, "dim")), int(_argument(op, 3, "keepdim", False))
    _result(t, op, f"ReduceL{int(order)}", [t.name(op.args[0])], axes=axes, keepdims=keep)


@_translates("var", "std", "var_mean", "std_mean")
def _variance(t: Translator, op: Operation) -> None:
    w, x, axes = t.writer, t.name(op.args[0]), _axes(t, op, _argument(op, 1, "dim"))
    keep = int(op.kwargs.get("keepdim", False))
    correction = op.kwargs.get("correction")
    count = math.prod(t.shape(op.args[0])[a] for a in axes)
    divisor = count - float(1 if correction is None else correction)
    if divisor <= 0:
        raise ExportError(f"a variance over {count} values needs a smaller correction")
    centred = w.node("Sub", [x, w.node("ReduceMean", [x], axes=axes, keepdims=1)])
    squares = w.node("ReduceMean", [w.node("Mul", [centred, centred])], axes=axes, keepdims=keep)
    result = squares if divisor == count else w.node("Mul", [squares, w.constant(count / divisor)])
    t.bind(op.outputs[0], w.node("Sqrt", [result]) if op.name.startswith("std") else result)
    if op.name.endswith("_mean"):
        t.bind(op.outputs[1], w.node("ReduceMean", [x], axes=axes, keepdims=keep))


@_translates("max", "min")
def _extreme(t: Translator, op: Operation) -> None:
    name = "Max" if op.name == "max" else "Min"
    if len(op.args) > 1 and isinstance(op.args[1], Ref | torch.Tensor):
        return _result(t, op, name, [t.name(op.args[0]), t.name(op.args[1])])
    axes, keep = _axes(t, op, _argument(op, 1, "dim")), int(_argument(op, 2, "keepdim", False))
    t.bind(op.outputs[0], t.writer.node(f"Reduce{name}", [t.name(op.args[0])], axes=axes, keepdims=keep))
    if len(op.outputs) > 1:
        t.bind(op.outputs[1], t.writer.node(f"Arg{name}", [t.name(op.args[0])], axis=axes[0], keepdims=keep))
    return None


@_translates("argmax", "argmin")
def _argument_of_extreme(t: Translator, op: Operation) -> None:
    dim = _argument(op, 1, "dim")
    if dim is None:
        raise ExportError("argmax over all dimensions cannot be exported; name one")
    name = "ArgMax" if op.name == "argmax" else "ArgMin"
    _result(t, op, name, [t.name(op.args[0])], axis=int(dim), keepdims=int(_argument(op, 2, "keepdim", False)))


@_translates("topk", "sort")
def _topk(t: Translator, op: Operation) -> None:
    shape = t.shape(op.args[0])
    if op.name == "topk":
        count, axis = op.args[1], int(_argument(op, 2, "dim", -1))
        largest, ordered = _argument(op, 3, "largest", True), _argument(op, 4, "sorted", True)
    else:
        axis = int(_argument(op, 1, "dim", -1))
        count, largest, ordered = shape[axis], _argument(op, 2, "descending", False), True
    inputs = [t.name(op.args[0]), _integers(t, [count])]
    names = t.writer.node_outputs("TopK", inputs, 2, axis=axis, largest=int(largest), sorted=int(ordered))
    for value, name in zip(op.outputs, names, strict=True):
        t.bind(value, name)


# Shapes


@_translates("clone", "detach", "alias", "contiguous", "lift_fresh", "dropout", "native_dropout", "view_of")
def _same(t: Translator, op: Operation) -> None:
    t.bind(op.outputs[0], t.name(op.args[0]))


@_translates("view", "_unsafe_view", "reshape", "_reshape_alias", "unsqueeze", "squeeze", "flatten")
def _reshape(t: Translator, op: Operation) -> None:
    _result(t, op, "Reshape", [t.name(op.args[0]), _integers(t, _output_shape(op))])


@_translates("permute", "transpose", "t")
def _transpose(t: Translator, op: Operation) -> None:
    rank = len(t.shape(op.args[0]))
    order = list(range(rank))
    if op.name == "permute":
        order = [d % rank for d in op.args[1]]
    elif rank > 1:
        first, second = (0, 1) if op.name == "t" else (op.args[1] % rank, op.args[2] % rank)
        order[first], order[second] = second, first
    _result(t, op, "Transpose", [t.name(op.args[0])], perm=order)


@_translates("expand")
def _expand(t: Translator, op: Operation) -> None:
    _result(t, op, "Expand", [t.name(op.args[0]), _integers(t, _output_shape(op))])


@_translates("cat", "stack")
def _concatenate(t: Translator, op: Operation) -> None:
    axis, names = int(_argument(op, 1, "dim", 0)), [t.name(a) for a in op.args[0]]
    if op.name == "stack":
        axis %= len(_output_shape(op))
        names = [t.writer.node("Unsqueeze", [n, _integers(t, [axis])]) for n in names]
    _result(t, op, "Concat", names, axis=axis)


@_translates("select")
def _select(t: Translator, op: Operation) -> None:
    index = t.writer.constant(int(op.args[2]), np.int64)
    _result(t, op, "Gather", [t.name(op.args[0]), index], axis=int(op.args[1]))


@_translates("slice")
def _slice(t: Translator, op: Operation) -> None:
    axis, start = int(_argument(op, 1, "dim", 0)), _argument(op, 2, "start") or 0
    end = _argument(op, 3, "end")
    bounds = [[start], [2**62 if end is None else min(int(end), 2**62)], [axis], [_argument(op, 4, "step", 1)]]
    _result(t, op, "Slice", [t.name(op.args[0]), *(_integers(t, b) for b in bounds)])


@_translates("split", "split_with_sizes", "unbind")
def _split(t: Translator, op: Operation) -> None:
    axis = int(_argument(op, 1, "dim", 0) if op.name == "unbind" else _argument(op, 2, "dim", 0))
    shapes = [_output_shape(op, i) for i in range(len(op.outputs))]
    sizes = [1 if op.name == "unbind" else s[axis] for s in shapes]
    names = t.writer.node_outputs("Split", [t.name(op.args[0]), _integers(t, sizes)], len(sizes), axis=axis)
    for value, name, shape in zip(op.outputs, names, shapes, strict=True):
        t.bind(value, t.writer.node("Reshape", [name, _integers(t, shape)]) if op.name == "unbind" else name)
