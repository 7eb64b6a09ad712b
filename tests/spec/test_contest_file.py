"""Contest files: what is accepted, which studies follow, and what is said of mistakes."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
import yaml

from nasopt.errors import SpecError
from nasopt.spec.contest import ContestSpec, file_schema, load_contest, load_file
from nasopt.spec.study import StudySpec, load_spec

GOOD = """\
study: {name: c, trials: 4}
objectives: [accuracy, macs]
sampler:
  - random
  - {name: tpe, label: short, options: {n_startup_trials: 3}}
  - name: tpe
contest:
  seeds: 2
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "c.yaml"
    path.write_text(GOOD)
    return path


def test_every_competitor_gets_a_study_for_every_seed(file: Path) -> None:
    spec = load_file(file)
    assert isinstance(spec, ContestSpec)
    entries = spec.entries()
    assert [e.spec.study.name for e in entries] == [
        *("c/random/0", "c/random/1"),
        *("c/short/0", "c/short/1"),
        *("c/tpe/0", "c/tpe/1"),
    ]
    assert {e.spec.study.seed for e in entries} == {0}
    assert [e.seed for e in entries] == [0, 1] * 3
    assert entries[2].spec.sampler.options == {"n_startup_trials": 3}
    for entry in entries:  # what is stored is read again
        assert StudySpec.model_validate(entry.spec.resolved()).identity() == entry.spec.identity()


def test_one_sampler_may_compete_alone(file: Path) -> None:
    file.write_text("study: {name: c}\nobjectives: [accuracy]\nsampler: tpe\ncontest: {seeds: [4, 1]}\n")
    assert [e.spec.study.name for e in load_contest(file).entries()] == ["c/tpe/4", "c/tpe/1"]
    file.write_text("study: {name: c}\nobjectives: [accuracy]\nsampler: tpe\n")
    assert isinstance(load_file(file), StudySpec)


@pytest.mark.parametrize(("wanted", "label", "options"), [("short", "short", 1), ("tpe", "tpe", 0), ("gp", "gp", 0)])
def test_the_command_line_picks_a_competitor_by_label(file: Path, wanted: str, label: str, options: int) -> None:
    (only,) = load_contest(file, overrides=[f"sampler={wanted}"]).sampler
    assert (only.title, len(only.options)) == (label, options)


def test_a_contest_is_no_study(file: Path) -> None:
    with pytest.raises(SpecError, match=r"file of a contest.*load_contest"):
        load_spec(file)


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("- random", "- randm", 4, r"sampler\[0\]: no sampler named 'randm'; did you mean 'random'"),
        ("label: short", "lable: short", 5, r"sampler\[1\]\.lable: unknown key; did you mean 'label'"),
        ("label: short", "trials: 9", 5, r"sampler\[1\]\.trials: unknown key; known here: label, name, options"),
        ("label: short", "label: tpe", 3, "two competitors are called 'tpe'"),
        ("label: short", "label: a/b", 5, "no slash"),
        ("- name: tpe", "- 3", 6, r"sampler\[2\]: expected a section"),
        ("seeds: 2", "seeds: []", 8, "empty list"),
        ("seeds: 2", "seeds: 0", 8, "at least 1"),
        ("seeds: 2", "seeds: [1, 1]", 8, "listed twice"),
        ("seeds: 2", "seeds: [1, x]", 8, r"contest\.seeds\[1\]: expected a whole number"),
        ("seeds: 2", "control: gp", None, "control is 'gp'; the competitors are random, short, tpe"),
        ("seeds: 2", "reference: [1.0]", None, "1 values; expected one each for accuracy, macs"),
        ("name: c", f"name: {'c' * 195}", None, "200 are allowed"),
    ],
)
def test_a_mistake_is_named_with_its_line(file: Path, old: str, new: str, line: int | None, message: str) -> None:
    file.write_text(GOOD.replace(old, new, 1))
    where = f"{file}:{line}: " if line else f"{file}: "
    with pytest.raises(SpecError, match=message) as caught:
        load_file(file)
    assert [m for m in str(caught.value).splitlines() if m.startswith(where)]
    assert len(str(caught.value).splitlines()) == 1


def test_the_schema_takes_both_kinds_of_file(file: Path) -> None:
    validator = jsonschema.Draft202012Validator(file_schema())
    plain = "study: {name: x}\nobjectives: [accuracy]\n"
    for text in (GOOD, plain, f"{plain}sampler: tpe\n"):
        validator.validate(yaml.safe_load(text))
    for text in (GOOD.replace("label", "lable"), f"{plain}samplers: tpe\n", GOOD.replace("seeds: 2", "seeds: many")):
        assert not validator.is_valid(yaml.safe_load(text))
