"""Where and with what precision training runs."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch

from nasopt.errors import UsageError
from nasopt.spec.training import TrainingSpec

SMALL_BATCH = 2**15
"""Pixels of a batch below which a second thread costs more than it brings: at 64 images of 8x8 a supernet step took
2.5 times the processor time on two threads, and was no sooner done; at 64 of 32x32 it is a third sooner."""
_ALL_THREADS = torch.get_num_threads()


def choose_device(spec: TrainingSpec, *, batch_pixels: int | None = None) -> torch.device:
    """The device that `training.device` names; sets PyTorch's threads as a side effect.

    Args:
        spec: where `threads` is left out, small batches get one thread and others all.
        batch_pixels: images of a batch times their pixels; left out where nothing is trained.

    Raises:
        UsageError: cuda is asked for and not there.
    """
    if spec.threads is not None:
        torch.set_num_threads(spec.threads)
    elif batch_pixels is not None:
        torch.set_num_threads(1 if batch_pixels < SMALL_BATCH else _ALL_THREADS)
    if spec.device == "cuda" and not torch.cuda.is_available():
        raise UsageError("training.device is cuda, but PyTorch sees no CUDA device; use auto or cpu")
    if spec.device == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda")


def autocast(device: torch.device) -> AbstractContextManager[object]:
    """bfloat16 on GPUs that have it; full precision elsewhere (on CPU bfloat16 was slower)."""
    enabled = device.type == "cuda" and torch.cuda.is_bf16_supported()
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled)
