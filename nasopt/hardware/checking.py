"""What stands between a device profile and a measurement: each obstacle with its remedy."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from nasopt.errors import MeasurementError, NasoptError, SensorError
from nasopt.hardware.backends import backend_for
from nasopt.hardware.host import device_lock
from nasopt.hardware.meters import LoadModel, NoMeter, Paced, meter_for
from nasopt.hardware.throttling import ThrottleWatch
from nasopt.spec.device import DeviceProfile, Reach

State = Literal["ok", "warning", "failed", "skipped"]
_PATIENCE_S = 5.0
_LEAST_WINDOW_S = 0.2
_NOT_BUILT = "this version measures on the machine that it runs on; run the study on the device, with device: local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    state: State
    seen: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """All findings about a device."""

    device: str
    findings: tuple[Finding, ...]

    @property
    def works(self) -> bool:
        """Whether nothing failed."""
        return all(f.state != "failed" for f in self.findings)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"device": self.device, "works": self.works, "findings": [asdict(f) for f in self.findings]}


def works_now(profile: DeviceProfile) -> str:
    """What the device can do from here, in a few words: measure, estimate, or why it cannot."""
    if profile.backend.name == "predicted":
        return "estimates" if profile.calibration is None else "predicts"
    try:
        backend = backend_for(profile, meter="none")
    except NasoptError as error:
        return f"no: {str(error).splitlines()[0]}"
    return "measures" if backend.provenance == "measured" else "estimates"


def check_device(profile: DeviceProfile, root: Path = Path("/")) -> Diagnosis:
    """Look at everything that a measurement on this device needs. `root` is the folder that holds `sys`."""
    reach = profile.reach.resolved(profile.name)
    look = {"ssh": _ssh, "adb": _adb, "local": _local}[reach.way]
    findings = [*look(profile, reach, root), _runtime(profile), _verification(profile)]
    return Diagnosis(device=profile.name, findings=tuple(findings))


def _runtime(profile: DeviceProfile) -> Finding:
    name = profile.backend.name
    try:
        backend = backend_for(profile, meter="none")
    except NasoptError as error:
        return Finding(subject="runtime", state="failed", **_split(error))
    if name == "predicted":
        source = "estimated from the datasheet" if profile.calibration is None else "predicted from a calibration"
        seen = f"costs are {source}, at {profile.precision}"
        return Finding(subject="runtime", state="ok", seen=seen)
    runtime = backend.signature().get("runtime", name)
    return Finding(subject="runtime", state="ok", seen=f"{runtime}, {profile.providers[0]}")


def _verification(profile: DeviceProfile) -> Finding:
    if profile.verified:
        return Finding(subject="verification", state="ok", seen="has run on its real hardware")
    remedy = "compare a few networks with the device before relying on the figures"
    return Finding(subject="verification", state="warning", seen="never verified on hardware", remedy=remedy)


def _local(profile: DeviceProfile, reach: Reach, root: Path) -> Iterator[Finding]:
    yield Finding(subject="reachability", state="ok", seen="this machine")
    yield _lease(profile)
    yield _sensor(profile)
    yield _governor(root)
    yield _throttling(root)


def _lease(profile: DeviceProfile) -> Finding:
    try:
        with device_lock(profile, timeout_s=0.0):
            return Finding(subject="lease", state="ok", seen="nobody measures on it")
    except MeasurementError as error:
        return Finding(subject="lease", state="warning", **_split(error))


def _sensor(profile: DeviceProfile) -> Finding:
    try:
        meter = meter_for(profile.meter)
        if isinstance(meter, NoMeter):
            return Finding(subject="sensor", state="skipped", seen="the meter none: no energy")
        if isinstance(meter, LoadModel):
            seen = f"{meter.name}: {meter.load_power_w(1):.3g} W a busy thread, {meter.provenance}, from no sensor"
            return Finding(subject="sensor", state="warning", seen=seen, remedy="name a meter that reads a sensor")
        seconds = max(_LEAST_WINDOW_S, 1.1 * meter.shortest_s if isinstance(meter, Paced) else 0.0)
        with meter.window() as window:
            time.sleep(seconds)
    except NasoptError as error:
        return Finding(subject="sensor", state="failed", **_split(error))
    what = ", ".join(f"{key} {value}" for key, value in meter.describe().items())
    watts = window.energy_mj / 1e3 / window.seconds
    return Finding(subject="sensor", state="ok", seen=f"{meter.name}: {watts:.3g} W now ({what})")


def _governor(root: Path) -> Finding:
    found = set()
    for path in root.glob("sys/devices/system/cpu/cpufreq/policy*/scaling_governor"):
        try:
            found.add(path.read_text().strip())
        except OSError:
            continue
    if not found:
        return Finding(subject="governor", state="skipped", seen="this machine shows no frequency governor")
    if found == {"performance"}:
        return Finding(subject="governor", state="ok", seen="performance")
    return Finding(
        subject="governor",
        state="warning",
        seen=f"{', '.join(sorted(found))}: clocks follow the load, and short networks see slow ones",
        remedy="sudo cpupower frequency-set -g performance (on a Jetson: sudo nvpmodel -m 0 && sudo jetson_clocks)",
    )


def _throttling(root: Path) -> Finding:
    now = ThrottleWatch(root).look()
    if now.active:
        remedy = "cool it, give it a stronger power supply, or lower its clocks to what it can keep up"
        return Finding(subject="throttling", state="failed", seen=f"now: {', '.join(now.active)}", remedy=remedy)
    if not now.known:
        return Finding(subject="throttling", state="skipped", seen="this machine does not tell")
    past = [f"{name} {count}" for name, count in now.events.items() if count]
    seen = f"none now; since it was switched on: {', '.join(past) or 'none'}"
    return Finding(subject="throttling", state="ok", seen=seen)


def _ssh(profile: DeviceProfile, reach: Reach, root: Path) -> Iterator[Finding]:
    if reach.host is None:
        remedy = f"set reach.host in the profile, or the variable {_variable(profile, 'HOST')}"
        yield Finding(subject="reachability", state="skipped", seen="no host is named", remedy=remedy)
    else:
        yield _connection(reach.host, reach.port)
        if reach.key is not None and not Path(reach.key).expanduser().is_file():
            remedy = f"set reach.key in the profile, or the variable {_variable(profile, 'KEY')}"
            yield Finding(subject="key", state="failed", seen=f"no private key at {reach.key}", remedy=remedy)
    remedy = profile.how_to_measure or _NOT_BUILT
    yield Finding(subject="measuring", state="skipped", seen="not over ssh yet", remedy=remedy)


def _connection(host: str, port: int) -> Finding:
    try:
        with socket.create_connection((host, port), timeout=_PATIENCE_S):
            return Finding(subject="reachability", state="ok", seen=f"{host} answers on port {port}")
    except socket.gaierror:
        remedy = "check the name, or give the address"
        return Finding(subject="reachability", state="failed", seen=f"no host is called {host}", remedy=remedy)
    except OSError as error:
        seen = f"{host} does not answer on port {port}: {error.strerror or error}"
        remedy = "check that it is switched on, on this network, and that its SSH server runs"
        return Finding(subject="reachability", state="failed", seen=seen, remedy=remedy)


def _adb(profile: DeviceProfile, reach: Reach, root: Path) -> Iterator[Finding]:
    yield _phone(reach.serial)
    yield Finding(
        subject="measuring", state="skipped", seen="not over adb yet", remedy=profile.how_to_measure or _NOT_BUILT
    )


def _phone(serial: str | None) -> Finding:
    if (adb := shutil.which("adb")) is None:
        remedy = "install Android's platform tools and put adb on the PATH"
        return Finding(subject="reachability", state="failed", seen="no command adb", remedy=remedy)
    try:
        done = subprocess.run([adb, "devices"], capture_output=True, text=True, timeout=2 * _PATIENCE_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        remedy = "adb kill-server, then try again"
        return Finding(subject="reachability", state="failed", seen=f"adb does not answer: {error}", remedy=remedy)
    states = dict(line.split("\t", 1) for line in done.stdout.splitlines() if "\t" in line)
    found = {serial: states[serial]} if serial in states else {} if serial else states
    if len(found) == 1 and (state := next(iter(found.values()))) == "device":
        return Finding(subject="reachability", state="ok", seen=f"phone {next(iter(found))} answers")
    if len(found) > 1:
        remedy = "set reach.serial to one of them"
        return Finding(
            subject="reachability", state="failed", seen=f"several phones: {', '.join(found)}", remedy=remedy
        )
    seen = f"phone {next(iter(found))} is {state}" if found else f"no phone{f' {serial}' if serial else ''} attached"
    remedy = "connect it, switch USB debugging on, and accept this computer's key on its screen"
    return Finding(subject="reachability", state="failed", seen=seen, remedy=remedy)


def _variable(profile: DeviceProfile, what: str) -> str:
    return f"NASOPT_{profile.name.upper()}_{what}"


def _split(error: NasoptError) -> dict[str, str]:
    """What was seen and the remedy; in most messages the last clause is the remedy."""
    if isinstance(error, SensorError):
        return {"seen": error.seen, "remedy": error.remedy}
    seen, _, remedy = str(error).replace("\n", " ").rpartition("; ")
    return {"seen": seen or remedy, "remedy": remedy if seen else ""}
