"""Energy meters: what each reads, and which one works on this host."""

from __future__ import annotations

from nasopt import plugins
from nasopt.errors import MeasurementError
from nasopt.hardware.meters.base import EnergyMeter, LoadModel, Paced, Window
from nasopt.hardware.meters.codecarbon import CodeCarbonMeter
from nasopt.hardware.meters.iio import IioMeter
from nasopt.hardware.meters.ina3221 import Ina3221Meter
from nasopt.hardware.meters.none import NoMeter
from nasopt.hardware.meters.nvml import NvmlMeter
from nasopt.hardware.meters.pmic import PiPmicMeter
from nasopt.hardware.meters.rapl import RaplMeter
from nasopt.hardware.meters.trace import TraceFileMeter

__all__ = [
    "CodeCarbonMeter",
    "EnergyMeter",
    "IioMeter",
    "Ina3221Meter",
    "LoadModel",
    "NoMeter",
    "NvmlMeter",
    "Paced",
    "PiPmicMeter",
    "RaplMeter",
    "TraceFileMeter",
    "Window",
    "meter_for",
]


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
