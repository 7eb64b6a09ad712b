"""Energy from the file that an external power meter writes."""

from __future__ import annotations

import csv
import math
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from nasopt.errors import SensorError, UsageError, WindowError
from nasopt.hardware.devices.refusals import translated
from nasopt.hardware.meters.base import LEAST_UPDATES, Seconds, Window, refuse_short
from nasopt.hardware.meters.trace_units import scale_of
from nasopt.records import Provenance

_LOOK_BACK_BYTES = 1 << 16
_LARGEST_LOSS = 0.01
_POLL_S = 0.05
_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*", re.ASCII)
_TABS = ("\\t", "tab")
_SINCE_1970 = ((1e17, "nanoseconds", "ns"), (1e14, "microseconds", "us"), (3e10, "milliseconds", "ms"))
"""From these sizes on, times since 1970 are not in seconds: 3e10 s is the year 2920."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Columns:
    """Places in a row of the file, and what its figures are multiplied by for seconds, watts, volts and amperes."""

    count: int
    time: int
    time_scale: float
    power: tuple[tuple[int, float], ...]
    """Factors of the power: watts, or volts and amperes."""

    def power_w(self, row: list[str]) -> float:
        return math.prod(_number(row[place]) * scale for place, scale in self.power)

    def time_s(self, row: list[str]) -> float:
        """Seconds since 1970."""
        text = row[self.time]
        if _NUMBER.fullmatch(text):
            return _number(text) * self.time_scale
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo is None:
            raise ValueError(f"the time {text!r} has no offset from UTC")
        return moment.timestamp()


class TraceFileMeter:
    """Power over time from a CSV file that grows while the meter runs: time and watts, or volts and amperes.

    The file's first row names its columns, and may name their units. Times are seconds since 1970 or ISO 8601 with
    their offset from UTC. A window is found in the file by the clock, so the clocks of meter and host must agree, or
    their difference be told.
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
        clock_offset_s: Annotated[float, Field(allow_inf_nan=False)] = 0.0,
        interval_s: Seconds = 0.1,
        patience_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 10.0,
        time_unit: str | None = None,
        watts_unit: str | None = None,
        volts_unit: str | None = None,
        amperes_unit: str | None = None,
    ) -> None:
        """Reads the names of the columns.

        Args:
            path: the CSV file.
            time: name of the column of times; likewise `watts`, or `volts` and `amperes` where there is no such column.
            watts: a power.
            volts: a voltage.
            amperes: a current.
            delimiter: between columns; `\\t` or `tab` for tabs.
            clock_offset_s: what the meter's clock shows more than this host's, in seconds.
            interval_s: time between two rows.
            patience_s: how long to wait for rows that the meter has not yet written.
            time_unit: `s`, `ms`, `us` or `ns`; the header's if left out (`t (ms)`), else seconds. Likewise the others.
            watts_unit: `W`, `mW`, `uW`.
            volts_unit: `V`, `mV`, `uV`.
            amperes_unit: `A`, `mA`, `uA`.

        Raises:
            UsageError: the delimiter is no single sign.
            SensorError: the file cannot be read, lacks such columns, or names another unit than the option.
        """
        self._path, self._delimiter = path, _delimiter(delimiter)
        self._offset_s, self._patience_s = clock_offset_s, patience_s
        names = self._header()
        units = {time: time_unit, watts: watts_unit, volts: volts_unit, amperes: amperes_unit}
        self._columns, self._read = _columns(names, path, (time, watts, volts, amperes), units)
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
            if times:
                self._check_unit(times[-1])
            if times and times[-1] >= end:
                return times, watts
            if time.monotonic() > deadline:
                last = f"its last row is {end - times[-1]:.3g} s before the window's end" if times else "it has no rows"
                raise SensorError(
                    f"{self.name}: {self._path} did not reach the window: {last}",
                    f"check that the meter writes, and both clocks (option clock_offset_s, now {self._offset_s:g})",
                )
            time.sleep(_POLL_S)

    def _check_unit(self, moment: float) -> None:
        """Raises SensorError where a time cannot be seconds since 1970."""
        for least, name, unit in _SINCE_1970:
            if moment >= least:
                raise SensorError(
                    f"{self.name}: the time {moment:.0f} in {self._path} looks like {name} since 1970, and was to be "
                    "seconds",
                    f"set the option time_unit to {unit}",
                )

    def _rows(self, begin: int) -> tuple[list[float], list[float]]:
        try:
            with self._path.open("rb") as file:
                file.seek(begin)
                text = file.read().decode("utf-8", errors="replace")
        except OSError as error:
            raise self._unreadable(error) from error
        lines = text[: text.rfind("\n") + 1].splitlines()[1:]  # the first is cut or the header, the last unfinished
        times, watts = [], []
        try:
            rows = list(csv.reader(lines, delimiter=self._delimiter))
        except csv.Error as error:
            raise SensorError(f"{self._path} is no text with columns: {error}", "let the meter write CSV") from error
        for number, row in enumerate(rows, start=1):
            if not any(cell.strip() for cell in row) or row[0].startswith("#"):
                continue
            try:
                self._check_width(row)
                times.append(self._columns.time_s(row))
                watts.append(self._columns.power_w(row))
            except ValueError as error:
                where = f"{self._path}:{self._lines_before(begin) + 1 + number}"
                raise SensorError(
                    f"{where}: the row {self._delimiter.join(row)[:80]!r} is not understood: {error}",
                    "expected finite numbers with a decimal point, and times in seconds since 1970 or as "
                    "2026-01-31T12:00:00.5+00:00",
                ) from error
        return times, watts

    def _check_width(self, row: list[str]) -> None:
        """Raises ValueError where a row has other cells than the header; empty ones at its end do no harm."""
        cells = len(row) - (len(row) > self._columns.count and not any(c.strip() for c in row[self._columns.count :]))
        if cells < self._columns.count or any(c.strip() for c in row[self._columns.count :]):
            comma = " (a decimal comma?)" if self._delimiter == "," and cells > self._columns.count else ""
            raise ValueError(f"{cells} cells below a header of {self._columns.count}{comma}")

    def _lines_before(self, place: int) -> int:
        """Whole lines before a byte of the file."""
        with self._path.open("rb") as file:
            return file.read(place).count(b"\n")

    def _joules(self, all_times: list[float], all_watts: list[float], start: float, end: float) -> float:
        times, watts = np.asarray(all_times), np.asarray(all_watts)
        steps = np.diff(times)
        if (steps < 0).any():
            raise SensorError(f"{self.name}: the times in {self._path} do not rise", "one meter writes to one file")
        if (steps == 0).any():
            finest = f"shows steps of {steps[steps > 0].min():.3g} s" if (steps > 0).any() else "stands still"
            repeated = (
                f"{int((steps == 0).sum())} of {len(times)} rows in {self._path} repeat the time of the row before"
            )
            raise SensorError(
                f"{self.name}: {repeated}: its clock {finest}",
                "let the meter write its times with more digits, or fewer rows",
            )
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


