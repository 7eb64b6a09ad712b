"""One optimisation step's gradients: the sandwich rule with in-place distillation. [Yu2020]"""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from nasopt.networks import Supernet
from nasopt.records import Architecture, NetworkLayout
from nasopt.spec.training import SupernetSpec
from nasopt.training.device import autocast
from nasopt.training.losses import distillation
from nasopt.training.shrinking import draw


def choose(layout: NetworkLayout, spec: SupernetSpec, generator: random.Random) -> tuple[Architecture, ...]:
    """The sub-networks of one step: largest, smallest and two random ones, or one random one; the largest comes
    first."""
    if not spec.sandwich:
        return (draw(layout, generator),)
    return (layout.largest(), layout.smallest(), draw(layout, generator), draw(layout, generator))


def accumulate(
    supernet: Supernet, images: Tensor, targets: Tensor, architectures: Sequence[Architecture], spec: SupernetSpec
) -> Tensor:
    """Add the gradients of the mean loss over these sub-networks to the supernet's; returns that loss, detached.

    The stem runs once; each sub-network goes forward and back before the next, so that memory is that of one. Both
    heads learn from every sub-network. With `spec.distill` the first one's predictions are the targets of the others.

    Args:
        supernet: in training mode.
        images: prepared batch (n, c, h, w).
        targets: labels (n,) or probabilities (n, classes).
        architectures: what `choose` chose.
        spec: label smoothing and distillation.
    """
    device = images.device
    with autocast(device):
        features = supernet.stem(images)
    shared = features.detach().requires_grad_()
    targets = torch.cat([targets, targets])
    teacher: Tensor | None = None
    total = torch.zeros((), device=device)
    for architecture in architectures:
        with autocast(device):
            pooled = supernet.pool(shared, architecture)
            logits = torch.cat([head(pooled) for head in supernet.heads.values()]).float()
        if teacher is None:
            loss = functional.cross_entropy(logits, targets, label_smoothing=spec.label_smoothing)
            if spec.distill:
                teacher = logits.detach().softmax(1)
        else:
            loss = distillation(logits, teacher)
        loss = loss / len(architectures)
        loss.backward()
        total += loss.detach()
    features.backward(shared.grad)
    return total
