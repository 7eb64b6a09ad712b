"""What networks are run on while they are measured."""

from typing import Any, Callable, List, Sequence, Tuple

import numpy as np

_CHUNK = 1 << 16
_WHOLE = (1, 0)
"""What integers hold, in the order of trying: 1 is a valid place nearly everywhere, 0 wherever there is anything."""


def normal_draws(shape: Sequence[int], draw: "np.random.RandomState") -> Any:
    """Standard normal float32 values, made a piece at a time so that memory shows the input and nothing else."""
    values = np.empty(shape, dtype=np.float32)
    flat = values.reshape(-1)
    for start in range(0, flat.size, _CHUNK):
        piece = flat[start : start + _CHUNK]
        piece[:] = draw.standard_normal(piece.size)
    return values


def drawn(shape: Sequence[int], kind: Any, draw: "np.random.RandomState", whole: int = 1) -> Any:
    """An input: normal draws in floating point, random over the whole range in 8 bits, else `whole` everywhere."""
    kind = np.dtype(kind)
    if kind == np.float32:
        return normal_draws(shape, draw)
    if kind.kind == "f":
        return normal_draws(shape, draw).astype(kind)
    if kind.kind in "iu" and kind.itemsize == 1 and whole:
        limits = np.iinfo(kind)
        return draw.randint(limits.min, limits.max + 1, size=tuple(shape)).astype(kind)
    return np.full(tuple(shape), whole, dtype=kind)


def run_drawn(
    inputs: Sequence[Tuple[Sequence[int], Any]], fill: Callable[[List[Any]], Any], run: Callable[[], Any]
) -> None:
    """Fill inputs, given as (shape, type), and run once: with integers of 1, or of 0 where it does not run on 1.

    Raises:
        Exception: what `run` raised on 1, if it does not run on 0 either.
    """
    choices = _WHOLE if any(np.dtype(kind).kind in "iub" for _, kind in inputs) else _WHOLE[:1]
    first = None
    for whole in choices:
        draw = np.random.RandomState(0)
        fill([drawn(shape, kind, draw, whole) for shape, kind in inputs])
        try:
            run()
            return
        except Exception as error:  # runtimes' exceptions share no base but this
            first = first or error
    assert first is not None
    raise first
