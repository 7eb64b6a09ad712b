"""Meters whose sensors are read by the package that also runs on boards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from nasopt.hardware.agent.sensors import open_sensor
from nasopt.hardware.devices.refusals import translated
from nasopt.hardware.meters.base import Window
from nasopt.records import Provenance


class SensorMeter:
    """A meter around a sensor of this machine."""

    name: str
    provenance: Provenance = "measured"

    def __init__(self, **options: Any) -> None:
        """Raises SensorError where the sensor cannot be read."""
        with translated():
            self.sensor = open_sensor(self.name, options)

    @property
    def update_s(self) -> float:
        """Time between two updates, in seconds."""
        return self.sensor.update_s

    @property
    def shortest_s(self) -> float:
        """Windows shorter than this are refused."""
        return self.sensor.shortest_s

    def describe(self) -> dict[str, str | int | float]:
        """What exactly is read."""
        return self.sensor.describe()

    @contextmanager
    def window(self) -> Iterator[Window]:
        """Energy between entering and leaving.

        Raises:
            SensorError: a reading failed or cannot be trusted.
        """
        with translated(), self.sensor.window() as window:
            yield window
