"""Who works on a database: its identity, whatever its URL is spelt like, and a sign of life of every worker.

Two tables beside Optuna's hold both. Where two workers share a folder of locks, the file lock that each holds for as
long as it lives tells at once whether one has ended. Elsewhere (another host, a container, another user's state
folder) host name and process number say nothing, and the sign of life decides: each worker renews its own every
`RENEW_S` seconds on the database's clock, and one that is silent for `PATIENCE_S` counts as ended.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import sqlalchemy as sa
from filelock import FileLock, Timeout
from optuna.storages import BaseStorage
from sqlalchemy.exc import SQLAlchemyError

from nasopt.database import file_lock

log = logging.getLogger(__name__)

RENEW_S = 10.0
PATIENCE_S = 90.0
"""A worker that has been silent for so long, on the database's clock, has ended."""
_FORGET_S = 7 * 86400.0
_TRIES = 5

_TABLES = sa.MetaData()
_DATABASE = sa.Table(
    "nasopt_database",
    _TABLES,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("identity", sa.String(32), nullable=False),
)
_WORKERS = sa.Table(
    "nasopt_workers",
    _TABLES,
    sa.Column("worker", sa.String(32), primary_key=True),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("place", sa.String(120), nullable=False),  # of its locks
    sa.Column("seen", sa.Double, nullable=False),  # seconds since 1970, by the database
)
_CLOCKS = {
    "sqlite": "(julianday('now') - 2440587.5) * 86400.0",
    "postgresql": "extract(epoch from clock_timestamp())",
    "mysql": "unix_timestamp(now(6))",
    "mariadb": "unix_timestamp(now(6))",
}
"""The time now in seconds since 1970; for other databases this host's clock stands in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """What the database knows of a worker."""

    place: str
    silent_s: float


class Register:
    """The tables of one database."""

    def __init__(self, engine: sa.Engine) -> None:
        """Creates the tables where they are missing."""
        self._engine = engine
        self.identity = _retried(self._identify)

    def _identify(self) -> str:
        _TABLES.create_all(self._engine)
        if (known := stored_identity(self._engine)) is not None:
            return known
        with self._engine.begin() as connection:
            identity = uuid4().hex
            connection.execute(_DATABASE.insert().values(id=1, identity=identity))
        return identity

    def sign(self, worker: str, about: Mapping[str, Any]) -> None:
        """Renew a worker's sign of life; `about` has its host, pid and place."""
        with self._engine.begin() as connection:
            seen = {"seen": self._now()}
            renewed = connection.execute(_WORKERS.update().where(_WORKERS.c.worker == worker).values(seen))
            if renewed.rowcount == 0:
                connection.execute(_WORKERS.delete().where(_WORKERS.c.seen < self._now() - _FORGET_S))
                connection.execute(_WORKERS.insert().values(worker=worker, **about, **seen))

    def leave(self, worker: str) -> None:
        """Forget a worker that has ended."""
        with self._engine.begin() as connection:
            connection.execute(_WORKERS.delete().where(_WORKERS.c.worker == worker))

    def find(self, worker: str) -> Sign | None:
        """A worker's last sign of life; None where it left none."""
        wanted = sa.select(_WORKERS.c.place, self._now() - _WORKERS.c.seen).where(_WORKERS.c.worker == worker)
        with self._engine.begin() as connection:
            row = connection.execute(wanted).one_or_none()
        return None if row is None else Sign(place=row[0], silent_s=float(row[1]))

    @contextmanager
    def gate(self) -> Iterator[None]:
        """One worker at a time, of all that share the database; it opens by itself when a connection is lost.

        A server locks a row. SQLite has no such lock, and its workers share the folder of locks beside its file.
        """
        if self._engine.dialect.name == "sqlite":
            yield
            return
        with self._engine.begin() as connection:
            connection.execute(sa.select(_DATABASE.c.id).where(_DATABASE.c.id == 1).with_for_update())
            yield

    def _now(self) -> Any:
        clock = _CLOCKS.get(self._engine.dialect.name)
        return sa.literal(time.time()) if clock is None else sa.literal_column(clock, sa.Double())


