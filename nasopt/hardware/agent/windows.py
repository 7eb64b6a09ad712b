"""What an energy sensor sees between two moments."""

from .refusals import SensorRefusedError

LEAST_UPDATES = 10
"""Sensor updates below which a window is refused."""
FULL_WINDOW_UPDATES = 50
"""Sensor updates that a window around a network holds at least."""


class Window:
    """What a meter saw between entering and leaving a window. Filled when the window closes."""

    def __init__(self) -> None:
        self.energy_mj = float("nan")
        """Energy of the whole window, in millijoules."""
        self.seconds = float("nan")
        """Length of the window by the meter's own timestamps."""


def refuse_short(sensor: str, seconds: float, shortest_s: float) -> None:
    """Raises SensorRefusedError for a window in which the sensor had no time to say anything."""
    if seconds < shortest_s:
        raise SensorRefusedError(
            f"{sensor}: a window of {seconds:.3g} s is too short, expected at least {shortest_s:.3g} s",
            "use longer windows (hardware.protocol.energy_window_s)",
        )
