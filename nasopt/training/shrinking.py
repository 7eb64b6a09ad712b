"""Progressive shrinking: which choices a supernet samples from as its training goes on. [Cai2020]"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from nasopt.records import Architecture, NetworkLayout, StageChoice
from nasopt.spec.training import ShrinkSpec

T = TypeVar("T", int, float)

PHASES = {"kernel": (0.05, 0.15), "depth": (0.10, 0.25), "width": (0.15, 0.35)}
"""Share of the training in which a dimension opens, from its largest choice to all of them; expansion goes with
depth."""


def opened(choices: Sequence[T], dimension: str, progress: float) -> tuple[T, ...]:
    """The choices open at this progress in [0, 1): the largest alone, then the next smaller ones too."""
    start, end = PHASES[dimension]
    share = min(1.0, max(0.0, (progress - start) / (end - start)))
    count = 1 + int(share * (len(choices) - 1) + 1e-9) if progress >= start else 1
    return tuple(choices[-count:])


def shrink(layout: NetworkLayout, spec: ShrinkSpec, progress: float) -> NetworkLayout:
    """The layout with only those choices that training samples from at this progress in [0, 1).

    A dimension that is switched off in `spec` is elastic from the start.
    """
    return replace(
        layout,
        kernels=opened(layout.kernels, "kernel", progress) if spec.kernel else layout.kernels,
        depths=opened(layout.depths, "depth", progress) if spec.depth else layout.depths,
        expansions=opened(layout.expansions, "depth", progress) if spec.depth else layout.expansions,
        widths=opened(layout.widths, "width", progress) if spec.width else layout.widths,
    )


def draw(layout: NetworkLayout, generator: random.Random) -> Architecture:
    """A sub-network drawn uniformly, each stage for itself."""
    return tuple(
        StageChoice(
            width=generator.choice(layout.widths),
            depth=generator.choice(layout.depths),
            kernel=generator.choice(layout.kernels),
            expansion=generator.choice(layout.expansions),
        )
        for _ in layout.channels
    )
