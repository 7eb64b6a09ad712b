"""What others wrote is printed as text: it neither commands the terminal nor breaks a report or an answer in JSON."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from nasopt.cli.arguments import console
from nasopt.text.printable import one_line, printable

from .conftest import Nasopt, Said

ROOT = Path(__file__).parents[2]
EVIL = "a\x1b[2J\x1b]0;owned\x07b\rc\x08\x7f\x9b31md\u202ee\u2066f\u2028g\x00h"
HOSTILE = f'''\
"""A target whose texts carry control characters."""

from optuna.distributions import CategoricalDistribution, IntDistribution


class Problem:
    distributions = {{"cell": CategoricalDistribution(({EVIL!r}, "plain")), "n\\x1b[7m": IntDistribution(1, 20)}}

    def evaluate(self, params):
        if params["n\\x1b[7m"] % 3 == 0:
            raise RuntimeError({EVIL!r})
        return {{"speed\\x1b[8m": params["n\\x1b[7m"] * 1.0, "size": len(params["cell"]) + 0.5 / params["n\\x1b[7m"]}}
'''
STUDY = """\
study: {name: hostile, storage: "sqlite:///s.db", trials: 8}
problem: {kind: python, target: "hostile:Problem"}
objectives:
  - {metric: "speed\\e[8m", direction: maximize}
  - {metric: size, direction: minimize}
sampler: random
"""


def controls(text: str) -> set[str]:
    """Control and format characters other than line ends and tabs."""
    return {c for c in text if c not in "\n\t" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")}


def test_control_characters_become_visible() -> None:
    assert printable(EVIL) == "a␛[2J␛]0;owned␇b␍c␈␡\ufffd31md\ufffde\ufffdf\ufffdg␀h"
    assert printable("größer\tdas 字\n") == "größer\tdas 字\n"
    assert printable("नि\u200dक \U0001f469\u200d\U0001f52c") == "नि\u200dक \U0001f469\u200d\U0001f52c"
    assert printable("\udcff") == "\ufffd"
    assert one_line(" a\n\tb\r") == "a b␍"


def test_a_console_keeps_its_own_colours(capsys: pytest.CaptureFixture[str]) -> None:
    out = console()
    out._force_terminal = True
    out._color_system = out._color_system or None
    out.print(f"! {EVIL}", style="yellow", markup=False)
    written = capsys.readouterr().out
    assert not controls(re.sub(r"\x1b\[[0-9;]*m", "", written))
    assert "owned" in written


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    (tmp_path / "hostile.py").write_text(HOSTILE)
    (tmp_path / "hostile.yaml").write_text(STUDY)
    return tmp_path


def test_no_foreign_text_reaches_terminal_or_report_as_control(nasopt: Nasopt, hostile: Path) -> None:
    said = [nasopt("run", "hostile.yaml", "-v", "--log-file", "log.txt")]
    assert said[0].code == 0, said[0].err
    said += [nasopt("space", "hostile.yaml"), nasopt("status"), nasopt("report", "hostile.yaml", "--to", "report")]
    said += [nasopt("compare", "hostile.yaml", "--trial", "0", "--trial", "1"), nasopt("status", "x\x1b[31m.yaml")]
    for one in said:
        assert not controls(one.out + one.err)
    assert "␛" in "".join(s.out for s in said)
    files = [*(hostile / "report").glob("*.md"), *(hostile / "report").glob("*.html"), hostile / "log.txt"]
    assert len(files) == 3
    for file in files:
        assert not controls(file.read_text()), file
    pictures = list((hostile / "report").glob("*.svg"))
    assert pictures
    for picture in pictures:
        ElementTree.parse(picture)  # a control character is no XML
    page = (hostile / "report" / "report.html").read_text()
    assert page.count("<h1>") == 1
    assert "RuntimeError: a␛[2J" in page


TALKATIVE = '''\
"""A target that prints in every way there is."""

import ctypes
import os
import subprocess
import sys

from optuna.distributions import IntDistribution

print("imported")
libc = ctypes.CDLL(None)


class Problem:
    distributions = {"width": IntDistribution(1, 100)}

    def evaluate(self, params):
        print("Python")
        libc.printf(b"C, held back until its buffer is full\\n")
        os.write(1, b"descriptor\\n")
        subprocess.run(["echo", "subprocess"], check=True)
        sys.__stdout__.write("the first stdout\\n")
        return {"AR@100": params["width"] / 100, "cost": 1.0 * params["width"]}
'''


def run_json(folder: Path, *arguments: str) -> Any:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "nasopt.cli", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    for word in ("imported", "Python", "C, held back", "descriptor", "subprocess", "the first stdout"):
        assert (word in done.stderr) or arguments[0] == "space"
    return json.loads(done.stdout)


def test_json_stays_json_whatever_a_target_prints(nasopt: Nasopt, tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "talkative.py").write_text(TALKATIVE)
    (tmp_path / "study.yaml").write_text(
        'study: {name: talkative, storage: "sqlite:///s.db", trials: 3}\n'
        'problem: {kind: python, target: "talkative:Problem"}\n'
        'objectives: [{metric: "AR@100", direction: maximize}, {metric: cost, direction: minimize}]\nsampler: random\n'
    )
    assert run_json(tmp_path, "run", "study.yaml", "--json")["ended"] == {"completed": 3}
    assert run_json(tmp_path, "space", "study.yaml", "--json")
    monkeypatch.chdir(tmp_path)
    told: Said = nasopt("status")
    assert "AR@100 0." in told.out
    assert "AR on 100" not in told.out
    assert nasopt("report", "study.yaml", "--to", "report").code == 0
    assert "AR on 100" not in (tmp_path / "report" / "report.md").read_text()
