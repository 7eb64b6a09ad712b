"""One bi-level run over a relaxed supernet: its state, its two steps, and the probabilities that it has come to.

First order [Liu2019]: the weights take a step on training images, then the architecture one on validation images, each
under a preference drawn anew; alpha is conditioned on it, so one training serves all. [Sukthanker2024, MODNAS]
"""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from nasopt.data.augment import augment, mixed, seeded
from nasopt.data.images import ImageData
from nasopt.networks.elastic import Head
from nasopt.records import Architecture, StageChoice
from nasopt.spec.training import RelaxationSpec, TrainingSpec
from nasopt.training.block_costs import Predictor, tabulate
from nasopt.training.checkpoint import optimizer_tensors, restore_optimizer
from nasopt.training.device import choose_device
from nasopt.training.preferences import PairTerms, Scale, preferences, relaxed_objective
from nasopt.training.relaxation import (
    AXES,
    ROLES,
    ArchitectureLogits,
    RelaxedSupernet,
    RoleChoices,
    one_hot,
)
from nasopt.training.supernet import TrainedSupernet, cosine, shuffled

ANCHOR_IMAGES = 1024
CLIP_NORM = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaxationTask:
    """What is relaxed, and for what."""

    choices: Mapping[Head, RoleChoices]
    names: Mapping[str, tuple[Head, int, str]]
    """Parameters of the prior: name -> role, stage from 0, axis."""
    objectives: tuple[str, ...]
    taus: tuple[float, ...]
    """Thresholds that the space may draw."""
    resolution: int
    predictor: Predictor | None
    """The device's; None where it has none that needs no measurement."""
    signature: Mapping[str, Any]
    """What the predictor's figures depend on, as JSON values."""


@dataclass(slots=True, kw_only=True)
class BilevelRun:
    """The moving parts of one training, with what is known of it after each epoch in `log`."""

    relaxed: RelaxedSupernet
    alpha: ArchitectureLogits
    weight_optimizer: torch.optim.Optimizer
    alpha_optimizer: torch.optim.Optimizer
    terms: PairTerms
    scale: Scale
    grid: tuple[tuple[float, ...], ...]
    resolution: int
    epoch: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    log: list[dict[str, float]] = field(default_factory=list)

    def tensors(self) -> dict[str, Tensor]:
        """Everything that a checkpoint needs: weights, logits and both optimizers."""
        parts: dict[str, Mapping[str, Tensor]] = {
            "weights.": self.relaxed.supernet.state_dict(),
            "alpha.": self.alpha.state_dict(),
            "weight-": optimizer_tensors(self.weight_optimizer),
            "alpha-": optimizer_tensors(self.alpha_optimizer),
        }
        return {f"{prefix}{name}": t for prefix, tensors in parts.items() for name, t in tensors.items()}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what `tensors` gave."""

        def part(prefix: str) -> dict[str, Tensor]:
            return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}

        self.relaxed.supernet.load_state_dict(part("weights."))
        self.alpha.load_state_dict(part("alpha."))
        restore_optimizer(self.weight_optimizer, part("weight-"))
        restore_optimizer(self.alpha_optimizer, part("alpha-"))


def begin(trained: TrainedSupernet, task: RelaxationTask, data: ImageData, spec: TrainingSpec, seed: int) -> BilevelRun:
    """A run at its beginning, on a copy of the supernet."""
    device = choose_device(spec, batch_pixels=spec.relaxation.batch_size * task.resolution**2)
    supernet = copy.deepcopy(trained.supernet).to(device).to(memory_format=torch.channels_last).train()
    layout = supernet.layout
    relaxed = RelaxedSupernet(supernet, task.choices)
    alpha = ArchitectureLogits(task.choices, len(layout.channels), len(task.objectives)).to(device)
    blocks = tabulate(layout, task.choices, task.resolution, task.predictor)
    objectives = tuple(relaxed_objective(metric, list(blocks)) for metric in task.objectives)
    terms = PairTerms(objectives=objectives, tables=blocks, taus=task.taus)
    return BilevelRun(
        relaxed=relaxed,
        alpha=alpha,
        weight_optimizer=torch.optim.AdamW(supernet.parameters(), lr=1e-3, weight_decay=0.0),
        alpha_optimizer=torch.optim.Adam(alpha.parameters(), lr=1e-3, betas=(0.5, 0.999)),  # [Liu2019]
        terms=terms,
        scale=_scale(relaxed, terms, task, data, seed),
        grid=preferences(len(task.objectives), spec.relaxation.divisions),
        resolution=task.resolution,
    )


@torch.no_grad()
def _scale(relaxed: RelaxedSupernet, terms: PairTerms, task: RelaxationTask, data: ImageData, seed: int) -> Scale:
    """Ranges of the terms between the smallest and the largest pair, on validation images."""
    device = next(relaxed.parameters()).device
    with seeded(seed, 21):
        index = torch.randperm(len(data.validation))[:ANCHOR_IMAGES]
    images = data.prepare(data.validation.images[index], task.resolution).to(device)
    labels = data.validation.labels[index].to(device)
    found = []
    for end in (0, -1):
        mixtures = {
            role: {axis: w.to(device) for axis, w in one_hot(offered, _extreme(relaxed, offered, end)).items()}
            for role, offered in task.choices.items()
        }
        found.append(terms.of(relaxed(images, mixtures), labels, mixtures).cpu())
    return Scale.between(*found)


def _extreme(relaxed: RelaxedSupernet, offered: RoleChoices, end: int) -> Architecture:
    stage = StageChoice(
        width=offered.width[end],
        depth=offered.depth[end],
        kernel=offered.kernel[end],
        expansion=offered.expansion[end],
    )
    return (stage,) * len(relaxed.supernet.layout.channels)


def run_epoch(run: BilevelRun, data: ImageData, recipe: RelaxationSpec, seed: int, epochs: int) -> float:
    """One pass over the training images; every draw depends on seed and epoch alone. Returns the mean loss."""
    generator = random.Random(mixed(seed, 22, run.epoch))
    losses = []
    with seeded(seed, 23, run.epoch):
        batches = list(shuffled(len(data.train), recipe.batch_size))
        for step, index in enumerate(batches):
            done = (run.epoch + step / len(batches)) / epochs
            temperature = recipe.temperature * (recipe.final_temperature / recipe.temperature) ** done
            decay = cosine(done, 0.0)
            if recipe.weight_learning_rate:
                _weight_step(run, data, index, recipe, generator, temperature, recipe.weight_learning_rate * decay)
            losses.append(_alpha_step(run, data, recipe, generator, temperature, recipe.learning_rate * decay))
    return float(torch.stack(losses).mean())


def _weight_step(
    run: BilevelRun,
    data: ImageData,
    index: Tensor,
    recipe: RelaxationSpec,
    generator: random.Random,
    temperature: float,
    rate: float,
) -> None:
    """Both roles' cross-entropy on training images, under mixtures of a preference drawn at random."""
    device = next(run.relaxed.parameters()).device
    images, targets = augment(data.train.images[index], data.train.labels[index], data.augment, len(data.classes))
    prepared = data.prepare(images, run.resolution).to(device)
    preference = torch.tensor(generator.choice(run.grid), device=device)
    with torch.no_grad():
        mixtures = {role: run.alpha.mixture(role, preference, recipe.method, temperature) for role in ROLES}
    logits = run.relaxed(prepared, mixtures)
    loss = sum(nn.functional.cross_entropy(logits[role], targets.to(device)) for role in ROLES)
    assert isinstance(loss, Tensor)
    _step(run.weight_optimizer, loss, run.relaxed.parameters(), rate)


