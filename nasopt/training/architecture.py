"""Training the relaxation of a trained supernet, and the architecture prior that comes of it. [Liu2019]

First-order bi-level optimisation: the weights take a step on training images, then the architecture one on validation
images, each under a preference drawn anew; alpha is conditioned on it, so one training serves all. [Sukthanker2024]
"""

from __future__ import annotations

import copy
import json
import logging
import math
import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from nasopt.cache import Cache, content_key
from nasopt.errors import CacheError, DivergedError
from nasopt.models.elastic import Head
from nasopt.prior import ArchitecturePrior
from nasopt.records import Architecture, StageChoice
from nasopt.spec.training import RelaxationSpec, TrainingSpec
from nasopt.training.augment import augment, mixed, seeded
from nasopt.training.block_costs import Predictor, tabulate
from nasopt.training.checkpoint import load_state, optimizer_tensors, restore_optimizer, save_state
from nasopt.training.device import choose_device
from nasopt.training.images import ImageData
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

logger = logging.getLogger(__name__)

KIND = "priors"
"""Folder of the cache."""
RECIPE = 1
"""Raised whenever this module trains differently from the same settings."""
COLLAPSED = 0.95
"""A mean probability of the smallest choices, under every preference, that raises the alarm."""
ANCHOR_IMAGES = 1024
CLIP_NORM = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaxationProgress:
    """What is known after an epoch."""

    task: ClassVar[str] = "relaxation"
    epoch: int
    epochs: int
    loss: float
    """Mean of the weighted, scaled objectives over the epoch's architecture steps."""
    seconds: float
    resumed: int
    """Epochs that an earlier, interrupted run had finished."""
    entropy: float
    """Of p, as a share of the uniform one's; mean over parameters and preferences."""
    smallest_share: float
    """Mean probability of the smallest choices."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedPrior:
    """An architecture prior and whether the cache had it."""

    prior: ArchitecturePrior
    key: str
    cached: bool


@dataclass(slots=True, kw_only=True)
class _Run:
    """The moving parts of one training."""

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
        parts: dict[str, Mapping[str, Tensor]] = {
            "weights.": self.relaxed.supernet.state_dict(),
            "alpha.": self.alpha.state_dict(),
            "weight-": optimizer_tensors(self.weight_optimizer),
            "alpha-": optimizer_tensors(self.alpha_optimizer),
        }
        return {f"{prefix}{name}": t for prefix, tensors in parts.items() for name, t in tensors.items()}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        def part(prefix: str) -> dict[str, Tensor]:
            return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}

        self.relaxed.supernet.load_state_dict(part("weights."))
        self.alpha.load_state_dict(part("alpha."))
        restore_optimizer(self.weight_optimizer, part("weight-"))
        restore_optimizer(self.alpha_optimizer, part("alpha-"))


def prior_key(supernet_key: str, task: RelaxationTask, spec: TrainingSpec, *, seed: int) -> str:
    """Content address of the prior that `train_prior` makes of these arguments."""
    return content_key(
        recipe=[RECIPE, spec.relaxation],
        supernet=supernet_key,
        choices={role: asdict(offered) for role, offered in task.choices.items()},
        names=sorted(task.names),
        objectives=task.objectives,
        taus=task.taus,
        resolution=task.resolution,
        predictor=task.signature if task.predictor else None,
        device=choose_device(spec).type,
        seed=seed,
    )


def train_prior(
    trained: TrainedSupernet,
    task: RelaxationTask,
    data: ImageData,
    spec: TrainingSpec,
    *,
    seed: int,
    cache: Cache,
    progress: Callable[[RelaxationProgress], None] = lambda _: None,
) -> TrainedPrior:
    """Train the relaxation of this supernet, resume its training, or find its prior in the cache.

    The supernet given is left as it is. Processes that want the same prior train it once: the others wait.

    Raises:
        DivergedError: the loss is not finite.
        CacheError: a checkpoint cannot be read or written.
    """
    key = prior_key(trained.key, task, spec, seed=seed)
    path = cache.path(KIND, key, ".json")
    with cache.lock(KIND, key):
        if (found := _read(path)) is not None:
            return TrainedPrior(prior=found, key=key, cached=True)
        started = time.perf_counter()
        run = _start(trained, task, data, spec, seed)
        run.seconds = time.perf_counter() - started
        partial = cache.path(KIND, key, ".partial.safetensors")
        _resume(run, partial)
        _train(run, data, spec, seed, cache, partial, progress)
        prior = _record(run, task, data, trained, spec.relaxation)
        text = json.dumps(prior.to_json())
        cache.write(path, lambda scratch: scratch.write_text(text))
        partial.unlink(missing_ok=True)
    if min(prior.smallest_share(row) for row in range(len(run.grid))) > COLLAPSED:
        logger.warning(
            "the relaxation has collapsed: the smallest choices hold more than %d%% of the probability under every "
            "preference; lower training.relaxation.learning_rate or epochs",
            100 * COLLAPSED,
        )
    return TrainedPrior(prior=prior, key=key, cached=False)


def _read(path: Path) -> ArchitecturePrior | None:
    """A stored prior; a damaged file counts as absent and is written anew."""
    try:
        return ArchitecturePrior.from_json(json.loads(path.read_text()))
    except (FileNotFoundError, ValueError):
        return None
    except OSError as error:
        raise CacheError(
            f"cannot read {path}: {error.strerror or error}; check its permissions, or delete it"
        ) from error


def _start(trained: TrainedSupernet, task: RelaxationTask, data: ImageData, spec: TrainingSpec, seed: int) -> _Run:
    device = choose_device(spec)
    supernet = copy.deepcopy(trained.supernet).to(device).to(memory_format=torch.channels_last).train()
    layout = supernet.layout
    relaxed = RelaxedSupernet(supernet, task.choices)
    alpha = ArchitectureLogits(task.choices, len(layout.channels), len(task.objectives)).to(device)
    tables = tabulate(layout, task.choices, task.resolution, task.predictor)
    objectives = tuple(relaxed_objective(metric, list(tables)) for metric in task.objectives)
    terms = PairTerms(objectives=objectives, tables=tables, taus=task.taus)
    return _Run(
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


def _resume(run: _Run, path: Path) -> None:
    loaded = load_state(path)
    if loaded is None:
        return
    tensors, facts = loaded
    try:
        run.restore(tensors)
    except (RuntimeError, KeyError, ValueError) as error:
        raise CacheError(
            f"{path} does not hold the training state that its name promises; delete it and run again"
        ) from error
    run.epoch, run.log = facts["epoch"], facts["log"]
    run.seconds += facts["seconds"]
    run.cpu_seconds += facts["cpu_seconds"]
    logger.info("training of the relaxation continues after epoch %d", run.epoch)


def _train(
    run: _Run,
    data: ImageData,
    spec: TrainingSpec,
    seed: int,
    cache: Cache,
    partial: Path,
    progress: Callable[[RelaxationProgress], None],
) -> None:
    """Run the epochs that are left, each followed by a checkpoint."""
    recipe = spec.relaxation
    steps = max(1, len(data.train) // recipe.batch_size)
    epochs = max(recipe.epochs, math.ceil(recipe.min_steps / steps))
    resumed = run.epoch
    while run.epoch < epochs:
        wall, cpu = time.perf_counter(), time.process_time()
        loss = _epoch(run, data, recipe, seed, epochs)
        if not math.isfinite(loss):
            raise DivergedError(
                f"the relaxation diverged in epoch {run.epoch + 1}: the loss is {loss}; lower "
                "training.relaxation.weight_learning_rate"
            )
        run.epoch += 1
        run.log.append({"loss": loss, **_alarms(run, recipe)})
        run.seconds += time.perf_counter() - wall
        run.cpu_seconds += time.process_time() - cpu
        if run.epoch < epochs:
            facts = {"epoch": run.epoch, "log": run.log, "seconds": run.seconds, "cpu_seconds": run.cpu_seconds}
            save_state(cache, partial, run.tensors(), facts)
        progress(
            RelaxationProgress(epoch=run.epoch, epochs=epochs, seconds=run.seconds, resumed=resumed, **run.log[-1])
        )


def _epoch(run: _Run, data: ImageData, recipe: RelaxationSpec, seed: int, epochs: int) -> float:
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
    run: _Run,
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
    run: _Run, data: ImageData, recipe: RelaxationSpec, generator: random.Random, temperature: float, rate: float
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


def _alarms(run: _Run, recipe: RelaxationSpec) -> dict[str, float]:
    """Mean entropy of p, as a share of the uniform one's, and mean probability of the smallest choices."""
    entropies, smallest = [], []
    for row in _tables(run, recipe).values():
        for p in row:
            if p.shape[-1] > 1:
                entropies.append((-(p * p.clamp_min(1e-12).log()).sum(-1) / math.log(p.shape[-1])).mean())
                smallest.append(p[:, 0].mean())
    return {
        "entropy": float(torch.stack(entropies).mean()) if entropies else 0.0,
        "smallest_share": float(torch.stack(smallest).mean()) if smallest else 1.0,
    }


