"""What a routed network says about images: both heads' logits and the router's scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nasopt.data.images import ImageData
from nasopt.networks import RoutedNetwork


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Predictions:
    """Everything that routing needs; a threshold is applied to it without running the network again."""

    little: np.ndarray
    """float32 logits (n, classes)."""
    big: np.ndarray
    """float32 logits (n, classes), for every input, hard or not."""
    scores: np.ndarray
    """float32 router scores (n,) in [0, 1]."""


@torch.inference_mode()
def predict(network: RoutedNetwork, images: Tensor, data: ImageData, resolution: int) -> Predictions:
    """Run both paths on uint8 images (n, c, h, w), resized to `resolution` and normalised as `data` is.

    The network must be in evaluation mode; it runs on the device that holds it.
    """
    device = next(network.parameters()).device
    parts: list[tuple[Tensor, Tensor, Tensor]] = []
    for batch in data.batches(images, resolution):
        features, little, scores = network.easy(batch.to(device))
        parts.append((little, network.hard(features), scores))
    joined = [torch.cat(part).float().cpu().numpy() for part in zip(*parts, strict=True)]
    return Predictions(little=joined[0], big=joined[1], scores=joined[2])
