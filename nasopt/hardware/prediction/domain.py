"""What a calibration has seen, so that a prediction can say where it leaves that."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic import Field

from nasopt.graphs.operators import Kind
from nasopt.hardware.prediction.kernels import Kernel
from nasopt.spec.base import Section

_LIGHT = frozenset({"activation", "fused-activation", "add", "fused-add", "elementwise", "copy", "mean", "pool"})
"""Kinds that only move values: their channels say nothing that their sizes do not."""


class Seen(Section):
    """Shapes of one kind of kernel."""

    inputs: tuple[int, int]
    """Fewest and most input channels."""
    outputs: tuple[int, int]
    sides: tuple[int, int]
    """Of the output, in pixels."""
    sizes: list[int]
    """Sides of the window."""
    strides: list[int]
    batches: tuple[int, int] = (1, 1)
    """Fewest and most inputs of a run."""


class Domain(Section):
    """Shapes of all kernels that a calibration was fitted to."""

    kinds: dict[Kind, Seen]
    expansions: list[float] = Field(default=[])
    """Hidden channels of inverted residuals as a multiple of their inputs."""

    @classmethod
    def of(cls, networks: Iterable[Sequence[Kernel]]) -> Domain:
        """The domain of networks, each given as kernels in the order in which they run."""
        kinds: dict[Kind, list[Kernel]] = {}
        expanded: set[float] = set()
        for kernels in networks:
            expanded.update(expansions(kernels))
            for kernel in set(kernels):
                kinds.setdefault(kernel.kind, []).append(kernel)
        return cls(kinds={kind: _seen(found) for kind, found in kinds.items()}, expansions=sorted(expanded))

    def outside(self, kernels: Sequence[Kernel]) -> tuple[str, ...]:
        """What of a network lies outside, in words; nothing where all of it was seen or lies between what was seen."""
        found: dict[str, None] = {}
        for kernel in kernels:
            seen = self.kinds.get(kernel.kind)
            if seen is None:
                found[f"{kernel.kind} kernels"] = None
            elif kernel.kind not in _LIGHT:
                found |= dict.fromkeys(_beyond(kernel, seen))
        if kernels and all(kernel.kind in _LIGHT for kernel in kernels):
            found["a graph without convolutions and matrix products"] = None
        for expansion in expansions(kernels):
            if self.expansions and expansion not in self.expansions:
                found[f"expansion {expansion:g} (seen: {', '.join(f'{e:g}' for e in self.expansions)})"] = None
        return tuple(found)


def expansions(kernels: Sequence[Kernel]) -> list[float]:
    """Of each inverted residual: hidden channels by input channels; its depthwise kernel follows a 1x1 convolution."""
    found = []
    before: Kernel | None = None
    for kernel in kernels:
        if kernel.kind == "depthwise" and before is not None and before.channels[1] == kernel.channels[0]:
            found.append(round(before.channels[1] / before.channels[0], 3))
        if kernel.kind not in _LIGHT:
            before = kernel if kernel.kind in ("pointwise", "grouped") else None
    return found


def _seen(kernels: Sequence[Kernel]) -> Seen:
    def ends(values: Iterable[int]) -> tuple[int, int]:
        listed = list(values)
        return min(listed), max(listed)

    return Seen(
        inputs=ends(k.channels[0] for k in kernels),
        outputs=ends(k.channels[1] for k in kernels),
        sides=ends(k.side for k in kernels),
        sizes=sorted({k.size for k in kernels}),
        strides=sorted({k.stride for k in kernels}),
        batches=ends(k.batch for k in kernels),
    )


def _beyond(kernel: Kernel, seen: Seen) -> list[str]:
    found = []
    if kernel.size not in seen.sizes:
        found.append(f"{kernel.kind} {kernel.size}x{kernel.size} (seen: {_listed(seen.sizes)})")
    if kernel.stride not in seen.strides:
        found.append(f"{kernel.kind} of stride {kernel.stride} (seen: {_listed(seen.strides)})")
    if not seen.batches[0] <= kernel.batch <= seen.batches[1]:
        found.append(f"batch {kernel.batch} (seen: {' to '.join(map(str, sorted(set(seen.batches))))})")
    for name, value, (low, high) in (
        ("input channels", kernel.channels[0], seen.inputs),
        ("output channels", kernel.channels[1], seen.outputs),
        ("pixels a side", kernel.side, seen.sides),
    ):
        if not low <= value <= high:
            found.append(f"{kernel.kind} with {value} {name} (seen: {low} to {high})")
    return found


def _listed(values: Sequence[int]) -> str:
    return ", ".join(map(str, values))
