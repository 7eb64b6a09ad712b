"""Joint training of a trial's pair from the supernet's weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from nasopt.cache import content_key
from nasopt.errors import DivergedError
from nasopt.models import FittedRouter, RoutedNetwork, extract
from nasopt.records import Candidate, LossWeights
from nasopt.spec.training import CotrainSpec, TrainingSpec
from nasopt.training.augment import augment, seeded
from nasopt.training.device import autocast, choose_device
from nasopt.training.fitting import fit_router
from nasopt.training.images import ImageData
from nasopt.training.losses import consistency, exit_targets, routing
from nasopt.training.recalibration import calibration_batch, recalibrate
from nasopt.training.supernet import TrainedSupernet, cosine, shuffled

RECIPE = 2
"""Raised whenever this module trains differently from the same settings."""
WARMUP = 0.1
"""Share of the budget in which the learning rate rises."""
CLIP_NORM = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CotrainProgress:
    """What is known after an epoch of co-training."""

    epoch: int
    epochs: int
    loss: float


def pair_key(supernet_key: str, candidate: Candidate, spec: TrainingSpec, seed: int) -> str:
    """Content address of the pair that `cotrain` makes of these arguments; holds only the choices that act.

    Never tau; no loss weights at 0 epochs; no gamma and eta for a confidence router, no eta where gamma is 0, no
    temperature where lambda is 0; no router epochs where no router is fitted.
    """
    budget, loss = spec.cotrain, candidate.loss
    fitted = candidate.router != "confidence"
    acting: dict[str, float] = {}
    if budget.epochs:
        acting |= {"alpha": loss.alpha, "beta": loss.beta, "lambda": loss.lambda_}
        if loss.lambda_:
            acting["temperature"] = loss.temperature
        if fitted:
            acting["gamma"] = loss.gamma
            if loss.gamma:
                acting["eta"] = loss.eta
    return content_key(
        recipe=RECIPE,
        supernet=supernet_key,
        little=candidate.little,
        big=candidate.big,
        router=candidate.router,
        resolution=candidate.resolution,
        loss=acting,
        cotrain=budget.model_dump(exclude={"router_epochs"}) if budget.epochs else None,
        router_epochs=budget.router_epochs if fitted else None,
        seed=seed,
    )


def cotrain(
    trained: TrainedSupernet,
    candidate: Candidate,
    data: ImageData,
    spec: TrainingSpec,
    *,
    seed: int,
    progress: Callable[[CotrainProgress], None] | None = None,
) -> RoutedNetwork:
    """Extract the candidate's pair, train it jointly for `spec.cotrain.epochs`, recalibrate, and fit its router.

    Learned and difficulty routers take part in the joint training through gamma, and are fitted once more at the end,
    to the frozen and recalibrated pair, on distorted training images. At 0 epochs that last fit is all, without an
    efficiency penalty.

    Returns:
        The pair on the CPU, in evaluation mode.

    Raises:
        DivergedError: the loss or a weight is not finite.
    """
    device = choose_device(spec)
    budget, resolution = spec.cotrain, candidate.resolution
    with seeded(seed, 5):
        network = extract(trained.supernet, candidate).to(device).to(memory_format=torch.channels_last)
        calibration = calibration_batch(data, resolution, seed).to(device)
        if budget.epochs:
            _recalibrate_pair(network, calibration)
            _warm_up(network, calibration)
            _train_jointly(network, candidate, data, budget, progress)
        _recalibrate_pair(network, calibration)
        acts = budget.epochs > 0 and candidate.loss.gamma > 0
        fit_router(network, data, resolution, epochs=budget.router_epochs, eta=candidate.loss.eta if acts else 0.0)
    _check_weights(network)
    return network.cpu().eval()


@torch.no_grad()
def _recalibrate_pair(network: RoutedNetwork, images: Tensor) -> None:
    features = recalibrate(network.stem, images)
    assert isinstance(features, Tensor)
    recalibrate(network.little, features)
    recalibrate(network.big, features)


@torch.no_grad()
def _warm_up(network: RoutedNetwork, images: Tensor) -> None:
    """Give a fitted router the scale of its inputs before it trains with the pair."""
    if isinstance(network.router, FittedRouter):
        network.router.standardise(*network.little(network.stem(images)))


def _train_jointly(
    network: RoutedNetwork,
    candidate: Candidate,
    data: ImageData,
    budget: CotrainSpec,
    progress: Callable[[CotrainProgress], None] | None,
) -> None:
    """Minimise `pair_loss` over the training images for the budget's epochs."""
    device = next(network.parameters()).device
    decayed = [p for p in network.parameters() if p.ndim > 1]
    free = [p for p in network.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": budget.weight_decay}, {"params": free, "weight_decay": 0.0}], fused=True
    )
    train, classes = data.train, len(data.classes)
    network.train()
    for epoch in range(budget.epochs):
        losses = []
        batches = list(shuffled(len(train), budget.batch_size))
        for step, index in enumerate(batches):
            done = (epoch + step / len(batches)) / budget.epochs
            for group in optimizer.param_groups:
                group["lr"] = budget.learning_rate * cosine(done, WARMUP)
            images, targets = augment(train.images[index], train.labels[index], data.augment, classes)
            prepared = data.prepare(images, candidate.resolution).to(device)
            loss = pair_loss(network, prepared, targets.to(device), candidate.loss)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), CLIP_NORM)
            optimizer.step()
            losses.append(loss.detach())
        mean = float(torch.stack(losses).mean())
        if not math.isfinite(mean):
            raise DivergedError(
                f"co-training diverged in epoch {epoch + 1}: the loss is {mean}; lower training.cotrain.learning_rate"
            )
        if progress is not None:
            progress(CotrainProgress(epoch=epoch + 1, epochs=budget.epochs, loss=mean))


def pair_loss(network: RoutedNetwork, images: Tensor, targets: Tensor, weights: LossWeights) -> Tensor:
    """L = alpha L_big + beta L_little + gamma L_routing + lambda L_consistency, a scalar.

    A confidence router has nothing to learn, so it adds no gamma term.

    Args:
        network: in training mode.
        images: prepared batch (n, c, h, w).
        targets: labels (n,) or, after MixUp or CutMix, probabilities (n, classes).
        weights: alpha, beta, gamma, lambda, T and eta.
    """
    with autocast(images.device):
        features = network.stem(images)
        little, pooled = network.little(features)
        big = network.hard(features)
    little, big, pooled = little.float(), big.float(), pooled.float()
    loss = weights.alpha * functional.cross_entropy(big, targets) + weights.beta * functional.cross_entropy(
        little, targets
    )
    if weights.lambda_:
        loss = loss + weights.lambda_ * consistency(little, big, weights.temperature)
    if weights.gamma and isinstance(network.router, FittedRouter):
        labels = targets if targets.ndim == 1 else targets.argmax(1)
        optimal = exit_targets(little.detach(), big.detach(), labels)
        loss = loss + weights.gamma * routing(network.router.decide(little, pooled), optimal, weights.eta)
    return loss


def _check_weights(network: nn.Module) -> None:
    """Refuse weights and statistics that no image could be classified with.

    Raises:
        DivergedError: one of them is not finite.
    """
    for name, tensor in network.state_dict().items():
        if not bool(torch.isfinite(tensor).all()):
            raise DivergedError(f"{name} is not finite after training; lower training.cotrain.learning_rate")
