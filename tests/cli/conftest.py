"""The command line inside this process, and one tiny real study that most tests read."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from nasopt import cli

TINY = """\
study:
  name: tiny
  storage: sqlite:///tiny.db
  trials: 4
data: digits
space:
  precision: fp32
  stem_channels: 8
  channels: [8, 12]
  strides: [2, 1]
  little:
    width: [0.5]
    depth: [1]
    kernel: [3]
    expansion: [1, 2]
  big:
    width: [1.0]
    depth: [1, 2]
    kernel: [3, 5]
    expansion: [2, 4]
training:
  supernet: {epochs: 2, batch_size: 64}
  cotrain: {epochs: 0, router_epochs: 1}
hardware:
  device: jetson_nano
objectives: [accuracy, latency_ms]
"""


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def mistakes(self) -> list[str]:
        """Lines on standard error, each of which must be one of ours."""
        lines = self.err.splitlines()
        assert all(line.startswith("nasopt: ") for line in lines), self.err
        return [line.removeprefix("nasopt: ") for line in lines]


Nasopt = Callable[..., Said]


@pytest.fixture
def nasopt(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Nasopt]:
    """Call the command line with these arguments; a traceback is an error of the test."""
    handlers = {name: signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM)}

    def call(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["nasopt", *map(str, arguments)])
        capsys.readouterr()
        try:
            cli.main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))  # locks of database servers
    yield call
    for name, handler in handlers.items():
        signal.signal(name, handler)
    for handler in list(logging.getLogger("nasopt").handlers):
        logging.getLogger("nasopt").removeHandler(handler)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder with the tiny study's file in it, not run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(TINY)
    return tmp_path


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the tiny study has run; read it, do not change it."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "tiny.yaml").write_text(TINY)
    before, arguments = Path.cwd(), sys.argv
    os.chdir(folder)
    sys.argv = ["nasopt", "run", "tiny.yaml", "-q"]
    try:
        with pytest.raises(SystemExit) as end:
            cli.main()
        assert not end.value.code
    finally:
        sys.argv = arguments
        os.chdir(before)
    return folder


@pytest.fixture
def study(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the finished study, as working folder; its artifacts are still the original's."""
    folder = tmp_path / "work"
    shutil.copytree(finished, folder)
    monkeypatch.chdir(folder)
    return folder
