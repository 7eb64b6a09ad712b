"""Joint training of a trial's pair from the supernet's weights."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from nasopt.cache import content_key
from nasopt.data.augment import augment, seeded
from nasopt.data.images import ImageData
from nasopt.errors import DivergedError
from nasopt.networks import FittedRouter, RoutedNetwork, extract
from nasopt.records import Candidate, LossWeights
from nasopt.spec.training import CotrainSpec, TrainingSpec
from nasopt.training.checkpoint import Checkpoint, optimizer_tensors, restore_optimizer
from nasopt.training.device import autocast, choose_device
from nasopt.training.fitting import fit_router
from nasopt.training.losses import consistency, exit_targets, routing
from nasopt.training.recalibration import calibration_batch, recalibrate
from nasopt.training.supernet import TrainedSupernet, cosine, shuffled

logger = logging.getLogger(__name__)

RECIPE = 2
"""Raised whenever this module trains differently from the same settings."""
WARMUP = 0.1
"""Share of the budget in which the learning rate rises."""
CLIP_NORM = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CotrainProgress:
    """What is known when co-training begins or goes on, and after each epoch."""

    task: ClassVar[str] = "co-training"
    epoch: int
    """Finished epochs."""
    epochs: int
    loss: float | None
    """Mean over the epoch's steps; None before the first one of this process."""
    seconds: float
    """Spent on it so far, earlier runs included."""
    resumed: int
    """Epochs that an earlier, interrupted run had finished."""


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
    checkpoint: Checkpoint | None = None,
    progress: Callable[[CotrainProgress], None] = lambda _: None,
) -> RoutedNetwork:
    """Extract the candidate's pair, train it jointly for `spec.cotrain.epochs`, recalibrate, and fit its router.

    Learned and difficulty routers take part in the joint training through gamma, and are fitted once more at the end,
    to the frozen and recalibrated pair, on distorted training images. At 0 epochs that last fit is all, without an
    efficiency penalty.

    With a checkpoint, a joint training that was killed goes on after the last epoch that was written, and ends with the
    same weights as an undisturbed one on the same machine. Whoever stores the pair removes it.

    Returns:
        The pair on the CPU, in evaluation mode.

    Raises:
        DivergedError: the loss or a weight is not finite.
        CacheError: the checkpoint cannot be read or written.
    """
    budget, resolution = spec.cotrain, candidate.resolution
    device = choose_device(spec, batch_pixels=budget.batch_size * resolution**2)
    with seeded(seed, 5):
        network = extract(trained.supernet, candidate).to(device).to(memory_format=torch.channels_last)
        calibration = calibration_batch(data, resolution, seed).to(device)
        if budget.epochs:
            _recalibrate_pair(network, calibration)
            _warm_up(network, calibration)
            _train_jointly(_begin(network, budget, checkpoint), candidate, data, budget, progress)
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


@dataclass(slots=True, kw_only=True)
class _Run:
    """The moving parts of one joint training; its draws are those of PyTorch's generator, which is one of them."""

    network: RoutedNetwork
    optimizer: torch.optim.Optimizer
    checkpoint: Checkpoint | None
    epoch: int = 0
    _started: float = field(default_factory=time.perf_counter)

    @property
    def seconds(self) -> float:
        """Spent so far, by earlier processes too."""
        earlier = 0.0 if self.checkpoint is None else self.checkpoint.spent_s
        return earlier + time.perf_counter() - self._started

    def tensors(self) -> dict[str, Tensor]:
        weights = {f"weights.{name}": tensor for name, tensor in self.network.state_dict().items()}
        return {**weights, **optimizer_tensors(self.optimizer), "generator": torch.get_rng_state()}

    def restore(self) -> None:
        """Take up what an interrupted run left, if it left anything."""
        found = self.checkpoint and self.checkpoint.load(self.tensors)
        if not found:
            return
        tensors, facts = found
        weights = {n.removeprefix("weights."): t for n, t in tensors.items() if n.startswith("weights.")}
        self.network.load_state_dict(weights)
        restore_optimizer(self.optimizer, tensors)
        torch.set_rng_state(tensors["generator"])
        self.epoch = facts["epoch"]
        logger.info("co-training continues after epoch %d", self.epoch)

    def keep(self) -> None:
        """Write the state after an epoch, where it is time to."""
        if self.checkpoint is not None:
            self.checkpoint.save(self.tensors, {"epoch": self.epoch, "seconds": self.seconds})


def _begin(network: RoutedNetwork, budget: CotrainSpec, checkpoint: Checkpoint | None) -> _Run:
    """A joint training at its beginning, or where an interrupted one stopped."""
    decayed = [p for p in network.parameters() if p.ndim > 1]
    free = [p for p in network.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": budget.weight_decay}, {"params": free, "weight_decay": 0.0}], fused=True
    )
    network.train()
    run = _Run(network=network, optimizer=optimizer, checkpoint=checkpoint)
    run.restore()
    return run


def _train_jointly(
    run: _Run,
    candidate: Candidate,
    data: ImageData,
    budget: CotrainSpec,
    progress: Callable[[CotrainProgress], None],
) -> None:
    """Minimise `pair_loss` over the training images for what is left of the budget's epochs."""
    resumed = run.epoch

    def say(loss: float | None) -> None:
        progress(
            CotrainProgress(epoch=run.epoch, epochs=budget.epochs, loss=loss, seconds=run.seconds, resumed=resumed)
        )

    say(None)
    while run.epoch < budget.epochs:
        mean = _epoch(run, candidate, data, budget)
        if not math.isfinite(mean):
            raise DivergedError(
                f"co-training diverged in epoch {run.epoch + 1}: the loss is {mean}; lower "
                "training.cotrain.learning_rate"
            )
        run.epoch += 1
        if run.epoch < budget.epochs:
            run.keep()
        say(mean)


def _epoch(run: _Run, candidate: Candidate, data: ImageData, budget: CotrainSpec) -> float:
    """One pass over the training images; returns the mean loss."""
    network, train = run.network, data.train
    device = next(network.parameters()).device
    losses = []
    batches = list(shuffled(len(train), budget.batch_size))
    for step, index in enumerate(batches):
        done = (run.epoch + step / len(batches)) / budget.epochs
        for group in run.optimizer.param_groups:
            group["lr"] = budget.learning_rate * cosine(done, WARMUP)
        images, targets = augment(train.images[index], train.labels[index], data.augment, len(data.classes))
        prepared = data.prepare(images, candidate.resolution).to(device)
        loss = pair_loss(network, prepared, targets.to(device), candidate.loss)
        run.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), CLIP_NORM)
        run.optimizer.step()
        losses.append(loss.detach())
    return float(torch.stack(losses).mean())


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
