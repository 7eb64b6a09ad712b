"""What a measurement over SSH meets on the device itself."""

from __future__ import annotations

from collections.abc import Iterator

from nasopt.errors import NasoptError
from nasopt.hardware.backends.options import build
from nasopt.hardware.backends.ssh.backend import SshBackend
from nasopt.hardware.backends.ssh.board import whoami
from nasopt.hardware.devices.findings import Finding, failed, governor, throttling
from nasopt.spec.device import DeviceProfile
from nasopt.spec.hardware import PluginSpec

_LEAST_WINDOW_S = 0.2


def findings_over_ssh(profile: DeviceProfile) -> Iterator[Finding]:
    """Look at reachability, Python, runtime, sensor, lease, governor and throttling there."""
    try:
        choice = profile.backend if profile.backend.name == "ssh" else PluginSpec(name="ssh")
        backend: SshBackend = build("backend", choice, profile)
        facts = backend.board.facts
    except NasoptError as error:
        yield failed("reachability", error)
        return
    try:
        machine = facts["machine"]
        seen = f"{backend.board.address} answers: {machine.get('board', machine['cpu'])}, {machine['cores']} cores"
        yield Finding(subject="reachability", state="ok", seen=seen)
        python = f"{facts['executable']}, Python {facts['python']}, numpy {facts['numpy']}"
        yield Finding(subject="python", state="ok", seen=python)
        yield _runtime(backend)
        yield _lease(backend)
        yield _sensor(backend)
        state = backend.board.ask("state")
        yield governor(state["governors"])
        yield throttling(state["events"], state["active"])
    except NasoptError as error:
        yield failed("connection", error)
    finally:
        backend.board.close()


def _runtime(backend: SshBackend) -> Finding:
    try:
        facts = backend.describe()
    except NasoptError as error:
        return failed("runtime there", error)
    return Finding(subject="runtime there", state="ok", seen=f"{facts['runtime']}, {facts['provider']}")


def _lease(backend: SshBackend) -> Finding:
    try:
        backend.board.ask("lease", who=whoami(), wait_s=0.0)
    except NasoptError as error:
        return failed("lease there", error, "warning")
    return Finding(subject="lease there", state="ok", seen="nobody measures on it")


def _sensor(backend: SshBackend) -> Finding:
    name, options = backend.sensor
    if name == "none":
        return Finding(subject="sensor", state="skipped", seen="the meter none: no energy")
    try:
        details = backend.board.ask("meter", name=name, options=options)["details"]
        seen = backend.board.ask("power", name=name, options=options, least_s=_LEAST_WINDOW_S)
    except NasoptError as error:
        return failed("sensor", error)
    what = ", ".join(f"{key} {value}" for key, value in details.items())
    return Finding(subject="sensor", state="ok", seen=f"{name}: {seen['watts']:.3g} W now ({what})")
