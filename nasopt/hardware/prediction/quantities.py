"""What a kernel may be charged for: amounts of work and of values, as the device's vectors round them.

Runtimes pack channels into vectors of `lanes` values and compute with the empty rest as well (ONNX Runtime's blocked
NCHWc layout: 16 with AVX-512, 8 with AVX2). A convolution of fewer input channels than lanes takes another way, and
outputs are computed several vectors at a time, so that their number is rounded up once more.
"""

from __future__ import annotations

from nasopt.hardware.prediction.kernels import Kernel

PRODUCTS = frozenset({"convolution", "pointwise", "grouped", "dense"})
"""Kinds that runtimes compute as matrix products, as they do pointwise convolutions."""
_ALONE = frozenset({"depthwise", "recurrent", "transposed"})
"""Kinds that share no rates: what other kernels take says nothing of them."""
LANES = (1, 4, 8, 16)
"""Widths that are tried: 1 stands for a runtime that rounds nothing."""
_AT_ONCE = 4
"""Vectors of outputs that are computed together."""
_PACKED = frozenset({"convolution", "pointwise", "depthwise", "grouped"})


def quantities(kernel: Kernel, lanes: int = 1) -> dict[str, float]:
    """What a kernel may cost: a start, millions of operations, and 10^4 values read, written and held as weights.

    The amounts count for the rates that a kernel shares with other kinds and for those of its own kind.
    """
    found = {"starts": 1.0}
    if kernel.kind in PRODUCTS | _ALONE:
        inputs, outputs = (p / c for p, c in zip(packed(kernel, lanes), kernel.channels, strict=True))
        rounded = outputs if kernel.kind == "depthwise" else inputs * outputs
        found |= {
            "mops": kernel.operations / 1e6 * rounded,
            "read": kernel.read / 1e4 * inputs,
            "written": kernel.written / 1e4 * outputs,
            "weights": kernel.weights / 1e4,
        }
        if lanes > 1:
            found |= {"exact_mops": kernel.operations / 1e6}
        if lanes > 1 and kernel.kind in _PACKED - {"depthwise"}:
            together = _AT_ONCE * lanes
            rounds = -(-kernel.channels[1] // together)
            found |= {"rounded_mops": kernel.operations / 1e6 * inputs * rounds * together / kernel.channels[1]}
            found |= {"read_again": kernel.read / 1e4 * inputs * rounds}
    else:
        found |= {"moved": (kernel.read + kernel.written) / 1e4}
    return {f"{family}.{name}": amount for family in families(kernel, lanes) for name, amount in found.items()}


def families(kernel: Kernel, lanes: int = 1) -> tuple[str, ...]:
    """Whose rates a kernel is charged: the ones that it shares, and what its kind costs beyond them."""
    if kernel.kind in _ALONE:
        return (kernel.kind,)
    shared = "pointwise" if kernel.kind in PRODUCTS else "movement"
    own = () if kernel.kind == shared else (kernel.kind,)
    return (shared, *own, *(("narrow",) if narrow(kernel, lanes) else ()))


def narrow(kernel: Kernel, lanes: int) -> bool:
    """Whether a convolution has too few input channels for the packed layout."""
    return kernel.kind in _PACKED - {"depthwise"} and kernel.channels[0] < lanes


def packed(kernel: Kernel, lanes: int) -> tuple[int, int]:
    """Input and output channels as the device computes them."""
    inputs, outputs = kernel.channels
    if lanes == 1 or kernel.kind not in _PACKED:
        return inputs, outputs
    return inputs if narrow(kernel, lanes) else _up(inputs, lanes), _up(outputs, lanes)


def _up(channels: int, lanes: int) -> int:
    return -(-channels // lanes) * lanes
