"""ONNX operators as torch calls.

Each takes `(node, *inputs)`, tensors or proxies of torch.fx, and gives one or several. What is not a tensor by nature
(axes, shapes, slices) has to be constant, so a graph whose shapes hang on its input is refused.
"""

from typing import Any, Callable, Dict, List, Tuple

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812


class UnsupportedError(Exception):
    """An operator, or a way of using one, without a translation."""


def _numbers(value: Any, what: str) -> List[Any]:
    """A constant tensor as a list of Python numbers."""
    if isinstance(value, torch.Tensor):
        return value.reshape(-1).tolist()
    raise UnsupportedError("{} is computed from the input; only fixed ones are translated".format(what))


def _spatial(node: Any, rank: int) -> Tuple[List[int], List[int], List[int]]:
    """Strides, dilations and pads (begins then ends) of a window over `rank` dimensions."""
    strides = node.ints("strides", [1] * rank)
    dilations = node.ints("dilations", [1] * rank)
    pads = node.ints("pads", [0] * 2 * rank)
    if node.text("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise UnsupportedError("auto_pad {}".format(node.text("auto_pad", "")))
    return strides, dilations, pads


def _padded(x: Any, pads: Any, value: Any = 0.0) -> Tuple[Any, List[int]]:
    """The input and the symmetric padding that is left for the operator itself."""
    rank = len(pads) // 2
    begins, ends = list(pads[:rank]), list(pads[rank:])
    if begins == ends:
        return x, begins
    flat = [side for pair in zip(reversed(begins), reversed(ends)) for side in pair]
    return F.pad(x, flat, value=value), [0] * rank


def _conv(node: Any, x: Any, weight: Any, bias: Any = None) -> Any:
    rank = len(node.shape(1)) - 2
    strides, dilations, pads = _spatial(node, rank)
    x, padding = _padded(x, pads)
    call = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[rank]
    return call(x, weight, bias, strides, padding, dilations, node.number("group", 1))


def _gemm(node: Any, a: Any, b: Any, c: Any = None) -> Any:
    alpha, beta = node.number("alpha", 1.0), node.number("beta", 1.0)
    a = a.t() if node.number("transA", 0) else a
    if alpha == 1 and (c is None or (beta == 1 and len(node.shape(2)) == 1)) and isinstance(b, torch.Tensor):
        weight = b if node.number("transB", 0) else b.t().contiguous()
        return F.linear(a, weight, c)
    product = torch.matmul(a, b.t() if node.number("transB", 0) else b)
    product = product * alpha if alpha != 1 else product
    return product if c is None else product + (c * beta if beta != 1 else c)


def _pool(node: Any, x: Any, call: Callable[..., Any], fill: Any) -> Any:
    kernel = node.ints("kernel_shape")
    strides, dilations, pads = _spatial(node, len(kernel))
    x, padding = _padded(x, pads, fill)
    if any(2 * p > k for p, k in zip(padding, kernel)):
        raise UnsupportedError("pads wider than half of the window")
    return call(x, kernel, strides, padding, dilations, bool(node.number("ceil_mode", 0)))


def _max_pool(node: Any, x: Any) -> Any:
    call = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}[len(node.ints("kernel_shape"))]
    if node.outputs > 1:
        raise UnsupportedError("MaxPool with indices")
    return _pool(node, x, lambda x, k, s, p, d, c: call(x, k, s, p, d, c), float("-inf"))


def _average_pool(node: Any, x: Any) -> Any:
    include = bool(node.number("count_include_pad", 0))
    rank = len(node.ints("kernel_shape"))
    pads = node.ints("pads", [0] * 2 * rank)
    if pads[:rank] != pads[rank:] and not include:
        raise UnsupportedError("AveragePool with uneven pads that do not count")
    if any(d != 1 for d in node.ints("dilations", [1] * rank)):
        raise UnsupportedError("AveragePool with dilations")
    call = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}[rank]
    return _pool(node, x, lambda x, k, s, p, d, c: call(x, k, s, p, c, include), 0.0)


