"""Tables and Python targets through the command line, from the file to the report."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import Nasopt

TABLE = """\
study: {name: lookup, storage: "sqlite:///own.db", trials: 9}
problem: {kind: table, file: "grid.csv", seconds: hours}
objectives: [accuracy, {metric: watts, direction: minimize}]
sampler: random
"""
TARGET = """\
study: {name: mine, storage: "sqlite:///own.db", trials: 4}
problem: {kind: python, target: "mine:Target"}
objectives: [accuracy, {metric: steps, direction: minimize}]
sampler: random
"""
CODE = """\
from optuna.distributions import FloatDistribution, IntDistribution

class Target:
    distributions = {"x": FloatDistribution(0, 1), "n": IntDistribution(1, 4)}

    def evaluate(self, params):
        print("a user's own words")
        return {"accuracy": params["x"] / params["n"], "steps": params["n"]}
"""


def grid(skip: int | None = None) -> str:
    """Four depths, three widths: accuracy in percent rises with both, and so do watts."""
    rows = [f"d{d},w{w},{60 + 5 * d + 3 * w},{d * w + d},{d + w}" for d in range(1, 5) for w in range(3)]
    return "\n".join(["depth,width,accuracy,watts,hours", *(r for i, r in enumerate(rows) if i != skip)])


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder with a study of each kind."""
    monkeypatch.chdir(tmp_path)
    for name, text in (("t.yaml", TABLE), ("p.yaml", TARGET), ("grid.csv", grid()), ("mine.py", CODE)):
        (tmp_path / name).write_text(text)
    path = list(sys.path)
    yield tmp_path
    sys.path[:] = path
    sys.modules.pop("mine", None)


def test_a_table_from_file_to_report(nasopt: Nasopt, own: Path) -> None:
    assert "grid.csv has every combination" in nasopt("space", "t.yaml").out
    said = nasopt("run", "t.yaml")
    assert said.code == 0, said.err
    assert "of the hypervolume of the true front, regret 0." in said.out
    assert "9 trials evaluated" in said.out
    assert "nasopt export" not in said.out
    about = json.loads(nasopt("run", "t.yaml", "--json").out)
    assert about["problem"]["complete"] is True
    assert 0 < about["problem"]["share"] <= 1
    assert about["problem"]["regret"] == pytest.approx(1 - about["problem"]["share"])
    best = max(t["values"][0] for t in about["front"])
    assert 60 < best <= 86  # percent as the table has them
    assert "of the true front" in nasopt("status", "lookup", "--storage", "sqlite:///own.db").out
    assert nasopt("report", "t.yaml", "--to", "out").code == 0
    report = (own / "out" / "report.md").read_text()
    assert "The front has " in report
    assert "trained" not in report
    assert not re.search(r"Routing|Test split|%.*validation|device", report)
    assert {p.name for p in (own / "out").glob("*.svg")} == {"front.svg", "hypervolume.svg"}


def test_a_competitor_whose_draws_fail_is_named_and_the_rest_goes_on(nasopt: Nasopt, own: Path) -> None:
    """Weights for three objectives are only known to be wrong when evolution has two to weigh."""
    options = "{tournament_size: 2, population_size: 2, weights: [1, 2, 3]}"
    listed = f"sampler:\n  - random\n  - {{name: evolution, options: {options}}}\ncontest: {{seeds: 1}}"
    (own / "c.yaml").write_text(TABLE.replace("sampler: random", listed))
    said = nasopt("run", "c.yaml", "-q")
    assert said.code == 1
    assert re.search(r"! lookup/evolution/0 is given up, the others go on: .*3 weights for 2 objectives", said.out)
    assert "Traceback" not in said.out + said.err
    status = json.loads(nasopt("status", "c.yaml", "--json").out)
    assert status[0]["ended"]["completed"] == 9
    told = nasopt("run", "c.yaml", "--json")
    assert told.code == 1
    assert list(json.loads(told.out)["out"]) == ["lookup/evolution/0"]


def test_status_has_one_row_for_a_contest_unless_asked(nasopt: Nasopt, own: Path) -> None:
    (own / "c.yaml").write_text(TABLE.replace("sampler: random", "sampler: [random, tpe]\ncontest: {seeds: 2}"))
    assert nasopt("run", "c.yaml", "-q", "--trials", 3).code == 0
    members = ["lookup/random/0", "lookup/random/1", "lookup/tpe/0", "lookup/tpe/1"]

    def rows(*arguments: str) -> list[str]:
        lines = nasopt("status", *arguments).out.splitlines()
        return [line.split()[0] for line in lines if line.startswith("lookup")]

    assert rows() == ["lookup"]
    assert "4 studies, 12 of 12 trials" in nasopt("status", "c.yaml").out
    assert rows("--members") == members
    assert rows("lookup/tpe/1", "lookup/random/0", "--storage", "sqlite:///own.db") == [members[3], members[0]]
    told = json.loads(nasopt("status", "--json").out)
    assert [(t["study"], t["contest"]["contest"]) for t in told] == [(member, "lookup") for member in members]


