"""Energy by codecarbon's load model: no sensor, always an estimate."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import psutil

from nasopt.errors import MeasurementError
from nasopt.hardware.meters.base import Window
from nasopt.records import Provenance


class CodeCarbonMeter:
    """Thermal design power of this processor, by codecarbon's table, times the share of it that was busy.

    Where no counter is readable, codecarbon's tracker in its `process` mode multiplies the TDP with the CPU time of the
    process over wall time and number of CPUs. This meter applies the same formula to the same table, without the
    tracker's threads, files and log lines. The result contains no information about a network beyond the time it took:
    at a fixed number of threads it is a constant power times latency. So no windows are sampled for it; the power is
    computed once and multiplied with the measured latency, and the interval is the latency's alone.
    """

    name = "codecarbon"
    provenance: Provenance = "estimated"

    def describe(self) -> dict[str, str | int | float]:
        """The processor as codecarbon sees it and the power assumed for it."""
        model, tdp_w = _design_power()
        return {"cpu": model, "tdp_w": tdp_w, "cpus": _cpus(), "model": "TDP x busy CPUs / CPUs"}

    def load_power_w(self, threads: int) -> float:
        """Power of this many threads that never wait, in watts."""
        return _design_power()[1] * min(threads, _cpus()) / _cpus()

    @contextmanager
    def window(self) -> Iterator[Window]:
        """Energy that the load model gives this process and its children between entering and leaving.

        Raises:
            MeasurementError: no CPU time passed.
        """
        window = Window()
        tdp_w = _design_power()[1]
        busy, start = _cpu_seconds(), time.perf_counter()
        yield window
        window.seconds = time.perf_counter() - start
        busy = _cpu_seconds() - busy
        if busy <= 0:
            raise MeasurementError(f"no CPU time passed in a window of {window.seconds:.3f} s; use longer windows")
        window.energy_mj = tdp_w * busy / _cpus() * 1e3


def _cpus() -> int:
    return psutil.cpu_count(logical=True) or 1


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


@cache
def _design_power() -> tuple[str, float]:
    """Model and TDP in watts. Takes about a second, once a process: codecarbon asks the system and reads its table."""
    from codecarbon.core.cpu import TDP  # importing it sets its logger's level, so the level is changed afterwards

    log = logging.getLogger("codecarbon")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        found = TDP()
    finally:
        log.setLevel(level)
    if not found.tdp or found.tdp <= 0:
        raise MeasurementError(
            f"codecarbon knows no design power for {found.model or 'this processor'}; use the meter none, or rapl "
            "where it can be read"
        )
    return str(found.model), float(found.tdp)
