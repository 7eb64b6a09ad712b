"""Plain networks: what a sub-network is once it has left the supernet, and the routed pair."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nasopt.networks.depthwise import Depthwise
from nasopt.networks.geometry import BlockPlan
from nasopt.records import RouterKind


class MBConv(nn.Module):
    """A static inverted residual: expand 1x1, depthwise k x k, project 1x1, each with BatchNorm."""

    def __init__(self, block: BlockPlan) -> None:
        super().__init__()
        self.expand = nn.Conv2d(block.inputs, block.hidden, 1, bias=False)
        self.expand_norm = nn.BatchNorm2d(block.hidden)
        self.depthwise = Depthwise(block.hidden, block.kernel, block.stride)
        self.depthwise_norm = nn.BatchNorm2d(block.hidden)
        self.project = nn.Conv2d(block.hidden, block.outputs, 1, bias=False)
        self.project_norm = nn.BatchNorm2d(block.outputs)
        self.activation = nn.ReLU(inplace=True)
        self.residual = block.residual
        self.most = block.side if block.kernel < block.chosen else None

    def forward(self, x: Tensor) -> Tensor:
        """x (n, inputs, h, w) -> (n, outputs, ceil(h / stride), ceil(w / stride)).

        Raises:
            ValueError: the kernel was cropped for smaller maps than these.
        """
        if self.most is not None and max(x.shape[2:]) > self.most:
            raise ValueError(f"built for maps of {self.most} pixels at most, and given {tuple(x.shape[2:])}")
        y = self.activation(self.expand_norm(self.expand(x)))
        y = self.activation(self.depthwise_norm(self.depthwise(y)))
        y = self.project_norm(self.project(y))
        return x + y if self.residual else y


class SubNetwork(nn.Module):
    """Everything of one path behind the stem: blocks, global average pool, linear classifier."""

    def __init__(self, blocks: tuple[BlockPlan, ...], classes: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(MBConv(block) for block in blocks))
        self.head = nn.Linear(blocks[-1].outputs, classes)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Stem features (n, c, h, w) -> logits (n, classes), pooled features (n, d)."""
        pooled = self.blocks(features).mean((2, 3))
        return self.head(pooled), pooled


class RoutedNetwork(nn.Module):
    """A little and a big network on one stem, and the router that decides which inputs stop at the little one."""

    def __init__(
        self, stem: nn.Module, little: SubNetwork, big: SubNetwork, router: nn.Module, kind: RouterKind
    ) -> None:
        super().__init__()
        self.stem = stem
        self.little = little
        self.big = big
        self.router = router
        self.kind: RouterKind = kind

    def easy(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What every input runs: stem, little network, router.

        Args:
            x: images (n, channels, h, w), normalised.

        Returns:
            Stem features (n, c, h, w), logits (n, classes), scores (n,) in [0, 1].
        """
        features = self.stem(x)
        logits, pooled = self.little(features)
        return features, logits, self.router(logits, pooled)

    def hard(self, features: Tensor) -> Tensor:
        """What hard inputs run on top: the big network, stem features (n, c, h, w) -> logits (n, classes)."""
        return self.big(features)[0]

    def forward(self, x: Tensor, tau: float) -> tuple[Tensor, Tensor]:
        """Route a batch; the big network sees the hard inputs only, and does not run where there is none.

        Returns:
            Logits (n, classes) and whether each input left at the little network (n,) bool: score >= tau.
        """
        features, logits, score = self.easy(x)
        exited = score >= tau
        if bool(exited.all()):
            return logits, exited
        stay = ~exited
        logits = torch.index_put(logits, (stay,), self.hard(features[stay]).to(logits.dtype))
        return logits, exited
