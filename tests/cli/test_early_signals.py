"""Signals in the first second, and what is on the screen by then."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

NASOPT = (sys.executable, "-m", "nasopt.cli")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_nasopt_loads_ends_it_cleanly(here: Path, number: signal.Signals) -> None:
    process = subprocess.Popen(
        [*NASOPT, "run", "tiny.yaml"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=here
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "opening tiny.yaml\n"  # before anything heavy is imported
    time.sleep(0.1)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert len(err.splitlines()) == 1
    assert err.startswith("nasopt: interrupted")
    assert not (here / "tiny.db").exists()


def test_signals_between_two_imports_are_heeded_too() -> None:
    code = "import os, signal; from nasopt.study import early; early.watch(); os.kill(os.getpid(), signal.SIGINT)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ))
    assert done.returncode == 130
    assert done.stderr == "nasopt: interrupted before anything began; the same command starts again\n"
