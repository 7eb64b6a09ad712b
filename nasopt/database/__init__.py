"""Opening the database of a study: drivers, SQLite tuning, the start-up race, and what its users may see of a URL."""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock
from platformdirs import user_state_path

from nasopt.database.reading import open_to_read, opening_errors
from nasopt.database.schema import quick_check
from nasopt.database.urls import expand as expand
from nasopt.database.urls import redact as redact
from nasopt.database.urls import sqlite_file as sqlite_file
from nasopt.database.urls import sqlite_url as sqlite_url
from nasopt.database.urls import watch_for as watch_for
from nasopt.errors import DatabaseError, UsageError

if TYPE_CHECKING:
    from optuna.artifacts import FileSystemArtifactStore
    from optuna.storages import BaseStorage

MEMORY = "memory"
"""Storage that ends with the process; for scripts and tests."""

_DRIVERS = {"postgresql": "psycopg", "mysql": "pymysql", "mariadb": "pymysql"}
_EXTRAS = {"postgresql": "postgresql", "mysql": "mysql", "mariadb": "mysql"}


def state_folder(url: str, identity: str | None = None) -> Path:
    """Where locks and artifacts of this database live: beside a SQLite file, else in the user's state folder.

    `identity` is what a server's database says of itself, the same for all spellings of its URL.
    """
    file = sqlite_file(url)
    if file is not None:
        file = file.resolve()
        return file.with_name(file.name + ".nasopt")
    return user_state_path("nasopt") / (identity or hashlib.sha256(redact(url).encode()).hexdigest()[:16])


def file_lock(path: Path) -> FileLock:
    """A lock that the processes of this host share; it goes with the process that holds it.

    Raises:
        DatabaseError: its folder cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseError(f"cannot write to {path.parent}: {error.strerror}; nasopt keeps its locks there") from error
    return FileLock(path)


def artifact_store(folder: Path) -> FileSystemArtifactStore:
    """Optuna's artifact store over a folder, created if need be."""
    from optuna.artifacts import FileSystemArtifactStore

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseError(
            f"cannot create the artifact folder {folder}: {error.strerror}; set study.artifacts"
        ) from error
    return FileSystemArtifactStore(str(folder))


def open_storage(
    url: str, *, create: bool = True, first: Callable[[BaseStorage], None] = lambda _: None
) -> BaseStorage:
    """Open the Optuna storage at `url`, whose variables `expand` has filled in.

    SQLite runs in WAL mode with `synchronous=NORMAL`: a crash of the process loses nothing, and a write costs half.
    Tables are created under a lock, since workers that start together otherwise race for them. `first` is called before
    anything is written to a database that exists: it may raise, and leaves it as it was.

    With `create=False` nothing is written, and one that cannot be written is opened for reading alone.

    Raises:
        DatabaseError: missing driver; unreachable, read-only, damaged or outdated database; none with `create=False`.
    """
    from optuna.storages import InMemoryStorage, RDBStorage

    if url == MEMORY:
        return InMemoryStorage()
    _check(url)
    if re.fullmatch(r"sqlite(\+\w+)?:(/{2,3})?(:memory:)?", url):
        raise UsageError(f"{url} would keep nothing; name a file, such as sqlite:///study.db, or write: {MEMORY}")
    file = sqlite_file(url)
    if file is not None and not file.exists() and not create:
        raise DatabaseError(f"no database at {file}; run a study first or name another with --storage")
    if file is not None and file.is_dir():
        raise DatabaseError(f"cannot open the database {file}: it is a folder")
    if not create:
        with database_errors(url):
            return open_to_read(url, _with_driver(url), _engine_options(file))
    _require_writable(file)
    if file is not None:
        _require_sound(file)
    with database_errors(url), _creation_lock(url), opening_errors(url), quick_check():
        place = _with_driver(url) if file is None else sqlite_url(file)
        storage = RDBStorage(place, engine_kwargs=_engine_options(file))
        first(storage)
        if file is not None:
            _tune_sqlite(storage)
    return storage


