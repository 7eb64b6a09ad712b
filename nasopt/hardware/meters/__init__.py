"""Energy meters: what each reads, and which one works on this host."""

from __future__ import annotations

from nasopt import plugins
from nasopt.errors import MeasurementError
from nasopt.hardware.meters.base import EnergyMeter, LoadModel, Window
from nasopt.hardware.meters.codecarbon import CodeCarbonMeter
from nasopt.hardware.meters.none import NoMeter
from nasopt.hardware.meters.rapl import RaplMeter

__all__ = ["CodeCarbonMeter", "EnergyMeter", "LoadModel", "NoMeter", "RaplMeter", "Window", "meter_for"]


def meter_for(name: str) -> EnergyMeter:
    """The meter of this name; `auto` is `rapl` where its counters are readable and `codecarbon` otherwise.

    Raises:
        UnknownPluginError: no meter has this name.
        MeasurementError: it cannot be read here.
    """
    if name == "auto":
        try:
            return RaplMeter()
        except MeasurementError:
            return CodeCarbonMeter()
    meter: EnergyMeter = plugins.load("meters", name)()
    return meter
