"""Study files: what is accepted, and what is said of mistakes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from nasopt.errors import SpecError, UsageError
from nasopt.spec import shipped, yaml
from nasopt.spec.contest import file_schema, load_file
from nasopt.spec.starting import starting_point, write_starting_point
from nasopt.spec.study import load_spec

GOOD = """\
study:
  name: x
space:
  little: {width: [0.25, 0.5]}
objectives: [accuracy, latency_ms]
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "s.yaml"
    path.write_text(text)
    return path


def test_a_short_file_is_enough(tmp_path: Path) -> None:
    spec = load_spec(write(tmp_path, GOOD))
    assert [o.sense for o in spec.objectives] == ["maximize", "minimize"]
    assert spec.sampler.name == "nsga2"
    assert spec.space.little.width == [0.25, 0.5]


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("  name: x", "  nme: x", 2, r"study\.nme: unknown key; did you mean 'name'"),
        ("  name: x", "  trials: 3", None, r"study\.name: missing"),
        ("  name: x", "  name: x\n  trials: many", 3, r"study\.trials: expected a whole number, not text 'many'"),
        ("  name: x", "  name: x\n  trials: 0", 3, r"study\.trials: .*at least 1"),
        ("[0.25, 0.5]", "[]", 4, r"space\.little\.width: an empty list"),
        ("[0.25, 0.5]", "[0.25, 0.25]", 4, "listed twice"),
        ("[0.25, 0.5]", "[1, 0.5, 1.0]", 4, r"the choices 1 and 1\.0 in \[1, 0\.5, 1\.0\] are equal; keep one"),
        ("[0.25, 0.5]", "[true, 1]", 4, r"the choices true and 1 in \[true, 1\] are equal"),
        ("[0.25, 0.5]", "{low: 0.5, high: 0.25}", 4, "empty range"),
        ("[0.25, 0.5]", "1.5", 4, r"fraction in \(0, 1\]"),
        ("[0.25, 0.5]", "true", 4, "expected a value, a list of values or a range .*, not true/false True"),
        ("[accuracy, latency_ms]", "[accuracy, latency]", 5, "no metric 'latency'; did you mean 'latency_ms'"),
        ("[accuracy, latency_ms]", "[accuracy, accuracy]", None, "stands twice"),
        ("[accuracy, latency_ms]", "[]", 5, "objectives: "),
        ("[accuracy, latency_ms]", "[macs@local]", 5, "does not depend on a device"),
        ("[accuracy, latency_ms]", "[latency_ms@moon]", None, "the study's devices are local"),
        ("objectives:", "sampler: nsga\nobjectives:", 5, "no sampler named 'nsga'"),
        ("objectives:", "hardware: {meter: none}\nobjectives: [energy_mj]\n#", None, "needs an energy meter"),
        ("objectives:", "constraints: [{metric: macs}]\nobjectives:", 5, "needs min or max"),
        ("objectives:", "constraints: [{metric: macs, min: 2, max: 1}]\nobjectives:", 5, "nothing satisfies"),
        ("objectives:", "study: {name: y}\nobjectives:", 5, "'study' stands here twice"),
        ("objectives:", "  bad: [\nobjectives:", 7, "not valid YAML"),
        ("objectives:", "training: {supernet: {learning_rate: .inf}}\nobjectives:", 5, "finite"),
    ],
)
def test_a_mistake_is_named_with_file_line_and_key(
    tmp_path: Path, old: str, new: str, line: int | None, message: str
) -> None:
    path = write(tmp_path, GOOD.replace(old, new, 1))
    where = f"{path}:{line}" if line is not None else str(path)
    with pytest.raises(SpecError, match=message) as caught:
        load_spec(path)
    assert any(line.startswith(where) and re.search(message, line) for line in str(caught.value).splitlines())
    assert "pydantic" not in str(caught.value)


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("name: x", "name: x\n  sead: 1").replace("0.5]", "2]")
    with pytest.raises(SpecError) as caught:
        load_spec(write(tmp_path, text))
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize("text", ["", "- a\n", "just words\n", "study: !!python/object/apply:os.system [ls]\n"])
def test_what_is_no_study_file_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SpecError, match=r"s\.yaml"):
        load_spec(write(tmp_path, text))


