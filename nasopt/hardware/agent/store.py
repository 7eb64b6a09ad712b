"""The files that a board keeps: models by the hash of their content, the least used removed when they grow too many."""

import errno
import hashlib
import os
import re
import tempfile
from pathlib import Path
from typing import BinaryIO, Dict, List

from .refusals import StorageError

_CHUNK = 1 << 20
_NAME = re.compile(r"[0-9a-f]{64}(\.[A-Za-z0-9]{1,16})?")


class Store:
    """A folder of files that are called by the SHA-256 of their content."""

    def __init__(self, folder: Path) -> None:
        """Raises StorageError where the folder cannot be made."""
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for left in folder.glob("tmp*"):
                left.unlink()  # of an upload that was cut
        except OSError as error:
            raise _explained(error, folder)

    def missing(self, names: List[str]) -> List[str]:
        """Those of the names that have no file; the others count as used now."""
        return [name for name in names if not self._touched(name)]

    def path(self, name: str) -> str:
        """Where a file lies."""
        if not _NAME.fullmatch(name):
            raise StorageError(f"{name!r} is no name of a stored file")
        return str(self._folder / name)

    def receive(self, name: str, size: int, stream: BinaryIO) -> None:
        """Keep `size` bytes of a stream. They are read whole in any case, so that what follows them can be read.

        Raises:
            StorageError: they cannot be written, or are not what their name says.
        """
        left, digest = size, hashlib.sha256()
        path, scratch = Path(self.path(name)), None
        try:
            with tempfile.NamedTemporaryFile(dir=str(self._folder), delete=False) as file:
                scratch = Path(file.name)
                while left:
                    chunk = _read(stream, left)
                    left -= len(chunk)
                    digest.update(chunk)
                    file.write(chunk)
            if digest.hexdigest() != name.partition(".")[0]:
                raise StorageError("a model arrived damaged", "send it again")
            os.replace(str(scratch), str(path))
        except OSError as error:
            raise _explained(error, self._folder)
        finally:
            while left:
                left -= len(_read(stream, left))
            if scratch is not None and scratch.exists():
                scratch.unlink()

    def shrink(self, most_bytes: int, keep: List[str]) -> None:
        """Remove what was not used for longest until the rest, `keep` in any case, fits."""
        sizes: Dict[Path, int] = {}
        for path in sorted(self._folder.iterdir(), key=lambda p: p.stat().st_mtime):
            sizes[path] = path.stat().st_size
        total = sum(sizes.values())
        for path, size in sizes.items():
            if total <= most_bytes:
                return
            if path.name not in keep:
                path.unlink()
                total -= size

    def _touched(self, name: str) -> bool:
        try:
            os.utime(self.path(name))
        except OSError:
            return False
        return True


def _read(stream: BinaryIO, most: int) -> bytes:
    chunk = stream.read(min(most, _CHUNK))
    if not chunk:
        raise EOFError("the connection ended within a file")
    return chunk


def _explained(error: OSError, folder: Path) -> StorageError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return StorageError(
            f"the device's disk is full: {folder} cannot take more ({error.strerror})",
            "free some space there, or set the option folder of the backend to a roomier place",
        )
    return StorageError(
        f"cannot write {folder} on the device: {error.strerror}",
        "set the option folder of the backend to one that this user can write",
    )
