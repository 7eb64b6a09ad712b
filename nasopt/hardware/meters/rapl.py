"""Energy counters of Intel and AMD processors through Linux' powercap files."""

from __future__ import annotations

from pathlib import Path

from nasopt.hardware.agent.sensor_rapl import POWERCAP
from nasopt.hardware.meters.sensor import SensorMeter


class RaplMeter(SensorMeter):
    """Sum of the package counters, see `agent.sensor_rapl`."""

    name = "rapl"

    def __init__(self, root: Path = POWERCAP) -> None:
        """`root` is the powercap folder.

        Raises:
            SensorError: there is no package counter, or it may not be read; says what to do.
        """
        super().__init__(root=str(root))
