"""The weight-shared supernet: every sub-network is a set of views into one set of weights. [Cai2020] [Yu2020]"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from nasopt.networks.depthwise import depthwise_conv2d
from nasopt.networks.geometry import BlockPlan, check_architecture, plan
from nasopt.records import Architecture, NetworkLayout

Head = Literal["little", "big"]


class ElasticPointwise(nn.Module):
    """A 1x1 convolution that runs with its first channels only."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs, 1, 1))
        nn.init.kaiming_normal_(self.weight, mode="fan_out")

    def sliced(self, inputs: int, outputs: int) -> Tensor:
        """Weights (outputs, inputs, 1, 1) of the sub-network; the parameter itself where nothing is cut off."""
        weight: Tensor = self.weight
        if outputs != weight.shape[0]:
            weight = weight[:outputs]
        return weight if inputs == weight.shape[1] else weight[:, :inputs]


def centre(weight: Tensor, side: int) -> Tensor:
    """The middle (..., side, side) of kernels (..., k, k), k - side even; a view, or the kernels themselves."""
    edge = (weight.shape[-1] - side) // 2
    return weight if edge == 0 else weight[..., edge : edge + side, edge : edge + side]


class ElasticDepthwise(nn.Module):
    """A depthwise convolution with elastic channels and kernel.

    A smaller kernel is the centre of the next larger one, passed through a learned matrix that all channels share
    [Cai2020]; the matrices begin as identities.
    """

    def __init__(self, channels: int, kernels: tuple[int, ...]) -> None:
        super().__init__()
        self.kernels = tuple(sorted(kernels, reverse=True))
        side = self.kernels[0]
        self.weight = nn.Parameter(torch.empty(channels, 1, side, side))
        nn.init.normal_(self.weight, std=(2.0 / side**2) ** 0.5)
        self.transforms = nn.ParameterDict({str(k): nn.Parameter(torch.eye(k * k)) for k in self.kernels[1:]})

    def sliced(self, channels: int, kernel: int, crop: int | None = None) -> Tensor:
        """Weights (channels, 1, kernel, kernel) of the sub-network, or of their centre the `crop` x `crop` taps."""
        weight: Tensor = self.weight if channels == self.weight.shape[0] else self.weight[:channels]
        side = self.kernels[0]
        for smaller in self.kernels[1:]:
            if side == kernel:
                break
            inner = centre(weight, smaller).reshape(channels, smaller**2)
            weight = (inner @ self.transforms[str(smaller)]).view(channels, 1, smaller, smaller)
            side = smaller
        return weight if crop is None else centre(weight, crop)


class ElasticNorm(nn.BatchNorm2d):
    """BatchNorm over the first channels; they share scale, shift and running statistics with the wider networks."""

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        channels = x.shape[1]
        mean, variance = self.get_buffer("running_mean"), self.get_buffer("running_var")
        weight: Tensor = self.weight
        bias: Tensor = self.bias
        if channels != self.num_features:
            mean, variance, weight, bias = mean[:channels], variance[:channels], weight[:channels], bias[:channels]
        return functional.batch_norm(x, mean, variance, weight, bias, self.training, self.momentum or 0.0, self.eps)


class ElasticBlock(nn.Module):
    """An inverted residual (MBConv): expand 1x1, depthwise k x k, project 1x1."""

    def __init__(self, inputs: int, outputs: int, expansion: int, kernels: tuple[int, ...], *, residual: bool) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.expand = ElasticPointwise(inputs, hidden)
        self.expand_norm = ElasticNorm(hidden)
        self.depthwise = ElasticDepthwise(hidden, kernels)
        self.depthwise_norm = ElasticNorm(hidden)
        self.project = ElasticPointwise(hidden, outputs)
        self.project_norm = ElasticNorm(outputs)
        if residual:  # the branch starts as nothing, so that a deep network starts as a shallow one [Yu2020]
            nn.init.zeros_(self.project_norm.weight)

    def forward(self, x: Tensor, block: BlockPlan) -> Tensor:
        """x (n, block.inputs, h, w) -> (n, block.outputs, ceil(h / stride), ceil(w / stride))."""
        y = functional.conv2d(x, self.expand.sliced(block.inputs, block.hidden))
        y = self.expand_norm(y).relu_()
        weight = self.depthwise.sliced(block.hidden, block.chosen, block.kernel)
        y = self.depthwise_norm(depthwise_conv2d(y, weight, block.stride)).relu_()
        y = self.project_norm(functional.conv2d(y, self.project.sliced(block.hidden, block.outputs)))
        return x + y if block.residual else y


class ElasticHead(nn.Module):
    """A linear classifier on the first pooled features."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(classes, features))
        self.bias = nn.Parameter(torch.zeros(classes))
        nn.init.normal_(self.weight, std=0.05)

    def forward(self, pooled: Tensor) -> Tensor:
        """Pooled (n, d) -> logits (n, classes)."""
        return functional.linear(pooled, self.weight[:, : pooled.shape[1]], self.bias)


class Stem(nn.Sequential):
    """The fixed beginning that little and big share: 3x3 convolution, BatchNorm, ReLU."""

    def __init__(self, layout: NetworkLayout) -> None:
        conv = nn.Conv2d(layout.in_channels, layout.stem_channels, 3, stride=layout.stem_stride, padding=1, bias=False)
        nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
        super().__init__(conv, nn.BatchNorm2d(layout.stem_channels), nn.ReLU(inplace=True))


class Supernet(nn.Module):
    """All sub-networks of a layout in one set of weights, with a head for the little and one for the big role."""

    def __init__(self, layout: NetworkLayout) -> None:
        super().__init__()
        self.layout = layout
        self.stem = Stem(layout)
        stages = []
        inputs = layout.stem_channels
        for outputs in layout.channels:
            blocks = []
            for index in range(max(layout.depths)):
                blocks.append(ElasticBlock(inputs, outputs, max(layout.expansions), layout.kernels, residual=index > 0))
                inputs = outputs
            stages.append(nn.ModuleList(blocks))
        self.stages = nn.ModuleList(stages)
        self.heads = nn.ModuleDict({role: ElasticHead(inputs, layout.classes) for role in ("little", "big")})

    def pool(self, features: Tensor, architecture: Architecture) -> Tensor:
        """Stem features (n, c, h, w) -> pooled features (n, d) of the sub-network."""
        for block in plan(self.layout, architecture, max(features.shape[2:])):
            features = self.block(block)(features, block)
        return features.mean((2, 3))

    def block(self, block: BlockPlan) -> ElasticBlock:
        """The elastic block that this plan cuts from."""
        stage = self.stages[block.stage]
        assert isinstance(stage, nn.ModuleList)
        found = stage[block.index]
        assert isinstance(found, ElasticBlock)
        return found

    def forward(self, x: Tensor, architecture: Architecture, head: Head = "big") -> Tensor:
        """Images x (n, channels, h, w) -> logits (n, classes) of one sub-network.

        Raises:
            ValueError: the layout does not offer this architecture.
        """
        check_architecture(self.layout, architecture)
        return self.heads[head](self.pool(self.stem(x), architecture))
