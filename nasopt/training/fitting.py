"""Fitting a router to a frozen pair, on training images made harder."""

from __future__ import annotations

import torch
from torch import Tensor

from nasopt.data.augment import augment
from nasopt.data.images import ImageData
from nasopt.networks import FittedRouter, RoutedNetwork
from nasopt.spec.data import AugmentSpec
from nasopt.training.losses import exit_targets, routing

VIEWS = (0.0, 0.5, 1.0, 1.5)
"""Strengths of distortion at which each training image is seen; 0 is the image itself."""
IMAGES = 2048
"""Training images used at most."""
BATCH = 128
LEARNING_RATE = 1e-2
WEIGHT_DECAY = 1e-3


def fit_router(network: RoutedNetwork, data: ImageData, resolution: int, *, epochs: int, eta: float) -> None:
    """Fit the network's learned or difficulty router in place; little, big and stem stay as they are.

    On images that it has learned by heart a pair makes next to no mistakes, so a router fitted there sees no hard
    inputs: each image is also shown distorted (moved, turned, scaled, noisy), which brings the mistakes of new images
    back.

    Draws from torch's global generator.
    """
    router = network.router
    if not isinstance(router, FittedRouter):
        return
    logits, pooled, targets = _examples(network, data, resolution)
    router.standardise(logits, pooled)
    router.train()
    optimizer = torch.optim.AdamW(router.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    for _ in range(epochs):
        for index in torch.randperm(len(targets)).split(BATCH):
            index = index.to(targets.device)
            loss = routing(router.decide(logits[index], pooled[index]), targets[index], eta)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
    router.eval()


@torch.no_grad()
def _examples(network: RoutedNetwork, data: ImageData, resolution: int) -> tuple[Tensor, Tensor, Tensor]:
    """Little's logits (n, classes) and pooled features (n, d), and the optimal decisions (n,), over all views."""
    device = next(network.parameters()).device
    chosen = data.train.take(torch.randperm(len(data.train))[:IMAGES])
    gentle = _without_mixing(data.augment)
    rows: list[tuple[Tensor, Tensor, Tensor]] = []
    for strength in VIEWS:
        for images, labels in zip(chosen.images.split(512), chosen.labels.split(512), strict=True):
            if strength:
                images, _ = augment(images, labels, gentle, len(data.classes))
                images = distort(images.float(), strength)
            features = network.stem(data.prepare(images, resolution).to(device))
            logits, pooled = network.little(features)
            rows.append((logits, pooled, exit_targets(logits, network.hard(features), labels.to(device))))
    logits, pooled, targets = (torch.cat(part) for part in zip(*rows, strict=True))
    return logits, pooled, targets


def _without_mixing(spec: AugmentSpec) -> AugmentSpec:
    """The augmentation without MixUp and CutMix, which leave no single right answer."""
    return spec.model_copy(update={"mixup": 0.0, "cutmix": 0.0})


def distort(images: Tensor, strength: float) -> Tensor:
    """Images (n, c, h, w) in 0 to 255, each turned, scaled and moved at random, with noise in proportion to
    `strength`."""
    count = len(images)
    angle = (torch.rand(count) * 2 - 1) * 0.3 * strength
    scale = 1 + (torch.rand(count) * 2 - 1) * 0.2 * strength
    shift = (torch.rand(count, 2) * 2 - 1) * 0.2 * strength
    cosine, sine = angle.cos() * scale, angle.sin() * scale
    rows = torch.stack([cosine, -sine, shift[:, 0], sine, cosine, shift[:, 1]], dim=1).view(count, 2, 3)
    grid = torch.nn.functional.affine_grid(rows, list(images.shape), align_corners=False)
    moved = torch.nn.functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    contrast = images.std((1, 2, 3), keepdim=True)
    return (moved + 0.3 * strength * contrast * torch.randn_like(moved)).clamp_(0, 255)
