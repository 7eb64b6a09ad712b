"""How ATen operations become ONNX nodes: the table of translations and what they share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nasopt.export.recording import Operation

if TYPE_CHECKING:
    from nasopt.export.translation import Translator

Translation = Callable[["Translator", Operation], None]
TRANSLATIONS: dict[str, Translation] = {}
"""How each operation is written, by its ATen name."""


def translates(*names: str) -> Callable[[Translation], Translation]:
    """Register a function as the translation of these operations."""

    def register(function: Translation) -> Translation:
        TRANSLATIONS.update(dict.fromkeys(names, function))
        return function

    return register


def argument(op: Operation, index: int, name: str, default: Any = None) -> Any:
    """An argument given by position or by name."""
    return op.args[index] if len(op.args) > index else op.kwargs.get(name, default)


def result(t: Translator, op: Operation, onnx_op: str, inputs: Sequence[str], **attributes: Any) -> None:
    """Write one node and bind the operation's first result to it."""
    t.bind(op.outputs[0], t.writer.node(onnx_op, inputs, **attributes))


def output_shape(op: Operation, index: int = 0) -> tuple[int, ...]:
    """Shape of a result."""
    number = op.outputs[index]
    assert number is not None
    return op.shapes[number]


def integers(t: Translator, values: Sequence[int]) -> str:
    """Name of a constant list of integers."""
    return t.writer.constant(list(values), np.int64)


def axes_of(t: Translator, op: Operation, dims: Any) -> list[int]:
    """Dimensions to reduce, counted from the front; all of them where none is named."""
    rank = len(t.shape(op.args[0]))
    listed = list(range(rank)) if dims is None or dims == () else [dims] if isinstance(dims, int) else list(dims)
    return sorted(d % rank for d in listed)


def pair(values: Any) -> list[int]:
    """Height and width, where one number stands for both."""
    listed = [values] if isinstance(values, int) else list(values)
    return listed * 2 if len(listed) == 1 else listed


@translates("clone", "detach", "alias", "contiguous", "lift_fresh", "dropout", "native_dropout", "view_of")
def same(t: Translator, op: Operation) -> None:
    """The result is the argument under another name."""
    t.bind(op.outputs[0], t.name(op.args[0]))
