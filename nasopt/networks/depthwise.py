"""Depthwise convolution whose weight gradient is fast on x86 processors.

oneDNN has a fast weight gradient (`jit_dw`) only for kernels of up to three columns on maps of a certain height. For
all others it falls back to kernels made for dense convolutions (`gemm:jit`, `jit:avx2`), of which `ONEDNN_VERBOSE=1`
tells, and these take ten to fifty times as long: 78% of a training step. But columns of a kernel's gradient do not
depend on each other, so a wide kernel's gradient is put together from strips of three columns, each taken against the
map moved to them. `benchmarks/depthwise.py` measures what that brings.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

COLUMNS = 3
"""Of a kernel, at most, in oneDNN's fast weight gradient."""
LARGEST_STRIDED = 8
"""Side in pixels of the largest map of which strips are taken where the stride is above 1: each strip is a copy of
the map, whose price beyond this side is that of the few outputs."""


def depthwise_conv2d(x: Tensor, weight: Tensor, stride: int) -> Tensor:
    """`conv2d` of x (n, c, h, w) with one odd kernel a channel, weight (c, 1, k, k), and k // 2 zeros around."""
    if torch.is_grad_enabled() and weight.requires_grad and _slow(x, weight.shape[-1], stride):
        result: Tensor = _Strips.apply(x, weight, stride)  # type: ignore[no-untyped-call]
        return result
    return functional.conv2d(x, weight, None, stride, weight.shape[-1] // 2, groups=x.shape[1])


def _slow(x: Tensor, kernel: int, stride: int) -> bool:
    """Whether oneDNN's own weight gradient is slower than that of strips. Figures: benchmarks/depthwise.py."""
    if x.device.type != "cpu" or kernel == 1:
        return False
    side = min(x.shape[2:])
    if kernel <= COLUMNS:
        return side < kernel or (side == kernel and stride > 1)
    return stride == 1 or side <= LARGEST_STRIDED


class _Strips(torch.autograd.Function):
    """A depthwise convolution that takes its weight gradient in strips of columns."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride = stride
        return functional.conv2d(x, weight, None, stride, weight.shape[-1] // 2, groups=x.shape[1])

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, weight = ctx.saved_tensors
        wants_x, wants_weight, _ = ctx.needs_input_grad
        padding = weight.shape[-1] // 2
        return (
            _backward(upstream, x, weight, ctx.stride, (padding, padding), 0) if wants_x else None,
            weight_gradient(x, upstream, weight.shape[-1], ctx.stride) if wants_weight else None,
            None,
        )


def weight_gradient(x: Tensor, upstream: Tensor, kernel: int, stride: int) -> Tensor:
    """Gradient (c, 1, k, k) of a depthwise kernel, in strips of up to three columns.

    Args:
        x: what was convolved, (n, c, h, w), with k // 2 zeros around it.
        upstream: gradient of the result, (n, c, ceil(h / stride), ceil(w / stride)).
        kernel: k, odd.
        stride: of the convolution.
    """
    channels, height, width = x.shape[1:]
    rows, columns = upstream.shape[2:]
    padding = kernel // 2
    tall = height >= kernel + padding  # what the fast gradient asks for, where it is to see zeros above the map
    below = (rows - 1) * stride + kernel - height - padding
    strips = []
    for first in range(0, kernel, COLUMNS):
        wide = min(COLUMNS, kernel - first)
        strip = upstream.new_zeros(channels, 1, kernel, wide)
        # Moved to the strip's first column, and cut where its last one ends: negative padding cuts.
        start = first - padding
        end = start + (columns - 1) * stride + wide
        if start < width and end > 0:  # else the strip never meets a pixel
            beside = (-start, end - width)
            moved = functional.pad(x, beside if tall else (*beside, padding, below))
            strip = _backward(upstream, moved, strip, stride, (padding if tall else 0, 0), 1)
        strips.append(strip)
    return strips[0] if len(strips) == 1 else torch.cat(strips, 3)


def _backward(
    upstream: Tensor, x: Tensor, weight: Tensor, stride: int, padding: tuple[int, int], wanted: int
) -> Tensor:
    """Gradient of the input (`wanted` 0) or the weights (1); the values of what is wanted are not read."""
    mask = [wanted == 0, wanted == 1, False]
    gradients = torch.ops.aten.convolution_backward(
        upstream, x, weight, None, [stride, stride], list(padding), [1, 1], False, [0, 0], x.shape[1], mask
    )
    found: Tensor = gradients[wanted]
    return found


class Depthwise(nn.Conv2d):
    """A static depthwise convolution with one odd kernel a channel and no bias."""

    def __init__(self, channels: int, kernel: int, stride: int) -> None:
        super().__init__(channels, channels, kernel, stride, kernel // 2, groups=channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """x (n, c, h, w) -> (n, c, ceil(h / stride), ceil(w / stride))."""
        return depthwise_conv2d(x, self.weight, self.stride[0])
