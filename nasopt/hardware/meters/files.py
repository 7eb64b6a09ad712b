"""Reading the one-line files in which Linux shows its sensors."""

from __future__ import annotations

from pathlib import Path

from nasopt.errors import SensorError


def read_text(path: Path, *, allow: str = "") -> str:
    """The content of a sensor file without surrounding blanks.

    Args:
        path: the file.
        allow: what to do where reading is not permitted; the file's mode bits if left out.

    Raises:
        SensorError: the file is missing, may not be read, or the driver fails.
    """
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except PermissionError as error:
        raise SensorError(
            f"no permission to read {path}", allow or f"allow it until the next boot with: sudo chmod a+r {path}"
        ) from error
    except OSError as error:
        raise SensorError(
            f"cannot read {path}: {error.strerror}",
            "check that the sensor's driver is loaded; dmesg says why it fails",
        ) from error


def read_int(path: Path, *, allow: str = "") -> int:
    """The whole number in a sensor file.

    Raises:
        SensorError: like `read_text`, or it holds something else.
    """
    text = read_text(path, allow=allow)
    try:
        return int(text)
    except ValueError:
        raise SensorError(f"{path} holds {text[:40]!r}, expected a whole number", "check the sensor's driver") from None
