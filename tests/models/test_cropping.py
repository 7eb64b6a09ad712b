"""A kernel wider than its feature map can tell computes what its centre does: everywhere, and exactly."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from nasopt.cache import Cache
from nasopt.evaluation.pairs import load_network, save_network
from nasopt.export import export_easy, export_hard
from nasopt.graphs.work import graph_cost
from nasopt.networks import Supernet, build, count, extract, plan
from nasopt.networks.elastic import centre
from nasopt.networks.geometry import cropped, stem_side
from nasopt.networks.static import MBConv
from nasopt.records import Candidate, LossWeights, NetworkLayout
from nasopt.training.shrinking import draw

LAYOUT = NetworkLayout(
    in_channels=1,
    classes=5,
    stem_channels=8,
    stem_stride=1,
    channels=(8, 12, 16),
    strides=(1, 2, 2),
    widths=(0.5, 1.0),
    depths=(1, 2),
    kernels=(3, 5, 7),
    expansions=(1, 2),
    resolutions=(1, 2, 3, 4, 8),
)
LOSS = LossWeights(alpha=1.0, beta=1.0, gamma=0.0, lambda_=0.0, temperature=1.0, eta=0.0)
SMALL = (1, 2, 3, 4, 5, 8)


def widest(resolution: int) -> Candidate:
    """Both networks with kernels of 7 everywhere."""
    return Candidate(
        little=LAYOUT.largest(), big=LAYOUT.largest(), router="confidence", tau=0.5, loss=LOSS, resolution=resolution
    )


@pytest.mark.parametrize(("side", "kernel", "stride"), itertools.product(range(1, 8), (1, 3, 5, 7, 9), (1, 2, 3)))
def test_the_crop_is_the_narrowest_centre_that_holds_every_tap_that_reads_a_pixel(side, kernel, stride):
    """By brute force in one dimension: which offsets from an output's middle ever meet a pixel."""
    half = kernel // 2
    outputs = -(-side // stride)
    read = [
        abs(offset)
        for offset in range(-half, half + 1)
        if any(0 <= output * stride + offset < side for output in range(outputs))
    ]
    assert cropped(kernel, side) == 2 * max(read) + 1


@pytest.mark.parametrize(("side", "kernel", "stride"), itertools.product((1, 2, 3, 4), (3, 5, 7), (1, 2)))
def test_output_and_gradients_are_exactly_the_same(side, kernel, stride):
    """Whole numbers in float64, so that no order of summation rounds."""
    generator = torch.Generator().manual_seed(kernel)

    def whole(*shape: int) -> torch.Tensor:
        return torch.randint(-9, 10, shape, generator=generator).double()

    x, weight, crop = whole(3, 4, side, side), whole(4, 1, kernel, kernel), cropped(kernel, side)
    upstream = whole(3, 4, -(-side // stride), -(-side // stride))
    found = []
    for side_used in (kernel, crop):
        image, full = x.clone().requires_grad_(), weight.clone().requires_grad_()
        output = functional.conv2d(image, centre(full, side_used), None, stride, side_used // 2, groups=4)
        output.backward(upstream)
        found.append((output, image.grad, full.grad))
    for whole_kernel, its_centre in zip(*found, strict=True):
        assert torch.equal(whole_kernel, its_centre)


def gradients(supernet: Supernet, images: torch.Tensor, seed: int) -> dict[str, torch.Tensor]:
    """Logits of a random sub-network and the gradients of all weights."""
    supernet.zero_grad()
    logits = supernet(images, draw(LAYOUT, random.Random(seed)))
    (logits * torch.arange(1.0, 6.0, dtype=torch.float64)).sum().backward()
    grads = {n: p.grad.clone() for n, p in supernet.named_parameters() if p.grad is not None}
    return {"logits": logits.detach(), **grads}


@pytest.mark.parametrize("resolution", SMALL)
@pytest.mark.parametrize("seed", range(3))
def test_the_supernet_trains_as_with_whole_kernels(resolution, seed, monkeypatch):
    torch.manual_seed(seed)
    supernet = Supernet(LAYOUT).double().train()
    with torch.no_grad():
        for name, parameter in supernet.named_parameters():
            if "transforms" in name or "project_norm" in name:
                parameter.add_(torch.randn_like(parameter) * 0.3)
    images = torch.randn(16, 1, resolution, resolution, dtype=torch.float64)
    small = gradients(supernet, images, seed)
    monkeypatch.setattr("nasopt.networks.geometry.cropped", lambda kernel, side: kernel)
    whole = gradients(supernet, images, seed)
    assert small.keys() == whole.keys()
    for name, tensor in whole.items():
        torch.testing.assert_close(small[name], tensor, rtol=1e-9, atol=1e-11, msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.parametrize("resolution", SMALL)
def test_extracted_networks_have_cropped_kernels_and_answer_as_the_supernet_does(resolution):
    torch.manual_seed(0)
    supernet = Supernet(LAYOUT).eval()
    images = torch.randn(4, 1, resolution, resolution)
    with torch.no_grad():
        network = extract(supernet, widest(resolution))
        features, little, _ = network.easy(images)
        big = network.hard(features)
        torch.testing.assert_close(little, supernet(images, LAYOUT.largest(), "little"), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(big, supernet(images, LAYOUT.largest(), "big"), atol=1e-5, rtol=1e-5)
    for block, shape in zip(network.big.blocks, plan(LAYOUT, LAYOUT.largest(), resolution), strict=True):
        assert isinstance(block, MBConv)
        assert block.depthwise.weight.shape[-1] == shape.kernel == min(7, 2 * shape.side - 1)


@pytest.mark.parametrize("resolution", SMALL)
@pytest.mark.parametrize("stem_stride", [1, 2])
def test_counts_equal_the_exported_graphs(resolution, stem_stride, tmp_path: Path):
    """Multiply-accumulates and weights of the ONNX graphs, in which BatchNorm is folded into a bias a channel."""
    layout, chosen = replace(LAYOUT, stem_stride=stem_stride), widest(resolution)
    side = stem_side(layout, resolution)
    network = build(layout, chosen)
    easy = graph_cost(export_easy(network, (1, 1, resolution, resolution), tmp_path / "easy.onnx").path)
    hard = graph_cost(export_hard(network, (1, layout.stem_channels, side, side), tmp_path / "hard.onnx").path)
    counted = count(layout, chosen)
    products = [sum(n.operations for n in g.nodes if n.op in ("Conv", "Gemm")) // 2 for g in (easy, hard)]
    assert products == [counted.macs_easy, counted.macs_hard - counted.macs_easy]
    norms = sum(n.num_features for n in network.modules() if isinstance(n, torch.nn.BatchNorm2d))
    assert easy.weights + hard.weights == counted.params - norms
    assert counted.params == sum(p.numel() for p in network.parameters())


def test_a_network_refuses_maps_for_which_its_kernels_were_cropped():
    network = build(LAYOUT, widest(4))
    with pytest.raises(ValueError, match="maps of 2 pixels at most"):
        network.easy(torch.randn(1, 1, 12, 12))


def test_networks_that_were_stored_with_whole_kernels_are_restored(tmp_path: Path, monkeypatch):
    torch.manual_seed(0)
    supernet, chosen, images = Supernet(LAYOUT).eval(), widest(4), torch.randn(4, 1, 4, 4)
    with monkeypatch.context() as before:
        before.setattr("nasopt.networks.geometry.cropped", lambda kernel, side: kernel)
        whole = extract(supernet, chosen)
    save_network(Cache(tmp_path), tmp_path / "old.safetensors", whole, chosen, LAYOUT)
    restored, _ = load_network(tmp_path / "old.safetensors")
    assert restored.big.blocks[3].depthwise.weight.shape[-1] == 3
    with torch.no_grad():
        torch.testing.assert_close(restored.easy(images)[1], whole.easy(images)[1], atol=1e-5, rtol=1e-5)
