"""Energy counters of Intel and AMD processors through Linux' powercap files."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from nasopt.errors import SensorError
from nasopt.hardware.meters.base import LEAST_UPDATES, Window
from nasopt.hardware.meters.counters import counted_window
from nasopt.hardware.meters.files import read_int, read_text
from nasopt.records import Provenance

POWERCAP = Path("/sys/class/powercap")
_TOP_LEVEL = re.compile(r"intel-rapl:\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Domain:
    folder: Path
    label: str
    range_uj: int

    def read_uj(self) -> int:
        path = self.folder / "energy_uj"
        remedy = f"since CVE-2020-8694 only root may; allow it until the next boot with: sudo chmod a+r {path}"
        return read_int(path, allow=remedy)


class RaplMeter:
    """Sum of the package counters (all sockets).

    Only `package-N` domains count: `core` and `dram` below them and `psys` around them would count energy twice or
    mix in other parts. A counter that wraps is put right by its `max_energy_range_uj`, once a window: windows must be
    shorter than the range lasts (262 kJ, the usual one, last 43 minutes at 100 W).
    """

    name = "rapl"
    provenance: Provenance = "measured"
    update_s = 0.001
    """The processor adds to its counters about every millisecond."""
    shortest_s = LEAST_UPDATES * update_s

    def __init__(self, root: Path = POWERCAP) -> None:
        """`root` is the powercap folder.

        Raises:
            SensorError: there is no package counter, or it may not be read; says what to do.
        """
        self._domains = _package_domains(root)
        self._read()

    def describe(self) -> dict[str, str | int | float]:
        """The domains that are summed."""
        return {"domains": "+".join(d.label for d in self._domains)}

    def window(self) -> AbstractContextManager[Window]:
        """Energy between entering and leaving.

        Raises:
            SensorError: a counter cannot be read, or did not move.
        """
        wraps = {d.label: d.range_uj for d in self._domains}
        return counted_window(self._read, sensor=self.name, shortest_s=self.shortest_s, wraps_uj=wraps)

    def _read(self) -> dict[str, int]:
        return {d.label: d.read_uj() for d in self._domains}


def _package_domains(root: Path) -> list[_Domain]:
    found = []
    for folder in sorted(root.glob("intel-rapl:*")):
        if _TOP_LEVEL.fullmatch(folder.name) and (label := read_text(folder / "name")).startswith("package"):
            range_uj = read_int(folder / "max_energy_range_uj")
            found.append(_Domain(folder=folder, label=label, range_uj=range_uj))
    if not found:
        raise SensorError(
            f"no RAPL package counter under {root}: most virtual machines, and processors other than Intel's and "
            "AMD's, have none",
            "use the meter codecarbon (estimated) or none",
        )
    return found
