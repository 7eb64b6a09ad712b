"""What a calibration has measured so far: one JSON line each, written at once, found again by content."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

from nasopt.errors import CacheError
from nasopt.evaluation.measuring import restored
from nasopt.records import Measurement


class Journal:
    """Measurements by the key of everything that shaped them, oldest first; a line cut short counts as absent."""

    def __init__(self, path: Path) -> None:
        """Raises CacheError if there is such a file and it cannot be read."""
        self.path = path
        self._found: dict[str, list[Measurement]] = {}
        try:
            lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise CacheError(
                f"cannot read the measurements {path}: {reason}; move the file away to begin anew"
            ) from error
        for line in lines:
            try:
                entry = json.loads(line)
                self._found.setdefault(entry["key"], []).append(restored(entry["measurement"]))
            except (ValueError, KeyError, TypeError):
                continue

    def __len__(self) -> int:
        return len(self._found)

    def get(self, key: str) -> tuple[Measurement, ...]:
        """All measurements of this key."""
        return tuple(self._found.get(key, ()))

    def add(self, key: str, what: str, measurement: Measurement) -> None:
        """Keep a measurement for good.

        Raises:
            CacheError: the disk is full or read-only.
        """
        text = json.dumps({"key": key, "what": what, "measurement": asdict(measurement)})
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                if file.tell() and not self._ends_whole():
                    file.write("\n")
                file.write(text + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise CacheError(
                f"cannot write {self.path}: {error.strerror or error}; free some space or choose another folder"
            ) from error
        self._found.setdefault(key, []).append(measurement)

    def _ends_whole(self) -> bool:
        with self.path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"