def test_an_exhausted_table_has_no_regret(nasopt: Nasopt, own: Path) -> None:
    assert nasopt("run", "t.yaml", "--trials", "12", "--sampler", "evolution", "-q").code == 0
    about = json.loads(nasopt("status", "t.yaml", "--json").out)[0]["problem"]
    assert (about["share"], about["regret"]) == (pytest.approx(1.0), pytest.approx(0.0))
    assert about["found"] == about["true_front"] > 1


def test_seconds_of_a_table_are_charged(nasopt: Nasopt, own: Path) -> None:
    assert nasopt("run", "t.yaml", "-q").code == 0
    assert nasopt("run", "t.yaml", "-q", "--set", "study.name=other", "--set", "study.seed=1").code == 0
    compared = json.loads(nasopt("compare", "lookup", "other", "--storage", "sqlite:///own.db", "--json").out)
    trials = json.loads(nasopt("status", "t.yaml", "--json").out)[0]
    assert trials["ended"] == {"completed": 9}
    assert all(
        s["seconds"] == pytest.approx(round(s["seconds"]), abs=1e-6) and s["seconds"] >= 9 for s in compared["studies"]
    )
    # the reference point is the true front's: 1.1 times its range beyond the ideal
    assert compared["reference"] == pytest.approx([86 - 1.1 * 21, 1 + 1.1 * 11])


def test_a_missing_row_is_refused_and_told(nasopt: Nasopt, own: Path) -> None:
    (own / "grid.csv").write_text(grid(skip=5))
    said = nasopt("run", "t.yaml", "--trials", "40")
    assert said.code == 0, said.err
    assert "has 11 of 12 combinations; 1 are missing" in said.out
    assert "true front of the rows present" in said.out
    ended = json.loads(nasopt("status", "t.yaml", "--json").out)[0]["ended"]
    assert ended["completed"] == 40
    assert ended["infeasible"] >= 1
    assert nasopt("report", "t.yaml", "--to", "out").code == 0
    assert "grid.csv has no row with these choices" in (own / "out" / "report.md").read_text().replace("\\", "")


def test_a_changed_table_is_refused_and_a_moved_one_is_not(nasopt: Nasopt, own: Path) -> None:
    assert nasopt("run", "t.yaml", "--trials", "3", "-q").code == 0
    (own / "grid.csv").rename(own / "moved.csv")
    assert nasopt("run", "t.yaml", "--trials", "4", "-q", "--set", "problem.file=moved.csv").code == 0
    (own / "moved.csv").write_text(grid().replace("73", "74"))
    said = nasopt("run", "t.yaml", "--trials", "5", "--set", "problem.file=moved.csv", "--allow-changes")
    assert said.code == 2
    assert "the content of moved.csv differs" in said.mistakes[0]
    (own / "moved.csv").unlink()
    assert nasopt("report", "t.yaml", "--to", "out").code == 0  # needs no table
    assert json.loads(nasopt("status", "t.yaml", "--json").out)[0]["ended"] == {"completed": 4}


def test_a_target_from_file_to_report(nasopt: Nasopt, own: Path) -> None:
    assert "evaluated by mine:Target" in nasopt("space", "p.yaml").out
    said = nasopt("run", "p.yaml", "--json")
    assert said.code == 0, said.err
    about = json.loads(said.out)  # what the target prints is not in it
    assert said.err.count("a user's own words") == 4
    assert about["problem"] == {"kind": "python", "source": "mine:Target", "provenance": "reported"}
    assert all(c["provenance"] == "reported" for t in about["front"] for c in t["outcome"]["costs"].values())
    (own / "mine.py").write_text("raise RuntimeError('reports need no code')")
    sys.modules.pop("mine", None)
    assert nasopt("report", "p.yaml", "--to", "out").code == 0
    assert nasopt("status").code == 0
    assert nasopt("compare", "p.yaml", "--trial", about["front"][0]["number"], "--trial", "0").code in (0, 2)
    exported = nasopt("export", "p.yaml", "--trial", "0", "--to", "x")
    assert exported.code == 2
    assert "no network to export" in exported.mistakes[0]


def test_a_target_that_fails_now_and_then(nasopt: Nasopt, own: Path) -> None:
    broken = CODE.replace(
        "        print", "        if params['n'] == 2:\n            raise ValueError('no twos')\n        print"
    )
    (own / "mine.py").write_text(broken)
    assert nasopt("run", "p.yaml", "--trials", "8").code == 0
    ended = json.loads(nasopt("status", "p.yaml", "--json").out)[0]["ended"]
    assert ended["completed"] == 8
    assert ended["evaluation failed"] >= 1
    assert nasopt("report", "p.yaml", "--to", "out").code == 0
    assert "ValueError: no twos" in (own / "out" / "report.md").read_text()


