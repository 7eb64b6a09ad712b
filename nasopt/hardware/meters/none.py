"""No meter."""

from __future__ import annotations

from contextlib import AbstractContextManager

from nasopt.errors import MeasurementError
from nasopt.hardware.meters.base import Window
from nasopt.records import Provenance


class NoMeter:
    """Says that energy is not measured."""

    name = "none"
    provenance: Provenance = "measured"

    def window(self) -> AbstractContextManager[Window]:
        """Refused: there is nothing to read.

        Raises:
            MeasurementError: always.
        """
        raise MeasurementError("the meter 'none' reads no energy; name another one in hardware.meter")

    def describe(self) -> dict[str, str | int | float]:
        """Nothing."""
        return {}
