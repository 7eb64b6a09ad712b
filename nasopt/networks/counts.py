"""Multiply-accumulates and parameters, counted exactly from the shapes."""

from __future__ import annotations

from dataclasses import dataclass

from nasopt.networks.geometry import BlockPlan, plan, reduced, stem_side
from nasopt.networks.routers import DIFFICULTY_HIDDEN, LEARNED_HIDDEN, STATISTICS
from nasopt.records import Candidate, NetworkLayout


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Costs of one image that need no measurement; multiply-accumulates of convolutions and linear layers."""

    macs_easy: int
    """Stem, little network and router."""
    macs_hard: int
    """The same and the big network."""
    macs_little: int
    """The little network alone, from the stem's features on."""
    macs_big: int
    """The big network alone, from the stem's features on."""
    params: int
    """Trainable parameters of stem, both networks and the router, as they are extracted: kernels cropped."""


def count(layout: NetworkLayout, candidate: Candidate) -> Counts:
    """Counts of a candidate's routed network at its resolution, without building it."""
    side = stem_side(layout, candidate.resolution)
    stem_weights = 9 * layout.in_channels * layout.stem_channels
    little_blocks = plan(layout, candidate.little, side)
    little_macs, little_params = _path(little_blocks, layout.classes)
    big_macs, big_params = _path(plan(layout, candidate.big, side), layout.classes)
    router_macs, router_params = _router(candidate, little_blocks[-1].outputs)
    easy = stem_weights * side**2 + little_macs + router_macs
    return Counts(
        macs_easy=easy,
        macs_hard=easy + big_macs,
        macs_little=little_macs,
        macs_big=big_macs,
        params=stem_weights + 2 * layout.stem_channels + little_params + big_params + router_params,
    )


def _path(blocks: tuple[BlockPlan, ...], classes: int) -> tuple[int, int]:
    macs = params = 0
    for block in blocks:
        block_macs, block_params = count_block(block)
        macs += block_macs
        params += block_params
    features = blocks[-1].outputs
    return macs + features * classes, params + (features + 1) * classes


def count_block(block: BlockPlan) -> tuple[int, int]:
    """Multiply-accumulates and parameters of one inverted residual."""
    after = reduced(block.side, block.stride)
    expand = block.inputs * block.hidden
    depthwise = block.hidden * block.kernel**2
    project = block.hidden * block.outputs
    macs = expand * block.side**2 + (depthwise + project) * after**2
    return macs, expand + depthwise + project + 4 * block.hidden + 2 * block.outputs


def _router(candidate: Candidate, features: int) -> tuple[int, int]:
    if candidate.router == "confidence":
        return 0, 0
    inputs, hidden = (features, LEARNED_HIDDEN) if candidate.router == "learned" else (STATISTICS, DIFFICULTY_HIDDEN)
    macs = inputs * hidden + hidden
    return macs, macs + hidden + 1
