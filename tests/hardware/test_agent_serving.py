"""The process on a board, asked over its standard streams as the host does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nasopt.hardware.agent import lease

SERVE = "from nasopt.hardware.agent.serving import main; main()"


@pytest.mark.skipif(lease.fcntl is None, reason="locks files with fcntl")
def test_whoever_waits_for_the_device_ends_with_its_connection(tmp_path: Path) -> None:
    locks = tmp_path / "locks"
    locks.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, str(tmp_path / "agent")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "NASOPT_LOCKS": str(locks)},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"nasopt-agent ")
        with lease.held("a test", 0.0, locks):
            process.stdin.write(json.dumps({"do": "lease", "who": "another", "wait_s": 600.0}).encode() + b"\n")
            process.stdin.close()
            assert process.wait(timeout=60.0) == 1
