"""The public names serve scripts, whatever was imported before."""

from __future__ import annotations

import ast
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = '''\
"""Every public name is called twice, after all submodules have been imported, in an order by seed."""

import dataclasses
import importlib
import pkgutil
import random
import sys
from pathlib import Path

import nasopt
from nasopt.errors import NasoptError

shuffle = random.Random(int(sys.argv[1])).shuffle
if sys.argv[2] == "all":
    modules = [m.name for m in pkgutil.walk_packages(nasopt.__path__, "nasopt.")]
    shuffle(modules)
    for name in modules:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:  # an extra that is not installed
            assert not error.name.startswith("nasopt"), error

Path("grid.csv").write_text("a,score\\n" + "".join(f"a{i},{i}\\n" for i in range(6)))
TABLE = 'problem: {kind: table, file: grid.csv}\\nobjectives: [{metric: score, direction: maximize}]\\n'
Path("s.yaml").write_text('study: {name: s, storage: "sqlite:///s.db", trials: 2}\\n' + TABLE)
Path("c.yaml").write_text(
    'study: {name: c, storage: "sqlite:///s.db", trials: 2}\\nsampler: [random, tpe]\\ncontest: {seeds: 1}\\n' + TABLE
)
spec, contest = nasopt.load_spec("s.yaml"), nasopt.load_contest("c.yaml")
result = nasopt.run(spec)
study = result.study
nasopt.run_contest(contest)
members = nasopt.open_contest(contest)


def fields_of(record):
    return {field.name: getattr(record, field.name) for field in dataclasses.fields(record) if field.init}


def refused(call):
    """A call that comes to an answer, though it is one of ours that there is nothing to do."""
    try:
        call()
    except NasoptError:
        return
    raise AssertionError("expected a refusal")


CALLS = {
    "ContestResult": lambda: nasopt.ContestResult(name="c", runs=(), out={}),
    "ContestSpec": lambda: nasopt.ContestSpec.model_validate(contest.model_dump(by_alias=True, exclude_unset=True)),
    "RunResult": lambda: nasopt.RunResult(**fields_of(result)),
    "Study": lambda: nasopt.Study(**fields_of(study)),
    "StudySpec": lambda: nasopt.StudySpec.model_validate(spec.model_dump(by_alias=True, exclude_unset=True)),
    "calibrate": lambda: refused(lambda: nasopt.calibrate("jetson_nano")),
    "compare": lambda: nasopt.compare([s.view() for s in members]),
    "export": lambda: refused(lambda: nasopt.export(study, 0, "out")),
    "find_study": lambda: nasopt.find_study("s", "sqlite:///s.db"),
    "load_contest": lambda: nasopt.load_contest("c.yaml"),
    "load_spec": lambda: nasopt.load_spec("s.yaml"),
    "measure": lambda: refused(lambda: nasopt.measure("no.onnx", "jetson_nano")),
    "open_contest": lambda: nasopt.open_contest(contest),
    "open_study": lambda: nasopt.open_study(spec),
    "run": lambda: nasopt.run(spec),
    "run_contest": lambda: nasopt.run_contest(contest),
    "score_front": lambda: nasopt.score_front(study),
    "write_report": lambda: nasopt.write_report(study.view(), Path("report")),
}
assert sorted(CALLS) == sorted(nasopt.__all__), set(CALLS) ^ set(nasopt.__all__)
order = sorted(CALLS) * 2
shuffle(order)
for name in order:
    CALLS[name]()
from nasopt.export import describe  # the package is one as well
import nasopt.export

assert nasopt.export.describe is describe
assert callable(nasopt.export)
'''


@pytest.mark.parametrize(("seed", "imported"), [(0, "all"), (1, "none")])
def test_every_public_name_is_called_twice_in_any_order(tmp_path: Path, seed: int, imported: str) -> None:
    (tmp_path / "names.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "names.py", str(seed), imported],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_no_other_lazy_package_hides_its_names() -> None:
    """Where a submodule has a public name, the package must keep that callable."""
    for file in (ROOT / "nasopt").rglob("__init__.py"):
        homes = next((n for n in ast.parse(file.read_text()).body if _is_homes(n)), None)
        if homes is None or "lazy.keep_callable(" in file.read_text():
            continue
        names = set(ast.literal_eval(homes.value))  # type: ignore[attr-defined]
        modules = {m.name for m in pkgutil.iter_modules([str(file.parent)])}
        assert not names & modules, f"{file.parent.name} has submodules that hide {names & modules}"


def _is_homes(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "_HOMES"
