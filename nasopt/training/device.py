"""Where and with what precision training runs."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch

from nasopt.errors import UsageError
from nasopt.spec.training import TrainingSpec


def choose_device(spec: TrainingSpec) -> torch.device:
    """The device that `training.device` names; sets PyTorch's threads as a side effect.

    Raises:
        UsageError: cuda is asked for and not there.
    """
    if spec.threads is not None:
        torch.set_num_threads(spec.threads)
    if spec.device == "cuda" and not torch.cuda.is_available():
        raise UsageError("training.device is cuda, but PyTorch sees no CUDA device; use auto or cpu")
    if spec.device == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda")


def autocast(device: torch.device) -> AbstractContextManager[object]:
    """bfloat16 on GPUs that have it; full precision elsewhere (on CPU bfloat16 was slower)."""
    enabled = device.type == "cuda" and torch.cuda.is_bf16_supported()
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled)