@torch.no_grad()
def _tables(run: _Run, recipe: RelaxationSpec) -> dict[tuple[Head, str], list[Tensor]]:
    """p(choice | preference) of each role and axis: for each preference (stages, choices)."""
    device = next(run.alpha.parameters()).device
    rows = [torch.tensor(preference, device=device) for preference in run.grid]
    means = {role: [run.alpha.means(role, row, recipe.method) for row in rows] for role in ROLES}
    return {(role, axis): [m[axis].double().cpu() for m in means[role]] for role in ROLES for axis in AXES}


def _record(
    run: _Run, task: RelaxationTask, data: ImageData, trained: TrainedSupernet, recipe: RelaxationSpec
) -> ArchitecturePrior:
    tables = _tables(run, recipe)
    probabilities = {
        name: tuple(tuple((p[stage] / p[stage].sum()).tolist()) for p in tables[role, axis])
        for name, (role, stage, axis) in task.names.items()
    }
    return ArchitecturePrior(
        objectives=task.objectives,
        preferences=run.grid,
        choices={name: task.choices[role].of(axis) for name, (role, _, axis) in task.names.items()},
        probabilities=probabilities,
        provenance={
            "supernet": trained.key,
            "data": data.name,
            "method": recipe.method,
            "predictor": dict(task.signature) if task.predictor else None,
            "stand_ins": {o.metric: o.stand_in for o in run.terms.objectives if o.stand_in},
            "resolution": task.resolution,
            "seconds": run.seconds,
            "cpu_seconds": run.cpu_seconds,
        },
        epochs=tuple(run.log),
    )
