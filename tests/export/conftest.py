from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from nasopt.networks import RoutedNetwork, build
from nasopt.records import Candidate, LossWeights, NetworkLayout, StageChoice

LAYOUT = NetworkLayout(
    in_channels=3,
    classes=7,
    stem_channels=8,
    stem_stride=1,
    channels=(8, 12),
    strides=(1, 2),
    widths=(0.5, 1.0),
    depths=(1, 2),
    kernels=(3, 5),
    expansions=(1, 2),
    resolutions=(16,),
)
LOSS = LossWeights(alpha=1, beta=1, gamma=0, lambda_=0, temperature=2, eta=0)


def make_network(router: str = "confidence", *, seed: int = 0, kernel: int = 5) -> RoutedNetwork:
    """A pair whose BatchNorms and classifiers are not those of initialisation, so that folding them matters."""
    little = (StageChoice(width=0.5, depth=1, kernel=3, expansion=1),) * 2
    big = (StageChoice(width=1.0, depth=2, kernel=kernel, expansion=2),) * 2
    candidate = Candidate(little=little, big=big, router=router, tau=0.5, loss=LOSS, resolution=16)  # type: ignore[arg-type]
    torch.manual_seed(seed)
    network = build(LAYOUT, candidate)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.3)
                module.running_var.uniform_(0.3, 2.0)
                module.weight.uniform_(0.5, 2.0)
                module.bias.normal_(0, 0.3)
        for head in (network.little.head, network.big.head):
            head.weight.mul_(8)
    return network


@pytest.fixture
def network() -> Callable[..., RoutedNetwork]:
    return make_network


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(64, 3, 16, 16, generator=torch.Generator().manual_seed(1))