def _check(url: str) -> None:
    """Refuse what is no database URL, without repeating what may be a password.

    Raises:
        UsageError: it cannot be read, its port is no number, or its password has an unescaped `@`.
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    keep = "keep the password in a variable and write ${PASSWORD}"
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise UsageError(
            f"{redact(url)!r} is no database URL (it lacks its parts); expected one such as sqlite:///study.db or "
            "postgresql://user:${PASSWORD}@host/name"
        ) from None
    except ValueError:
        raise UsageError(
            f"the port in {redact(url)!r} is no number; expected user:${{PASSWORD}}@host:5432. A ':' or '@' of the "
            f"password is written %3A or %40, or {keep}"
        ) from None
    if "@" in (parsed.host or ""):
        raise UsageError(f"the password in {redact(url)!r} has an unescaped '@'; write %40, or {keep}")
    if parsed.port is not None and not 0 < parsed.port < 65536:
        raise UsageError(f"the port in {redact(url)!r} is {parsed.port}; expected 1 to 65535")


@contextmanager
def database_errors(url: str) -> Iterator[None]:
    """Turn a driver's errors into a DatabaseError of one line, without the password."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

    try:
        yield
    except (ArgumentError, NoSuchModuleError) as error:
        raise UsageError(
            f"{redact(url)!r} is no database URL ({redact(str(error))}); expected one such as sqlite:///study.db or "
            "postgresql://user:${PASSWORD}@host/name"
        ) from error
    except ImportError as error:
        extra = _EXTRAS.get(url.partition(":")[0].partition("+")[0])
        way_out = f"pip install 'nasopt[{extra}]'" if extra else "install the driver that the URL names"
        raise DatabaseError(f"no driver for {redact(url)} ({redact(str(error))}); {way_out}") from error
    except (SQLAlchemyError, StorageInternalError) as error:
        cause = getattr(error, "orig", None) or error.__cause__ or error
        line = redact(str(getattr(cause, "orig", None) or cause)).strip().splitlines()[0]
        raise DatabaseError(
            f"the database {redact(url)} failed: {line}; check that it runs, is writable and has space"
        ) from error


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Silence Optuna's notes on every study and trial, not its warnings; the user's setting comes back after."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(max(before, optuna.logging.WARNING))
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def _require_writable(file: Path | None) -> None:
    if file is None:
        return
    if not file.parent.is_dir():
        raise DatabaseError(f"cannot open the database {file}: the folder {file.parent} does not exist")
    target = file if file.exists() else file.parent
    if not os.access(target, os.W_OK):
        raise DatabaseError(f"cannot write the database {file}: {target} is read-only for this user")


def _require_sound(file: Path) -> None:
    """Refuse a file that is no database, or a damaged one, before locks are made beside it."""
    if file.exists():
        try:
            with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
                connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.DatabaseError as error:
            if "not a database" in str(error) or "malformed" in str(error):
                raise DatabaseError(
                    f"the database {file} failed: {error}; name another, or bring back a copy"
                ) from error


def _with_driver(url: str) -> str:
    """Name the driver that the extras install, where the URL leaves it open."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}+{_DRIVERS[scheme]}://{rest}" if scheme in _DRIVERS else url


def shown(url: str) -> str:
    """The URL as plain Optuna opens it, which takes another driver where none is named; without its password."""
    return redact(_with_driver(url))


def _engine_options(file: Path | None) -> dict[str, object]:
    if file is not None:
        return {"connect_args": {"timeout": 60}}
    return {"pool_size": 2, "max_overflow": 2, "pool_pre_ping": True, "pool_recycle": 1800}


@contextmanager
def _creation_lock(url: str) -> Iterator[None]:
    with file_lock(state_folder(url) / "create.lock"):
        yield


def _tune_sqlite(storage: object) -> None:
    from sqlalchemy import Engine, event

    engine: Engine = storage.engine  # type: ignore[attr-defined]

    @event.listens_for(engine, "connect")
    def _on_connect(connection: object, _record: object) -> None:
        cursor = connection.cursor()  # type: ignore[attr-defined]
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.close()

    engine.dispose()  # connections made so far lack the pragmas
