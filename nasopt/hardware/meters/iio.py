"""Energy counters of power rails through Linux' industrial I/O files, as in Google's Pixel phones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nasopt.hardware.agent.sensor_iio import DEVICES
from nasopt.hardware.meters.sensor import SensorMeter


class IioMeter(SensorMeter):
    """Sum of chosen rails of on-device power monitors (ODPM), see `agent.sensor_iio`."""

    name = "iio"

    def __init__(self, rails: Sequence[str] = (), root: Path = DEVICES) -> None:
        """`rails` are the labels to sum, `root` the folder of the devices.

        Raises:
            SensorError: no counter, no such rail, or no permission.
        """
        super().__init__(rails=list(rails), root=str(root))
