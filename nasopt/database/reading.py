"""Opening a database to read it: nothing is written, so that a read-only file, folder or server will do."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from nasopt.database.schema import quick_check
from nasopt.database.urls import redact, sqlite_file, sqlite_url
from nasopt.errors import DatabaseError, NasoptError

if TYPE_CHECKING:
    from optuna.storages import BaseStorage, RDBStorage

_TABLES = {"studies", "study_directions", "trials", "version_info"}


def open_to_read(url: str, driver_url: str, options: dict[str, object]) -> RDBStorage:
    """Open the database at `url`; a SQLite file that cannot be written is opened for reading alone.

    Raises:
        DatabaseError: it holds nothing of Optuna's, is damaged, or of another version of Optuna.
    """
    from optuna.storages import RDBStorage

    file = sqlite_file(url)
    lacks_wal = file is not None and _lacks_wal(file)
    if file is not None:
        driver_url = _readable_url(file)
    with opening_errors(url), quick_check():
        storage = RDBStorage(driver_url, engine_kwargs=options, skip_table_creation=True)
        if file is not None and lacks_wal and not storage.get_all_studies():
            raise DatabaseError(f"{file} holds no study{wal_hint(file)}")
    return storage


def is_read_only(storage: BaseStorage) -> bool:
    """Whether a storage was opened for reading alone."""
    engine = getattr(getattr(storage, "_backend", storage), "engine", None)
    return engine is not None and engine.url.query.get("mode") == "ro"


def _readable_url(file: Path) -> str:
    """The URL under which SQLite reads this file.

    Raises:
        DatabaseError: it cannot be read, is no database, or holds nothing of Optuna's.
    """
    if os.access(file, os.W_OK) and os.access(file.parent, os.W_OK):
        modes = ["mode=rw"]
    else:
        modes = ["mode=ro", "mode=ro&immutable=1"]
    wal = file.with_name(file.name + "-wal")
    error: sqlite3.Error | None = None
    for mode in modes:
        if "immutable" in mode and wal.exists() and wal.stat().st_size:
            raise DatabaseError(
                f"cannot read {file}: its last writes are in {wal.name}, which takes a folder that can be written; "
                "copy both to one"
            )
        try:
            with closing(sqlite3.connect(f"file:{quote(str(file))}?{mode}", uri=True, timeout=60)) as connection:
                tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        except sqlite3.Error as failed:
            error = failed
            continue
        if not tables >= _TABLES:
            raise DatabaseError(f"{file} holds no study{wal_hint(file) if _lacks_wal(file) else ''}; run one first")
        if mode == "mode=rw":
            return sqlite_url(file)
        return f"sqlite:///file:{quote(quote(str(file)))}?{mode}&uri=true"
    raise DatabaseError(f"the database {file} failed: {error}; {_way_out(str(error))}") from error


def _way_out(error: str) -> str:
    if "malformed" in error:
        return "it is damaged: what is left of it comes with sqlite3 FILE .recover"
    return "name a file that nasopt or Optuna wrote"


def _lacks_wal(file: Path) -> bool:
    """Whether a file may be a copy without the last writes: SQLite keeps them beside it while it is in use."""
    try:
        with file.open("rb") as opened:
            header = opened.read(20)
    except OSError:
        return False
    in_wal_mode = len(header) == 0 or header[18:19] == b"\2"
    return in_wal_mode and not file.with_name(file.name + "-wal").exists()


def wal_hint(file: Path) -> str:
    """What to say of a file that holds nothing and may be such a copy."""
    return f" (if it is a copy: its writes are in {file.name}-wal, which belongs beside it; copy both)"


@contextmanager
def opening_errors(url: str) -> Iterator[None]:
    """Turn whatever stands against reading a database as Optuna's into one line."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (NasoptError, ImportError, SQLAlchemyError):
        raise
    except Exception as error:
        cause = error.__cause__ or error
        line = redact(str(getattr(cause, "orig", None) or cause)).strip().splitlines() or [type(error).__name__]
        if (made := re.search(r"set up by optuna ([\w.]+)", str(error))) is not None:
            newer = "pip install -U optuna" in str(error)
            way_out = "pip install -U optuna" if newer else f"optuna storage upgrade --storage {redact(url)}"
            raise DatabaseError(
                f"the tables of {redact(url)} are those of another Optuna ({made[1]}); bring them up to date, a copy "
                f"kept, with: {way_out}"
            ) from error
        if re.search(r"version_info|no such table|doesn't exist", line[0]):
            raise DatabaseError(f"{redact(url)} holds no study yet; run one first") from error
        raise DatabaseError(f"the database {redact(url)} failed: {line[0]}; {_way_out(line[0])}") from error
