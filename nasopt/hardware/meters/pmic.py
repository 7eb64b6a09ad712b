"""Power rails of the Raspberry Pi 5 through its power management chip."""

from __future__ import annotations

from typing import Literal

from nasopt.hardware.meters.base import Seconds
from nasopt.hardware.meters.sensor import SensorMeter


class PiPmicMeter(SensorMeter):
    """Sum over the rails of volts times amperes, sampled, see `agent.sensor_pmic`; `predicted` with the fit."""

    name = "pi5-pmic"

    def __init__(
        self, total: Literal["rails", "fit"] = "rails", command: str = "vcgencmd", interval_s: Seconds = 0.2
    ) -> None:
        """Reads the rails once.

        Args:
            total: `rails` for their sum as read, `fit` for the community's fit of the whole board.
            command: path of vcgencmd.
            interval_s: time between readings; more where one takes over 5% of it.

        Raises:
            SensorError: no vcgencmd, no permission, or no such chip.
        """
        super().__init__(total=total, command=command, interval_s=interval_s)
        self.provenance = "predicted" if total == "fit" else "measured"
