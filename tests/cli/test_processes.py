"""What only a process of its own can show: imports, signals, sharing a study, serving."""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest

NASOPT = (sys.executable, "-m", "nasopt.cli")


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*NASOPT, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"},
    )


def end(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def ended(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("SELECT value_json FROM trial_user_attributes WHERE key = 'ended'").fetchall()
    return sorted(value.strip('"') for (value,) in rows)


def wait_for_trials(database: Path, count: int, process: subprocess.Popen[str]) -> None:
    for _ in range(600):
        time.sleep(0.05)
        try:
            with closing(sqlite3.connect(database)) as connection:
                if connection.execute("SELECT count(*) FROM trials").fetchone()[0] >= count:
                    return
        except sqlite3.Error:
            pass
        assert process.poll() is None, process.communicate()
    raise AssertionError("no trials after 30 s")


@pytest.mark.parametrize(
    "code",
    ["import nasopt, nasopt.cli", *(f"import sys; sys.argv = ['nasopt', '{o}']; RUN" for o in ("--help", "--version"))],
)
def test_help_version_and_import_stay_light(code: str) -> None:
    call = "\nfrom nasopt.cli import main\ntry:\n    main()\nexcept SystemExit:\n    pass\n"
    check = "\nimport sys\nprint('HEAVY', sorted({'torch', 'optuna', 'pandas'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code.replace("RUN", call) + check], capture_output=True, text=True, check=True
    )
    assert "HEAVY []" in done.stdout, done.stdout


def test_interrupted_then_killed_then_shared_by_two_a_study_ends_exactly(study: Path) -> None:
    run = ("run", "tiny.yaml", "-q", "--storage", "sqlite:///s.db", "--trials", 20)
    process = start(*run)
    wait_for_trials(study / "s.db", 2, process)
    process.send_signal(signal.SIGINT)
    code, _, err = end(process)
    assert code == 130
    assert err.startswith("nasopt: interrupted; what finished is stored")
    assert "run tiny.yaml -q --storage sqlite:///s.db --trials 20" in err
    assert len(err.splitlines()) == 1
    process = start(*run)
    wait_for_trials(study / "s.db", 4, process)
    process.kill()
    end(process)
    both = [start(*run), start(*run)]
    assert [end(process)[0] for process in both] == [0, 0]
    assert ended(study / "s.db").count("completed") == 20


def test_a_run_interrupted_in_the_supernet_resumes_there(here: Path) -> None:
    few = ("--set", "training.supernet.epochs=15", "--set", "data.train_images=400")
    run = ("run", "tiny.yaml", "-v", "--trials", 1, *few)
    process = start(*run)
    assert process.stdout is not None
    for line in process.stdout:
        if "epoch" in line:
            break
    process.send_signal(signal.SIGTERM)  # ends like Ctrl-C
    assert end(process)[0] == 130
    code, out, _ = end(start(*run))
    assert code == 0
    resumed = re.search(r"resumed after epoch (\d+)", out)
    assert resumed is not None, out
    assert 3 <= int(resumed[1]) < 15


def test_the_dashboard_answers(study: Path) -> None:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = start("dashboard", "tiny.yaml", "--port", port)
    try:
        for _ in range(200):
            time.sleep(0.1)
            assert process.poll() is None, process.communicate()
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/studies", timeout=5) as answer:
                    assert b"tiny" in answer.read()
                    break
            except OSError:
                continue
        else:
            raise AssertionError("no answer in 20 s")
    finally:
        process.send_signal(signal.SIGINT)
        code, out, err = end(process)
    assert re.search(rf"http://127.0.0.1:{port}/dashboard/studies/\d+ ", out)
    assert err == ""
    assert "Traceback" not in err
    assert code in (0, 130)
