"""Energy counters of Intel and AMD processors through Linux' powercap files."""

import os
import re
from pathlib import Path
from typing import ContextManager, Dict, List, Optional, Union

from .counters import counted_window
from .files import read_int, read_text
from .refusals import SensorRefusedError
from .windows import LEAST_UPDATES, Window

POWERCAP = Path("/sys/class/powercap")
_TOP_LEVEL = re.compile(r"intel-rapl:\d+")
_PACKAGE = re.compile(r"package-\d+")
_LOOKS = 3
"""So many times two counters must agree to be taken for one."""


class _Domain:
    def __init__(self, folder: Path, label: str) -> None:
        self.folder, self.label = folder, label
        self.socket = _PACKAGE.match(label)
        self.range_uj = read_int(folder / "max_energy_range_uj")

    def read_uj(self) -> int:
        path = self.folder / "energy_uj"
        remedy = f"since CVE-2020-8694 only root may; allow it until the next boot with: sudo chmod a+r {path}"
        return read_int(path, allow=remedy)


class Sensor:
    """Sum of the package counters (all sockets).

    Domains of one socket that show one counter, as `package-0-die-0` and `-die-1` do on some processors, count once.
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
        self._domains, self._mirrors = [], []  # type: List[_Domain], List[str]
        for domain in _package_domains(Path(root)):
            twin = next((d for d in self._domains if _show_one_counter(d, domain)), None)
            if twin is None:
                self._domains.append(domain)
            else:
                self._mirrors.append("{} shows the counter of {}".format(domain.label, twin.label))

    def describe(self) -> Dict[str, str]:
        """The domains that are summed, and those that are left out since they show the counter of another one."""
        summed = {"domains": "+".join(d.label for d in self._domains)}
        return dict(summed, mirrors="; ".join(self._mirrors)) if self._mirrors else summed

    def window(self) -> ContextManager[Window]:
        """Energy between entering and leaving.

        Raises:
            SensorRefusedError: a counter cannot be read, or did not move.
        """
        wraps = {self._name(d): d.range_uj for d in self._domains}
        return counted_window(self._read, sensor=self.name, shortest_s=self.shortest_s, wraps_uj=wraps)

    def _read(self) -> Dict[str, int]:
        return {self._name(d): d.read_uj() for d in self._domains}

    def _name(self, domain: _Domain) -> str:
        """What messages call a domain; its folder tells it from another of the same label."""
        alone = sum(d.label == domain.label for d in self._domains) == 1
        return domain.label if alone else "{} ({})".format(domain.label, domain.folder.name)


def _show_one_counter(first: _Domain, second: _Domain) -> bool:
    """Whether two domains of one socket show the same counter: what one says lies between two readings of the other.

    Counters of two dies have counted since the machine started, and are never so close.
    """
    a, b = first.socket, second.socket
    alike = a is not None and b is not None and a.group() == b.group() and first.range_uj == second.range_uj
    for _ in range(_LOOKS):
        before, between, after = first.read_uj(), second.read_uj(), first.read_uj()
        alike = alike and before <= between <= after
    return alike


def _hidden_by_container(folder: Path) -> Optional[str]:
    """Where a link of the powercap folder leads, if nothing is there."""
    return os.path.realpath(str(folder)) if folder.is_symlink() and not folder.exists() else None


def _package_domains(root: Path) -> List[_Domain]:
    found = []
    for folder in sorted(root.glob("intel-rapl:*")):
        target = _hidden_by_container(folder)
        if target is not None:
            source = os.path.dirname(target)
            raise SensorRefusedError(
                "{} leads to {}, which is not there: a container hides it".format(folder, target),
                "mount it (docker run -v {}:/powercap:ro) and set the meter's option root to /powercap".format(source),
            )
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