def _global(call: Callable[..., Any]) -> Any:
    def pool(node: Any, x: Any) -> Any:
        return call(x, tuple(range(2, len(node.shape(0)))), True)

    return pool


def _batch_norm(node: Any, x: Any, scale: Any, bias: Any, mean: Any, variance: Any) -> Any:
    return F.batch_norm(x, mean, variance, scale, bias, False, 0.0, node.number("epsilon", 1e-5))


def _layer_norm(node: Any, x: Any, scale: Any, bias: Any = None) -> Any:
    if node.outputs > 1:
        raise UnsupportedError("LayerNormalization with its statistics")
    shape = node.shape(0)[node.number("axis", -1) :]
    return F.layer_norm(x, list(shape), scale.expand(shape), bias, node.number("epsilon", 1e-5))


def _softmax(call: Callable[..., Any]) -> Any:
    def softmax(node: Any, x: Any) -> Any:
        rank = len(node.shape(0))
        axis = node.number("axis", -1 if node.opset >= 13 else 1)
        if node.opset < 13 and axis % rank != rank - 1:
            raise UnsupportedError("a softmax over several dimensions")
        return call(x, axis)

    return softmax


def _reduce(call: Callable[..., Any]) -> Any:
    def reduce(node: Any, x: Any, axes: Any = None) -> Any:
        given = node.ints("axes", []) if axes is None else _numbers(axes, "an axis")
        if not given and node.number("noop_with_empty_axes", 0):
            return x
        rank = len(node.shape(0))
        return call(x, tuple(int(a) % rank for a in given) or tuple(range(rank)), bool(node.number("keepdims", 1)))

    return reduce


def _product(x: Any, axes: Any, keep: Any) -> Any:
    for axis in sorted(axes, reverse=True):
        x = torch.prod(x, axis, keep)
    return x


def _arg(call: Callable[..., Any]) -> Any:
    def arg(node: Any, x: Any) -> Any:
        if node.number("select_last_index", 0):
            raise UnsupportedError("the last of equal indices")
        return call(x, node.number("axis", 0), bool(node.number("keepdims", 1)))

    return arg


def _top_k(node: Any, x: Any, k: Any) -> Any:
    count, axis = int(_numbers(k, "k of TopK")[0]), node.number("axis", -1)
    found = torch.topk(x, count, axis, bool(node.number("largest", 1)), bool(node.number("sorted", 1)))
    return found[0], found[1]


def _clip(node: Any, x: Any, low: Any = None, high: Any = None) -> Any:
    bounds = [node.number("min", None), node.number("max", None)] if node.opset < 11 else [low, high]
    low, high = (None if b is None else _numbers(b, "a bound")[0] if not isinstance(b, float) else b for b in bounds)
    if (low, high) in ((0.0, None), (0.0, 6.0)):
        return F.relu(x) if high is None else F.relu6(x)
    return torch.clamp(x, low, high)


def _cast(node: Any, x: Any) -> Any:
    wanted = torch.from_numpy(np.zeros(1, node.dtype("to"))).dtype
    return x.to(wanted)


def _reshape(node: Any, x: Any, shape: Any) -> Any:
    wanted = [int(d) for d in _numbers(shape, "a shape")]
    if not node.number("allowzero", 0):
        wanted = [node.shape(0)[i] if d == 0 else d for i, d in enumerate(wanted)]
    return torch.reshape(x, wanted)


def _flatten(node: Any, x: Any) -> Any:
    shape = node.shape(0)
    axis = node.number("axis", 1)
    axis = axis + len(shape) if axis < 0 else axis
    return torch.reshape(x, (int(np.prod(shape[:axis])), int(np.prod(shape[axis:]))))


def _squeeze(node: Any, x: Any, axes: Any = None) -> Any:
    shape = node.shape(0)
    given = node.ints("axes", []) if axes is None else _numbers(axes, "an axis")
    gone = {a % len(shape) for a in given} or {i for i, d in enumerate(shape) if d == 1}
    return torch.reshape(x, [d for i, d in enumerate(shape) if i not in gone])


