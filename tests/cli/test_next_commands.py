"""The commands that a run prints, typed as they stand, are about the study that was run."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from nasopt.text.commands import Call, about, command, hint

from .conftest import Nasopt, Said

CSV = "\n".join(["a,b,score", *(f"a{a},b{b},{10 * a + b}" for a in range(4) for b in range(4))])
PYTHON = """\
from optuna.distributions import IntDistribution


class Problem:
    distributions = {"n": IntDistribution(1, 50)}

    def evaluate(self, params):
        return {"score": float(params["n"])}
"""
HEAD = 'study: {name: plain, storage: "sqlite:///plain.db", trials: 3}\n'
FILES = {
    "table.yaml": HEAD + "problem: {kind: table, file: grid.csv}\nobjectives: [{metric: score, direction: maximize}]\n"
    "sampler: random\n",
    "python.yaml": HEAD + 'problem: {kind: python, target: "counting:Problem"}\n'
    "objectives: [{metric: score, direction: maximize}]\nsampler: random\n",
    "contest.yaml": HEAD + "problem: {kind: table, file: grid.csv}\n"
    "objectives: [{metric: score, direction: maximize}]\nsampler: [random, tpe]\ncontest: {seeds: 2}\n",
    "grid.csv": CSV,
    "counting.py": PYTHON,
}
NAME = 'it\'s $5 & "more"'
RENAMED = ["--set", f"study.name={json.dumps(NAME)}", "--set", "study.seed=3"]
WAYS = {
    "as the file says": [],
    "elsewhere": ["--storage", "sqlite:///else where.db", "--trials", "4"],
    "renamed": RENAMED,
    "renamed elsewhere": [*RENAMED, "--storage", "sqlite:///$$other.db"],
    "moved by --set": ["--set", "study.storage=sqlite:///moved.db", "--set", "study.trials=4"],
    "a dash": ["--set", "study.name=-v"],
    "another sampler": ["--sampler", "random"],
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def printed(said: Said) -> list[str]:
    assert said.code == 0, said.err
    return [line.strip() for line in said.out.splitlines() if line.startswith("  nasopt ")]


def words(line: str) -> list[str]:
    """The words of a command as a real shell hands them over."""
    script = f"set -f; nasopt() {{ printf '%s\\n' \"$@\"; }}; {line}"
    return subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout.splitlines()


def stored_names(nasopt: Nasopt, line: list[str]) -> set[str]:
    """What `nasopt status` finds for the words behind a command's verb, its own options left out."""
    about_it = [w for i, w in enumerate(line[1:], 1) if w not in ("--to",) and line[i - 1] != "--to"]
    return {s["study"] for s in json.loads(nasopt("status", "--json", *about_it).out)}


@pytest.mark.parametrize(
    ("file", "way"),
    [("table.yaml", way) for way in WAYS]
    + [(file, way) for file in ("python.yaml", "contest.yaml") for way in ("elsewhere", "renamed elsewhere")],
)
def test_printed_commands_are_about_the_study_that_was_run(
    nasopt: Nasopt, folder: Path, monkeypatch: pytest.MonkeyPatch, file: str, way: str
) -> None:
    served: list[str] = []
    monkeypatch.setattr("nasopt.report.serving.serve", lambda storage, *_, **__: served.append(storage))
    monkeypatch.setenv("COLUMNS", "60")  # narrower than the commands
    told = nasopt("run", file, *WAYS[way], "--json")
    assert told.code == 0, told.err
    first = json.loads(told.out)
    wanted = {s["study"] for s in first.get("studies", [first])}
    commands = [words(line) for line in printed(nasopt("run", file, *WAYS[way]))]
    verbs = [c[0] for c in commands]
    several = len(wanted) > 1
    assert verbs == [*(["compare"] if several else []), "report", "dashboard", "run"]
    for line in commands:
        if line[0] == "dashboard":
            assert nasopt(*line).code == 0
            assert served
        elif line[0] == "run":
            again = json.loads(nasopt(*line, "--json").out)
            every = again.get("studies", [again])
            assert {s["study"] for s in every} == wanted
            assert all(s["ended"]["completed"] == int(line[-1]) for s in every)
        else:
            if way == "renamed elsewhere":  # each kind once in full, for it takes seconds
                assert nasopt(*line).code == 0, line
            assert stored_names(nasopt, line) == wanted


def test_printed_commands_of_networks_work(nasopt: Nasopt, here: Path) -> None:
    """Renamed, with a space of its own: the file alone would export and score other networks."""
    way = ["--set", "study.name=renamed", "--set", "space.big.expansion=[2, 3]", "--set", "training.supernet.epochs=1"]
    commands = [words(line) for line in printed(nasopt("run", "tiny.yaml", "-q", *way, "--trials", "2"))]
    assert [c[0] for c in commands] == ["report", "export", "dashboard", "run"]
    exported = next(c for c in commands if c[0] == "export")
    assert nasopt(*exported).code == 0
    assert json.loads((here / "exported" / "config.json").read_text())["study"] == "renamed"
    assert nasopt(*commands[0], "--no-stream").code == 0
    (report,) = here.glob("report-renamed/report.md")
    assert "test images" in report.read_text()


def test_a_study_in_memory_has_nothing_to_type(nasopt: Nasopt, folder: Path) -> None:
    said = nasopt("run", "table.yaml", "--storage", "memory")
    assert printed(said) == []
    assert "--storage sqlite:///FILE.db" in said.out


def test_passwords_become_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "postgresql://me:secret@host/db"
    call = Call(study="a b.yaml", assignments=[f"study.storage={url}"], storage=url, sampler="tpe", trackers=["wandb"])
    lines = [call.again("--trials", "8"), call.about("report", "x", url), about("status", "x", url), command("x", url)]
    for line in lines:
        assert "secret" not in line
        assert "me:${PASSWORD}@host" in shlex.split(line)[-1] or "me:${PASSWORD}@host" in line
    assert "PASSWORD" in hint(lines)
    assert not hint(["nasopt status"])
    assert shlex.split(lines[0])[:3] == ["nasopt", "run", "a b.yaml"]
    assert "--tracker" in lines[0]


def test_a_message_names_the_database(nasopt: Nasopt, folder: Path) -> None:
    assert nasopt("run", "table.yaml", "-q").code == 0
    (mistake,) = nasopt("export", "plain", "--storage", "sqlite:///plain.db", "--trial", "0", "--to", "x").mistakes
    told: Any = nasopt(*words(mistake[mistake.index("nasopt ") :]))
    assert json.loads(told.out)[0]["study"] == "plain"
