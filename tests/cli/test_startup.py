"""Short commands load what they need and nothing else: modules are counted, not seconds."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import optuna
import pytest
from optuna.storages._rdb.storage import RDBStorage

from nasopt.database import open_storage
from nasopt.database.schema import newest_schema

ROOT = Path(__file__).parents[2]
LOADED = """\
import runpy, sys
sys.argv = ["nasopt", *sys.argv[1:]]
try:
    runpy.run_module("nasopt.cli", run_name="__main__")
except SystemExit as end:
    assert not end.code, end.code
print(*sys.modules, file=sys.stderr)
"""
STUDY = """\
study: {name: s, storage: "sqlite:///s.db", trials: 3}
problem: {kind: table, file: grid.csv}
objectives: [{metric: score, direction: maximize}]
"""
HEAVY = {"torch", "torchvision", "timm", "scipy.stats", "matplotlib", "sklearn", "onnx", "onnxruntime", "codecarbon"}
ALEMBIC = {"alembic", "mako"}


def loaded(folder: Path, *arguments: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-1000:]
    return set(done.stderr.splitlines()[-1].split())


def test_what_short_commands_load(nasopt: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text(STUDY)
    (tmp_path / "grid.csv").write_text("a,score\n" + "".join(f"a{i},{i}\n" for i in range(6)))
    assert nasopt("run", "s.yaml", "-q").code == 0  # type: ignore[operator]
    assert not loaded(tmp_path, "--help") & (HEAVY | ALEMBIC | {"optuna", "numpy", "sqlalchemy", "pydantic"})
    assert not loaded(tmp_path, "status") & (HEAVY | ALEMBIC)
    assert not loaded(tmp_path, "status", "s.yaml", "--json") & (HEAVY | ALEMBIC)
    assert not loaded(tmp_path, "space", "s.yaml") & (HEAVY | ALEMBIC | {"sqlalchemy"})
    assert not loaded(tmp_path, "compare", "s.yaml", "--trial", "0", "--trial", "1") & (HEAVY | ALEMBIC)


def test_a_database_of_another_schema_is_still_recognised(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/s.db"
    fresh = open_storage(url)
    assert isinstance(fresh, RDBStorage)
    assert fresh.get_head_version() == newest_schema() == fresh.get_current_version()
    optuna.create_study(storage=fresh, study_name="s")
    assert [s.study_name for s in open_storage(url).get_all_studies()] == ["s"]
    for revision, advice in (("v3.0.0.d", "upgrade"), ("v99", "optuna")):
        with closing(sqlite3.connect(tmp_path / "s.db")) as connection, connection:
            connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
        with pytest.raises(Exception, match=advice):
            open_storage(url)
    with closing(sqlite3.connect(tmp_path / "s.db")) as connection, connection:
        connection.execute("DROP TABLE alembic_version")
    open_storage(url)  # Optuna stamps a database that lacks the table, as it did before
