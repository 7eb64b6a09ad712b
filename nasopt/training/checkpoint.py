"""Training states as safetensors files with JSON metadata, whole or not there at all."""

from __future__ import annotations

import json
import logging
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from nasopt.cache import Cache
from nasopt.errors import CacheError

logger = logging.getLogger(__name__)


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
    """Put back what `optimizer_tensors` took."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, index, entry = name.split(".")
            state.setdefault(int(index), {})[entry] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
