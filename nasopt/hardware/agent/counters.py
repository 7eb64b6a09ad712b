"""Energy of a window from counters that the hardware itself adds up."""

import time
from contextlib import contextmanager
from typing import Callable, Iterator, Mapping, Optional

from .refusals import SensorRefusedError
from .windows import Window, refuse_short

Readings = Mapping[str, int]
"""Energy in microjoules by counter."""


@contextmanager
def counted_window(
    read: Callable[[], Readings], *, sensor: str, shortest_s: float, wraps_uj: Optional[Readings] = None
) -> Iterator[Window]:
    """Sum over counters of the last reading less the first one.

    Args:
        read: all counters at one time; SensorRefusedError where one cannot be read.
        sensor: what messages call it.
        shortest_s: refuse shorter windows.
        wraps_uj: the value at which a counter starts again from 0. One wrap in a window is put right.

    Raises:
        SensorRefusedError: a counter cannot be read, did not move, or went backwards without wrapping.
    """
    window = Window()
    before, start = read(), time.perf_counter()
    yield window
    after, end = read(), time.perf_counter()
    seconds = end - start
    total_uj = sum(_moved(name, before[name], after[name], sensor, seconds, wraps_uj or {}) for name in before)
    refuse_short(sensor, seconds, shortest_s)
    window.energy_mj, window.seconds = total_uj / 1e3, seconds


def _moved(name: str, first: int, last: int, sensor: str, seconds: float, wraps_uj: Readings) -> int:
    delta = last - first
    if delta < 0 and name in wraps_uj:
        delta += wraps_uj[name]
    if delta < 0:
        raise SensorRefusedError(
            f"{sensor}: the energy counter of {name} went from {first} to {last} uJ",
            "its driver was reset, or the device restarted: measure again",
        )
    if delta == 0:
        raise SensorRefusedError(
            f"{sensor}: the energy counter of {name} did not move in {seconds:.3f} s",
            "use longer windows (hardware.protocol.energy_window_s), or another meter if it never moves",
        )
    return delta