def _columns(
    names: list[str], path: Path, wanted: tuple[str, str, str, str], units: dict[str, str | None]
) -> tuple[_Columns, str]:
    """Where `wanted` (time, watts, volts, amperes) stand, with their units; and what is read, in words."""
    when, watts, volts, amperes = wanted
    place = {name: i for i, name in enumerate(names)}
    if when in place and watts in place:
        read = [("watts", watts)]
    elif when in place and volts in place and amperes in place:
        read = [("volts", volts), ("amperes", amperes)]
    else:
        raise SensorError(
            f"{path} has the columns {', '.join(names) or 'none'}; expected {when!r} and either {watts!r} or {volts!r} "
            f"and {amperes!r}",
            "name its columns by the options time, watts, volts and amperes",
        )
    scales = [(name, *scale_of(quantity, name, units[name])) for quantity, name in read]  # type: ignore[arg-type]
    columns = _Columns(
        count=len(names),
        time=place[when],
        time_scale=scale_of("time", when, units[when])[1],
        power=tuple((place[name], scale) for name, _, scale in scales),
    )
    return columns, " x ".join(f"{name} in {unit}" for name, unit, _ in scales)


def _delimiter(given: str) -> str:
    """A tab where it is spelt out, else the one sign that stands between columns."""
    sign = "\t" if given in _TABS else given
    if len(sign) != 1 or sign.isalnum() or sign in '".-+\r\n':
        raise UsageError(
            f"meter trace-file: option delimiter: expected one sign between columns, such as ';', or tab, not {given!r}"
        )
    return sign


def _number(text: str) -> float:
    """A finite decimal number; `1_0`, `inf` and `nan` are none."""
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    if not math.isfinite(value):
        raise ValueError(f"{text.strip()!r} is no finite number")
    return value
