"""Power rails of NVIDIA Jetson boards through their INA3221 monitors."""

from pathlib import Path
from typing import ContextManager, Dict, Iterator, List, Optional, Sequence, Tuple, Union

from .files import after, read_int, read_text
from .refusals import SensorRefusedError
from .sampling import Sampler
from .windows import Window

DRIVERS = Path("/sys/bus/i2c/drivers")
_TOTALS = ("VDD_IN", "POM_5V_IN")
"""Rails that feed a whole module."""
_MODULE_RAILS = (
    frozenset({"GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V"}),
    frozenset({"VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0", "VDDQ_VDD2_1V8AO"}),
)
"""Rails of the boards that have no total one: AGX Xavier, AGX Orin."""
_CHANNELS = (1, 2, 3)
"""Those of the chip; hwmon's channels 4 to 6 are shunt voltages and 7 their sum."""


class _Rail:
    def __init__(
        self,
        label: str,
        millivolts: Path,
        milliamperes: Path,
        milliwatts: Optional[Path] = None,
        update_s: float = 0.0,
    ) -> None:
        self.label = label
        self.millivolts, self.milliamperes, self.milliwatts = millivolts, milliamperes, milliwatts
        self.update_s = update_s
        """Time that the chip takes for new values, where the driver tells."""

    def watts(self) -> float:
        if self.milliwatts is not None:
            return read_int(self.milliwatts) / 1e3
        return read_int(self.millivolts) * read_int(self.milliamperes) / 1e6


class Sensor:
    """Power of a Jetson module, sampled: its one total rail, or else the sum of the module's rails.

    Reads the layouts of both drivers: `ina3221x/*/iio:device*` (JetPack 4) and `ina3221/*/hwmon/hwmon*` (JetPack 5
    and later). Rails below the total one are never added to it.
    """

    name = "ina3221"
    provenance = "measured"

    def __init__(self, rails: Sequence[str] = (), root: Union[str, Path] = DRIVERS, interval_s: float = 0.1) -> None:
        """Finds the rails.

        Args:
            rails: labels of the rails to read; the module's total if left out.
            root: folder of the I2C drivers.
            interval_s: time between readings; more where the chip or the reading needs more.

        Raises:
            SensorRefusedError: no INA3221, no such rail, or no permission.
        """
        root = Path(root)
        found = {rail.label: rail for rail in (*_old_rails(root), *_new_rails(root))}
        if not found:
            raise SensorRefusedError(
                f"no INA3221 rail under {root}/ina3221x or {root}/ina3221",
                "use this meter on a Jetson board, or name another one",
            )
        self._rails, self._what = _chosen(found, list(rails))
        interval_s = max(interval_s, *(rail.update_s for rail in self._rails))
        self._sampler = Sampler(self._watts, sensor=f"{self.name} ({self._labels})", interval_s=interval_s)
        self.update_s, self.shortest_s = self._sampler.update_s, self._sampler.shortest_s

    @property
    def _labels(self) -> str:
        return "+".join(rail.label for rail in self._rails)

    def describe(self) -> Dict[str, str]:
        """The rails that are read, and what they stand for."""
        return {"rails": self._labels, "total": self._what}

    def window(self) -> ContextManager[Window]:
        """Energy between entering and leaving; see `Sampler.window`."""
        return self._sampler.window()

    def _watts(self) -> float:
        return sum(rail.watts() for rail in self._rails)


def _chosen(found: Dict[str, _Rail], named: List[str]) -> Tuple[List[_Rail], str]:
    labels = ", ".join(sorted(found))
    unknown = [label for label in named if label not in found]
    if unknown:
        raise SensorRefusedError(
            f"no INA3221 rail {unknown[0]!r}", f"set the option rails to some of those here: {labels}"
        )
    total = next((label for label in _TOTALS if label in found), None)
    if total in named and len(named) > 1:
        raise SensorRefusedError(
            f"the rail {total} holds the others already", f"set the option rails to [{total}] alone"
        )
    if named:
        return [found[label] for label in dict.fromkeys(named)], "the rails named in the profile"
    if total is not None:
        return [found[total]], "the rail that feeds the module"
    module = next((rails for rails in _MODULE_RAILS if rails <= found.keys()), None)
    if module is None:
        raise SensorRefusedError(
            "none of the INA3221 rails is known as a total", f"set the option rails; found: {labels}"
        )
    return [found[label] for label in sorted(module)], "sum of the module's rails; this board has no total rail"


def _old_rails(root: Path) -> Iterator[_Rail]:
    for folder in sorted(root.glob("ina3221x/*-00*/iio:device*")):
        for path in sorted(folder.glob("rail_name_*")):
            channel = after(path.name, "rail_name_")
            label = read_text(path)
            if _connected(label):
                yield _Rail(
                    label=label,
                    millivolts=folder / f"in_voltage{channel}_input",
                    milliamperes=folder / f"in_current{channel}_input",
                    milliwatts=folder / f"in_power{channel}_input",
                )


def _new_rails(root: Path) -> Iterator[_Rail]:
    for folder in sorted(root.glob("ina3221/*-00*/hwmon/hwmon*")):
        interval = folder / "update_interval"
        update_s = read_int(interval) / 1e3 if interval.exists() else 0.0
        for channel in _CHANNELS:
            path = folder / f"in{channel}_label"
            label = read_text(path) if path.exists() else ""
            if _connected(label):
                yield _Rail(
                    label=label,
                    millivolts=folder / f"in{channel}_input",
                    milliamperes=folder / f"curr{channel}_input",
                    update_s=update_s,
                )


def _connected(label: str) -> bool:
    return label not in ("", "NC")
