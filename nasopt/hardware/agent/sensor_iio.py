"""Energy counters of power rails through Linux' industrial I/O files, as in Google's Pixel phones."""

import re
from pathlib import Path
from typing import ContextManager, Dict, Sequence, Union

from .counters import counted_window
from .files import before, read_int, read_text
from .refusals import SensorRefusedError
from .windows import LEAST_UPDATES, Window

DEVICES = Path("/sys/bus/iio/devices")
_CHANNEL = re.compile(r"^CH\d+(?:\(T=\d+\))?\[(\w+)\],\s*(\d+)$", re.MULTILINE)
_COUNTS, _LEAST_UPDATE_S = 20, 0.05
"""A Pixel's driver refreshes its counters every 50 ms at most, and not before this many conversions."""
_DEFAULT_RATE_HZ = 125.0
_ALLOW = "read it as root (adb root), or on a build that lets the shell read it"


class Sensor:
    """Sum of chosen rails of on-device power monitors (ODPM): `energy_value`, in microwatt-seconds.

    Also the generic counters of Linux' IIO interface: `in_energyN_raw` times `in_energyN_scale`, in joules, called
    `in_energyN_label`. Which rails make up a processor differs from phone to phone and none is the total, so they are
    named. A phone on USB charges its battery through other rails; unplug it.
    """

    name = "iio"
    provenance = "measured"

    def __init__(self, rails: Sequence[str] = (), root: Union[str, Path] = DEVICES) -> None:
        """`rails` are the labels to sum, `root` the folder of the devices.

        Raises:
            SensorRefusedError: no counter, no such rail, or no permission.
        """
        self._folders = sorted(Path(root).glob("iio:device*"))
        found = self._counters()
        if not found:
            raise SensorRefusedError(
                f"no energy counter under {root}", "use a Pixel 6 or later, or a board with a power monitor; else none"
            )
        labels = ", ".join(sorted(found))
        if not rails:
            raise SensorRefusedError(
                "the meter iio does not know which rails make up the processor", f"name some of {labels}"
            )
        unknown = [label for label in rails if label not in found]
        if unknown:
            raise SensorRefusedError(f"no rail {unknown[0]!r}", f"set the option rails to some of those here: {labels}")
        self._rails = tuple(dict.fromkeys(rails))
        self.update_s = max(_update_s(folder) for folder in self._folders)
        self.shortest_s = LEAST_UPDATES * self.update_s

    def describe(self) -> Dict[str, str]:
        """The rails that are summed."""
        return {"rails": "+".join(self._rails)}

    def window(self) -> ContextManager[Window]:
        """Energy between entering and leaving.

        Raises:
            SensorRefusedError: a counter cannot be read, did not move or was reset.
        """
        return counted_window(self._read, sensor=self.name, shortest_s=self.shortest_s)

    def _read(self) -> Dict[str, int]:
        found = self._counters()
        gone = [label for label in self._rails if label not in found]
        if gone:
            raise SensorRefusedError(f"{self.name}: the rail {gone[0]} is gone", "select it again in enabled_rails")
        return {label: found[label] for label in self._rails}

    def _counters(self) -> Dict[str, int]:
        """Microjoules by rail, of all devices."""
        found: Dict[str, int] = {}
        for folder in self._folders:
            if (folder / "energy_value").exists():
                text = read_text(folder / "energy_value", allow=_ALLOW)
                found.update({label: int(value) for label, value in _CHANNEL.findall(text)})
            for raw in sorted(folder.glob("in_energy*_raw")):
                channel = before(raw.name, "_raw")
                label_file = folder / f"{channel}_label"
                label = read_text(label_file) if label_file.exists() else channel
                found[label] = round(read_int(raw, allow=_ALLOW) * _scale(folder / f"{channel}_scale") * 1e6)
        return found


def _update_s(folder: Path) -> float:
    path = folder / "sampling_rate"
    found = re.search(r"\d+(?:\.\d+)?", read_text(path)) if path.exists() else None
    rate_hz = float(found.group()) if found else _DEFAULT_RATE_HZ
    return max(_LEAST_UPDATE_S, _COUNTS / rate_hz) if rate_hz > 0 else _COUNTS / _DEFAULT_RATE_HZ


def _scale(path: Path) -> float:
    text = read_text(path)
    try:
        return float(text)
    except ValueError:
        raise SensorRefusedError(f"{path} holds {text[:40]!r}, expected a number", "check the sensor's driver")
