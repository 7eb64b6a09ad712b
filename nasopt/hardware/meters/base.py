"""The seam of energy meters."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Annotated, Protocol, runtime_checkable

from pydantic import Field

from nasopt.hardware.agent.windows import FULL_WINDOW_UPDATES, LEAST_UPDATES, Window, refuse_short
from nasopt.records import Provenance

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""A span of time, as an option of a meter."""

__all__ = [
    "FULL_WINDOW_UPDATES",
    "LEAST_UPDATES",
    "EnergyMeter",
    "LoadModel",
    "Paced",
    "Seconds",
    "Window",
    "refuse_short",
]


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

    @property
    def update_s(self) -> float:
        """Time between two updates, in seconds."""

    @property
    def shortest_s(self) -> float:
        """Windows shorter than this are refused."""
