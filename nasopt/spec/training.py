"""Section `training`: budgets of the supernet and of a trial's pair."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from nasopt.spec.base import Number, Section, Whole


class ShrinkSpec(Section):
    """Progressive shrinking [Cai2020]: dimensions that become elastic in phases; one switched off always is."""

    kernel: bool = True
    depth: bool = True
    """Depth, with the expansion ratio."""
    width: bool = True


class SupernetSpec(Section):
    """Training of the weight-shared supernet."""

    epochs: Whole = Field(default=60, ge=1)
    min_steps: Whole = Field(default=0, ge=0)
    """Train more epochs than asked where a small data set would leave fewer steps than these."""
    batch_size: Whole = Field(default=128, ge=2)
    learning_rate: Number = Field(default=2e-3, gt=0)
    weight_decay: Number = Field(default=1e-2, ge=0)
    warmup_epochs: Number = Field(default=1.0, ge=0)
    label_smoothing: Number = Field(default=0.0, ge=0, lt=1)
    clip_norm: Number = Field(default=1.0, gt=0)
    ema: Number = Field(default=0.99, ge=0, lt=1)
    """Decay of the averaged weights a step; 0 switches averaging off."""
    sandwich: bool = True
    """Train the largest, the smallest and two random sub-networks a step [Yu2020]; otherwise one random sub-network."""
    distill: bool = True
    """Let the largest sub-network's predictions teach the others [Yu2020]."""
    shrink: ShrinkSpec = ShrinkSpec()


class CotrainSpec(Section):
    """Training of one trial's pair, from the supernet's weights."""

    epochs: Whole = Field(default=1, ge=0)
    """0 keeps the supernet's weights; routers are fitted all the same."""
    batch_size: Whole = Field(default=128, ge=2)
    learning_rate: Number = Field(default=1e-3, gt=0)
    weight_decay: Number = Field(default=1e-2, ge=0)
    router_epochs: Whole = Field(default=5, ge=1)
    """Passes over the training features that fit a learned or difficulty router at 0 epochs."""


class RelaxationSpec(Section):
    """Training of the differentiable relaxation, from which samplers that ask for it get their architecture prior."""

    epochs: Whole = Field(default=3, ge=1)
    """Passes over the training images; each weight step is followed by a step of the architecture on validation."""
    min_steps: Whole = Field(default=300, ge=0)
    """Train more epochs than asked where a small data set would leave fewer steps than these."""
    batch_size: Whole = Field(default=96, ge=2)
    method: Literal["gumbel", "dirichlet", "softmax"] = "gumbel"
    """How choices are mixed: hard samples with straight-through gradients [Dong2019], samples of a Dirichlet
    distribution [Chen2021], or the plain softmax [Liu2019]."""
    learning_rate: Number = Field(default=0.05, gt=0)
    """Of the architecture."""
    weight_learning_rate: Number = Field(default=5e-4, ge=0)
    """Of the weights, which begin as the supernet's; 0 leaves them alone."""
    temperature: Number = Field(default=1.0, gt=0)
    """Of Gumbel's samples at the beginning."""
    final_temperature: Number = Field(default=0.5, gt=0)
    divisions: Whole = Field(default=2, ge=1, le=12)
    """Steps of the lattice of preferences between two objectives: 2 give three preferences for two objectives."""


class QuantizationSpec(Section):
    """Conversion of a trained pair to int8: ranges of activations are taken from training images."""

    images: Whole = Field(default=128, ge=1)
    """Training images, drawn with the study's seed, on which the ranges are seen."""
    method: Literal["minmax", "percentile", "entropy"] = "minmax"
    """Of the values seen: all, those within the 0.01 and 99.99 percentiles, or the range whose histogram loses least
    information."""
    activations: Literal["uint8", "int8"] = "uint8"
    """With a zero point (what x86 processors run best), or symmetric int8 (what TensorRT and many NPUs ask for)."""
    per_channel: bool = True
    """A scale for each output channel of a weight rather than for the whole."""
    reduce_range: bool = False
    """Weights in 7 bits, for x86 processors without VNNI, whose 16-bit sums saturate."""


class TrainingSpec(Section):
    """Budgets and recipe."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: Annotated[Whole, Field(ge=1)] | None = None
    """Threads of PyTorch; if left out, one for small batches (below 2^15 pixels) and all cores for others."""
    supernet: SupernetSpec = SupernetSpec()
    cotrain: CotrainSpec = CotrainSpec()
    relaxation: RelaxationSpec = RelaxationSpec()
    quantization: QuantizationSpec = QuantizationSpec()