def _alpha_step(
    run: BilevelRun, data: ImageData, recipe: RelaxationSpec, generator: random.Random, temperature: float, rate: float
) -> Tensor:
    """The objectives on validation images, weighed by a preference drawn at random; costs are those of the means."""
    device = next(run.relaxed.parameters()).device
    index = torch.randint(len(data.validation), (min(recipe.batch_size, len(data.validation)),))
    images = data.prepare(data.validation.images[index], run.resolution).to(device)
    labels = data.validation.labels[index].to(device)
    preference = torch.tensor(generator.choice(run.grid), device=device)
    mixtures = {role: run.alpha.mixture(role, preference, recipe.method, temperature) for role in ROLES}
    means = {role: run.alpha.means(role, preference, recipe.method) for role in ROLES}
    terms = run.terms.of(run.relaxed(images, mixtures), labels, means)
    loss = run.scale.weigh(terms, preference)
    _step(run.alpha_optimizer, loss, run.alpha.parameters(), rate)
    return loss.detach()


def _step(optimizer: torch.optim.Optimizer, loss: Tensor, parameters: Iterable[nn.Parameter], rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate
    held = list(parameters)
    for parameter, gradient in zip(held, torch.autograd.grad(loss, held, allow_unused=True), strict=True):
        parameter.grad = gradient
    nn.utils.clip_grad_norm_(held, CLIP_NORM)
    optimizer.step()


def alarms(run: BilevelRun, recipe: RelaxationSpec) -> dict[str, float]:
    """Mean entropy of p, as a share of the uniform one's, and mean probability of the smallest choices."""
    entropies, smallest = [], []
    for row in tables(run, recipe).values():
        for p in row:
            if p.shape[-1] > 1:
                entropies.append((-(p * p.clamp_min(1e-12).log()).sum(-1) / math.log(p.shape[-1])).mean())
                smallest.append(p[:, 0].mean())
    return {
        "entropy": float(torch.stack(entropies).mean()) if entropies else 0.0,
        "smallest_share": float(torch.stack(smallest).mean()) if smallest else 1.0,
    }


@torch.no_grad()
def tables(run: BilevelRun, recipe: RelaxationSpec) -> dict[tuple[Head, str], list[Tensor]]:
    """p(choice | preference) of each role and axis: for each preference (stages, choices)."""
    device = next(run.alpha.parameters()).device
    rows = [torch.tensor(preference, device=device) for preference in run.grid]
    means = {role: [run.alpha.means(role, row, recipe.method) for row in rows] for role in ROLES}
    return {(role, axis): [m[axis].double().cpu() for m in means[role]] for role in ROLES for axis in AXES}
