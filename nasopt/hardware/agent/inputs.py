"""What networks are run on while they are measured."""

from typing import Any, Sequence

import numpy as np

_CHUNK = 1 << 16


def normal_draws(shape: Sequence[int], draw: "np.random.RandomState") -> Any:
    """Standard normal float32 values, made a piece at a time so that memory shows the input and nothing else."""
    values = np.empty(shape, dtype=np.float32)
    flat = values.reshape(-1)
    for start in range(0, flat.size, _CHUNK):
        piece = flat[start : start + _CHUNK]
        piece[:] = draw.standard_normal(piece.size)
    return values
