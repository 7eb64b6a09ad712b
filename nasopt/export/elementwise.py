"""Translations of what works element by element."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import torch

from nasopt.errors import ExportError
from nasopt.export.recording import Operation
from nasopt.export.registry import argument, result, same, translates

if TYPE_CHECKING:
    from nasopt.export.translation import Translator


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


@translates(*_UNARY)
def _unary(t: Translator, op: Operation) -> None:
    result(t, op, _UNARY[op.name], [t.name(op.args[0])])


@translates(*_BINARY)
def _binary(t: Translator, op: Operation) -> None:
    if op.kwargs.get("rounding_mode") is not None:
        raise ExportError("division with a rounding mode cannot be exported")
    left, right = t.name(op.args[0]), t.name(op.args[1])
    alpha = argument(op, 2, "alpha", 1)
    if op.name == "pow" and op.args[1] == 2:
        return result(t, op, "Mul", [left, left])
    if alpha != 1:
        right = t.writer.node("Mul", [right, t.writer.constant(float(alpha))])
    return result(t, op, _BINARY[op.name], [left, right])


@translates("rsub")
def _rsub(t: Translator, op: Operation) -> None:
    if argument(op, 2, "alpha", 1) != 1:
        raise ExportError("rsub with alpha cannot be exported")
    result(t, op, "Sub", [t.name(op.args[1]), t.name(op.args[0])])


@translates("hardtanh", "clamp", "clamp_min", "clamp_max", "relu6")
def _clip(t: Translator, op: Operation) -> None:
    low: Any
    high: Any
    if op.name == "clamp_max":
        low, high = None, argument(op, 1, "max")
    elif op.name == "relu6":
        low, high = 0.0, 6.0
    else:
        defaults = (-1.0, 1.0) if op.name == "hardtanh" else (None, None)
        low = argument(op, 1, "min_val" if op.name == "hardtanh" else "min", defaults[0])
        high = None if op.name == "clamp_min" else argument(op, 2, "max", defaults[1])
    bounds = ["" if b is None else t.writer.constant(float(b)) for b in (low, high)]
    result(t, op, "Clip", [t.name(op.args[0]), *(bounds if bounds[1] else bounds[:1])])


@translates("hardsigmoid")
def _hardsigmoid(t: Translator, op: Operation) -> None:
    result(t, op, "HardSigmoid", [t.name(op.args[0])], alpha=1 / 6, beta=0.5)


@translates("silu")
def _silu(t: Translator, op: Operation) -> None:
    x = t.name(op.args[0])
    result(t, op, "Mul", [x, t.writer.node("Sigmoid", [x])])


@translates("mish", "softplus")
def _softplus(t: Translator, op: Operation) -> None:
    x = t.name(op.args[0])
    if op.name == "softplus":
        if argument(op, 1, "beta", 1) != 1:
            raise ExportError("softplus with beta cannot be exported")
        return result(t, op, "Softplus", [x])
    return result(t, op, "Mul", [x, t.writer.node("Tanh", [t.writer.node("Softplus", [x])])])


@translates("gelu")
def _gelu(t: Translator, op: Operation) -> None:
    w, x = t.writer, t.name(op.args[0])
    if op.kwargs.get("approximate", "none") == "tanh":
        cube = w.node("Mul", [w.node("Mul", [x, x]), w.node("Mul", [x, w.constant(0.044715)])])
        inner = w.node("Mul", [w.node("Add", [x, cube]), w.constant(math.sqrt(2 / math.pi))])
        gate = w.node("Tanh", [inner])
    else:
        gate = w.node("Erf", [w.node("Mul", [x, w.constant(1 / math.sqrt(2))])])
    half = w.node("Mul", [x, w.constant(0.5)])
    result(t, op, "Mul", [half, w.node("Add", [gate, w.constant(1.0)])])


@translates("leaky_relu", "elu")
def _sloped(t: Translator, op: Operation) -> None:
    default = 0.01 if op.name == "leaky_relu" else 1.0
    alpha = float(argument(op, 1, "negative_slope" if op.name == "leaky_relu" else "alpha", default))
    result(t, op, "LeakyRelu" if op.name == "leaky_relu" else "Elu", [t.name(op.args[0])], alpha=alpha)


@translates("log1p")
def _log1p(t: Translator, op: Operation) -> None:
    result(t, op, "Log", [t.writer.node("Add", [t.name(op.args[0]), t.writer.constant(1.0)])])


@translates("rsqrt")
def _rsqrt(t: Translator, op: Operation) -> None:
    result(t, op, "Reciprocal", [t.writer.node("Sqrt", [t.name(op.args[0])])])


@translates("special_entr")
def _entropy_terms(t: Translator, op: Operation) -> None:
    """-x log x with 0 at 0, for probabilities."""
    w, x = t.writer, t.name(op.args[0])
    safe = w.node("Max", [x, w.constant(np.finfo(np.float32).tiny)])
    result(t, op, "Neg", [w.node("Mul", [x, w.node("Log", [safe])])])


@translates("where")
def _where(t: Translator, op: Operation) -> None:
    result(t, op, "Where", [t.name(a) for a in op.args[:3]])


@translates("_to_copy")
def _convert(t: Translator, op: Operation) -> None:
    kind = op.kwargs.get("dtype")
    if kind is None:
        return same(t, op)
    types = {
        torch.float32: onnx.TensorProto.FLOAT,
        torch.int64: onnx.TensorProto.INT64,
        torch.bool: onnx.TensorProto.BOOL,
    }
    if kind not in types:
        raise ExportError(f"a conversion to {kind} cannot be exported; keep the network in float32")
    return result(t, op, "Cast", [t.name(op.args[0])], to=types[kind])
