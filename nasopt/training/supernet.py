"""Training the weight-shared supernet once, and finding it again."""

from __future__ import annotations

import logging
import math
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from nasopt.cache import Cache, content_key
from nasopt.data.augment import augment, mixed, seeded
from nasopt.data.images import ImageData
from nasopt.errors import CacheError, DivergedError
from nasopt.networks import Supernet
from nasopt.records import NetworkLayout
from nasopt.spec.training import SupernetSpec, TrainingSpec
from nasopt.training.checkpoint import load_state, optimizer_tensors, restore_optimizer, resume_state, save_state
from nasopt.training.device import choose_device
from nasopt.training.sandwich import accumulate, choose
from nasopt.training.shrinking import shrink
from nasopt.training.subnet_accuracy import sampled_accuracies

logger = logging.getLogger(__name__)

KIND = "supernet"
"""Folder of the cache."""
RECIPE = 2
"""Raised whenever this module trains differently from the same settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SupernetProgress:
    """What is known after an epoch."""

    epoch: int
    """Finished epochs."""
    epochs: int
    loss: float
    """Mean over the epoch's steps."""
    seconds: float
    """Spent on training so far, earlier runs included."""
    resumed: int
    """Epochs that an earlier, interrupted run had finished."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainedSupernet:
    """A supernet with its weights averaged and its record."""

    supernet: Supernet
    """On the CPU, in evaluation mode."""
    key: str
    """Hash of everything that shaped the weights."""
    seconds: float
    """What training took, also where the cache answered."""
    subnet_accuracies: tuple[float, ...]
    """Validation accuracy of 20 random sub-networks, BatchNorm recalibrated."""
    cached: bool
    """Whether the cache answered."""


@dataclass(slots=True, kw_only=True)
class _Run:
    """The moving parts of one training."""

    supernet: Supernet
    average: AveragedModel | None
    optimizer: torch.optim.Optimizer
    epoch: int = 0
    seconds: float = 0.0
    loss: float = field(default=math.nan)

    def tensors(self) -> dict[str, Tensor]:
        averaged = {} if self.average is None else self.average.state_dict()
        return {
            **{f"weights.{name}": t for name, t in self.supernet.state_dict().items()},
            **{f"average.{name}": t for name, t in averaged.items()},
            **optimizer_tensors(self.optimizer),
        }

    def restore(self, tensors: dict[str, Tensor]) -> None:
        self.supernet.load_state_dict(_part(tensors, "weights."))
        if self.average is not None:
            self.average.load_state_dict(_part(tensors, "average."))
        restore_optimizer(self.optimizer, tensors)

    def result(self) -> Supernet:
        network = self.supernet if self.average is None else self.average.module
        assert isinstance(network, Supernet)
        return network.cpu().eval()


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


def supernet_key(layout: NetworkLayout, data: ImageData, spec: TrainingSpec, *, seed: int) -> str:
    """Content address of the supernet that `train_supernet` makes of these arguments."""
    return content_key(
        layout=layout,
        data=data.fingerprint,
        augment=data.augment,
        recipe=[RECIPE, lengthened(spec.supernet, len(data.train))],
        device=choose_device(spec).type,
        torch=int(torch.__version__.split(".")[0]),
        seed=seed,
    )


def lengthened(spec: SupernetSpec, images: int) -> SupernetSpec:
    """The recipe with as many epochs as `min_steps` needs on so many training images."""
    steps = math.ceil(images / spec.batch_size)
    return spec.model_copy(update={"epochs": max(spec.epochs, math.ceil(spec.min_steps / steps)), "min_steps": 0})


def train_supernet(
    layout: NetworkLayout,
    data: ImageData,
    spec: TrainingSpec,
    *,
    seed: int,
    cache: Cache,
    progress: Callable[[SupernetProgress], None] = lambda _: None,
) -> TrainedSupernet:
    """Train the supernet of this layout, resume its training, or find it in the cache.

    A training that was killed goes on after its last finished epoch, with the same result as an undisturbed one.
    Processes that want the same supernet train it once: the others wait.

    Raises:
        DivergedError: the loss or a weight is not finite.
        CacheError: the checkpoint cannot be read or written.
    """
    device = choose_device(spec, batch_pixels=spec.supernet.batch_size * layout.resolutions[-1] ** 2)
    key = supernet_key(layout, data, spec, seed=seed)
    with cache.lock(KIND, key):
        found = _find(layout, cache, key)
        if found is not None:
            return found
        run = _start(layout, spec.supernet, seed, device)
        partial = cache.path(KIND, key, ".partial.safetensors")
        _resume(run, cache, key)
        _train(run, data, lengthened(spec.supernet, len(data.train)), seed, device, cache, key, progress)
        started = time.perf_counter()
        supernet = run.result()
        accuracies = sampled_accuracies(supernet, data, device, seed)
        run.seconds += time.perf_counter() - started
        facts = {"seconds": run.seconds, "subnet_accuracies": accuracies}
        save_state(cache, cache.path(KIND, key, ".safetensors"), supernet.state_dict(), facts)
        partial.unlink(missing_ok=True)
    return TrainedSupernet(supernet=supernet, key=key, seconds=run.seconds, subnet_accuracies=accuracies, cached=False)


def _find(layout: NetworkLayout, cache: Cache, key: str) -> TrainedSupernet | None:
    path = cache.path(KIND, key, ".safetensors")
    loaded = load_state(path)
    if loaded is None:
        return None
    tensors, facts = loaded
    supernet = Supernet(layout)
    try:
        supernet.load_state_dict(tensors)
    except RuntimeError as error:
        raise CacheError(
            f"{path} does not hold the supernet that its name promises; delete it and run again"
        ) from error
    return TrainedSupernet(
        supernet=supernet.to(memory_format=torch.channels_last).eval(),
        key=key,
        seconds=facts["seconds"],
        subnet_accuracies=tuple(facts["subnet_accuracies"]),
        cached=True,
    )


def _start(layout: NetworkLayout, spec: SupernetSpec, seed: int, device: torch.device) -> _Run:
    with seeded(seed, 1):
        supernet = Supernet(layout)
    supernet = supernet.to(device).to(memory_format=torch.channels_last).train()
    decayed: list[nn.Parameter] = []
    free: list[nn.Parameter] = []
    for name, parameter in supernet.named_parameters():
        # Kernel transforms begin as identities; decay would pull them to zero.
        (decayed if parameter.ndim > 1 and "transforms" not in name else free).append(parameter)
    groups = [{"params": decayed, "weight_decay": spec.weight_decay}, {"params": free, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=spec.learning_rate, fused=True)
    average = AveragedModel(supernet, multi_avg_fn=get_ema_multi_avg_fn(spec.ema)) if spec.ema else None
    return _Run(supernet=supernet, average=average, optimizer=optimizer)


def _resume(run: _Run, cache: Cache, key: str) -> None:
    path = cache.path(KIND, key, ".partial.safetensors")
    facts = resume_state(path, run.restore)
    if facts is None:
        return
    run.epoch, run.seconds, run.loss = facts["epoch"], facts["seconds"], facts["loss"]
    logger.info("supernet training continues after epoch %d", run.epoch)


def _train(
    run: _Run,
    data: ImageData,
    spec: SupernetSpec,
    seed: int,
    device: torch.device,
    cache: Cache,
    key: str,
    progress: Callable[[SupernetProgress], None],
) -> None:
    """Run the epochs that are left, each followed by a checkpoint."""
    images, labels = data.train.images.to(device), data.train.labels.to(device)
    resumed = run.epoch
    while run.epoch < spec.epochs:
        started = time.perf_counter()
        losses = _epoch(run, data, images, labels, spec, seed)
        run.loss = float(losses.mean())
        if not math.isfinite(run.loss):
            raise DivergedError(
                f"supernet training diverged in epoch {run.epoch + 1}: the loss is {run.loss}; "
                "lower training.supernet.learning_rate or clip_norm"
            )
        run.epoch += 1
        run.seconds += time.perf_counter() - started
        if run.epoch < spec.epochs:
            facts = {"epoch": run.epoch, "seconds": run.seconds, "loss": run.loss}
            save_state(cache, cache.path(KIND, key, ".partial.safetensors"), run.tensors(), facts)
        progress(
            SupernetProgress(epoch=run.epoch, epochs=spec.epochs, loss=run.loss, seconds=run.seconds, resumed=resumed)
        )


def _epoch(run: _Run, data: ImageData, images: Tensor, labels: Tensor, spec: SupernetSpec, seed: int) -> Tensor:
    """One pass over the training images; every draw depends on seed and epoch alone. Returns the losses (steps,)."""
    layout = run.supernet.layout
    generator = random.Random(mixed(seed, 2, run.epoch))
    losses = []
    with seeded(seed, 3, run.epoch):
        batches = list(shuffled(len(images), spec.batch_size))
        for step, index in enumerate(batches):
            done = (run.epoch + step / len(batches)) / spec.epochs
            for group in run.optimizer.param_groups:
                group["lr"] = spec.learning_rate * cosine(done, spec.warmup_epochs / spec.epochs)
            batch, targets = augment(images[index], labels[index], data.augment, layout.classes)
            prepared = data.prepare(batch, generator.choice(layout.resolutions))
            chosen = choose(shrink(layout, spec.shrink, done), spec, generator)
            run.optimizer.zero_grad(set_to_none=True)
            losses.append(accumulate(run.supernet, prepared, targets, chosen, spec))
            nn.utils.clip_grad_norm_(run.supernet.parameters(), spec.clip_norm)
            run.optimizer.step()
            if run.average is not None:
                run.average.update_parameters(run.supernet)
    return torch.stack(losses)


def shuffled(count: int, batch_size: int) -> Iterator[Tensor]:
    """Positions (batch,) of one epoch's batches in random order; a last batch under half the size is left out."""
    order = torch.randperm(count)
    for batch in order.split(batch_size):
        if 2 * len(batch) >= batch_size or count < batch_size:
            yield batch


def cosine(done: float, warmup: float) -> float:
    """Factor of the learning rate at this share of the training: linear rise over `warmup`, then half a cosine to
    zero."""
    if done < warmup:
        return max(done / warmup, 0.01)
    return 0.5 * (1 + math.cos(math.pi * (done - warmup) / max(1e-9, 1 - warmup)))
