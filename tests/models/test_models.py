from __future__ import annotations

import random
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from nasopt.networks import RoutedNetwork, Supernet, build, count, extract, extract_path, scaled_channels
from nasopt.networks.elastic import ElasticDepthwise
from nasopt.records import Candidate, LossWeights, NetworkLayout, StageChoice
from nasopt.training.shrinking import draw

LAYOUT = NetworkLayout(
    in_channels=3,
    classes=5,
    stem_channels=8,
    stem_stride=2,
    channels=(8, 12, 20),
    strides=(1, 2, 2),
    widths=(0.25, 0.5, 1.0),
    depths=(1, 2, 3),
    kernels=(3, 5, 7),
    expansions=(1, 2, 4),
    resolutions=(17, 32),
)
LOSS = LossWeights(alpha=1.0, beta=1.0, gamma=0.5, lambda_=0.5, temperature=2.0, eta=0.1)


def candidate(seed: int, router: str = "learned", resolution: int = 32) -> Candidate:
    generator = random.Random(seed)
    return Candidate(
        little=draw(LAYOUT, generator),
        big=draw(LAYOUT, generator),
        router=router,
        tau=0.5,
        loss=LOSS,
        resolution=resolution,
    )


@pytest.fixture(scope="module")
def supernet() -> Supernet:
    """With statistics, scales and transforms that are not their initial values."""
    torch.manual_seed(0)
    network = Supernet(LAYOUT)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if "running_var" in name:
                tensor.uniform_(0.5, 2.0)
            elif "norm" in name and tensor.is_floating_point():
                tensor.add_(torch.randn_like(tensor) * 0.3)
            elif "transforms" in name:
                tensor.add_(torch.randn_like(tensor) * 0.1)
    return network.eval()


