"""Translations of reductions, softmax and order statistics."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from nasopt.errors import ExportError
from nasopt.export.recording import Operation, Ref
from nasopt.export.registry import argument, axes_of, integers, result, translates

if TYPE_CHECKING:
    from nasopt.export.translation import Translator


@translates("_softmax", "_log_softmax", "softmax", "log_softmax")
def _softmax(t: Translator, op: Operation) -> None:
    name = "LogSoftmax" if "log" in op.name else "Softmax"
    result(t, op, name, [t.name(op.args[0])], axis=int(op.args[1]))


_REDUCTIONS = {"amax": "ReduceMax", "amin": "ReduceMin", "logsumexp": "ReduceLogSumExp", "prod": "ReduceProd"}


@translates(*_REDUCTIONS)
def _reduce(t: Translator, op: Operation) -> None:
    axes, keep = axes_of(t, op, argument(op, 1, "dim")), int(argument(op, 2, "keepdim", False))
    result(t, op, _REDUCTIONS[op.name], [t.name(op.args[0]), integers(t, axes)], keepdims=keep)


@translates("sum")
def _sum(t: Translator, op: Operation) -> None:
    axes, keep = axes_of(t, op, argument(op, 1, "dim")), int(argument(op, 2, "keepdim", False))
    result(t, op, "ReduceSum", [t.name(op.args[0]), integers(t, axes)], keepdims=keep)


@translates("linalg_vector_norm", "norm")
def _norm(t: Translator, op: Operation) -> None:
    order = argument(op, 1, "ord", 2)
    if order not in (1, 2):
        raise ExportError(f"a norm of order {order} cannot be exported")
    axes, keep = axes_of(t, op, argument(op, 2, "dim")), int(argument(op, 3, "keepdim", False))
    result(t, op, f"ReduceL{int(order)}", [t.name(op.args[0]), integers(t, axes)], keepdims=keep)


@translates("var", "std", "var_mean", "std_mean")
def _variance(t: Translator, op: Operation) -> None:
    w, x, axes = t.writer, t.name(op.args[0]), axes_of(t, op, argument(op, 1, "dim"))
    keep = int(op.kwargs.get("keepdim", False))
    correction = op.kwargs.get("correction")
    count = math.prod(t.shape(op.args[0])[a] for a in axes)
    divisor = count - float(1 if correction is None else correction)
    if divisor <= 0:
        raise ExportError(f"a variance over {count} values needs a smaller correction")
    along = integers(t, axes)
    centred = w.node("Sub", [x, w.node("ReduceMean", [x, along], keepdims=1)])
    squares = w.node("ReduceMean", [w.node("Mul", [centred, centred]), along], keepdims=keep)
    result = squares if divisor == count else w.node("Mul", [squares, w.constant(count / divisor)])
    t.bind(op.outputs[0], w.node("Sqrt", [result]) if op.name.startswith("std") else result)
    if op.name.endswith("_mean"):
        t.bind(op.outputs[1], w.node("ReduceMean", [x, along], keepdims=keep))


@translates("max", "min")
def _extreme(t: Translator, op: Operation) -> None:
    name = "Max" if op.name == "max" else "Min"
    if len(op.args) > 1 and isinstance(op.args[1], Ref | torch.Tensor):
        return result(t, op, name, [t.name(op.args[0]), t.name(op.args[1])])
    axes, keep = axes_of(t, op, argument(op, 1, "dim")), int(argument(op, 2, "keepdim", False))
    t.bind(op.outputs[0], t.writer.node(f"Reduce{name}", [t.name(op.args[0]), integers(t, axes)], keepdims=keep))
    if len(op.outputs) > 1:
        t.bind(op.outputs[1], t.writer.node(f"Arg{name}", [t.name(op.args[0])], axis=axes[0], keepdims=keep))
    return None


@translates("argmax", "argmin")
def _argument_of_extreme(t: Translator, op: Operation) -> None:
    dim = argument(op, 1, "dim")
    if dim is None:
        raise ExportError("argmax over all dimensions cannot be exported; name one")
    name = "ArgMax" if op.name == "argmax" else "ArgMin"
    result(t, op, name, [t.name(op.args[0])], axis=int(dim), keepdims=int(argument(op, 2, "keepdim", False)))


@translates("topk", "sort")
def _topk(t: Translator, op: Operation) -> None:
    shape = t.shape(op.args[0])
    if op.name == "topk":
        count, axis = op.args[1], int(argument(op, 2, "dim", -1))
        largest, ordered = argument(op, 3, "largest", True), argument(op, 4, "sorted", True)
    else:
        axis = int(argument(op, 1, "dim", -1))
        count, largest, ordered = shape[axis], argument(op, 2, "descending", False), True
    inputs = [t.name(op.args[0]), integers(t, [count])]
    names = t.writer.node_outputs("TopK", inputs, 2, axis=axis, largest=int(largest), sorted=int(ordered))
    for value, name in zip(op.outputs, names, strict=True):
        t.bind(value, name)
