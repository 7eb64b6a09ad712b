"""Translations of layers: convolutions, normalisations, linear layers, pooling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from nasopt.errors import ExportError
from nasopt.export.recording import Operation
from nasopt.export.registry import argument, axes_of, integers, pair, result, translates

if TYPE_CHECKING:
    from nasopt.export.translation import Translator


def batch_norm_arguments(op: Operation) -> tuple[Any, Any, Any, Any, float]:
    """Scale, shift, mean, variance and epsilon of any of PyTorch's inference BatchNorms."""
    index = {"_native_batch_norm_legit_no_training": 6, "batch_norm": 7}.get(op.name, 7)
    training = False if op.name == "_native_batch_norm_legit_no_training" else op.args[5]
    if training or op.args[3] is None:
        raise ExportError("a BatchNorm without running statistics depends on its batch and cannot be exported")
    return op.args[1], op.args[2], op.args[3], op.args[4], float(op.args[index])


@translates("convolution", "conv2d")
def _convolution(t: Translator, op: Operation) -> None:
    if op.name == "convolution":
        stride, padding, dilation, transposed, groups = op.args[3], op.args[4], op.args[5], op.args[6], op.args[8]
    else:
        stride, padding = argument(op, 3, "stride", 1), argument(op, 4, "padding", 0)
        dilation, groups, transposed = argument(op, 5, "dilation", 1), argument(op, 6, "groups", 1), False
    rank = len(t.shape(op.args[0]))
    if transposed or rank != 4 or isinstance(padding, str):
        raise ExportError("only plain 2-d convolutions with numeric padding can be exported")
    kernel, bias = t.convolution_weights(op)
    pads = pair(padding)
    result(
        t,
        op,
        "Conv",
        [t.name(op.args[0]), kernel, *([bias] if bias else [])],
        kernel_shape=list(t.shape(op.args[1]))[2:],
        strides=pair(stride),
        pads=[*pads, *pads],
        dilations=pair(dilation),
        group=groups,
    )


@translates("native_batch_norm", "_native_batch_norm_legit_no_training", "cudnn_batch_norm", "batch_norm")
def _batch_norm(t: Translator, op: Operation) -> None:
    gamma, beta, mean, variance, epsilon = batch_norm_arguments(op)
    gamma = torch.ones_like(mean) if gamma is None else gamma
    beta = torch.zeros_like(mean) if beta is None else beta
    inputs = [t.name(v) for v in (op.args[0], gamma, beta, mean, variance)]
    result(t, op, "BatchNormalization", inputs, epsilon=epsilon)


@translates("native_layer_norm")
def _layer_norm(t: Translator, op: Operation) -> None:
    x, normalised, weight, bias, epsilon = op.args[:5]
    weight = torch.ones(normalised) if weight is None else weight
    inputs = [t.name(x), t.name(weight), *([] if bias is None else [t.name(bias)])]
    result(t, op, "LayerNormalization", inputs, axis=-len(normalised), epsilon=float(epsilon))


@translates("addmm")
def _addmm(t: Translator, op: Operation) -> None:
    bias, a, b = op.args[:3]
    alpha, beta = float(op.kwargs.get("alpha", 1)), float(op.kwargs.get("beta", 1))
    result(t, op, "Gemm", [t.name(a), t.name(b), t.name(bias)], alpha=alpha, beta=beta)


@translates("linear")
def _linear(t: Translator, op: Operation) -> None:
    x, weight = op.args[:2]
    bias = argument(op, 2, "bias")
    if len(t.shape(x)) == 2:
        inputs = [t.name(x), t.name(weight), *([] if bias is None else [t.name(bias)])]
        return result(t, op, "Gemm", inputs, transB=1)
    product = t.writer.node("MatMul", [t.name(x), t.name(weight.t().contiguous())])
    t.bind(op.outputs[0], product if bias is None else t.writer.node("Add", [product, t.name(bias)]))
    return None


@translates("mm", "bmm", "matmul", "mv")
def _matmul(t: Translator, op: Operation) -> None:
    result(t, op, "MatMul", [t.name(op.args[0]), t.name(op.args[1])])


@translates("mean")
def _mean(t: Translator, op: Operation) -> None:
    axes, keep = axes_of(t, op, argument(op, 1, "dim")), bool(argument(op, 2, "keepdim", False))
    if len(t.shape(op.args[0])) == 4 and axes == [2, 3]:
        pooled = t.writer.node("GlobalAveragePool", [t.name(op.args[0])])
        t.bind(op.outputs[0], pooled if keep else t.writer.node("Flatten", [pooled], axis=1))
    else:
        result(t, op, "ReduceMean", [t.name(op.args[0]), integers(t, axes)], keepdims=int(keep))


@translates("avg_pool2d", "_adaptive_avg_pool2d", "max_pool2d_with_indices", "max_pool2d")
def _pool(t: Translator, op: Operation) -> None:
    height, width = t.shape(op.args[0])[-2:]
    if op.name == "_adaptive_avg_pool2d":
        rows, columns = op.args[1]
        if height % rows or width % columns:
            raise ExportError(f"adaptive pooling of {height}x{width} to {rows}x{columns} has windows of unequal size")
        window = [height // rows, width // columns]
        return result(t, op, "AveragePool", [t.name(op.args[0])], kernel_shape=window, strides=window)
    window = pair(op.args[1])
    stride = pair(argument(op, 2, "stride") or window)
    pads = pair(argument(op, 3, "padding", 0))
    common: dict[str, Any] = {"kernel_shape": window, "strides": stride, "pads": [*pads, *pads]}
    if op.name == "avg_pool2d":
        if argument(op, 6, "divisor_override") is not None:
            raise ExportError("average pooling with divisor_override cannot be exported")
        common["count_include_pad"] = int(argument(op, 5, "count_include_pad", True))
        return result(
            t, op, "AveragePool", [t.name(op.args[0])], ceil_mode=int(argument(op, 4, "ceil_mode", False)), **common
        )
    if t.used(op.outputs[1] if len(op.outputs) > 1 else None):
        raise ExportError("the indices of a max pooling cannot be exported")
    dilations = pair(argument(op, 4, "dilation", 1))
    ceil = int(argument(op, 5, "ceil_mode", False))
    return result(t, op, "MaxPool", [t.name(op.args[0])], dilations=dilations, ceil_mode=ceil, **common)


@translates("constant_pad_nd")
def _pad(t: Translator, op: Operation) -> None:
    rank, flat = len(t.shape(op.args[0])), list(op.args[1])
    begins, ends = [0] * rank, [0] * rank
    for i in range(len(flat) // 2):  # PyTorch lists pads from the last dimension on
        begins[rank - 1 - i], ends[rank - 1 - i] = flat[2 * i], flat[2 * i + 1]
    value = t.writer.constant(float(argument(op, 2, "value", 0.0)))
    result(t, op, "Pad", [t.name(op.args[0]), integers(t, [*begins, *ends]), value])
