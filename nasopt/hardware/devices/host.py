"""This host: what distinguishes its hardware, and the lock that keeps measurements on it apart."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import psutil
from filelock import FileLock, Timeout

from nasopt.errors import MeasurementError
from nasopt.hardware.agent.lease import LOCK, lock_folder
from nasopt.hardware.agent.machine import cpu_facts
from nasopt.hardware.devices.refusals import translated
from nasopt.spec.device import DeviceProfile


def fingerprint() -> dict[str, str | int]:
    """What distinguishes this host's hardware and system: the same after a reboot and for every process."""
    return dict(_fingerprint())


@cache
def _fingerprint() -> dict[str, str | int]:
    found = cpu_facts()
    found.setdefault("cpu", platform.processor() or platform.machine() or "unknown")
    found["cores"] = psutil.cpu_count(logical=True) or 1
    found["physical_cores"] = psutil.cpu_count(logical=False) or found["cores"]
    found["architecture"] = platform.machine()
    found["system"] = platform.system()
    return found


@contextmanager
def device_lock(profile: DeviceProfile, *, timeout_s: float = 600.0) -> Iterator[None]:
    """Hold the device of this profile for one measurement: across processes and, where possible, users of this host.

    Profiles that only compute share nothing and are not locked. Those that run on this host share one lock, since two
    measurements at once would disturb each other whatever the profiles are called; those behind one address share
    another, and take the device's own lock there as well. A lock goes with the process that holds it.

    Raises:
        MeasurementError: another process measured for longer than `timeout_s` seconds.
    """
    if profile.backend.name == "predicted":
        yield
        return
    with translated():
        path = lock_folder(os.environ.get("NASOPT_LOCKS")) / _lock_name(profile)
    try:
        # thread_local=False: the lock is released by whichever thread leaves the context
        lock = FileLock(path, mode=0o666, thread_local=False)
        lock.acquire(timeout=timeout_s)
    except Timeout:
        raise MeasurementError(
            f"another process has been measuring {_where(profile)} for {timeout_s:.0f} s (it holds {path}); "
            "wait for it or end it, then continue the study"
        ) from None
    except OSError as error:
        reason = error.strerror or error
        raise MeasurementError(f"cannot lock {path}: {reason}; set NASOPT_LOCKS to a writable folder") from error
    try:
        yield
    finally:
        lock.release()


def _lock_name(profile: DeviceProfile) -> str:
    reach = profile.reach.resolved(profile.name)
    if reach.way == "local":
        return LOCK
    address = f"{reach.host}-{reach.port}" if reach.way == "ssh" else f"{reach.serial}"
    return f"device-{reach.way}-{re.sub(r'[^A-Za-z0-9._-]', '_', address)}.lock"


def _where(profile: DeviceProfile) -> str:
    return "on this host" if profile.reach.way == "local" else f"on {profile.name} from this host"
