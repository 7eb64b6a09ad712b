"""This host: what distinguishes its hardware, and the lock that keeps measurements on it apart."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import psutil
from filelock import FileLock, Timeout
from platformdirs import user_state_path

from nasopt.errors import MeasurementError
from nasopt.spec.device import DeviceProfile

_CPUINFO = Path("/proc/cpuinfo")
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


def fingerprint() -> dict[str, str | int]:
    """What distinguishes this host's hardware and system: the same after a reboot and for every process."""
    return dict(_fingerprint())


@cache
def _fingerprint() -> dict[str, str | int]:
    found = _cpu_facts()
    found.setdefault("cpu", platform.processor() or platform.machine() or "unknown")
    found["cores"] = psutil.cpu_count(logical=True) or 1
    found["physical_cores"] = psutil.cpu_count(logical=False) or found["cores"]
    found["architecture"] = platform.machine()
    found["system"] = platform.system()
    return found


def _cpu_facts() -> dict[str, str | int]:
    try:
        text = _CPUINFO.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    facts: dict[str, str | int] = {}
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if (name := _CPUINFO_KEYS.get(key.strip())) is not None:
            facts.setdefault(name, value.strip())
    return facts


@contextmanager
def device_lock(profile: DeviceProfile, *, timeout_s: float = 600.0) -> Iterator[None]:
    """Hold the device of this profile for one measurement: across processes and, where possible, users of this host.

    Profiles that only compute share nothing and are not locked. All others run on this host and share one lock, since
    two measurements at once would disturb each other whatever the profiles are called. The lock goes with the process
    that holds it.

    Raises:
        MeasurementError: another process measured for longer than `timeout_s` seconds.
    """
    if profile.backend.name == "predicted":
        yield
        return
    path = _lock_folder() / "device-host.lock"
    try:
        # thread_local=False: the lock is released by whichever thread leaves the context
        lock = FileLock(path, mode=0o666, thread_local=False)
        lock.acquire(timeout=timeout_s)
    except Timeout:
        raise MeasurementError(
            f"another process has been measuring on this host for {timeout_s:.0f} s (it holds {path}); "
            "wait for it or end it, then continue the study"
        ) from None
    except OSError as error:
        reason = error.strerror or error
        raise MeasurementError(f"cannot lock {path}: {reason}; set NASOPT_LOCKS to a writable folder") from error
    try:
        yield
    finally:
        lock.release()


def _lock_folder() -> Path:
    """A folder that all users of this host can write, or else one of this user.

    Raises:
        MeasurementError: no folder can be written.
    """
    configured = os.environ.get("NASOPT_LOCKS")
    shared = [Path("/run/lock/nasopt"), Path(tempfile.gettempdir()) / "nasopt-locks"]
    for folder in [Path(configured)] if configured else [*shared, user_state_path("nasopt")]:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if folder in shared and folder.stat().st_uid == _user():
                # not sticky: Linux (fs.protected_regular) keeps users from opening each other's files in sticky folders
                folder.chmod(0o777)
        except OSError:
            continue
        if os.access(folder, os.W_OK | os.X_OK) and not folder.is_symlink():
            return folder
    raise MeasurementError("no folder for the lock of this device can be written; set NASOPT_LOCKS to one that can")


def _user() -> int:
    return os.getuid() if hasattr(os, "getuid") else -1
