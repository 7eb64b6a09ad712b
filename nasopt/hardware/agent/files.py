"""Reading the one-line files in which Linux shows its sensors."""

from pathlib import Path

from .refusals import SensorRefusedError


def read_text(path: Path, *, allow: str = "") -> str:
    """The content of a sensor file without surrounding blanks.

    Args:
        path: the file.
        allow: what to do where reading is not permitted; the file's mode bits if left out.

    Raises:
        SensorRefusedError: the file is missing, may not be read, or the driver fails.
    """
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except PermissionError:
        raise SensorRefusedError(
            f"no permission to read {path}", allow or f"allow it until the next boot with: sudo chmod a+r {path}"
        )
    except OSError as error:
        raise SensorRefusedError(
            f"cannot read {path}: {error.strerror}", "check that the sensor's driver is loaded; dmesg says why it fails"
        )


def read_int(path: Path, *, allow: str = "") -> int:
    """The whole number in a sensor file.

    Raises:
        SensorRefusedError: like `read_text`, or it holds something else.
    """
    text = read_text(path, allow=allow)
    try:
        return int(text)
    except ValueError:
        raise SensorRefusedError(f"{path} holds {text[:40]!r}, expected a whole number", "check the sensor's driver")


def after(text: str, prefix: str) -> str:
    """What follows a prefix, or the whole text (Python 3.9 has `removeprefix`)."""
    return text[len(prefix) :] if text.startswith(prefix) else text


def before(text: str, suffix: str) -> str:
    """What precedes a suffix, or the whole text (Python 3.9 has `removesuffix`)."""
    return text[: -len(suffix)] if suffix and text.endswith(suffix) else text