def _retried(action: Any) -> Any:
    """Workers that start at once race for the tables: a loser finds them at the next try."""
    for left in reversed(range(_TRIES)):
        try:
            return action()
        except SQLAlchemyError:
            if not left:
                raise
            time.sleep(0.2)
    raise AssertionError


def stored_identity(engine: sa.Engine) -> str | None:
    """The identity of a database; None where nasopt has not worked on it since there is one."""
    if not sa.inspect(engine).has_table(_DATABASE.name):
        return None
    with engine.connect() as connection:
        return connection.execute(sa.select(_DATABASE.c.identity).where(_DATABASE.c.id == 1)).scalar_one_or_none()


def engine_of(storage: BaseStorage) -> sa.Engine | None:
    """The engine below an Optuna storage; None where it is no database."""
    return getattr(getattr(storage, "_backend", storage), "engine", None)


class Presence:
    """This process among the workers of a database; enter it for as long as it works.

    Where no other process can see the database (`folder` is None) it is alone.
    """

    def __init__(self, storage: BaseStorage, folder: Path | None) -> None:
        """`folder` is that of the database's locks."""
        engine = None if folder is None else engine_of(storage)
        self._register = None if engine is None else Register(engine)
        self._folder = folder
        self.worker = uuid4().hex
        self.host = socket.gethostname()
        self._place = "" if folder is None else place_of(folder)
        self._lock = None if folder is None else file_lock(folder / "owners" / f"{self.worker}.lock")
        self._over = threading.Event()
        self._signing = threading.Thread(target=self._renew, name="sign of life", daemon=True)
        self._about = {"host": self.host[:255], "pid": os.getpid(), "place": self._place}

    def __enter__(self) -> Self:
        if self._lock is not None:
            self._lock.acquire()
        if self._register is not None:
            self._register.sign(self.worker, self._about)
            self._signing.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        try:
            if self._register is not None:
                self._signing.join(timeout=RENEW_S)
                self._register.leave(self.worker)
        except SQLAlchemyError as error:
            log.info("could not sign off from the database: %s", error)
        if self._lock is not None:
            self._lock.release()
            Path(self._lock.lock_file).unlink(missing_ok=True)

    def _renew(self) -> None:
        assert self._register is not None
        while not self._over.wait(RENEW_S):
            try:
                self._register.sign(self.worker, self._about)
            except Exception as error:  # a database that is away comes back, or ends the run elsewhere
                log.warning("no sign of life could be left in the database: %s", error)

    @contextmanager
    def gate(self) -> Iterator[None]:
        """One worker of the database at a time."""
        if self._register is None:
            yield
        else:
            with self._register.gate():
                yield

    def alive(self, worker: str) -> bool:
        """Whether a worker still works: told by its file lock where that can be seen, else by its sign of life."""
        if worker == self.worker or self._folder is None:
            return worker == self.worker
        sign = None if self._register is None else self._register.find(worker)
        if sign is None or sign.place == self._place:
            return _held(self._folder / "owners" / f"{worker}.lock")
        return sign.silent_s < PATIENCE_S


def _held(file: Path) -> bool:
    if not file.exists():
        return False
    try:
        with FileLock(file, timeout=0):
            pass
    except Timeout:
        return True
    file.unlink(missing_ok=True)
    return False


def place_of(folder: Path) -> str:
    """What tells this folder of locks from all others whose locks cannot be seen from here.

    A number kept in it, the disk it is on, and the system that runs: a copy of the folder, in another container or on
    the card of another board, is another place.
    """
    file = folder / "place"
    with file_lock(folder / "place.lock"):
        if not file.exists():
            file.write_text(uuid4().hex)
    return f"{file.read_text().strip()[:32]}:{file.stat().st_dev:x}:{_boot()}"


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return socket.gethostname()[:60]
