"""The differentiable relaxation of the elastic supernet, for both roles of a pair, conditioned on a preference.

Width becomes masks over the channels [Wan2020], kernel and expansion a mixture of the shared weights [Sukthanker2023,
TangleNAS], depth a mixture of a stage's outputs. At one-hot mixtures it computes exactly what the sub-network does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from nasopt.networks import Supernet, scaled_channels
from nasopt.networks.depthwise import depthwise_conv2d
from nasopt.networks.elastic import ElasticBlock, ElasticDepthwise, Head, centre
from nasopt.networks.geometry import BlockPlan, cropped
from nasopt.records import Architecture, NetworkLayout

AXES = ("width", "depth", "kernel", "expansion")
ROLES: tuple[Head, ...] = ("little", "big")
Method: TypeAlias = Literal["gumbel", "dirichlet", "softmax"]
Mixture: TypeAlias = Mapping[str, Tensor]
"""Weights of the choices of one role: axis -> (stages, choices), rows sum to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleChoices:
    """What the space offers each stage of one role, ascending."""

    width: tuple[float, ...]
    depth: tuple[int, ...]
    kernel: tuple[int, ...]
    expansion: tuple[int, ...]

    def of(self, axis: str) -> tuple[float, ...]:
        """The choices of one axis."""
        found: tuple[float, ...] = getattr(self, axis)
        return found


class ArchitectureLogits(nn.Module):
    """Alpha: logits of every choice of both roles, affine in the preference."""

    def __init__(self, choices: Mapping[Head, RoleChoices], stages: int, objectives: int) -> None:
        super().__init__()
        self.choices = dict(choices)
        self.objectives = objectives
        self.tables = nn.ParameterDict(
            {
                f"{role}_{axis}": nn.Parameter(torch.zeros(1 + objectives, stages, len(offered.of(axis))))
                for role, offered in choices.items()
                for axis in AXES
            }
        )

    def logits(self, role: Head, axis: str, preference: Tensor) -> Tensor:
        """Logits (stages, choices) under a preference (objectives,) that sums to 1."""
        table = self.tables[f"{role}_{axis}"]
        centred = preference - 1 / self.objectives
        return table[0] + torch.einsum("m,msk->sk", centred, table[1:])

    def means(self, role: Head, preference: Tensor, method: Method) -> dict[str, Tensor]:
        """p(choice | preference) of each axis, (stages, choices)."""
        return {axis: _mean(self.logits(role, axis, preference), method) for axis in AXES}

    def mixture(self, role: Head, preference: Tensor, method: Method, temperature: float) -> dict[str, Tensor]:
        """One mixture of each axis, (stages, choices): drawn anew each time, or the mean where nothing is drawn."""
        return {axis: _mixed(self.logits(role, axis, preference), method, temperature) for axis in AXES}


def _mean(logits: Tensor, method: Method) -> Tensor:
    if method == "dirichlet":
        concentration = _concentration(logits)
        return concentration / concentration.sum(-1, keepdim=True)
    return logits.softmax(-1)


def _mixed(logits: Tensor, method: Method, temperature: float) -> Tensor:
    if logits.shape[-1] == 1:
        return torch.ones_like(logits)
    if method == "gumbel":
        return functional.gumbel_softmax(logits, tau=temperature, hard=True)
    if method == "dirichlet":
        return torch.distributions.Dirichlet(_concentration(logits)).rsample()
    return logits.softmax(-1)


def _concentration(logits: Tensor) -> Tensor:
    """Concentrations above 0 that begin at 1. [Chen2021]"""
    return functional.elu(logits) + 1.0 + 1e-3


def one_hot(choices: RoleChoices, architecture: Architecture) -> dict[str, Tensor]:
    """The mixture that is one architecture."""
    return {
        axis: torch.stack([_indicator(choices.of(axis), getattr(stage, axis)) for stage in architecture])
        for axis in AXES
    }


def _indicator(offered: Sequence[float], value: float) -> Tensor:
    return torch.tensor([float(v == value) for v in offered])