def _unsqueeze(node: Any, x: Any, axes: Any = None) -> Any:
    given = node.ints("axes", []) if axes is None else _numbers(axes, "an axis")
    shape = list(node.shape(0))
    rank = len(shape) + len(given)
    for axis in sorted(a % rank for a in given):
        shape.insert(axis, 1)
    return torch.reshape(x, shape)


def _transpose(node: Any, x: Any) -> Any:
    rank = len(node.shape(0))
    return x.permute(node.ints("perm", list(range(rank))[::-1]))


def _slice(node: Any, x: Any, starts: Any = None, ends: Any = None, axes: Any = None, steps: Any = None) -> Any:
    if starts is None:
        first, last, along = node.ints("starts"), node.ints("ends"), node.ints("axes", [])
        along, by = along or list(range(len(first))), [1] * len(first)
    else:
        first, last = _numbers(starts, "a slice"), _numbers(ends, "a slice")
        along = list(range(len(first))) if axes is None else _numbers(axes, "a slice")
        by = [1] * len(first) if steps is None else _numbers(steps, "a slice")
    if any(step < 1 for step in by):
        raise UnsupportedError("a slice that runs backwards")
    index = [slice(None)] * len(node.shape(0))
    for axis, start, end, step in zip(along, first, last, by):
        index[int(axis) % len(index)] = slice(int(start), int(end), int(step))
    return x[tuple(index)]


