"""Shapes of a sub-network: how many channels each block really has, and what of it all that follows.

The elastic forward, the static modules and the analytic counts all read the same plan, so they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from timm.layers import make_divisible

from nasopt.records import Architecture, NetworkLayout

DIVISOR = 4
"""Channels of a stage are multiples of this; 8 would merge the widths of a stage as narrow as 16 channels."""


@dataclass(frozen=True, slots=True)
class BlockPlan:
    """One inverted-residual block of a sub-network, in channels."""

    stage: int
    index: int
    """Position in its stage."""
    inputs: int
    hidden: int
    outputs: int
    kernel: int
    """Side of the depthwise kernel that runs, see `cropped`."""
    stride: int
    side: int
    """Of the square feature map that the block reads, in pixels."""
    chosen: int = field(compare=False)
    """The kernel that the architecture names; where weights come from, and nothing that runs."""

    @property
    def residual(self) -> bool:
        """Whether the input is added to the output: every block but a stage's first."""
        return self.index > 0


def scaled_channels(full: int, width: float) -> int:
    """Channels of a stage with `full` channels at this width: a multiple of 4 where possible, never above `full`."""
    if width >= 1:
        return full
    return int(min(full, make_divisible(full * width, DIVISOR)))


def check_architecture(layout: NetworkLayout, architecture: Architecture) -> None:
    """Refuse an architecture that the supernet of this layout does not hold.

    Raises:
        ValueError: wrong number of stages, or a choice that the layout does not offer.
    """
    if len(architecture) != len(layout.channels):
        raise ValueError(f"expected a choice for each of {len(layout.channels)} stages, not {len(architecture)}")
    for stage, choice in enumerate(architecture):
        offers: tuple[tuple[str, float, Sequence[float]], ...] = (
            ("width", choice.width, layout.widths),
            ("depth", choice.depth, layout.depths),
            ("kernel", choice.kernel, layout.kernels),
            ("expansion", choice.expansion, layout.expansions),
        )
        for name, value, offered in offers:
            if value not in offered:
                raise ValueError(f"stage {stage} asks for {name} {value}; this supernet offers {tuple(offered)}")


def plan(layout: NetworkLayout, architecture: Architecture, side: int) -> tuple[BlockPlan, ...]:
    """Every block that runs, from the stem outwards; `side` is that of the stem's features, in pixels."""
    blocks: list[BlockPlan] = []
    inputs = layout.stem_channels
    for stage, choice in enumerate(architecture):
        outputs = scaled_channels(layout.channels[stage], choice.width)
        for index in range(choice.depth):
            blocks.append(
                BlockPlan(
                    stage,
                    index,
                    inputs,
                    inputs * choice.expansion,
                    outputs,
                    cropped(choice.kernel, side),
                    stride=layout.strides[stage] if index == 0 else 1,
                    side=side,
                    chosen=choice.kernel,
                )
            )
            inputs, side = outputs, reduced(side, blocks[-1].stride)
    return tuple(blocks)


def cropped(kernel: int, side: int) -> int:
    """Side of the centre of an odd kernel that a square map of this side can tell from the whole.

    With `kernel // 2` zeros around the map, a tap at offset d reads pixels only where |d| <= side - 1, whatever the
    stride: the first output reads offset side - 1 in the last pixel. So a kernel wider than 2 * side - 1 computes
    exactly what its centre does, and learns nothing outside of it.
    """
    return min(kernel, 2 * side - 1)


def stem_side(layout: NetworkLayout, resolution: int) -> int:
    """Side of the stem's features for images of this resolution, in pixels."""
    return reduced(resolution, layout.stem_stride)


def reduced(side: int, stride: int) -> int:
    """Side of a feature map after a convolution with odd kernel, `kernel // 2` padding and this stride."""
    return -(-side // stride)