def test_three_failures_in_a_row_end_the_run_and_keep_the_study(nasopt: Nasopt, own: Path) -> None:
    assert nasopt("run", "p.yaml", "--trials", "2", "-q").code == 0
    (own / "mine.py").write_text(CODE.replace('"steps": params["n"]', '"step": 1'))
    sys.modules.pop("mine", None)
    said = nasopt("run", "p.yaml", "--trials", "6", "-q")
    assert said.code == 1
    assert "3 trials in a row failed" in said.err
    assert "mine:Target returned no steps; it returned accuracy, step" in said.err
    (own / "mine.py").write_text(CODE)
    sys.modules.pop("mine", None)
    again = nasopt("run", "p.yaml", "--trials", "6", "-q")
    assert again.code == 0, again.err
    assert json.loads(nasopt("status", "p.yaml", "--json").out)[0]["ended"] == {"completed": 6, "evaluation failed": 3}


def test_pruning_everything_ends(nasopt: Nasopt, own: Path) -> None:
    pruning = CODE.replace(
        "        print", "        from optuna import TrialPruned\n        raise TrialPruned('hopeless')\n        print"
    )
    (own / "mine.py").write_text(pruning)
    said = nasopt("run", "p.yaml", "--trials", "1", "-q")
    assert said.code == 1
    assert "20 candidates were refused before they were evaluated" in said.err
    assert json.loads(nasopt("status", "p.yaml", "--json").out)[0]["ended"] == {"pruned": 20}


def test_problems_are_not_compared_with_each_other(nasopt: Nasopt, own: Path) -> None:
    (own / "two.csv").write_text(grid().replace("73", "74"))
    assert nasopt("run", "t.yaml", "--trials", "2", "-q").code == 0
    assert (
        nasopt("run", "t.yaml", "--trials", "2", "-q", "--set", "problem.file=two.csv", "--set", "study.name=two").code
        == 0
    )
    said = nasopt("compare", "lookup", "two", "--storage", "sqlite:///own.db")
    assert said.code == 2
    assert "'lookup' searches the table grid.csv and 'two' the table two.csv" in said.mistakes[0]


MISTAKES: list[tuple[str, str, str, str]] = [
    ("t.yaml", "grid.csv", "none.csv", "no table at .*none.csv"),
    ("t.yaml", "grid.csv", "${NO_SUCH_PLACE}/x.csv", r"uses \$\{NO_SUCH_PLACE\}, which is not set"),
    ("t.yaml", "accuracy", "acuracy", r"t\.yaml:3: objectives\[0\]: nasopt does not know whether acuracy"),
    ("t.yaml", "watts", "volts", "the study is about volts, which is no column"),
    ("t.yaml", "kind: table", "kind: tabel", r"t\.yaml:2: problem: kind: expected 'network', 'table' or 'python'"),
    (
        "t.yaml",
        "sampler:",
        "training: {threads: 1}\nsampler:",
        r"t\.yaml:4: training: a study of kind table has no networks",
    ),
    ("t.yaml", "sampler:", "data: digits\nsampler:", r"t\.yaml:4: data: a study of kind table"),
    ("t.yaml", "hours", "depth", "depth holds text, such as 'd1' in row 1"),
    ("p.yaml", "mine:Target", "mine.py:Target", "expected a module, not a file; write mine:Target"),
    ("p.yaml", "mine:Target", "absent:Target", "no module named 'absent'"),
    ("p.yaml", "mine:Target", "mine:Goal", "has no 'Goal'"),
    ("p.yaml", "random", "darts", "darts"),
]


@pytest.mark.parametrize(("file", "old", "new", "message"), MISTAKES, ids=[m[2][:30] for m in MISTAKES])
def test_a_mistake_is_one_line(nasopt: Nasopt, own: Path, file: str, old: str, new: str, message: str) -> None:
    text = (own / file).read_text()
    assert old in text
    (own / file).write_text(text.replace(old, new, 1))
    said = nasopt("run", file)
    assert said.code in (1, 2)
    assert len(said.mistakes) == 1, said.err
    assert re.search(message, said.mistakes[0]), said.mistakes[0]
    assert not (own / "own.db").exists()


def test_scripts_run_them_in_memory(own: Path) -> None:
    import optuna

    from nasopt import run
    from nasopt.spec.study import StudySpec

    content: dict[str, Any] = {
        "study": {"name": "m", "storage": "memory", "trials": 5},
        "problem": {"kind": "table", "file": "grid.csv"},
        "objectives": ["accuracy"],
        "constraints": [{"metric": "watts", "max": 8}],
        "sampler": "tpe",
    }
    result = run(StudySpec.model_validate(content), storage=optuna.storages.InMemoryStorage())
    view = result.study.view()
    assert result.finished == 5
    assert view.problem["front"]["rows"] == 10
    assert len(view.front()) <= 1