def _split(node: Any, x: Any, sizes: Any = None) -> Any:
    axis = node.number("axis", 0)
    given = node.ints("split", []) if sizes is None else [int(s) for s in _numbers(sizes, "a split")]
    if not given:
        whole, parts = node.shape(0)[axis], node.outputs
        each = -(-whole // parts)
        given = [min(each, whole - i * each) for i in range(parts)]
    parts = torch.split(x, given, axis)
    return tuple(parts[i] for i in range(len(given)))


def _gather(node: Any, x: Any, indices: Any) -> Any:
    axis = node.number("axis", 0)
    if not isinstance(indices, torch.Tensor) or indices.dim() > 1:
        raise UnsupportedError("Gather with indices that are computed, or of more than one dimension")
    size = node.shape(0)[axis]
    places = torch.where(indices < 0, indices + size, indices)
    return x.select(axis, int(places)) if indices.dim() == 0 else torch.index_select(x, axis, places)


def _pad(node: Any, x: Any, pads: Any = None, value: Any = None, axes: Any = None) -> Any:
    sides = node.ints("pads", []) if pads is None else [int(p) for p in _numbers(pads, "a pad")]
    mode = node.text("mode", "constant")
    if axes is not None or mode not in ("constant", "reflect", "edge"):
        raise UnsupportedError("Pad with axes, or with mode {}".format(mode))
    rank = len(sides) // 2
    flat = [side for i in reversed(range(rank)) for side in (sides[i], sides[rank + i])]
    if mode == "constant":
        fill = node.number("value", 0.0) if value is None else _numbers(value, "the value of a pad")[0]
        return F.pad(x, flat, "constant", fill)
    while flat and flat[-2:] == [0, 0]:  # torch takes the last dimensions only
        flat = flat[:-2]
    return F.pad(x, flat, {"reflect": "reflect", "edge": "replicate"}[mode])


def _variadic(call: Callable[..., Any]) -> Any:
    def fold(node: Any, first: Any, *others: Any) -> Any:
        for other in others:
            first = call(first, other)
        return first

    return fold


def _plain(call: Callable[..., Any]) -> Any:
    return lambda node, *inputs: call(*inputs)


def _divide(node: Any, a: Any, b: Any) -> Any:
    whole = not node.floating(0)
    return torch.div(a, b, rounding_mode="trunc") if whole else torch.div(a, b)


def _hard_sigmoid(node: Any, x: Any) -> Any:
    return torch.clamp(x * node.number("alpha", 0.2) + node.number("beta", 0.5), 0.0, 1.0)


def _identity(node: Any, x: Any, *unused: Any) -> Any:
    if node.outputs > 1:
        raise UnsupportedError("Dropout with its mask")
    return x


def _constant(node: Any) -> Any:
    return torch.from_numpy(np.array(node.tensor("value")))


def _shape(node: Any, x: Any) -> Any:
    return torch.tensor(list(node.shape(0)), dtype=torch.int64)


OPERATORS: Dict[str, Callable[..., Any]] = {
    "Conv": _conv,
    "Gemm": _gemm,
    "MatMul": _plain(torch.matmul),
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "GlobalAveragePool": _global(torch.mean),
    "GlobalMaxPool": _global(torch.amax),
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "Softmax": _softmax(F.softmax),
    "LogSoftmax": _softmax(F.log_softmax),
    "ReduceMean": _reduce(torch.mean),
    "ReduceSum": _reduce(torch.sum),
    "ReduceMax": _reduce(torch.amax),
    "ReduceMin": _reduce(torch.amin),
    "ReduceProd": _reduce(_product),
    "ReduceLogSumExp": _reduce(torch.logsumexp),
    "ReduceL1": _reduce(lambda x, axes, keep: torch.linalg.vector_norm(x, 1, axes, keep)),
    "ReduceL2": _reduce(lambda x, axes, keep: torch.linalg.vector_norm(x, 2, axes, keep)),
    "ArgMax": _arg(torch.argmax),
    "ArgMin": _arg(torch.argmin),
    "TopK": _top_k,
    "Relu": _plain(F.relu),
    "LeakyRelu": lambda node, x: F.leaky_relu(x, node.number("alpha", 0.01)),
    "PRelu": lambda node, x, slope: torch.where(x < 0, x * slope, x),
    "Elu": lambda node, x: F.elu(x, node.number("alpha", 1.0)),
    "Clip": _clip,
    "Sigmoid": _plain(torch.sigmoid),
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _plain(F.hardswish),
    "Tanh": _plain(torch.tanh),
    "Softplus": _plain(F.softplus),
    "Gelu": lambda node, x: F.gelu(x, approximate=node.text("approximate", "none")),
    "Add": _plain(torch.add),
    "Sub": _plain(torch.sub),
    "Mul": _plain(torch.mul),
    "Div": _divide,
    "Pow": _plain(torch.pow),
    "Sum": _variadic(torch.add),
    "Min": _variadic(torch.minimum),
    "Max": _variadic(torch.maximum),
    "Where": _plain(torch.where),
    "Abs": _plain(torch.abs),
    "Neg": _plain(torch.neg),
    "Sign": _plain(torch.sign),
    "Sqrt": _plain(torch.sqrt),
    "Reciprocal": _plain(torch.reciprocal),
    "Erf": _plain(torch.erf),
    "Exp": _plain(torch.exp),
    "Log": _plain(torch.log),
    "Ceil": _plain(torch.ceil),
    "Floor": _plain(torch.floor),
    "Less": _plain(torch.lt),
    "LessOrEqual": _plain(torch.le),
    "Greater": _plain(torch.gt),
    "GreaterOrEqual": _plain(torch.ge),
    "Equal": _plain(torch.eq),
    "Not": _plain(torch.logical_not),
    "And": _plain(torch.logical_and),
    "Or": _plain(torch.logical_or),
    "Cast": _cast,
    "Concat": lambda node, *parts: torch.cat(parts, node.number("axis", 0)),
    "Expand": lambda node, x, shape: x.expand(
        torch.broadcast_shapes(node.shape(0), [int(d) for d in _numbers(shape, "a shape")])
    ),
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Transpose": _transpose,
    "Slice": _slice,
    "Split": _split,
    "Gather": _gather,
    "Pad": _pad,
    "Identity": _identity,
    "Dropout": _identity,
    "Constant": _constant,
    "Shape": _shape,
}
