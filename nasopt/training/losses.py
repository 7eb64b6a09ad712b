"""The losses of supernet and pair, as pure functions over logits (n, classes) and router scores (n,)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def exit_targets(little: Tensor, big: Tensor, labels: Tensor) -> Tensor:
    """The optimal decisions (n,), float: 1 where the input should leave, as little is right or big is wrong too."""
    right, also_wrong = little.argmax(1) == labels, big.argmax(1) != labels
    return (right | also_wrong).float()


def consistency(little: Tensor, big: Tensor, temperature: float) -> Tensor:
    """KL(big || little) of the softmaxes at this temperature, times its square; the big network is only read.
    [Hinton2015]"""
    teacher = functional.log_softmax(big.detach() / temperature, dim=1)
    student = functional.log_softmax(little / temperature, dim=1)
    return functional.kl_div(student, teacher, reduction="batchmean", log_target=True) * temperature**2


def routing(log_odds: Tensor, targets: Tensor, eta: float) -> Tensor:
    """Binary cross-entropy (n,) -> scalar of the exit decision, plus eta times the mean probability of calling the
    big network.

    Classes are weighed equally: on training images hard inputs are rare, and an unweighted router would let
    everything leave.
    """
    loss = functional.binary_cross_entropy_with_logits(log_odds, targets, weight=balance(targets))
    return loss + eta * torch.sigmoid(-log_odds).mean()


def balance(targets: Tensor) -> Tensor:
    """Weights (n,), of mean 1, that give both decisions the same say; all 1 where only one decision occurs."""
    share = targets.mean()
    if share <= 0 or share >= 1:
        return torch.ones_like(targets)
    return torch.where(targets > 0.5, 0.5 / share, 0.5 / (1 - share))


def distillation(student: Tensor, teacher: Tensor) -> Tensor:
    """Cross-entropy of the student's softmax against the teacher's probabilities (n, classes)."""
    return functional.cross_entropy(student, teacher)