@pytest.mark.parametrize("seed", range(6))
def test_extracted_pair_equals_the_elastic_forward(supernet, seed):
    chosen = candidate(seed)
    images = torch.randn(4, 3, 32, 32)
    with torch.no_grad():
        network = extract(supernet, chosen)
        features, little, _ = network.easy(images)
        big = network.hard(features)
        torch.testing.assert_close(little, supernet(images, chosen.little, "little"), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(big, supernet(images, chosen.big, "big"), atol=1e-5, rtol=1e-5)


def test_extracted_networks_share_no_weights_with_the_supernet_or_each_other(supernet):
    same = replace(candidate(0), big=candidate(0).little)
    network = extract(supernet, same)
    before = supernet.stages[0][0].expand.weight.clone()
    with torch.no_grad():
        for parameter in network.little.parameters():
            parameter.zero_()
    assert network.big.blocks[0].expand.weight.abs().sum() > 0
    torch.testing.assert_close(supernet.stages[0][0].expand.weight, before)


def test_training_statistics_of_slices_equal_those_of_the_plain_network():
    torch.manual_seed(0)
    supernet = Supernet(LAYOUT).train()
    images = torch.randn(8, 3, 32, 32)
    chosen = draw(LAYOUT, random.Random(3))
    plain = extract_path(supernet, chosen, "big", 32)
    with torch.no_grad():
        features = supernet.stem(images)
        plain(features)
        supernet.pool(features, chosen)
    cut = extract_path(supernet, chosen, "big", 32)
    for name, tensor in plain.state_dict().items():
        if "running" in name:
            torch.testing.assert_close(tensor, cut.state_dict()[name])


def test_gradients_reach_only_the_channels_that_ran():
    supernet = Supernet(LAYOUT).train()
    supernet(torch.randn(4, 3, 32, 32), LAYOUT.smallest(), "little").sum().backward()
    gradient = supernet.stages[2][0].project.weight.grad
    assert gradient[:8].abs().sum() > 0
    assert gradient[8:].abs().sum() == 0
    assert supernet.stages[0][1].project.weight.grad is None  # a skipped layer


def test_kernel_transforms_are_learned_and_chained():
    depthwise = ElasticDepthwise(4, (3, 5, 7))
    torch.testing.assert_close(depthwise.sliced(4, 3), depthwise.weight[:, :, 2:5, 2:5])
    depthwise.sliced(2, 3).square().sum().backward()
    assert depthwise.transforms["5"].grad.abs().sum() > 0
    assert depthwise.transforms["3"].grad.abs().sum() > 0
    assert depthwise.weight.grad[2:].abs().sum() == 0


@pytest.mark.parametrize("router", ["confidence", "learned", "difficulty"])
@pytest.mark.parametrize(("seed", "resolution"), [(0, 32), (1, 17), (2, 32)])
def test_counts_agree_with_pytorch(router, seed, resolution):
    chosen = candidate(seed, router, resolution)
    network = build(LAYOUT, chosen)
    counted = count(LAYOUT, chosen)
    images = torch.randn(1, 3, resolution, resolution)
    with torch.no_grad():
        with FlopCounterMode(display=False) as easy:
            features, _, _ = network.easy(images)
        with FlopCounterMode(display=False) as hard:
            network.hard(features)
    assert counted.macs_easy == easy.get_total_flops() // 2
    assert counted.macs_hard == (easy.get_total_flops() + hard.get_total_flops()) // 2
    assert counted.params == sum(p.numel() for p in network.parameters())


@given(full=st.integers(4, 512), widths=st.lists(st.floats(0.05, 1.0), min_size=2, max_size=5))
def test_channels_grow_with_width_and_stay_in_bounds(full, widths):
    channels = [scaled_channels(full, width) for width in sorted(widths)]
    assert channels == sorted(channels)
    assert all(1 <= c <= full for c in channels)
    assert scaled_channels(full, 1.0) == full


@pytest.mark.parametrize("full", [16, 24, 32, 40, 48, 64])
def test_every_width_of_a_narrow_stage_is_a_network_of_its_own(full):
    assert len({scaled_channels(full, width) for width in (0.25, 0.5, 0.75, 1.0)}) == 4


@settings(max_examples=20, deadline=None)
@given(tau=st.floats(0.0, 1.0), seed=st.integers(0, 3))
def test_routed_forward_answers_as_the_paths_do(tau, seed):
    torch.manual_seed(seed)
    network = build(LAYOUT, candidate(seed, "confidence"))
    images = torch.randn(6, 3, 32, 32)
    with torch.no_grad():
        logits, exited = network(images, tau)
        features, little, score = network.easy(images)
        expected = torch.where((score >= tau).unsqueeze(1), little, network.hard(features))
    assert torch.equal(exited, score >= tau)
    torch.testing.assert_close(logits, expected)


def test_big_network_sees_the_hard_inputs_only():
    network = build(LAYOUT, candidate(0, "confidence"))
    seen: list[int] = []
    network.big.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    images = torch.randn(7, 3, 32, 32)
    with torch.no_grad():
        scores = network.easy(images)[2]
        network(images, 0.0)
        assert seen == []
        network(images, float(scores.median()))
    assert seen == [3]


@pytest.mark.parametrize("router", ["confidence", "learned", "difficulty"])
def test_scores_are_probabilities_even_for_extreme_logits(router):
    network: RoutedNetwork = build(LAYOUT, candidate(0, router))
    features = network.little.head.in_features
    logits = torch.tensor([[0.0] * 5, [100.0, 0, 0, 0, 0], [-1000.0, 500.0, 0, 0, 0]])
    scores = network.router(logits, torch.randn(3, features))
    assert scores.shape == (3,)
    assert bool(((scores >= 0) & (scores <= 1)).all())


def test_an_architecture_that_is_not_offered_is_refused(supernet):
    wrong = (StageChoice(width=0.3, depth=1, kernel=3, expansion=1),) * 3
    with pytest.raises(ValueError, match=r"width 0\.3; this supernet offers"):
        supernet(torch.randn(1, 3, 32, 32), wrong)
    with pytest.raises(ValueError, match="each of 3 stages, not 1"):
        supernet(torch.randn(1, 3, 32, 32), wrong[:1])
