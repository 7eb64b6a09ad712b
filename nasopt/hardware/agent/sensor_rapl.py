"""Energy counters of Intel and AMD processors through Linux' powercap files."""

import re
from pathlib import Path
from typing import ContextManager, Dict, List, Union

from .counters import counted_window
from .files import read_int, read_text
from .refusals import SensorRefusedError
from .windows import LEAST_UPDATES, Window

POWERCAP = Path("/sys/class/powercap")
_TOP_LEVEL = re.compile(r"intel-rapl:\d+")


class _Domain:
    def __init__(self, folder: Path, label: str) -> None:
        self.folder, self.label = folder, label
        self.range_uj = read_int(folder / "max_energy_range_uj")

    def read_uj(self) -> int:
        path = self.folder / "energy_uj"
        remedy = f"since CVE-2020-8694 only root may; allow it until the next boot with: sudo chmod a+r {path}"
        return read_int(path, allow=remedy)


class Sensor:
    """Sum of the package counters (all sockets).

    Only `package-N` domains count: `core` and `dram` below them and `psys` around them would count energy twice or
    mix in other parts. A counter that wraps is put right by its `max_energy_range_uj`, once a window: windows must be
    shorter than the range lasts (262 kJ, the usual one, last 43 minutes at 100 W).
    """

    name = "rapl"
    provenance = "measured"
    update_s = 0.001
    """The processor adds to its counters about every millisecond."""
    shortest_s = LEAST_UPDATES * update_s

    def __init__(self, root: Union[str, Path] = POWERCAP) -> None:
        """`root` is the powercap folder.

        Raises:
            SensorRefusedError: there is no package counter, or it may not be read; says what to do.
        """
        self._domains = _package_domains(Path(root))
        self._read()

    def describe(self) -> Dict[str, str]:
        """The domains that are summed."""
        return {"domains": "+".join(d.label for d in self._domains)}

    def window(self) -> ContextManager[Window]:
        """Energy between entering and leaving.

        Raises:
            SensorRefusedError: a counter cannot be read, or did not move.
        """
        wraps = {d.label: d.range_uj for d in self._domains}
        return counted_window(self._read, sensor=self.name, shortest_s=self.shortest_s, wraps_uj=wraps)

    def _read(self) -> Dict[str, int]:
        return {d.label: d.read_uj() for d in self._domains}


def _package_domains(root: Path) -> List[_Domain]:
    found = []
    for folder in sorted(root.glob("intel-rapl:*")):
        label = read_text(folder / "name") if _TOP_LEVEL.fullmatch(folder.name) else ""
        if label.startswith("package"):
            found.append(_Domain(folder, label))
    if not found:
        raise SensorRefusedError(
            f"no RAPL package counter under {root}: most virtual machines, and processors other than Intel's and "
            "AMD's, have none",
            "use the meter codecarbon (estimated) or none",
        )
    return found
