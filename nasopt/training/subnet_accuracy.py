"""How good a supernet's sub-networks are before any co-training."""

from __future__ import annotations

import random

import torch
from torch import Tensor

from nasopt.data.augment import mixed
from nasopt.data.images import ImageData
from nasopt.networks import Supernet, extract_path
from nasopt.networks.elastic import Head
from nasopt.training.recalibration import calibration_batch, recalibrate
from nasopt.training.shrinking import draw

SAMPLES = 20


@torch.no_grad()
def sampled_accuracies(supernet: Supernet, data: ImageData, device: torch.device, seed: int) -> tuple[float, ...]:
    """Validation accuracy of 20 sub-networks drawn uniformly, little and big heads in turn, BatchNorm recalibrated.

    Each is tried at one of the layout's resolutions, drawn as well. The supernet is left as it was.
    """
    generator = random.Random(mixed(seed, 4))
    batches: dict[int, Tensor] = {}
    stem = supernet.stem.to(device)
    found = []
    for sample in range(SAMPLES):
        resolution = generator.choice(supernet.layout.resolutions)
        if resolution not in batches:
            batches[resolution] = calibration_batch(data, resolution, seed).to(device)
        head: Head = "big" if sample % 2 else "little"
        network = extract_path(supernet, draw(supernet.layout, generator), head, resolution).to(device)
        recalibrate(network, stem(batches[resolution]))
        right = 0
        labels = data.validation.labels.split(256)
        for batch, truth in zip(data.batches(data.validation.images, resolution), labels, strict=True):
            logits, _ = network(stem(batch.to(device)))
            right += int((logits.argmax(1).cpu() == truth).sum())
        found.append(right / len(data.validation))
    supernet.stem.cpu()
    return tuple(found)
