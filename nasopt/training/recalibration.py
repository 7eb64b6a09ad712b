"""BatchNorm statistics of an extracted network, taken anew: those of the supernet mix all sub-networks. [Yu2019]"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nasopt.data.augment import seeded
from nasopt.data.images import ImageData

IMAGES = 1024
"""One batch of this many training images is enough [Yu2019]."""


def calibration_batch(data: ImageData, resolution: int, seed: int) -> Tensor:
    """Up to 1,024 training images, drawn with `seed`, prepared (n, c, resolution, resolution)."""
    with seeded(seed, 11):
        index = torch.randperm(len(data.train))[:IMAGES]
    return data.prepare(data.train.images[index], resolution)


@torch.no_grad()
def recalibrate(module: nn.Module, *inputs: Tensor) -> object:
    """Set every BatchNorm's running statistics to those of one forward pass over `inputs`; returns the pass's output.

    The module ends in evaluation mode.
    """
    norms = [layer for layer in module.modules() if isinstance(layer, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    module.eval()
    for norm in norms:
        norm.train()
        norm.momentum = 1.0
    output = module(*inputs)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    module.eval()
    return output
