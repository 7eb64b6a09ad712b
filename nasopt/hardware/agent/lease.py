"""One measurement at a time on a machine, whoever takes it: the lock that `hardware.devices.host` takes as well."""

import json
import os
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

from .refusals import BusyError, StorageError

try:
    import fcntl
except ImportError:  # not on Windows, where nobody else's agent runs either
    fcntl = None  # type: ignore[assignment]

LOCK = "device-host.lock"
_POLL_S = 0.05


def lock_folder(configured: Optional[str] = None) -> Path:
    """A folder that all users of this machine can write, or else one of this user; `configured` if given.

    Raises:
        StorageError: no folder can be written.
    """
    shared = [Path("/run/lock/nasopt"), Path(tempfile.gettempdir()) / "nasopt-locks"]
    own = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "nasopt"
    folders: List[Path] = [Path(configured)] if configured else [*shared, own]
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if folder in shared and folder.stat().st_uid == _user():
                # not sticky: Linux (fs.protected_regular) keeps users from opening each other's files in sticky folders
                folder.chmod(0o777)
        except OSError:
            continue
        if os.access(str(folder), os.W_OK | os.X_OK) and not folder.is_symlink():
            return folder
    raise StorageError(
        "no folder for the lock of this device can be written", "set NASOPT_LOCKS to one that can, on the device"
    )


@contextmanager
def held(who: str, wait_s: float, folder: Path) -> Iterator[None]:
    """Hold the machine while inside. The lock goes with the process, so that none is ever stale.

    Raises:
        BusyError: somebody else held it for longer than `wait_s` seconds.
        StorageError: the lock's file cannot be opened.
    """
    path = folder / LOCK
    deadline = time.monotonic() + wait_s
    while True:
        descriptor = _open(path)
        if _locked(descriptor, path):
            break
        holder = _read(descriptor)
        os.close(descriptor)
        if time.monotonic() >= deadline:
            raise BusyError(
                f"{_named(holder)} has been measuring on the device for {wait_s:.0f} s (it holds {path})",
                "wait for it or end it, then go on",
            )
        time.sleep(_POLL_S)
    try:
        note = json.dumps({"pid": os.getpid(), "who": who, "since": time.strftime("%Y-%m-%d %H:%M:%S")})
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, note.encode(), 0)
        yield
    finally:
        try:
            os.ftruncate(descriptor, 0)
        finally:
            os.close(descriptor)


def _open(path: Path) -> int:
    try:
        try:
            return os.open(str(path), os.O_RDWR)
        except FileNotFoundError:
            descriptor = os.open(str(path), os.O_RDWR | os.O_CREAT, 0o666)
            with suppress(OSError):  # another user's, made just now
                os.fchmod(descriptor, 0o666)
            return descriptor
    except OSError as error:
        raise StorageError(f"cannot open the lock {path}: {error.strerror}", "set NASOPT_LOCKS on the device")


def _locked(descriptor: int, path: Path) -> bool:
    """Whether the lock is this process's now. A file that was removed meanwhile locks nothing."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    try:
        return os.stat(str(path)).st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False


def _read(descriptor: int) -> Dict[str, Any]:
    try:
        note: Dict[str, Any] = json.loads(os.pread(descriptor, 1000, 0).decode())
        return note
    except (OSError, ValueError):
        return {}


def _named(note: Dict[str, Any]) -> str:
    if "who" not in note:
        return "another process"
    return f"{note['who']} (process {note['pid']}, since {note['since']})"


def _user() -> int:
    return os.getuid() if hasattr(os, "getuid") else -1