class RelaxedSupernet(nn.Module):
    """A supernet whose roles run as mixtures of their choices; the weights are the supernet's own."""

    def __init__(self, supernet: Supernet, choices: Mapping[Head, RoleChoices]) -> None:
        super().__init__()
        self.supernet = supernet
        self.choices = dict(choices)

    def forward(self, x: Tensor, mixtures: Mapping[Head, Mixture]) -> dict[Head, Tensor]:
        """Images x (n, channels, h, w) -> logits (n, classes) of each role, on one stem."""
        features = self.supernet.stem(x)
        return {role: self.run(features, role, mixture) for role, mixture in mixtures.items()}

    def run(self, features: Tensor, role: Head, mixture: Mixture) -> Tensor:
        """Stem features (n, c, h, w) -> logits (n, classes) of one role."""
        layout, offered = self.supernet.layout, self.choices[role]
        counts: tuple[int, ...] = (layout.stem_channels,)
        shares = torch.ones(1, device=features.device)
        for stage in range(len(layout.channels)):
            own = {axis: weights[stage] for axis, weights in mixture.items()}
            outputs = stage_channels(layout, offered, stage)
            features = self._stage(features, stage, offered, own, counts, shares, outputs)
            counts, shares = outputs, own["width"]
        head = self.supernet.heads[role]
        weight = head.get_parameter("weight")[:, : max(counts)] * channel_mask(counts, shares)
        return functional.linear(features.mean((2, 3)), weight, head.get_parameter("bias"))

    def _stage(
        self,
        x: Tensor,
        stage: int,
        offered: RoleChoices,
        own: Mixture,
        counts: tuple[int, ...],
        shares: Tensor,
        outputs: tuple[int, ...],
    ) -> Tensor:
        """One stage; its input has `counts` channels with probability `shares`. Masks act where channels are read."""
        mixed: Tensor | None = None
        for index in range(max(offered.depth)):
            stride = self.supernet.layout.strides[stage] if index == 0 else 1
            inputs, side, kernel = max(counts), max(x.shape[2:]), max(offered.kernel)
            block = BlockPlan(
                stage,
                index,
                inputs,
                inputs * max(offered.expansion),
                max(outputs),
                cropped(kernel, side),
                stride,
                side=side,
                chosen=kernel,
            )
            x = _relaxed_block(self.supernet.block(block), x, block, offered, own, counts, shares)
            counts, shares = outputs, own["width"]
            ends = sum(w for w, depth in zip(own["depth"], offered.depth, strict=True) if depth == index + 1)
            if isinstance(ends, Tensor):
                mixed = x * ends if mixed is None else mixed + x * ends
        assert mixed is not None  # the deepest choice ends at the last block
        return mixed


def _relaxed_block(
    elastic: ElasticBlock,
    x: Tensor,
    block: BlockPlan,
    offered: RoleChoices,
    own: Mixture,
    counts: tuple[int, ...],
    shares: Tensor,
) -> Tensor:
    """The block at its largest, its inputs and hidden channels masked and its kernel mixed.

    BatchNorm treats each channel by itself, so a mask acts where the next convolution reads: it is folded into those
    weights, and costs nothing for each image.
    """
    weight = elastic.expand.sliced(block.inputs, block.hidden) * channel_mask(counts, shares).view(1, -1, 1, 1)
    y = elastic.expand_norm(functional.conv2d(x, weight)).relu_()
    kernel = centre(mixed_kernel(elastic.depthwise, block.hidden, offered.kernel, own["kernel"]), block.kernel)
    y = elastic.depthwise_norm(depthwise_conv2d(y, kernel, block.stride)).relu_()
    joint = torch.outer(shares, own["expansion"]).flatten()
    hidden = tuple(c * e for c in counts for e in offered.expansion)
    weight = elastic.project.sliced(block.hidden, block.outputs) * channel_mask(hidden, joint).view(1, -1, 1, 1)
    y = elastic.project_norm(functional.conv2d(y, weight))
    return x + y if block.residual else y


def stage_channels(layout: NetworkLayout, offered: RoleChoices, stage: int) -> tuple[int, ...]:
    """Output channels of a stage at each width on offer."""
    return tuple(scaled_channels(layout.channels[stage], width) for width in offered.width)


def channel_mask(counts: Sequence[int], shares: Tensor) -> Tensor:
    """Mask (max(counts),): the probability that a channel is among the first `counts[i]`, i drawn from `shares`."""
    limits = torch.tensor(counts, device=shares.device).unsqueeze(1)
    inside = torch.arange(max(counts), device=shares.device).unsqueeze(0) < limits
    return shares @ inside.to(shares.dtype)


def mixed_kernel(depthwise: ElasticDepthwise, channels: int, kernels: Sequence[int], shares: Tensor) -> Tensor:
    """Depthwise weights (channels, 1, k, k) of the largest kernel on offer: the smaller ones padded, then mixed."""
    side = max(kernels)
    parts = [
        functional.pad(depthwise.sliced(channels, kernel), [(side - kernel) // 2] * 4) * share
        for kernel, share in zip(kernels, shares, strict=True)
    ]
    return torch.stack(parts).sum(0)
