"""The seam of energy meters."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from nasopt.errors import SensorError
from nasopt.records import Provenance

LEAST_UPDATES = 10
"""Sensor updates below which a window is refused."""
FULL_WINDOW_UPDATES = 50
"""Sensor updates that a window around a network holds at least."""


@dataclass(slots=True)
class Window:
    """What a meter saw between entering and leaving a window. Filled when the window closes."""

    energy_mj: float = float("nan")
    """Energy of the whole window, in millijoules."""
    seconds: float = float("nan")
    """Length of the window by the meter's own timestamps."""


@runtime_checkable
class EnergyMeter(Protocol):
    """Reads the energy of a span of time. A reading that fails raises MeasurementError; it is never zero."""

    name: str
    provenance: Provenance

    def window(self) -> AbstractContextManager[Window]:
        """A span to be measured; its figures are there once the context is left without an exception."""

    def describe(self) -> dict[str, str | int | float]:
        """What exactly is read, as JSON values: domains, model, assumed power."""


@runtime_checkable
class LoadModel(Protocol):
    """A meter without a sensor: power follows from the load alone, so there is nothing to sample."""

    def load_power_w(self, threads: int) -> float:
        """Power drawn by this many busy threads, in watts."""


@runtime_checkable
class Paced(Protocol):
    """A meter that says how often its sensor is updated, so that windows are long enough for it."""

    update_s: float
    """Time between two updates, in seconds."""
    shortest_s: float
    """Windows shorter than this are refused."""


def refuse_short(sensor: str, seconds: float, shortest_s: float) -> None:
    """Raises SensorError for a window in which the sensor had no time to say anything."""
    if seconds < shortest_s:
        raise SensorError(
            f"{sensor}: a window of {seconds:.3g} s is too short, expected at least {shortest_s:.3g} s",
            "use longer windows (hardware.protocol.energy_window_s)",
        )
