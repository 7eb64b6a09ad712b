"""Power rails of NVIDIA Jetson boards through their INA3221 monitors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nasopt.hardware.agent.sensor_ina3221 import DRIVERS
from nasopt.hardware.meters.base import Seconds
from nasopt.hardware.meters.sensor import SensorMeter


class Ina3221Meter(SensorMeter):
    """Power of a Jetson module, sampled, see `agent.sensor_ina3221`."""

    name = "ina3221"

    def __init__(self, rails: Sequence[str] = (), root: Path = DRIVERS, interval_s: Seconds = 0.1) -> None:
        """Finds the rails.

        Args:
            rails: labels of the rails to read; the module's total if left out.
            root: folder of the I2C drivers.
            interval_s: time between readings; more where the chip or the reading needs more.

        Raises:
            SensorError: no INA3221, no such rail, or no permission.
        """
        super().__init__(rails=list(rails), root=str(root), interval_s=interval_s)
