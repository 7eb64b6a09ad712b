"""What stands between a device profile and a measurement: each obstacle with its remedy."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from nasopt.errors import MeasurementError, NasoptError
from nasopt.hardware.agent.machine import governors
from nasopt.hardware.agent.throttling import ThrottleWatch
from nasopt.hardware.backends.adb.phone import Phone
from nasopt.hardware.backends.base import backend_for
from nasopt.hardware.devices.findings import Diagnosis, Finding, failed, governor, throttling
from nasopt.hardware.devices.host import device_lock
from nasopt.hardware.meters import LoadModel, NoMeter, Paced, meter_for
from nasopt.hardware.timing.energy import refuse_power
from nasopt.spec.device import DeviceProfile, Reach

_LEAST_WINDOW_S = 0.2


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
    runtime = [] if profile.backend.name == "ssh" else [_runtime(profile)]  # that one was asked on the device
    findings = [*look(profile, reach, root), *runtime, _verification(profile)]
    return Diagnosis(device=profile.name, findings=tuple(findings))


def _runtime(profile: DeviceProfile) -> Finding:
    name = profile.backend.name
    try:
        backend = backend_for(profile, meter="none")
        signature = backend.signature()
    except NasoptError as error:
        return failed("runtime", error)
    if name == "predicted":
        source = "estimated from the datasheet" if profile.calibration is None else "predicted from a calibration"
        seen = f"costs are {source}, at {profile.precision}"
        return Finding(subject="runtime", state="ok", seen=seen)
    provider = getattr(backend, "provider", profile.providers[0])
    return Finding(subject="runtime", state="ok", seen=f"{signature.get('runtime', name)}, {provider}")


def _verification(profile: DeviceProfile) -> Finding:
    if profile.verified:
        return Finding(subject="verification", state="ok", seen="has run on its real hardware")
    remedy = "compare a few networks with the device before relying on the figures"
    return Finding(subject="verification", state="warning", seen="never verified on hardware", remedy=remedy)


def _local(profile: DeviceProfile, reach: Reach, root: Path) -> Iterator[Finding]:
    yield Finding(subject="reachability", state="ok", seen="this machine")
    yield _lease(profile)
    yield _sensor(profile)
    yield governor(governors(root))
    now = ThrottleWatch(root).look()
    yield throttling(now.events, now.active)


def _lease(profile: DeviceProfile) -> Finding:
    try:
        with device_lock(profile, timeout_s=0.0):
            return Finding(subject="lease", state="ok", seen="nobody measures on it")
    except MeasurementError as error:
        return failed("lease", error, "warning")


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
        watts = window.energy_mj / 1e3 / window.seconds
        refuse_power(meter.name, watts, profile.most_w)
    except NasoptError as error:
        return failed("sensor", error)
    what = ", ".join(f"{key} {value}" for key, value in meter.describe().items())
    return Finding(subject="sensor", state="ok", seen=f"{meter.name}: {watts:.3g} W now ({what})")


def _ssh(profile: DeviceProfile, reach: Reach, root: Path) -> Iterator[Finding]:
    if reach.host is None:
        remedy = f"set reach.host in the profile, or the variable {reach.variable(profile.name, 'HOST')}"
        yield Finding(subject="reachability", state="skipped", seen="no host is named", remedy=remedy)
    else:
        yield _lease(profile)
        from nasopt.hardware.backends.ssh.diagnosis import findings_over_ssh  # imports onnx, by way of the backend

        yield from findings_over_ssh(profile)
    if profile.backend.name != "ssh":
        remedy = profile.how_to_measure or "set backend: ssh in the profile, or hardware.backend in the study"
        yield Finding(subject="measuring", state="skipped", seen="this profile does not measure", remedy=remedy)


def _adb(profile: DeviceProfile, reach: Reach, root: Path) -> Iterator[Finding]:
    yield _phone(reach.serial)
    if profile.backend.name != "adb":
        seen = f"by the backend {profile.backend.name}, not on the phone"
        yield Finding(subject="measuring", state="skipped", seen=seen, remedy=profile.how_to_measure or "backend: adb")


def _phone(serial: str | None) -> Finding:
    try:
        found = Phone(serial).find()
    except NasoptError as error:
        return failed("reachability", error)
    return Finding(subject="reachability", state="ok", seen=f"phone {found} answers")
