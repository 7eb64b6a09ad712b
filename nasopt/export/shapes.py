"""Translations of what only changes shape or picks elements."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nasopt.export.recording import Operation
from nasopt.export.registry import argument, integers, output_shape, result, translates

if TYPE_CHECKING:
    from nasopt.export.translation import Translator


@translates("view", "_unsafe_view", "reshape", "_reshape_alias", "unsqueeze", "squeeze", "flatten")
def _reshape(t: Translator, op: Operation) -> None:
    result(t, op, "Reshape", [t.name(op.args[0]), integers(t, output_shape(op))])


@translates("permute", "transpose", "t")
def _transpose(t: Translator, op: Operation) -> None:
    rank = len(t.shape(op.args[0]))
    order = list(range(rank))
    if op.name == "permute":
        order = [d % rank for d in op.args[1]]
    elif rank > 1:
        first, second = (0, 1) if op.name == "t" else (op.args[1] % rank, op.args[2] % rank)
        order[first], order[second] = second, first
    result(t, op, "Transpose", [t.name(op.args[0])], perm=order)


@translates("expand")
def _expand(t: Translator, op: Operation) -> None:
    result(t, op, "Expand", [t.name(op.args[0]), integers(t, output_shape(op))])


@translates("cat", "stack")
def _concatenate(t: Translator, op: Operation) -> None:
    axis, names = int(argument(op, 1, "dim", 0)), [t.name(a) for a in op.args[0]]
    if op.name == "stack":
        axis %= len(output_shape(op))
        names = [t.writer.node("Unsqueeze", [n, integers(t, [axis])]) for n in names]
    result(t, op, "Concat", names, axis=axis)


@translates("select")
def _select(t: Translator, op: Operation) -> None:
    index = t.writer.constant(int(op.args[2]), np.int64)
    result(t, op, "Gather", [t.name(op.args[0]), index], axis=int(op.args[1]))


@translates("slice")
def _slice(t: Translator, op: Operation) -> None:
    axis, start = int(argument(op, 1, "dim", 0)), argument(op, 2, "start") or 0
    end = argument(op, 3, "end")
    bounds = [[start], [2**62 if end is None else min(int(end), 2**62)], [axis], [argument(op, 4, "step", 1)]]
    result(t, op, "Slice", [t.name(op.args[0]), *(integers(t, b) for b in bounds)])


@translates("split", "split_with_sizes", "unbind")
def _split(t: Translator, op: Operation) -> None:
    axis = int(argument(op, 1, "dim", 0) if op.name == "unbind" else argument(op, 2, "dim", 0))
    shapes = [output_shape(op, i) for i in range(len(op.outputs))]
    sizes = [1 if op.name == "unbind" else s[axis] for s in shapes]
    names = t.writer.node_outputs("Split", [t.name(op.args[0]), integers(t, sizes)], len(sizes), axis=axis)
    for value, name, shape in zip(op.outputs, names, shapes, strict=True):
        t.bind(value, t.writer.node("Reshape", [name, integers(t, shape)]) if op.name == "unbind" else name)
