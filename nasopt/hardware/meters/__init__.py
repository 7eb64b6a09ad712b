"""Energy meters: what each reads, and which one works on this host."""

from __future__ import annotations

from nasopt import plugins
from nasopt.errors import MeasurementError, UsageError
from nasopt.hardware.backends.options import build
from nasopt.hardware.meters.base import EnergyMeter, LoadModel, Paced, Window
from nasopt.hardware.meters.codecarbon import CodeCarbonMeter
from nasopt.hardware.meters.iio import IioMeter
from nasopt.hardware.meters.ina3221 import Ina3221Meter
from nasopt.hardware.meters.none import NoMeter
from nasopt.hardware.meters.nvml import NvmlMeter
from nasopt.hardware.meters.pmic import PiPmicMeter
from nasopt.hardware.meters.rapl import RaplMeter
from nasopt.hardware.meters.trace import TraceFileMeter
from nasopt.spec.hardware import PluginSpec

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


def meter_for(choice: str | PluginSpec) -> EnergyMeter:
    """The meter of this name and options; `auto` is `rapl` where its counters are readable, `codecarbon` otherwise.

    Raises:
        UnknownPluginError: no meter has this name.
        UsageError: it has no such option, or is no meter.
        MeasurementError: it cannot be read here.
    """
    choice = PluginSpec.model_validate(choice)
    if choice.name == "auto":
        if choice.options:
            raise UsageError("the meter auto takes no options; name the meter that they belong to")
        try:
            return RaplMeter()
        except MeasurementError:
            return CodeCarbonMeter()
    meter: EnergyMeter = build("meter", choice)
    plugins.require("meter", choice.name, meter, ("name", "provenance", "window", "describe"))
    return meter
