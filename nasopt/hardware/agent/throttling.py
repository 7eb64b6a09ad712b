"""Whether this machine slows itself down: for heat, for its power supply, or by its own power limits."""

import shutil
import subprocess
from pathlib import Path
from typing import Dict, Iterable, Mapping, Optional

from .files import after, before
from .refusals import RefusedError

_PI_BITS = {
    0: "under-voltage",
    1: "clock capped",
    2: "throttled",
    3: "soft temperature limit",
}
_PI_STICKY = 16
"""The same bits this much higher say that it has happened since the board was switched on."""


class Throttling:
    """What the machine says of itself at one moment."""

    def __init__(self, events: Mapping[str, int], active: Iterable[str]) -> None:
        self.events = dict(events)
        """Counts since the machine was switched on, by cause."""
        self.active = tuple(active)
        """Causes that hold right now."""

    @property
    def known(self) -> bool:
        """Whether the machine tells anything at all."""
        return bool(self.events)


class ThrottleWatch:
    """Compares what the machine says before and after a span of work.

    Reads the counters of Intel processors (`thermal_throttle`), the over-current events and throttle alerts of NVIDIA
    Jetson boards, and `vcgencmd get_throttled` of Raspberry Pi boards. Elsewhere nothing is known.
    """

    def __init__(self, root: Path = Path("/"), command: str = "vcgencmd") -> None:
        """`root` is the folder that holds `sys`; `command` the Raspberry Pi's tool."""
        self._root = root
        self._command = shutil.which(command)

    def look(self) -> Throttling:
        """What holds now."""
        events = dict(self._processor(), **self._jetson_events())
        alerts = self._jetson_alerts()
        pi = self._raspberry_pi()
        if pi is not None:
            events.update({f"Raspberry Pi: {name}": pi >> (bit + _PI_STICKY) & 1 for bit, name in _PI_BITS.items()})
        active = [name for name, state in alerts.items() if state > 0]
        active += [f"Raspberry Pi: {name}" for bit, name in _PI_BITS.items() if pi is not None and pi >> bit & 1]
        events.update(dict.fromkeys(alerts, 0))
        return Throttling(events, active)

    def refuse(self, earlier: Throttling) -> None:
        """Raises RefusedError if the machine has throttled since `earlier`, or does so now."""
        now = self.look()
        more = [
            f"{name} ({count - earlier.events.get(name, 0)} more)"
            for name, count in now.events.items()
            if count > earlier.events.get(name, 0)
        ]
        found = more + [name for name in now.active if name not in more]
        if found:
            raise RefusedError(
                f"the machine throttled while energy was measured: {', '.join(found)}; cool it or lower its clocks to "
                "what it can keep up, give it a stronger power supply, and measure again"
            )

    def _processor(self) -> Dict[str, int]:
        found: Dict[str, int] = {}
        for kind in ("core", "package"):
            files = self._root.glob(f"sys/devices/system/cpu/cpu*/thermal_throttle/{kind}_throttle_count")
            counts = [count for count in map(_number, files) if count is not None]
            if counts:
                found[f"processor {kind} temperature"] = sum(counts)
        return found

    def _jetson_events(self) -> Dict[str, int]:
        found: Dict[str, int] = {}
        for path in sorted(self._root.glob("sys/class/hwmon/hwmon*/oc*_event_cnt")):
            enabled = _number(path.with_name(path.name.replace("event_cnt", "throt_en")))
            count = _number(path)
            if enabled != 0 and count is not None:
                found["over-current event " + before(path.name, "_event_cnt")] = count
        return found

    def _jetson_alerts(self) -> Dict[str, int]:
        found: Dict[str, int] = {}
        for path in sorted(self._root.glob("sys/class/thermal/cooling_device*/type")):
            try:
                kind = path.read_text().strip()
            except OSError:
                continue
            state = _number(path.with_name("cur_state"))
            if kind.endswith("throttle-alert") and state is not None:
                found[kind] = state
        return found

    def _raspberry_pi(self) -> Optional[int]:
        if self._command is None:
            return None
        try:
            done = subprocess.run(
                [self._command, "get_throttled"],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                universal_newlines=True,
                timeout=2,
                check=False,
            )
            return int(after(done.stdout.strip(), "throttled="), 16)
        except (OSError, subprocess.TimeoutExpired, ValueError):
            return None


def _number(path: Path) -> Optional[int]:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
