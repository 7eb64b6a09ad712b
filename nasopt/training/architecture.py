"""From a trained supernet to an architecture prior: trained by relaxation, resumed, or found in the cache."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

from nasopt.cache import Cache, content_key
from nasopt.data.images import ImageData
from nasopt.errors import CacheError, DivergedError
from nasopt.records.prior import ArchitecturePrior
from nasopt.spec.training import RelaxationSpec, TrainingSpec
from nasopt.training.bilevel import BilevelRun, RelaxationTask, alarms, begin, run_epoch, tables
from nasopt.training.checkpoint import resume_state, save_state
from nasopt.training.device import choose_device
from nasopt.training.supernet import TrainedSupernet

logger = logging.getLogger(__name__)

KIND = "priors"
"""Folder of the cache."""
RECIPE = 2
"""Raised whenever this module trains differently from the same settings."""
COLLAPSED = 0.95
"""A mean probability of the smallest choices, under every preference, that raises the alarm."""


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
class TrainedPrior:
    """An architecture prior and whether the cache had it."""

    prior: ArchitecturePrior
    key: str
    cached: bool


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
        wall, cpu = time.perf_counter(), time.process_time()
        run = begin(trained, task, data, spec, seed)
        run.seconds, run.cpu_seconds = time.perf_counter() - wall, time.process_time() - cpu
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


def _resume(run: BilevelRun, path: Path) -> None:
    facts = resume_state(path, run.restore)
    if facts is None:
        return
    run.epoch, run.log = facts["epoch"], facts["log"]
    run.seconds += facts["seconds"]
    run.cpu_seconds += facts["cpu_seconds"]
    logger.info("training of the relaxation continues after epoch %d", run.epoch)


def _train(
    run: BilevelRun,
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
        loss = run_epoch(run, data, recipe, seed, epochs)
        if not math.isfinite(loss):
            raise DivergedError(
                f"the relaxation diverged in epoch {run.epoch + 1}: the loss is {loss}; lower "
                "training.relaxation.weight_learning_rate"
            )
        run.epoch += 1
        run.log.append({"loss": loss, **alarms(run, recipe)})
        run.seconds += time.perf_counter() - wall
        run.cpu_seconds += time.process_time() - cpu
        if run.epoch < epochs:
            facts = {"epoch": run.epoch, "log": run.log, "seconds": run.seconds, "cpu_seconds": run.cpu_seconds}
            save_state(cache, partial, run.tensors(), facts)
        progress(
            RelaxationProgress(epoch=run.epoch, epochs=epochs, seconds=run.seconds, resumed=resumed, **run.log[-1])
        )


def _record(
    run: BilevelRun, task: RelaxationTask, data: ImageData, trained: TrainedSupernet, recipe: RelaxationSpec
) -> ArchitecturePrior:
    rows = tables(run, recipe)
    probabilities = {
        name: tuple(tuple((p[stage] / p[stage].sum()).tolist()) for p in rows[role, axis])
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
