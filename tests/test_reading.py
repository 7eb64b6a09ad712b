"""Databases that cannot be written, are damaged, outdated or copied in part: one line each, and the rest is read."""

from __future__ import annotations

import ctypes
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import optuna
import pytest

from nasopt import database
from nasopt.errors import DatabaseError, UsageError
from nasopt.report import status_table
from nasopt.study import find_study, find_views, run
from tests.study.stand_in import StandIn, make_spec


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with one study of four trials."""
    file = tmp_path_factory.mktemp("finished") / "good.db"
    spec = make_spec(f"sqlite:///{file}", study__trials=4)
    run(spec, problem=StandIn(spec))
    return file


@pytest.fixture
def here(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a copy of it."""
    with closing(sqlite3.connect(finished)) as source, closing(sqlite3.connect(tmp_path / "good.db")) as copy:
        source.backup(copy)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def change(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE trial_user_attributes SET value_json = '{\"costs\": 3}' WHERE key = 'outcome' AND trial_id = 2",
        "UPDATE trial_user_attributes SET value_json = '[1' WHERE key = 'outcome' AND trial_id = 2",
        "UPDATE trial_user_attributes SET value_json = '7' WHERE key = 'slot' AND trial_id = 2",
        "UPDATE trial_params SET distribution_json = 'x' WHERE trial_id = 2",
        "UPDATE trials SET state = 'ODD' WHERE trial_id = 2",
    ],
)
def test_a_damaged_trial_is_named_and_the_others_are_read(here: Path, statement: str) -> None:
    change(here / "good.db", statement)
    (view,) = find_views([])
    (bad,) = view.unreadable()
    assert bad.number == 1
    assert bad.reason
    assert len(view.trials) >= 4
    assert view.finished()
    assert status_table([view])


def test_a_run_stops_at_a_damaged_trial_with_one_line(here: Path) -> None:
    change(here / "good.db", "UPDATE trial_params SET distribution_json = 'x' WHERE trial_id = 2")
    spec = make_spec(f"sqlite:///{here}/good.db", study__trials=9)
    with pytest.raises(DatabaseError, match="trial 1 of study 'stand-in' is stored damaged") as caught:
        run(spec, problem=StandIn(spec))
    assert "\n" not in str(caught.value)


def test_what_cannot_be_read_is_said_and_the_others_are_listed(here: Path) -> None:
    for name in ("old.db", "flipped.db"):
        shutil.copy("good.db", name)
    change(here / "old.db", "UPDATE alembic_version SET version_num = 'v2.6.0.a'")
    flipped = bytearray((here / "flipped.db").read_bytes())
    for position in range(100, len(flipped), len(flipped) // 200):
        flipped[position] ^= 0xFF
    (here / "flipped.db").write_bytes(flipped)
    said: list[str] = []
    views = find_views([], skipped=said.append)
    assert "stand-in" in [v.name for v in views]
    assert any("old.db" in line and "optuna storage upgrade --storage" in line for line in said)
    assert any("flipped.db" in line or "stand-in" in line for line in said)
    assert not any("\n" in line for line in said)
    with pytest.raises(DatabaseError, match="optuna storage upgrade"):
        find_study("stand-in", f"sqlite:///{here}/old.db")
    for name in ("old.db", "flipped.db"):
        spec = make_spec(f"sqlite:///{here}/{name}", study__trials=9)
        with pytest.raises(DatabaseError):
            run(spec, problem=StandIn(spec))


def test_one_study_that_is_damaged_hides_no_other(here: Path) -> None:
    spec = make_spec(f"sqlite:///{here}/good.db", study__name="second", study__trials=1)
    run(spec, problem=StandIn(spec))
    change(here / "good.db", "UPDATE study_user_attributes SET value_json = '[' WHERE key = 'spec' AND study_id = 1")
    said: list[str] = []
    assert [v.name for v in find_views([], skipped=said.append)] == ["second"]
    assert len(said) == 1
    assert "'stand-in'" in said[0]


def test_a_copy_without_its_last_writes_says_so(here: Path) -> None:
    kept = optuna.create_study(study_name="x", storage=database.open_storage(f"sqlite:///{here}/live.db"))
    shutil.copy("live.db", "copy.db")
    with pytest.raises(DatabaseError, match=r"copy\.db holds no study .*copy\.db-wal, which belongs beside it"):
        find_study("x", f"sqlite:///{here}/copy.db")
    assert kept.study_name == "x"


READER = """
import sys
from nasopt.study import find_views
print([(v.name, len(v.finished())) for v in find_views([])])
"""


def without_override() -> None:
    """Let root be bound by permissions, as anybody else is."""
    if os.geteuid() == 0 and sys.platform == "linux":
        ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)  # PR_CAPBSET_DROP, CAP_DAC_OVERRIDE


@pytest.mark.skipif(sys.platform != "linux", reason="takes permissions as Linux knows them")
def test_a_folder_that_cannot_be_written_is_read(here: Path) -> None:
    """The file is in WAL mode, and what SQLite keeps beside it cannot be made."""
    change(here / "good.db", "PRAGMA journal_mode=WAL")
    before = sorted(here.iterdir())
    (here / "good.db").chmod(0o444)
    here.chmod(0o555)
    try:
        done = subprocess.run(
            [sys.executable, "-c", READER],
            capture_output=True,
            text=True,
            cwd=here,
            preexec_fn=without_override,
            env={**os.environ, "XDG_STATE_HOME": "/nonexistent", "XDG_CACHE_HOME": "/nonexistent"},
        )
        assert done.stdout == "[('stand-in', 4)]\n", done.stderr
        assert sorted(here.iterdir()) == before
    finally:
        here.chmod(0o755)


@pytest.mark.parametrize("folder", ["50%20off", "why?", "co$t", "{a}#b"])
def test_studies_in_folders_of_any_name_are_listed(here: Path, folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / folder).mkdir()
    shutil.copy("good.db", here / folder / "my study.db")
    monkeypatch.chdir(here / folder)
    assert [v.name for v in find_views([])] == ["stand-in"]
    assert find_study("stand-in", "sqlite:///my%20study.db").view().front()
    with pytest.raises((DatabaseError, UsageError), match="no database at"):
        find_study("stand-in", "sqlite:///my%2520study.db")
