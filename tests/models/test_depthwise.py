"""The weight gradient in strips of columns is that of PyTorch."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch.nn import functional

from nasopt.networks.depthwise import Depthwise, depthwise_conv2d, weight_gradient


def whole(*shape: int) -> torch.Tensor:
    """Whole numbers in float64, so that no order of summation rounds."""
    return torch.randint(-9, 10, shape).double()


@pytest.mark.parametrize(
    ("size", "kernel", "stride"), itertools.product(((1, 1), (2, 2), (3, 3), (4, 6), (9, 5)), (3, 5, 7, 9), (1, 2, 3))
)
def test_strips_are_exactly_the_gradient(size, kernel, stride):
    torch.manual_seed(kernel)
    x, weight = whole(3, 4, *size), whole(4, 1, kernel, kernel).requires_grad_()
    result = functional.conv2d(x, weight, None, stride, kernel // 2, groups=4)
    upstream = whole(*result.shape)
    (expected,) = torch.autograd.grad(result, weight, upstream)
    assert torch.equal(weight_gradient(x, upstream, kernel, stride), expected)


@pytest.mark.parametrize(("side", "kernel", "stride"), itertools.product((2, 3, 4, 8, 16), (3, 5, 7), (1, 2)))
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_a_training_step_is_that_of_conv2d(side, kernel, stride, layout):
    torch.manual_seed(side)
    module = Depthwise(20, kernel, stride)
    x = torch.randn(8, 20, side, side).contiguous(memory_format=layout)
    found = []
    for convolve in (module, torch.nn.Conv2d.forward.__get__(module)):
        image = x.clone(memory_format=torch.preserve_format).requires_grad_()
        module.zero_grad()
        result = convolve(image)
        (result * torch.linspace(-1, 1, result.shape[-1])).square().sum().backward()
        found.append((result, image.grad, module.weight.grad.clone()))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_frozen_weights_and_frozen_images_get_no_gradient():
    x, weight = torch.randn(2, 4, 4, 4, requires_grad=True), torch.randn(4, 1, 5, 5)
    depthwise_conv2d(x, weight, 1).sum().backward()
    assert x.grad is not None
    frozen, learned = torch.randn(2, 4, 4, 4), weight.requires_grad_()
    depthwise_conv2d(frozen, learned, 1).sum().backward()
    assert learned.grad is not None
    assert frozen.grad is None
