"""The energy sensors by name."""

import importlib
from typing import Any, ContextManager, Dict, Mapping

from .refusals import SensorRefusedError
from .windows import Window

MODULES = {
    "rapl": "sensor_rapl",
    "nvml": "sensor_nvml",
    "ina3221": "sensor_ina3221",
    "pi5-pmic": "sensor_pmic",
    "iio": "sensor_iio",
}


class Sensor:
    """What every sensor has; each is the class `Sensor` of its module, and none derives from this one."""

    name: str
    provenance: str
    """`measured`, or `predicted` by a model of what the sensor does not see."""
    update_s: float
    """Time between two updates, in seconds."""
    shortest_s: float
    """Windows shorter than this are refused."""

    def window(self) -> ContextManager[Window]:
        """A span to be measured; its figures are there once the context is left without an exception."""
        raise NotImplementedError

    def describe(self) -> Dict[str, Any]:
        """What exactly is read, as JSON values."""
        raise NotImplementedError


def open_sensor(name: str, options: Mapping[str, Any]) -> Sensor:
    """The sensor of this name.

    Raises:
        SensorRefusedError: it is none that is read here, has no such option, or cannot be read.
    """
    if name not in MODULES:
        raise SensorRefusedError(
            f"the meter {name} is not read on the device itself", f"name one of {', '.join(MODULES)}, or none"
        )
    module: Any = importlib.import_module("." + MODULES[name], __package__)
    opened: Sensor = module.Sensor(**options)
    return opened
