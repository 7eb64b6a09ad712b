"""Opening databases: URLs, passwords, races, real servers."""

from __future__ import annotations

import multiprocessing
import os
import socket
import uuid
from pathlib import Path

import optuna
import pytest

from nasopt import database
from nasopt.errors import DatabaseError
from tests.study.stand_in import StandIn, make_spec


def test_sqlite_runs_in_wal_mode(tmp_path: Path) -> None:
    storage = database.open_storage(f"sqlite:///{tmp_path}/a.db")
    with storage.engine.connect() as connection:  # type: ignore[attr-defined]
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sqlite:////no/such/folder/a.db", "does not exist"),
        ("oracle://h/d", "no driver|failed"),
        ("postgresql://root@127.0.0.1:1/none", "failed|no driver"),
    ],
)
def test_what_cannot_be_opened_is_one_line(url: str, message: str) -> None:
    with pytest.raises(DatabaseError, match=message) as caught:
        database.open_storage(url)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_not_created_by_readers(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="no database at"):
        database.open_storage(f"sqlite:///{tmp_path}/a.db", create=False)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(DatabaseError, match="not a database"):
        database.open_storage(f"sqlite:///{tmp_path}/a.db")


def _open_and_count(url: str) -> None:
    storage = database.open_storage(url)
    optuna.create_study(study_name=f"{os.getpid()}", storage=storage)


def test_eight_processes_may_create_one_database(tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.study.stand_in", "nasopt.study.running", "optuna"])
    url = f"sqlite:///{tmp_path}/race.db"
    children = [context.Process(target=_open_and_count, args=(url,)) for _ in range(8)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    assert [child.exitcode for child in children] == [0] * 8
    assert len(database.open_storage(url).get_all_studies()) == 8


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize(
    ("module", "port", "url"),
    [
        ("psycopg", 5432, "postgresql://postgres@127.0.0.1:5432/test"),
        ("pymysql", 3306, "mysql://root@127.0.0.1:3306/test"),
    ],
)
def test_a_study_runs_and_resumes_on_a_server(module: str, port: int, url: str) -> None:
    pytest.importorskip(module, reason=f"the driver {module} is not installed")
    if not _listens(port):
        pytest.skip(f"no server listens on 127.0.0.1:{port}")
    from nasopt.study import find_study, run

    name = f"test-{uuid.uuid4().hex[:8]}"
    spec = make_spec(url, study__name=name, study__trials=3, sampler="nsga2")
    try:
        assert run(spec, problem=StandIn(spec)).finished == 3
        more = make_spec(url, study__name=name, study__trials=5, sampler="nsga2")
        assert run(more, problem=StandIn(more)).contributed == 2
        assert len(find_study(name, url).view().front()) >= 1
    finally:
        optuna.delete_study(study_name=name, storage=database.open_storage(url))
