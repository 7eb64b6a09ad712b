"""Energy of a window from a sensor that only shows the power of the moment."""

import threading
import time
from contextlib import contextmanager
from statistics import median
from typing import Callable, Iterator, List, Optional

import numpy as np

from .refusals import SensorRefusedError, WindowRefusedError
from .windows import FULL_WINDOW_UPDATES, LEAST_UPDATES, Window, refuse_short

try:
    import resource
except ImportError:  # not on Windows, which has none of these sensors either
    resource = None  # type: ignore[assignment]

_READING_SHARE = 0.05
"""Largest part of one core that readings may take."""
_TRIALS = 5
_LARGEST_LOSS = 0.01
"""Share of readings that may be missing."""
_PATIENCE_S = 10.0


class Sampler:
    """Reads a power at a steady pace in a thread of its own and integrates it over the real times of the readings.

    The pace is the wanted one, or slower where readings would take more than 5% of a core otherwise. What the thread
    does is a part of what the sensor sees.
    """

    def __init__(self, read: Callable[[], float], *, sensor: str, interval_s: float) -> None:
        """`read` gives watts, or raises SensorRefusedError; it is tried a few times for its cost.

        Raises:
            SensorRefusedError: the sensor cannot be read.
        """
        self._read, self._sensor = read, sensor
        self.update_s = max(interval_s, median(_cost_s(read) for _ in range(_TRIALS)) / _READING_SHARE)
        self.shortest_s = LEAST_UPDATES * self.update_s

    @contextmanager
    def window(self) -> Iterator[Window]:
        """Energy between entering and leaving, by the trapezoid rule.

        Raises:
            SensorRefusedError: the window is shorter than ten readings, more than 1% of them are missing, fewer than
                ten of fifty differ from the one before, or they do not add up to a positive energy.
        """
        window = Window()
        readings = _Readings(self._read, self.update_s)
        readings.begin(self._sensor)
        start = time.perf_counter()
        try:
            yield window
        finally:
            end = time.perf_counter()
            readings.end()
        readings.judge(self._sensor, end - start)
        window.energy_mj, window.seconds = 1e3 * readings.joules(start, end), end - start
        if window.energy_mj <= 0:
            raise SensorRefusedError(
                f"{self._sensor}: {window.energy_mj:.4g} mJ in {window.seconds:.3g} s, expected a positive energy",
                "check which way the sensor is wired, and which rail is read",
            )


class _Readings:
    """The readings of one window: one before it, one after it, and those at the pace in between."""

    def __init__(self, read: Callable[[], float], period_s: float) -> None:
        self._read, self._period_s = read, period_s
        self._times: List[float] = []
        self._watts: List[float] = []
        self._cost_s = 0.0
        self._lost = 0
        self._failure: Optional[SensorRefusedError] = None
        self._first, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._follow, name="nasopt-meter", daemon=True)

    def begin(self, sensor: str) -> None:
        self._thread.start()
        if not self._first.wait(_PATIENCE_S):
            self._stop.set()
            raise SensorRefusedError(
                f"{sensor}: no reading within {_PATIENCE_S:.0f} s", "check that the sensor answers"
            )

    def end(self) -> None:
        self._stop.set()
        self._thread.join()

    def _follow(self) -> None:
        self._take()
        self._first.set()
        due = time.perf_counter() + self._period_s
        while not self._stop.wait(max(0.0, due - time.perf_counter())):
            self._take()
            passed = max(0, int((time.perf_counter() - due) / self._period_s))
            self._lost += passed
            due += (passed + 1) * self._period_s
        self._take()

    def _take(self) -> None:
        start, spent = time.perf_counter(), _processor_seconds()
        try:
            watts = self._read()
        except SensorRefusedError as error:
            self._failure = error
            self._lost += 1
            return
        self._times.append((start + time.perf_counter()) / 2)
        self._watts.append(watts)
        self._cost_s += _processor_seconds() - spent

    def judge(self, sensor: str, seconds: float) -> None:
        """Raises SensorRefusedError where the readings do not carry an energy."""
        taken, wanted = len(self._watts), len(self._watts) + self._lost
        if self._lost > _LARGEST_LOSS * wanted:
            cause = f" ({self._failure})" if self._failure else ""
            raise WindowRefusedError(
                f"{sensor}: {self._lost} of {wanted} readings are missing in {seconds:.3g} s{cause}, "
                f"more than {_LARGEST_LOSS:.0%}",
                "read it less often (option interval_s), or keep the machine quieter",
            )
        share = self._cost_s / (self._times[-1] - self._times[0])
        if share > 2 * _READING_SHARE:
            raise WindowRefusedError(
                f"{sensor}: its readings took {share:.0%} of a core, more than {2 * _READING_SHARE:.0%}",
                "read it less often (option interval_s)",
            )
        refuse_short(sensor, seconds, LEAST_UPDATES * self._period_s)
        updates = 1 + int(np.count_nonzero(np.diff(self._watts)))
        if taken >= FULL_WINDOW_UPDATES and updates < LEAST_UPDATES:  # few readings may well be alike, on an idle rail
            raise SensorRefusedError(
                f"{sensor}: {updates} different readings among {taken} in {seconds:.3g} s, expected at least "
                f"{LEAST_UPDATES}",
                "use longer windows (hardware.protocol.energy_window_s); a sensor that never changes is stuck",
            )

    def joules(self, start: float, end: float) -> float:
        """Integral of the straight lines between readings, from `start` to `end`."""
        times, watts = np.asarray(self._times), np.asarray(self._watts)
        inside = (times > start) & (times < end)
        grid = np.concatenate([[start], times[inside], [end]])
        power = np.interp(grid, times, watts)
        return float(np.sum((power[1:] + power[:-1]) / 2 * np.diff(grid)))


def _cost_s(read: Callable[[], float]) -> float:
    """Processor time of one reading."""
    before = _processor_seconds()
    read()
    return _processor_seconds() - before


def _thread_seconds() -> float:
    """Processor time of this thread (Python 3.7 has `time.thread_time`)."""
    return time.clock_gettime(time.CLOCK_THREAD_CPUTIME_ID)


def _processor_seconds() -> float:
    """Processor time of this thread and of the processes that were started and have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN) if resource else None
    return _thread_seconds() + (children.ru_utime + children.ru_stime if children else 0.0)
