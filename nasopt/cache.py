"""Content-addressed files: what was expensive once is found again by everything that shaped it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from filelock import FileLock
from platformdirs import user_cache_path

from nasopt.errors import CacheError


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    raise TypeError(f"cannot address content by a {type(value).__name__}")


def content_key(**parts: Any) -> str:
    """Hash of everything that shaped a result: JSON values, dataclasses or pydantic models. 24 hex digits."""
    text = json.dumps(parts, sort_keys=True, default=_plain, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:24]


class Cache:
    """A folder of content-addressed files, safe for several processes.

    Files appear whole or not at all: they are written beside their place and renamed into it.
    """

    def __init__(self, root: Path | None = None) -> None:
        """`root` defaults to the environment's NASOPT_CACHE, then to the user's cache folder."""
        configured = os.environ.get("NASOPT_CACHE")
        self.root = root or (Path(configured) if configured else user_cache_path("nasopt"))

    def path(self, kind: str, key: str, suffix: str) -> Path:
        """Where the file of this kind and key is or will be."""
        return self.root / kind / f"{key}{suffix}"

    def write(self, path: Path, writer: Callable[[Path], object]) -> None:
        """Let `writer` fill a file that then takes its place at `path`.

        Raises:
            CacheError: the disk is full or read-only; nothing is left behind.
        """
        scratch = path.with_name(f".{path.name}.{uuid4().hex[:8]}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            writer(scratch)
            os.replace(scratch, path)
        except OSError as error:
            raise CacheError(
                f"cannot write {path}: {error.strerror or error}; free some space or set NASOPT_CACHE to another folder"
            ) from error
        finally:
            with suppress(OSError):  # where its folder could not be made, there is nothing to remove
                scratch.unlink(missing_ok=True)

    def lock(self, kind: str, key: str) -> FileLock:
        """A lock that the processes of this host share, for work that should be done once."""
        path = self.path(kind, key, ".lock")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CacheError(
                f"cannot create {path.parent}: {error.strerror}; set NASOPT_CACHE to another folder"
            ) from error
        return FileLock(path)
