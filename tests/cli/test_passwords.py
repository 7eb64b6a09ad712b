"""The whole command line with a known password, on a real server: it is nowhere in what is said, written or stored."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from nasopt.database import urls

from .conftest import Nasopt

PASSWORD = "Tr0ub4dor-horse"
STUDY = """\
study: {{name: {name}, storage: "sqlite:///unused.db", trials: 4}}
problem: {{kind: table, file: table.csv}}
objectives:
  - accuracy
  - {{metric: watts, direction: minimize}}
sampler: random
"""
TABLE = "op,size,accuracy,watts\na,s,0.9,1.0\na,l,0.95,2.0\nb,s,0.8,0.5\nb,l,0.85,1.5\n"
ADMIN = "postgresql+psycopg://postgres@127.0.0.1:5432/test"


@dataclass(frozen=True)
class Server:
    """A role with a password and a database of its own; the server believes any password of a local user."""

    name: str
    folder: Path

    def url(self, password: str = PASSWORD) -> str:
        return f"postgresql://{self.name}:{password}@127.0.0.1:5432/{self.name}"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    pytest.importorskip("psycopg", reason="the driver psycopg is not installed")
    with socket.socket() as probe:
        probe.settimeout(1)
        if probe.connect_ex(("127.0.0.1", 5432)):
            pytest.skip("no server listens on 127.0.0.1:5432")
    from sqlalchemy import create_engine, text

    monkeypatch.chdir(tmp_path)
    name = f"secret_{uuid.uuid4().hex[:8]}"
    (tmp_path / "s.yaml").write_text(STUDY.format(name=name))
    (tmp_path / "table.csv").write_text(TABLE)
    engine = create_engine(ADMIN, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'"))
        connection.execute(text(f"CREATE DATABASE {name} OWNER {name}"))
    try:
        yield Server(name, tmp_path)
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
            connection.execute(text(f"DROP ROLE IF EXISTS {name}"))
        engine.dispose()


def stored(server: Server) -> str:
    """Everything that is in the server's database, as text."""
    from sqlalchemy import MetaData, create_engine, select

    engine = create_engine(server.url().replace("postgresql:", "postgresql+psycopg:"))
    tables = MetaData()
    tables.reflect(engine)
    with engine.connect() as connection:
        found = "\n".join(str(row) for t in tables.sorted_tables for row in connection.execute(select(t)))
    engine.dispose()
    return found


def wrong(server: Server) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Command lines that fail, with their exit codes; each has the password, or a piece of it, somewhere."""
    run, url = ("run", "s.yaml"), server.url()
    yield 2, (*run, "--set", f"study.storage={url}", "--set", "study.trials=0")
    yield 2, (*run, "--set", f"study.storag={url}")
    yield 2, (*run, "--set", f"study.storage.x={url}")
    yield 2, (*run, "--set", f"study.storage=[{url}]")
    yield 2, (*run, "--set", f"study.storage={{a: '{url}'")
    yield 2, (*run, url)
    yield 2, (*run, f"--storag={url}")
    yield 2, (*run, "--trials", url)
    yield 2, (*run, "--storage", url.replace("//", ""))
    yield 2, (*run, "--storage", url.replace("//", "/"))
    yield 2, (*run, "--storage", url.replace("postgresql:", "postgresq:"))
    yield 2, (*run, "--storage", server.url(f"@{PASSWORD}"))
    yield 2, (*run, "--storage", server.url(f"{PASSWORD}@{PASSWORD}"))
    yield 2, (*run, "--storage", server.url(f"${PASSWORD}"))
    yield 2, (*run, "--storage", server.url(f"{PASSWORD}$"))
    yield 2, (*run, "--storage", url.replace(":5432", ":54x2"))
    yield 1, (*run, "--storage", url.replace(":5432", ":1"))
    yield 1, (*run, "--storage", url.replace("127.0.0.1", "no.such.host.invalid"))
    yield 1, (*run, "--storage", f"{url}_none")
    yield 1, (*run, "--storage", f"{url}?sslmode={PASSWORD}")
    yield 2, ("status", "none", "--storage", url)
    yield 2, ("report", "none", "--storage", url)
    yield 2, ("compare", server.name, "none", "--storage", url)
    yield 2, ("export", server.name, "--trial", "0", "--to", "x", "--storage", url)


def test_a_password_is_nowhere(server: Server, nasopt: Nasopt, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    def call(*arguments: str, code: int = 0) -> str:
        urls._secrets.clear()  # as in a process of its own
        answer = nasopt(*arguments)
        said.append(answer.out + answer.err)
        assert answer.code == code, answer
        assert "Traceback" not in answer.err
        return said[-1]

    log = ("--log-file", "run.log", "-vv")
    out = call("run", "s.yaml", "--storage", server.url(), *log)
    assert f"nasopt report s.yaml --storage 'postgresql://{server.name}:${{PASSWORD}}@127.0.0.1" in out
    assert "${PASSWORD}" in out
    monkeypatch.setenv("PASSWORD", PASSWORD)
    safe = server.url("${PASSWORD}")
    assert f"--storage '{safe}'" in call("run", "s.yaml", "--storage", safe)
    call("run", "s.yaml", "--set", f"study.storage={server.url()}", "--trials", "5", "--json")
    for words in (("status",), ("status", "--json"), ("report", server.name)):
        call(*words, "--storage", server.url())
    for code, wrong_words in wrong(server):
        call(*wrong_words, code=code)
    monkeypatch.setenv("NASOPT_STORAGE", server.url())
    assert server.name in call("status")
    everything = {"what was said": "\n".join(said), "the database": stored(server)}
    everything |= {str(f): f.read_text(errors="replace") for f in server.folder.rglob("*") if f.is_file()}
    assert "run.log" in str(sorted(everything))
    for place, text in everything.items():
        assert not (hit := re.search(f".*({PASSWORD[:8]}|{PASSWORD[-5:]}).*", text)), (place, hit)


SLOW = """\
import time

import optuna


class Problem:
    distributions = {"x": optuna.distributions.FloatDistribution(0, 1)}

    def evaluate(self, params):
        open("under_way", "w").close()
        time.sleep(60)
        return {"loss": params["x"]}
"""


def test_an_interrupted_run_tells_its_command_without_the_password(server: Server) -> None:
    (server.folder / "slow.py").write_text(SLOW)
    (server.folder / "s.yaml").write_text(
        f"study: {{name: {server.name}, trials: 4}}\nproblem: {{kind: python, target: 'slow:Problem'}}\n"
        "objectives: [{metric: loss, direction: minimize}]\nsampler: random\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "nasopt.cli", "run", "s.yaml", "--storage", server.url()],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "200", "XDG_STATE_HOME": f"{server.folder}/state"},
    )
    for _ in range(600):
        if (server.folder / "under_way").exists():
            break
        time.sleep(0.05)
        assert process.poll() is None, process.communicate()
    process.send_signal(signal.SIGINT)
    said = "".join(process.communicate(timeout=60))
    assert process.returncode == 130, said
    assert "nasopt: interrupted" in said
    assert PASSWORD not in said
    assert (
        f"nasopt run s.yaml --storage 'postgresql://{server.name}:${{PASSWORD}}@127.0.0.1:5432/{server.name}'" in said
    )
    assert "${PASSWORD}" in said
