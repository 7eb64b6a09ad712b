"""Energy counters of Intel and AMD processors through Linux' powercap files."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nasopt.errors import MeasurementError
from nasopt.hardware.meters.base import Window
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
        try:
            return int(path.read_text())
        except (OSError, ValueError) as error:
            raise MeasurementError(f"cannot read the energy counter {path}: {error}") from error


class RaplMeter:
    """Sum of the package counters (all sockets).

    Only `package-N` domains count: `core` and `dram` below them and `psys` around them would count energy twice or
    mix in other parts. A counter that wraps is put right by its `max_energy_range_uj`, once a window: windows must be
    shorter than the range lasts (262 kJ, the usual one, last 43 minutes at 100 W).
    """

    name = "rapl"
    provenance: Provenance = "measured"

    def __init__(self, root: Path = POWERCAP) -> None:
        """`root` is the powercap folder.

        Raises:
            MeasurementError: there is no package counter, or it may not be read; says what to do.
        """
        self._domains = _package_domains(root)
        for domain in self._domains:
            domain.read_uj()

    def describe(self) -> dict[str, str | int | float]:
        """The domains that are summed."""
        return {"domains": "+".join(d.label for d in self._domains)}

    @contextmanager
    def window(self) -> Iterator[Window]:
        """Energy between entering and leaving.

        Raises:
            MeasurementError: a counter cannot be read, or did not move.
        """
        window = Window()
        before, start = self._read()
        yield window
        after, end = self._read()
        total_uj = 0
        for domain, first, last in zip(self._domains, before, after, strict=True):
            delta = last - first if last >= first else last - first + domain.range_uj
            if delta <= 0:
                raise MeasurementError(
                    f"the energy counter of {domain.label} ({domain.folder}) did not move in {end - start:.3f} s; "
                    "use longer windows (hardware.protocol.energy_window_s), or another meter if it never moves"
                )
            total_uj += delta
        window.energy_mj = total_uj / 1e3
        window.seconds = end - start

    def _read(self) -> tuple[list[int], float]:
        values = [d.read_uj() for d in self._domains]
        return values, time.perf_counter()


def _package_domains(root: Path) -> list[_Domain]:
    found = []
    for folder in sorted(root.glob("intel-rapl:*")):
        if not _TOP_LEVEL.fullmatch(folder.name):
            continue
        try:
            label = (folder / "name").read_text().strip()
            if not label.startswith("package"):
                continue
            range_uj = int((folder / "max_energy_range_uj").read_text())
            (folder / "energy_uj").read_text()
        except PermissionError as error:
            raise MeasurementError(
                f"no permission to read {error.filename}; since CVE-2020-8694 only root may. Allow it until the next "
                f"boot with: sudo chmod a+r {folder}/energy_uj"
            ) from error
        except (OSError, ValueError) as error:
            raise MeasurementError(f"cannot read the RAPL domain {folder}: {error}") from error
        found.append(_Domain(folder=folder, label=label, range_uj=range_uj))
    if not found:
        raise MeasurementError(
            f"no RAPL package counter under {root}: most virtual machines, and processors other than Intel's and "
            "AMD's, have none. Use the meter codecarbon (estimated) or none"
        )
    return found
