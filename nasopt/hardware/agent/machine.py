"""What distinguishes a machine, and in what state it is."""

import contextlib
import os
import platform
from pathlib import Path
from typing import Dict, List, Union

CPUINFO = Path("/proc/cpuinfo")
_BOARD = Path("/proc/device-tree/model")
_CPUINFO_KEYS = {
    "model name": "cpu",
    "vendor_id": "cpu_vendor",
    "cpu family": "cpu_family",
    "model": "cpu_model",
    "stepping": "cpu_stepping",
    "CPU implementer": "cpu_implementer",
    "CPU part": "cpu_part",
    "CPU revision": "cpu_revision",
}


def facts() -> Dict[str, Union[str, int]]:
    """Processor, board and system: the same after a reboot and for every process."""
    found = cpu_facts()
    found.setdefault("cpu", platform.processor() or platform.machine() or "unknown")
    found.update(cores=os.cpu_count() or 1, architecture=platform.machine(), system=platform.system())
    with contextlib.suppress(OSError):
        found["board"] = _BOARD.read_text(errors="replace").strip("\0 \n")
    return found


def cpu_facts() -> Dict[str, Union[str, int]]:
    """What Linux says of the first core."""
    try:
        text = CPUINFO.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    found: Dict[str, Union[str, int]] = {}
    for line in text.splitlines():
        key, _, value = line.partition(":")
        name = _CPUINFO_KEYS.get(key.strip())
        if name is not None:
            found.setdefault(name, value.strip())
    return found


def governors(root: Path = Path("/")) -> List[str]:
    """The frequency governors in force, each once; none where the machine shows none."""
    found = set()
    for path in root.glob("sys/devices/system/cpu/cpufreq/policy*/scaling_governor"):
        try:
            found.add(path.read_text().strip())
        except OSError:
            continue
    return sorted(found)
