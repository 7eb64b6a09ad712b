"""The commented study file that `nasopt init` writes."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from nasopt.errors import UsageError


def starting_point() -> str:
    """The text of the file."""
    return Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8")


def write_starting_point(path: Path, *, force: bool = False) -> None:
    """Write the file, its study named after it.

    Raises:
        UsageError: the file exists and `force` is off, or it cannot be written.
    """
    text = starting_point().replace("THIS_FILE", str(path)).replace("name: my-study", f"name: {path.stem}", 1)
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path} exists; choose another name, or overwrite it with --force") from None
    except OSError as error:
        with suppress(OSError):  # what a full disk leaves is empty, and would stand in the way of the next try
            if path.is_file() and path.stat().st_size == 0:
                path.unlink()
        raise UsageError(f"cannot write {path}: {error.strerror}") from error
