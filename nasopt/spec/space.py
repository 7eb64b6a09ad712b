"""Section `space`: the networks that a study may draw."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from nasopt.records import Precision, RouterKind
from nasopt.spec.base import Range, SearchedFloat, SearchedInt, Section, Whole, distinct


def values(choice: float | list[int] | list[float] | Range[int] | Range[float]) -> list[float]:
    """All values of a finite choice, ascending for ranges.

    Raises:
        ValueError: the range is continuous.
    """
    if isinstance(choice, list):
        return list(choice)
    if not isinstance(choice, Range):
        return [choice]
    step = choice.step if choice.step is not None else (1 if isinstance(choice.low, int) else None)
    if step is None:
        raise ValueError("a continuous range has no list of values; give it a step")
    count = int((choice.high - choice.low) / step + 1e-9) + 1
    return [min(choice.low + i * step, choice.high) for i in range(count)]


class StageSpace(Section):
    """Choices of one sub-network, the same for each of its stages."""

    width: SearchedFloat = [0.25, 0.5, 0.75, 1.0]
    """Fraction of the stage's channels."""
    depth: SearchedInt = [1, 2, 3, 4]
    """Blocks in the stage."""
    kernel: SearchedInt = [3, 5, 7]
    """Side of the depthwise kernel."""
    expansion: SearchedInt = [1, 2, 4, 6]
    """Hidden channels as a multiple of the block's input channels."""

    @field_validator("width")
    @classmethod
    def _fraction(cls, choice: SearchedFloat) -> SearchedFloat:
        if bad := [v for v in values(choice) if not 0 < v <= 1]:
            raise ValueError(f"width is a fraction in (0, 1], not {bad[0]}")
        return choice

    @field_validator("kernel")
    @classmethod
    def _odd(cls, choice: SearchedInt) -> SearchedInt:
        if bad := [v for v in values(choice) if v not in (3, 5, 7)]:
            raise ValueError(f"kernel is 3, 5 or 7, not {bad[0]:g}")
        return choice

    @field_validator("depth", "expansion")
    @classmethod
    def _positive(cls, choice: SearchedInt) -> SearchedInt:
        if bad := [v for v in values(choice) if not 1 <= v <= 8]:
            raise ValueError(f"expected whole numbers from 1 to 8, not {bad[0]:g}")
        return choice


class RouterSpace(Section):
    """How the network decides that the little head's answer is good enough."""

    kind: Annotated[RouterKind | list[RouterKind], BeforeValidator(distinct)] = ["confidence", "learned", "difficulty"]
    tau: SearchedFloat = Range[float](low=0.3, high=0.99)
    """An input leaves at the little head when its router score, in [0, 1], is at least tau."""

    @field_validator("tau")
    @classmethod
    def _fraction(cls, choice: SearchedFloat) -> SearchedFloat:
        ends = [choice.low, choice.high] if isinstance(choice, Range) else values(choice)
        if bad := [v for v in ends if not 0 <= v <= 1]:
            raise ValueError(f"tau is compared with scores in [0, 1]; {bad[0]} is outside")
        return choice


class LossSpace(Section):
    """Weights of L = alpha L_big + beta L_little + gamma L_routing + lambda L_consistency."""

    model_config = Section.model_config | {"populate_by_name": True}

    alpha: SearchedFloat = 1.0
    beta: SearchedFloat = 1.0
    gamma: SearchedFloat = 0.5
    lambda_: SearchedFloat = Field(default=0.5, alias="lambda")
    temperature: SearchedFloat = 2.0
    """T of the consistency term."""
    eta: SearchedFloat = 0.1
    """Weight of the efficiency penalty inside L_routing."""

    @field_validator("*")
    @classmethod
    def _nonnegative(cls, choice: SearchedFloat) -> SearchedFloat:
        low = choice.low if isinstance(choice, Range) else min(values(choice))
        if low < 0:
            raise ValueError(f"a loss weight is 0 or more, not {low}")
        return choice

    @field_validator("temperature")
    @classmethod
    def _warm(cls, choice: SearchedFloat) -> SearchedFloat:
        low = choice.low if isinstance(choice, Range) else min(values(choice))
        if low <= 0:
            raise ValueError(f"a temperature is above 0, not {low}")
        return choice


class SpaceSpec(Section):
    """The search space; each choice is a value (fixed), a list, or a range `{low, high, step, log}`."""

    family: Literal["big-little"] = "big-little"
    resolution: SearchedInt | None = None
    """Side of the square input in pixels, 8 to 224; the data set's own if left out."""
    precision: Annotated[Precision | list[Precision] | None, BeforeValidator(distinct)] = None
    """In what networks are scored and deployed: `fp32`, `fp16`, `int8`, or a list; the devices' own if left out."""
    stem_channels: Whole = Field(default=16, ge=4, le=8192)
    stem_stride: Literal[1, 2] = 1
    channels: list[Whole] = [16, 24, 40, 64]
    """Channels of each stage at width 1; the length is the number of stages."""
    strides: list[Literal[1, 2]] = [1, 2, 2, 1]
    """Stride of each stage's first block."""
    little: StageSpace = StageSpace()
    big: StageSpace = StageSpace()
    router: RouterSpace = RouterSpace()
    loss: LossSpace = LossSpace()

    @field_validator("resolution")
    @classmethod
    def _visible(cls, choice: SearchedInt | None) -> SearchedInt | None:
        if choice is not None and (bad := [v for v in values(choice) if not 8 <= v <= 224]):
            raise ValueError(f"resolution is 8 to 224 pixels, not {bad[0]:g}")
        return choice

    @model_validator(mode="after")
    def _stages(self) -> SpaceSpec:
        if not 1 <= len(self.channels) <= 8:
            raise ValueError(f"expected 1 to 8 stages in channels, not {len(self.channels)}")
        if len(self.strides) != len(self.channels):
            raise ValueError(f"strides lists {len(self.strides)} stages and channels {len(self.channels)}")
        if bad := [c for c in self.channels if not 4 <= c <= 8192]:
            raise ValueError(f"a stage has 4 to 8192 channels, not {bad[0]}")
        return self
