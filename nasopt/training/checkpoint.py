"""Training states as safetensors files with JSON metadata, whole or not there at all."""

from __future__ import annotations

import json
import logging
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from nasopt.cache import Cache
from nasopt.errors import CacheError

logger = logging.getLogger(__name__)

WRITE_EVERY_S = 5.0
"""A training with short epochs is written at most so often."""
WRITING_SHARE = 0.05
"""Of a training's time, at most, that goes into writing it."""


def save_state(cache: Cache, path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write tensors and JSON facts, with a checksum, in one file that appears at once.

    Raises:
        CacheError: the disk is full or read-only.
    """
    held = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    metadata = {"facts": json.dumps(facts), "checksum": str(checksum(held))}

    def write(scratch: Path) -> None:
        try:
            save_file(held, scratch, metadata=metadata)
        except SafetensorError as error:  # how the library reports a full disk
            raise OSError(str(error)) from error

    cache.write(path, write)


def load_state(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Read what `save_state` wrote; None where there is no file, or a damaged one, which is deleted with a warning.

    Raises:
        CacheError: the file is there but may not be read.
    """
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if int(metadata["checksum"]) != checksum(tensors):
            raise ValueError("its checksum does not match")
        return tensors, json.loads(metadata["facts"])
    except (SafetensorError, KeyError, ValueError) as error:
        logger.warning("discarding the damaged checkpoint %s (%s); what it held is trained again", path, error)
        path.unlink(missing_ok=True)
        return None
    except OSError as error:
        raise CacheError(
            f"cannot read {path}: {error.strerror or error}; check its permissions, delete it, or set NASOPT_CACHE"
        ) from error


def resume_state(path: Path, restore: Callable[[dict[str, Tensor]], None]) -> dict[str, Any] | None:
    """Hand the tensors that `save_state` wrote to `restore`; their facts, or None where there is nothing to go on from.

    Raises:
        CacheError: the file holds another state, or may not be read.
    """
    loaded = load_state(path)
    if loaded is None:
        return None
    tensors, facts = loaded
    try:
        restore(tensors)
    except (RuntimeError, KeyError, ValueError) as error:
        raise CacheError(
            f"{path} does not hold the training state that its name promises; delete it and run again"
        ) from error
    return facts


@dataclass(slots=True, kw_only=True)
class Checkpoint:
    """Where a training of many epochs keeps its state, so that a kill costs some seconds and an epoch at most.

    Processes that train the same write the same, each file whole, so they cannot spoil each other's.
    """

    cache: Cache
    path: Path
    spent_s: float = 0.0
    """What earlier, interrupted processes spent on it; known once `load` was called."""
    _due: float = field(default_factory=lambda: time.monotonic() + WRITE_EVERY_S)

    def load(self, like: Callable[[], Mapping[str, Tensor]]) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """The state left behind, or None where there is none, or none that can be used, which is said and deleted.

        Args:
            like: gives tensors that the state must have, in name and shape.

        Raises:
            CacheError: the file is there but may not be read.
        """
        loaded = load_state(self.path)
        if loaded is None:
            return None
        tensors, facts = loaded
        if any(name not in tensors or tensors[name].shape != tensor.shape for name, tensor in like().items()):
            logger.warning("discarding the checkpoint %s: it is of another network; training starts anew", self.path)
            self.remove()
            return None
        self.spent_s = float(facts["seconds"])
        return tensors, facts

    def save(self, state: Callable[[], Mapping[str, Tensor]], facts: Mapping[str, Any]) -> None:
        """Write the state, unless it was written a moment ago. `facts` holds `seconds`, all spent so far.

        Raises:
            CacheError: the disk is full or read-only.
        """
        started = time.monotonic()
        if started < self._due:
            return
        save_state(self.cache, self.path, state(), facts)
        ended = time.monotonic()
        self._due = ended + max(WRITE_EVERY_S, (ended - started) / WRITING_SHARE)

    def remove(self) -> None:
        """Forget it: what was trained is stored, or not worth going on with."""
        self.path.unlink(missing_ok=True)


def checksum(tensors: Mapping[str, Tensor]) -> int:
    """CRC-32 of names and contents, in the order of the names."""
    total = 0
    for name in sorted(tensors):
        total = zlib.crc32(name.encode(), total)
        total = zlib.crc32(tensors[name].reshape(-1).view(torch.uint8).numpy().data, total)
    return total


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimizer's state as flat tensors, named `optimizer.<position>.<entry>`."""
    state = optimizer.state_dict()["state"]
    return {
        f"optimizer.{index}.{entry}": torch.as_tensor(value)
        for index, entries in state.items()
        for entry, value in entries.items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `optimizer_tensors` took.

    Moments get the memory format of their parameter, which files do not keep: a fused optimizer reads both in the order
    in which they lie in memory.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, index, entry = name.split(".")
            parameter = parameters[int(index)]
            if tensor.shape == parameter.shape:
                tensor = torch.empty_like(parameter, requires_grad=False).copy_(tensor)
            state.setdefault(int(index), {})[entry] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
