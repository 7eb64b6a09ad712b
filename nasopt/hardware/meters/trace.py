"""Energy from the file that an external power meter writes."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from nasopt.errors import SensorError, WindowError
from nasopt.hardware.meters.base import LEAST_UPDATES, Window, refuse_short
from nasopt.hardware.refusals import translated
from nasopt.records import Provenance

_LOOK_BACK_BYTES = 1 << 16
_LARGEST_LOSS = 0.01
_POLL_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class _Columns:
    """Places in a row of the file."""

    time: int
    watts: int | None
    volts: int | None
    amperes: int | None

    def power_w(self, row: list[str]) -> float:
        if self.watts is not None:
            return float(row[self.watts])
        assert self.volts is not None
        assert self.amperes is not None
        return float(row[self.volts]) * float(row[self.amperes])

    @property
    def last(self) -> int:
        return max(i for i in (self.time, self.watts, self.volts, self.amperes) if i is not None)


class TraceFileMeter:
    """Power over time from a CSV file that grows while the meter runs: time and watts, or volts and amperes.

    The file's first row names its columns. Times are seconds since 1970 or ISO 8601 with their offset from UTC. A
    window is found in the file by the clock, so the clocks of meter and host must agree, or their difference be told.
    """

    name = "trace-file"
    provenance: Provenance = "measured"

    def __init__(
        self,
        path: Path,
        time: str = "time",
        watts: str = "watts",
        volts: str = "volts",
        amperes: str = "amperes",
        delimiter: str = ",",
        clock_offset_s: float = 0.0,
        interval_s: float = 0.1,
        patience_s: float = 10.0,
    ) -> None:
        """Reads the names of the columns.

        Args:
            path: the CSV file.
            time: name of the column of times; likewise `watts`, or `volts` and `amperes` where there is no such column.
            watts: in watts.
            volts: in volts.
            amperes: in amperes.
            delimiter: between columns.
            clock_offset_s: what the meter's clock shows more than this host's, in seconds.
            interval_s: time between two rows.
            patience_s: how long to wait for rows that the meter has not yet written.

        Raises:
            SensorError: the file cannot be read or lacks such columns.
        """
        self._path, self._delimiter = path, delimiter
        self._offset_s, self._patience_s = clock_offset_s, patience_s
        names = self._header()
        self._columns = _columns(names, path, time, watts, volts, amperes)
        self._read = watts if self._columns.watts is not None else f"{volts} x {amperes}"
        self.update_s, self.shortest_s = interval_s, LEAST_UPDATES * interval_s

    def describe(self) -> dict[str, str | int | float]:
        """The file and the columns that are read."""
        return {"file": str(self._path), "power": self._read, "clock_offset_s": self._offset_s}

    @contextmanager
    def window(self) -> Iterator[Window]:
        """Energy between entering and leaving, by the trapezoid rule. Waits at its end for the rows to be written.

        Raises:
            SensorError: the window is too short, the file ends before the window does, starts after it, has gaps, or
                holds something else than numbers.
        """
        window = Window()
        begin = max(0, self._size() - _LOOK_BACK_BYTES)
        start = time.time() + self._offset_s
        yield window
        end = time.time() + self._offset_s
        with translated():
            refuse_short(self.name, end - start, self.shortest_s)
        times, watts = self._rows_up_to(end, begin)
        window.energy_mj = 1e3 * self._joules(times, watts, start, end)
        window.seconds = end - start

    def _size(self) -> int:
        try:
            return self._path.stat().st_size
        except OSError as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: OSError) -> SensorError:
        return SensorError(f"cannot read {self._path}: {error.strerror}", "let the power meter write this file")

    def _header(self) -> list[str]:
        try:
            with self._path.open(encoding="utf-8-sig", errors="replace") as file:
                return [name.strip() for name in next(csv.reader(file, delimiter=self._delimiter), [])]
        except OSError as error:
            raise self._unreadable(error) from error

    def _rows_up_to(self, end: float, begin: int) -> tuple[list[float], list[float]]:
        """Times and powers of the rows from byte `begin` on, once there is one after `end`."""
        deadline = time.monotonic() + self._patience_s
        while True:
            times, watts = self._rows(begin)
            if times and times[-1] >= end:
                return times, watts
            if time.monotonic() > deadline:
                last = f"its last row is {end - times[-1]:.3g} s before the window's end" if times else "it has no rows"
                raise SensorError(
                    f"{self.name}: {self._path} did not reach the window: {last}",
                    f"check that the meter writes, and both clocks (option clock_offset_s, now {self._offset_s:g})",
                )
            time.sleep(_POLL_S)

    def _rows(self, begin: int) -> tuple[list[float], list[float]]:
        try:
            with self._path.open("rb") as file:
                file.seek(begin)
                text = file.read().decode("utf-8", errors="replace")
        except OSError as error:
            raise self._unreadable(error) from error
        lines = text[: text.rfind("\n") + 1].splitlines()[1:]  # the first is cut or the header, the last unfinished
        times, watts = [], []
        for row in csv.reader(lines, delimiter=self._delimiter):
            if len(row) <= self._columns.last:
                continue
            try:
                times.append(_unix(row[self._columns.time]))
                watts.append(self._columns.power_w(row))
            except ValueError as error:
                raise SensorError(
                    f"{self._path}: the row {self._delimiter.join(row)!r} is not understood: {error}",
                    "expected numbers, and times in seconds since 1970 or as 2026-01-31T12:00:00.5+00:00",
                ) from error
        return times, watts

    def _joules(self, all_times: list[float], all_watts: list[float], start: float, end: float) -> float:
        times, watts = np.asarray(all_times), np.asarray(all_watts)
        steps = np.diff(times)
        if (steps <= 0).any():
            raise SensorError(f"{self.name}: the times in {self._path} do not rise", "one meter writes to one file")
        if times[0] > start:
            raise SensorError(
                f"{self.name}: {self._path} begins {times[0] - start:.3g} s after the window",
                "start the power meter first, and check both clocks (option clock_offset_s)",
            )
        inside = (times > start) & (times < end)
        self._refuse_gaps(steps[max(0, int(np.argmax(times > start)) - 1) : int(np.argmax(times >= end))], end - start)
        grid = np.concatenate([[start], times[inside], [end]])
        power = np.interp(grid, times, watts)
        joules = float(np.sum((power[1:] + power[:-1]) / 2 * np.diff(grid)))
        if not joules > 0:
            raise SensorError(f"{self.name}: {joules:.4g} J in a window", "check how the power meter is connected")
        return joules

    def _refuse_gaps(self, steps: np.ndarray[tuple[int], np.dtype[np.float64]], seconds: float) -> None:
        missing = int(np.maximum(np.floor(steps / self.update_s + 0.25) - 1, 0).sum())
        if missing > _LARGEST_LOSS * (len(steps) + missing):
            raise WindowError(
                f"{self.name}: {missing} of {len(steps) + missing} rows are missing in {seconds:.3g} s, the longest "
                f"gap is {steps.max():.3g} s, more than {_LARGEST_LOSS:.0%}",
                f"let the meter write every {self.update_s:g} s, or set the option interval_s to what it does",
            )


def _columns(names: list[str], path: Path, when: str, watts: str, volts: str, amperes: str) -> _Columns:
    place = {name: i for i, name in enumerate(names)}
    if when in place and watts in place:
        return _Columns(time=place[when], watts=place[watts], volts=None, amperes=None)
    if when in place and volts in place and amperes in place:
        return _Columns(time=place[when], watts=None, volts=place[volts], amperes=place[amperes])
    raise SensorError(
        f"{path} has the columns {', '.join(names) or 'none'}; expected {when!r} and either {watts!r} or {volts!r} and "
        f"{amperes!r}",
        "name its columns by the options time, watts, volts and amperes",
    )


def _unix(text: str) -> float:
    """Seconds since 1970."""
    try:
        return float(text)
    except ValueError:
        moment = datetime.fromisoformat(text.strip())
    if moment.tzinfo is None:
        raise ValueError(f"the time {text!r} has no offset from UTC")
    return moment.timestamp()