def test_a_missing_file_names_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="nasopt init"):
        load_spec(tmp_path / "absent.yaml")


def test_overrides_are_applied_in_order(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    given = ["training.supernet.epochs=3", "study.trials=7", "study.trials=8", "sampler.options.n_startup_trials=2"]
    spec = load_spec(path, overrides=["sampler=tpe", *given])
    assert (spec.training.supernet.epochs, spec.study.trials) == (3, 8)
    assert spec.sampler.options == {"n_startup_trials": 2}
    assert spec.sampler.name == "tpe"


@pytest.mark.parametrize(
    "assignment", ["study.trials", "=3", "study.=3", "study.name.x=1", "study.trials=[", "nope.x=1"]
)
def test_a_bad_override_is_refused(tmp_path: Path, assignment: str) -> None:
    with pytest.raises(SpecError):
        load_spec(write(tmp_path, GOOD), overrides=[assignment])


def test_numbers_follow_yaml_1_2() -> None:
    content = yaml.parse("a: 1e-3\nb: 5E6\nc: 1.5e+3\nd: e5\ne: 12", source="t").content
    assert content == {"a": 1e-3, "b": 5e6, "c": 1500.0, "d": "e5", "e": 12}


def test_the_hash_ignores_budget_and_places_only(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    base = load_spec(path).hash()
    for same in ("study.trials=9", "study.storage=sqlite:///other.db", "data.root=elsewhere"):
        assert load_spec(path, overrides=[same]).hash() == base
    for other in ("study.seed=1", "training.cotrain.epochs=9", "space.router.tau=0.5", "hardware.meter=none"):
        assert load_spec(path, overrides=[other]).hash() != base


def test_passwords_are_never_kept(tmp_path: Path) -> None:
    url = "postgresql://me:s3cret@db.example/x"
    spec = load_spec(write(tmp_path, GOOD), overrides=[f"study.storage={url}"])
    assert "s3cret" not in str(spec.resolved())
    assert spec.study.storage == url


@pytest.mark.parametrize("name", shipped.listed("studies"))
def test_example_studies_are_valid(name: str) -> None:
    spec = load_file(shipped.folder("studies") / f"{name}.yaml")
    assert spec.objectives


def test_the_starting_point_is_valid_and_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    write_starting_point(path)
    assert load_spec(path).study.name == "mine"
    assert "#" in starting_point()
    with pytest.raises(UsageError, match="--force"):
        write_starting_point(path)
    write_starting_point(path, force=True)


def test_the_schema_describes_what_is_accepted() -> None:
    schema: dict[str, Any] = file_schema()
    study, contest = schema["$defs"]["StudySpec"], schema["$defs"]["ContestSpec"]
    assert set(study["required"]) == {"study", "objectives"}
    assert set(contest["required"]) == {"study", "objectives", "sampler"}
    assert study["additionalProperties"] is contest["additionalProperties"] is False
    assert "lambda" in schema["$defs"]["LossSpace"]["properties"]
    assert schema["$defs"]["StageSpace"]["properties"]["width"]["description"]


@pytest.mark.parametrize("name", shipped.listed("studies"))
def test_example_studies_satisfy_the_schema(name: str) -> None:
    content = yaml.read(shipped.folder("studies") / f"{name}.yaml").content
    validator = jsonschema.Draft202012Validator(file_schema())
    assert [error.message for error in validator.iter_errors(content)] == []
    misspelt = {**content, "trials": 3}
    assert list(validator.iter_errors(misspelt))
    keywords = str(file_schema())
    assert "'ge'" not in keywords
    assert "'gt'" not in keywords
