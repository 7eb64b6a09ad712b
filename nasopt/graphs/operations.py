"""Arithmetic operations of one run of an ONNX operator; a multiply-accumulate is two."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

import onnx
from onnx import helper

Shapes: TypeAlias = Mapping[str, tuple[int, ...]]

_EACH = {
    **{"Softmax": 5, "LogSoftmax": 6, "Hardmax": 2, "Sigmoid": 4, "Tanh": 6, "HardSwish": 4, "Erf": 8, "Exp": 4},
    **{"Log": 4, "Gelu": 12, "Mish": 12, "Swish": 5, "Softplus": 8, "Pow": 8, "Sin": 8, "Cos": 8},
    **{"InstanceNormalization": 6, "GroupNormalization": 6, "LayerNormalization": 6, "RMSNormalization": 4},
    **{"MeanVarianceNormalization": 6, "LpNormalization": 3, "GridSample": 12, "AffineGrid": 6, "RotaryEmbedding": 4},
}
"""Operations for each element that is written, 1 where not named."""
_RESAMPLED = {"nearest": 1, "linear": 2, "cubic": 4}
"""Values that an output of Resize is mixed from, in each dimension that is resized."""


def operations_of(node: onnx.NodeProto, shapes: Shapes, read: int, written: int) -> float:
    """Operations of a node whose inputs have `read` and outputs `written` elements, all of known shape."""
    if (counter := _COUNTERS.get(node.op_type)) is not None:
        return counter(node, shapes)
    return float(_EACH.get(node.op_type, 1) * (read if "Reduce" in node.op_type else written))


def attribute(node: onnx.NodeProto, name: str, otherwise: Iterable[int]) -> tuple[int, ...]:
    """Integers of an attribute, one or several, or what stands for it where it is left out."""
    for found in node.attribute:
        if found.name == name:
            value = helper.get_attribute_value(found)
            return tuple(value) if isinstance(value, list | tuple) else (value,)
    return tuple(otherwise)


def _result(node: onnx.NodeProto, shapes: Shapes) -> int:
    return math.prod(shapes[node.output[0]])


def _convolution(weight: int) -> Callable[[onnx.NodeProto, Shapes], float]:
    return lambda node, shapes: 2.0 * _result(node, shapes) * math.prod(shapes[node.input[weight]][1:])


def _transposed(node: onnx.NodeProto, shapes: Shapes) -> float:
    return 2.0 * math.prod(shapes[node.input[0]]) * math.prod(shapes[node.input[1]][1:])


def depth_of(node: onnx.NodeProto, shapes: Shapes) -> int:
    """Products that are summed for each result of a Gemm or matrix product; vectors count as rows."""
    left = shapes[node.input[0]]
    transposed = node.op_type == "Gemm" and any(attribute(node, "transA", (0,)))
    return (left[0] if transposed else left[-1]) if left else 1


def _product(node: onnx.NodeProto, shapes: Shapes) -> float:
    return 2.0 * _result(node, shapes) * depth_of(node, shapes)


def _einsum(node: onnx.NodeProto, shapes: Shapes) -> float:
    """All labels' sizes multiplied: one pass over the whole space of indices."""
    equation = next((a.s.decode(errors="replace") for a in node.attribute if a.name == "equation"), "")
    sizes: dict[str, int] = {}
    rest = 1
    for term, name in zip(equation.partition("->")[0].replace(" ", "").split(","), node.input, strict=False):
        shape = shapes[name]
        head, dots, tail = term.partition("...")
        sizes |= zip(head, shape, strict=False)
        sizes |= zip(reversed(tail), reversed(shape), strict=False)
        if dots:
            rest = max(rest, math.prod(shape[len(head) : len(shape) - len(tail)]))
    return 2.0 * rest * math.prod(sizes.values())


def _attention(node: onnx.NodeProto, shapes: Shapes) -> float:
    """Scores and their mixture: twice queries x keys x width of each head, together as wide as the inputs."""
    query, key = shapes[node.input[0]], shapes[node.input[1]]
    return 4.0 * math.prod(query) * key[-2]


def _recurrent(gates: int) -> Callable[[onnx.NodeProto, Shapes], float]:
    def count(node: onnx.NodeProto, shapes: Shapes) -> float:
        weights = math.prod(shapes[node.input[1]]) + math.prod(shapes[node.input[2]])  # of all gates and directions
        first = shapes[node.input[0]]
        steps = math.prod(first[:2])
        hidden = shapes[node.input[2]][-1] * shapes[node.input[2]][0]
        return 2.0 * steps * weights + 8.0 * gates * steps * hidden

    return count


def _pool(node: onnx.NodeProto, shapes: Shapes) -> float:
    kernel = attribute(node, "kernel_shape", ())
    return float(math.prod(kernel) * _result(node, shapes) if kernel else math.prod(shapes[node.input[0]]))


def _resize(node: onnx.NodeProto, shapes: Shapes) -> float:
    mode = next((a.s.decode(errors="replace") for a in node.attribute if a.name == "mode"), "nearest")
    changed = sum(a != b for a, b in zip(shapes[node.input[0]], shapes[node.output[0]], strict=False))
    taps = _RESAMPLED.get(mode, 2) ** changed
    return float((2 * taps if taps > 1 else 1) * _result(node, shapes))


def _roi_align(node: onnx.NodeProto, shapes: Shapes) -> float:
    samples = attribute(node, "sampling_ratio", (0,))[0] or 2  # 0: as the box is large
    return 8.0 * samples**2 * _result(node, shapes)


def _lrn(node: onnx.NodeProto, shapes: Shapes) -> float:
    return float((2 * attribute(node, "size", (1,))[0] + 8) * _result(node, shapes))


def _fourier(node: onnx.NodeProto, shapes: Shapes) -> float:
    shape = shapes[node.output[0]]
    length = max(2, *shape[1:-1]) if len(shape) > 2 else 2
    return 5.0 * math.prod(shape) / 2 * math.log2(length)


_COUNTERS: dict[str, Callable[[onnx.NodeProto, Shapes], float]] = {
    "Conv": _convolution(1),
    "ConvInteger": _convolution(1),
    "DeformConv": _convolution(1),
    "QLinearConv": _convolution(3),
    "ConvTranspose": _transposed,
    "Gemm": _product,
    "MatMul": _product,
    "MatMulInteger": _product,
    "QLinearMatMul": _product,
    "Einsum": _einsum,
    "Attention": _attention,
    "LSTM": _recurrent(4),
    "GRU": _recurrent(3),
    "RNN": _recurrent(1),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool", "AveragePool", "MaxPool", "LpPool"), _pool),
    "Resize": _resize,
    "Upsample": _resize,
    "RoiAlign": _roi_align,
    "LRN": _lrn,
    "DFT": _fourier,
    "STFT": _fourier,
}
