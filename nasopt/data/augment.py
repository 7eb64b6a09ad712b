"""Augmentation of whole batches on tensors: crop, flip, colour jitter, RandAugment, CutOut, MixUp, CutMix."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.transforms import v2

from nasopt.spec.data import AugmentSpec

RANDAUGMENT_GROUP = 16
"""Images that share one draw of RandAugment's operations; torchvision draws once a call."""


@contextmanager
def seeded(*parts: int) -> Iterator[None]:
    """Draw torch's global random numbers from these seeds, and leave the generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(mixed(*parts))
        yield


def mixed(*parts: int) -> int:
    """One 63-bit seed from several whole numbers, so that (1, 2) and (2, 1) draw differently."""
    seed = 0x9E3779B9
    for part in parts:
        seed = (seed * 6364136223846793005 + part + 1442695040888963407) % 2**63
        seed ^= seed >> 29
    return seed


def augment(images: Tensor, labels: Tensor, spec: AugmentSpec, classes: int) -> tuple[Tensor, Tensor]:
    """One augmented batch, drawn from torch's global generator.

    Args:
        images: uint8 (n, c, h, w).
        labels: int64 (n,).
        spec: what is switched on.
        classes: number of classes.

    Returns:
        Images (n, c, h, w), values in 0 to 255, and targets: labels (n,), or probabilities (n, classes) after MixUp
        or CutMix.
    """
    if spec.randaugment:
        operation = v2.RandAugment(num_ops=spec.randaugment)
        images = torch.cat([operation(group) for group in images.split(RANDAUGMENT_GROUP)])
    if spec.crop:
        images = random_crop(images, spec.crop)
    if spec.flip:
        mirrored = torch.rand(len(images)).lt(0.5).to(images.device).view(-1, 1, 1, 1)
        images = torch.where(mirrored, images.flip(3), images)
    if spec.color_jitter:
        images = color_jitter(images, spec.color_jitter)
    if spec.cutout:
        images = cut_out(images, spec.cutout)
    mixers = [v2.MixUp(alpha=spec.mixup, num_classes=classes)] if spec.mixup else []
    mixers += [v2.CutMix(alpha=spec.cutmix, num_classes=classes)] if spec.cutmix else []
    if not mixers:
        return images, labels
    mixer = mixers[int(torch.randint(len(mixers), ()))]
    return mixer(images.float(), labels)


def random_crop(images: Tensor, padding: int) -> Tensor:
    """Shift each image by up to `padding` pixels in each direction; what comes in is zero."""
    count, channels, height, width = images.shape
    padded = functional.pad(images, (padding,) * 4)
    offset = torch.randint(0, 2 * padding + 1, (2, count, 1)).to(images.device)
    rows = (offset[0] + torch.arange(height, device=images.device)).view(count, 1, height, 1)
    columns = (offset[1] + torch.arange(width, device=images.device)).view(count, 1, 1, width)
    item = torch.arange(count, device=images.device).view(count, 1, 1, 1)
    channel = torch.arange(channels, device=images.device).view(1, channels, 1, 1)
    return padded[item, channel, rows, columns]


def color_jitter(images: Tensor, strength: float) -> Tensor:
    """Scale brightness, contrast and saturation of each image by factors in 1 - strength to 1 + strength."""
    factors = (1 + strength * (2 * torch.rand(3, len(images), 1, 1, 1) - 1)).to(images.device)
    x = images.float() * factors[0]
    mean = x.mean((1, 2, 3), keepdim=True)
    x = mean + (x - mean) * factors[1]
    if x.shape[1] == 3:
        grey = x.mean(1, keepdim=True)
        x = grey + (x - grey) * factors[2]
    return x.clamp_(0, 255)


def cut_out(images: Tensor, side: int) -> Tensor:
    """Set a random square of each image to zero; near an edge it is cut off there."""
    count, _, height, width = images.shape
    top = (torch.randint(0, height, (count, 1)) - side // 2).to(images.device)
    left = (torch.randint(0, width, (count, 1)) - side // 2).to(images.device)
    row, column = torch.arange(height, device=images.device), torch.arange(width, device=images.device)
    hole = ((row >= top) & (row < top + side)).unsqueeze(2) & ((column >= left) & (column < left + side)).unsqueeze(1)
    return images.masked_fill(hole.unsqueeze(1), 0)
