"""What a family of networks draws: architectures, routers, loss weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

RouterKind: TypeAlias = Literal["confidence", "learned", "difficulty"]


Precision: TypeAlias = Literal["fp32", "fp16", "int8"]
"""In what numbers a network computes. Between devices that differ, a graph's own precision counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageChoice:
    """What one searchable stage of a sub-network looks like."""

    width: float
    """Fraction of the stage's full channels, in (0, 1]."""
    depth: int
    """Number of blocks that run."""
    kernel: int
    """Side of the depthwise kernel, odd."""
    expansion: int
    """Hidden channels of a block as a multiple of its input channels."""


Architecture: TypeAlias = tuple[StageChoice, ...]
"""One sub-network: a choice for each stage, from the stem outwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkLayout:
    """What all networks of a space have in common: the supernet's frame and the choices it must offer."""

    in_channels: int
    classes: int
    stem_channels: int
    stem_stride: int
    channels: tuple[int, ...]
    """Channels of each stage at width 1."""
    strides: tuple[int, ...]
    widths: tuple[float, ...]
    depths: tuple[int, ...]
    kernels: tuple[int, ...]
    expansions: tuple[int, ...]
    resolutions: tuple[int, ...]
    """Every choice, ascending, the little and the big network's together."""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> NetworkLayout:
        """Restore a record written as JSON from `dataclasses.asdict`."""
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
        return cls(**values)

    def smallest(self) -> Architecture:
        """The sub-network with the least of everything."""
        choice = StageChoice(
            width=self.widths[0], depth=self.depths[0], kernel=self.kernels[0], expansion=self.expansions[0]
        )
        return (choice,) * len(self.channels)

    def largest(self) -> Architecture:
        """The sub-network with the most of everything."""
        choice = StageChoice(
            width=self.widths[-1], depth=self.depths[-1], kernel=self.kernels[-1], expansion=self.expansions[-1]
        )
        return (choice,) * len(self.channels)


@dataclass(frozen=True, slots=True, kw_only=True)
class LossWeights:
    """L = alpha L_big + beta L_little + gamma L_routing + lambda_ L_consistency, see `training.losses`."""

    alpha: float
    beta: float
    gamma: float
    lambda_: float
    temperature: float
    """T of the consistency term."""
    eta: float
    """Weight of the efficiency penalty inside L_routing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One point of the search space `big-little`, decoded."""

    little: Architecture
    big: Architecture
    router: RouterKind
    tau: float
    """An input leaves at the little head when its router score is at least tau."""
    loss: LossWeights
    resolution: int
    """Side of the square input in pixels."""
    precision: Precision = "fp32"
    """Of the graphs that are scored and deployed; training is always in fp32."""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Candidate:
        """Restore a record written as JSON from `dataclasses.asdict`."""
        return cls(
            little=tuple(StageChoice(**stage) for stage in data["little"]),
            big=tuple(StageChoice(**stage) for stage in data["big"]),
            router=data["router"],
            tau=data["tau"],
            loss=LossWeights(**data["loss"]),
            resolution=data["resolution"],
            precision=data.get("precision", "fp32"),
        )
