"""Tables as problems: what is read, what is refused, and the true front."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution

from nasopt.cache import Cache
from nasopt.errors import DataError, NasoptError
from nasopt.problems.opening import describe_space
from nasopt.problems.table import TableProblem
from nasopt.problems.true_front import REFERENCE, true_front
from nasopt.spec.study import StudySpec
from nasopt.testing import ProblemSuite

GOOD = """\
layer,kernel,accuracy,latency_ms,hours
conv,k3,0.9,4,1
conv,k5,0.95,6,2
skip,k3,0.5,1,1
skip,k5,0.4,2,3
"""
OBJECTIVES = ["accuracy", "latency_ms"]


def problem(path: Path, objectives: Any = OBJECTIVES, constraints: Any = (), **section: Any) -> TableProblem:
    content = {
        "study": {"name": "t"},
        "problem": {"kind": "table", "file": str(path), **section},
        "objectives": list(objectives),
        "constraints": list(constraints),
    }
    return TableProblem(StudySpec.model_validate(content), Cache(path.parent / "cache"))


def write(folder: Path, text: str = GOOD, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


class TestTable(ProblemSuite):
    @pytest.fixture(scope="class")
    def problem(self, tmp_path_factory: pytest.TempPathFactory) -> TableProblem:
        return problem(write(tmp_path_factory.mktemp("one")))

    @pytest.fixture(scope="class")
    def twin(self, tmp_path_factory: pytest.TempPathFactory) -> TableProblem:
        return problem(write(tmp_path_factory.mktemp("two")))


class TestIncompleteTable(ProblemSuite):
    @pytest.fixture(scope="class")
    def problem(self, tmp_path_factory: pytest.TempPathFactory) -> TableProblem:
        return problem(write(tmp_path_factory.mktemp("one"), GOOD.replace("skip,k5,0.4,2,3\n", "")))


def test_text_columns_are_choices_and_numbers_figures(tmp_path: Path) -> None:
    found = problem(write(tmp_path))
    assert found.distributions == {
        "layer": CategoricalDistribution(["conv", "skip"]),
        "kernel": CategoricalDistribution(["k3", "k5"]),
    }
    outcome = found.evaluate({"layer": "conv", "kernel": "k5"})
    assert {n: (c.value, c.provenance) for n, c in outcome.costs.items()} == {
        "accuracy": (0.95, "tabulated"),
        "latency_ms": (6.0, "tabulated"),
        "hours": (2.0, "tabulated"),
    }
    assert sum(outcome.seconds.values()) == 0


def test_seconds_are_charged_and_no_figure(tmp_path: Path) -> None:
    outcome = problem(write(tmp_path), seconds="hours").evaluate({"layer": "skip", "kernel": "k5"})
    assert outcome.seconds == {"evaluate": 3.0}
    assert outcome.cached == ("evaluate",)
    assert "hours" not in outcome.costs


def test_named_choices_may_be_numbers(tmp_path: Path) -> None:
    text = "width,units,accuracy\n0.5,10,0.1\n0.5,9,0.2\n1,10,0.3\n1,9,0.4\n"
    found = problem(write(tmp_path, text), ["accuracy"], choices=["width", "units"])
    assert found.distributions["width"] == CategoricalDistribution([0.5, 1.0])
    assert found.distributions["units"] == CategoricalDistribution([9, 10])
    assert found.evaluate({"width": 1.0, "units": 9}).value("accuracy") == 0.4


CODES = ["0000000000000000000000000001", "0000000000000000000000000010", "1000000000000000000000000001", "0011"]


@pytest.mark.parametrize(
    ("cells", "choices"),
    [
        (CODES, sorted(CODES, key=float)),
        (["0011", "0100"], ["0011", "0100"]),
        (["+1", "2"], ["+1", "2"]),
        (["1234567890123456", "1234567890123457"], ["1234567890123456", "1234567890123457"]),
        (["16", "8", "32"], [8, 16, 32]),
        (["0.50", "0.25"], [0.25, 0.5]),
    ],
)
def test_a_named_choice_stays_as_it_is_written(tmp_path: Path, cells: list[str], choices: list[Any]) -> None:
    text = "arch,accuracy\n" + "".join(f"{cell},0.{i}\n" for i, cell in enumerate(cells, start=1))
    found = problem(write(tmp_path, text), ["accuracy"], choices=["arch"])
    assert str(found.distributions["arch"]) == str(CategoricalDistribution(choices))
    assert found.complete
    assert found.evaluate({"arch": choices[0]}).value("accuracy") is not None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            GOOD.replace("layer,", "notes,layer,").replace("\nconv", "\n,conv").replace("\nskip", "\n,skip"),
            r"the text column notes is empty, and text columns are choices; say in problem\.choices which are "
            r"searched, such as choices: \[layer, kernel\]",
        ),
        (
            GOOD.replace("layer,", "notes,layer,").replace("\nconv", "\n,conv").replace("\nskip", "\ngood,skip"),
            r"row 1 has no value of the choice notes \(2 of 4 rows have none\): fill it in .*: \[layer, kernel\]",
        ),
        (
            "run,layer,kernel,accuracy,latency_ms\nr1,conv,k3,0.9,4\nr2,conv,k5,0.95,6\nr3,skip,k3,0.5,1\nr4,skip,k5,0.4,2\n",
            r"the text column run has another value in each row, as names of runs have, .*choices: \[layer, kernel\]",
        ),
        (
            "who,layer,kernel,accuracy,latency_ms\na,conv,k3,0.9,4\na,conv,k5,0.95,6\nb,skip,k3,0.5,1\nb,skip,k5,0.4,2\n",
            r"the text column who follows from the others, .*choices: \[layer, kernel\]",
        ),
    ],
)
def test_text_that_is_no_choice_is_named_with_the_way_out(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        problem(write(tmp_path, text))
    assert problem(write(tmp_path, text), choices=["layer", "kernel"]).complete


def test_a_table_of_runs_that_are_named_one_by_one_is_searched(tmp_path: Path) -> None:
    text = "run,accuracy,latency_ms\nr1,0.9,4\nr2,0.95,6\n"
    assert problem(write(tmp_path, text)).complete


def test_the_order_of_rows_and_the_format_change_nothing(tmp_path: Path) -> None:
    header, *rows = GOOD.splitlines()
    shuffled = "\n".join([header, *reversed(rows)]).replace(",", ";")
    first, second = problem(write(tmp_path)), problem(write(tmp_path, shuffled, "u.csv"))
    columns = list(zip(*(row.split(",") for row in rows), strict=True))
    table = {n: list(c) if i < 2 else [float(v) for v in c] for i, (n, c) in enumerate(zip(header.split(","), columns))}  # noqa: B905
    pq.write_table(pa.table(table), tmp_path / "t.parquet")
    third = problem(tmp_path / "t.parquet")
    for other in (second, third):
        assert other.distributions == first.distributions
        ours, theirs = dict(first.facts()["problem"]), dict(other.facts()["problem"])
        assert ours.pop("source") != theirs.pop("source")
        assert ours == theirs


def test_identical_rows_are_one(tmp_path: Path) -> None:
    found = problem(write(tmp_path, GOOD + "conv,k3,0.9,4,1\n"))
    assert found.complete
    assert found.facts()["problem"]["rows"] == 4


def test_a_missing_combination_is_refused_and_told(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace("skip,k5,0.4,2,3\n", ""))
    found = problem(path)
    assert not found.complete
    gone = found.inspect({"layer": "skip", "kernel": "k5"})
    assert gone.structural == {"row_in_the_table": 1.0}
    assert "t.csv has no row with these choices" in gone.reason
    assert found.inspect({"layer": "conv", "kernel": "k5"}).structural == {"row_in_the_table": 0.0}
    content = {"study": {"name": "t"}, "problem": {"kind": "table", "file": str(path)}, "objectives": OBJECTIVES}
    space, remarks = describe_space(StudySpec.model_validate(content))
    assert list(space) == ["layer", "kernel"]
    assert "t.csv has 3 of 4 combinations; 1 are missing" in remarks


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    (GOOD.replace("6,2", ",2"), {}, "row 2 has nothing in the column latency_ms"),
    (GOOD.replace("6,2", "nan,2"), {}, "row 2 has nothing in the column latency_ms"),
    (GOOD.replace("6,2", "inf,2"), {}, "row 2 has inf in the column latency_ms"),
    (GOOD.replace("6,2", "6ms,2"), {}, "latency_ms holds text, such as '6ms' in row 2; expected numbers"),
    (GOOD + "conv,k3,0.91,4,1\n", {}, r"rows 1 and 5 have the same choices \(layer conv, kernel k3\) and other"),
    (GOOD.replace("skip,k5", "skip,"), {}, "row 4 has no value of the choice kernel"),
    (GOOD.splitlines()[0], {}, "has no rows"),
    ("", {}, "is empty; expected a header"),
    (GOOD.replace("skip,k5,0.4", "skip,0.4"), {}, "cannot read the table .*Expected 5 columns"),
    (GOOD.replace("hours", "layer"), {}, "the column 'layer' stands there twice"),
    (GOOD.replace("hours", ""), {}, "column 5 has no name"),
    ("a,accuracy,latency_ms\n1,2,3\n", {}, "has no text column; say in problem.choices"),
    ("a,accuracy,latency_ms\nx,2,3\n", {}, "every choice has one value only"),
    (GOOD, {"objectives": ["accuracy", "energy_mj"]}, "the study is about energy_mj, which is no column"),
    (GOOD, {"objectives": ["latency_p90_ms"]}, "did you mean 'latency_ms'"),
    (GOOD, {"choices": ["layers"]}, r"problem\.choices names layers, which is no column .*did you mean 'layer'"),
    (GOOD, {"choices": ["layer"]}, "rows 1 and 2 have the same choices"),
    (GOOD, {"choices": ["layer", "kernel", "accuracy"]}, "accuracy .*cannot be searched and be a figure as well"),
    (GOOD, {"seconds": "kernel"}, "kernel holds text, such as 'k3' in row 1"),
    (GOOD, {"seconds": "minutes"}, r"problem\.seconds names minutes"),
    (GOOD.replace("6,2", "6,-2"), {"seconds": "hours"}, r"row 2 took -2 s by the column hours"),
    (GOOD, {"constraints": [{"metric": "accuracy", "min": 2}]}, "no row of .* keeps the constraint on accuracy"),
]


@pytest.mark.parametrize(("text", "changes", "message"), REFUSED, ids=[m[:40] for _, _, m in REFUSED])
def test_a_bad_table_is_refused(tmp_path: Path, text: str, changes: dict[str, Any], message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(NasoptError, match=message) as caught:
        problem(path, **changes)
    assert len(str(caught.value).splitlines()) == 1


def test_a_sparse_table_is_refused_before_anything_runs(tmp_path: Path) -> None:
    rows = ["a,b,c,accuracy", *(f"a{i},b{i},c{i},{i}" for i in range(40))]
    with pytest.raises(NasoptError, match=r"40 of the 64,000 combinations .* a \(40\), b \(40\), c \(40\): too few"):
        problem(write(tmp_path, "\n".join(rows)), ["accuracy"])


@pytest.mark.parametrize("content", [b"\xff\xfe\x00,a\n1,2\n", b"PAR1 no parquet", b"\x00" * 40])
@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_bytes_that_are_no_table(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(NasoptError):
        problem(tmp_path / name)


def test_files_that_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NOWHERE", raising=False)
    for file, message in (
        ("none.csv", "no table at"),
        (".", "no table at"),
        ("${NOWHERE}/t.csv", r"uses \$\{NOWHERE\}, which is not set"),
        ("a$.csv", "stray"),
    ):
        with pytest.raises(NasoptError, match=message):
            problem(Path(file))
    with pytest.raises(NasoptError, match=r"ends in '\.txt'; expected a table in \.parquet, \.csv"):
        problem(write(tmp_path, GOOD, "t.txt"))


def dominated(a: Any, b: Any) -> bool:
    return bool((b <= a).all() and (b < a).any())


LOSSES = st.integers(1, 3).flatmap(
    lambda m: st.lists(st.lists(st.integers(-5, 5).map(float), min_size=m, max_size=m), min_size=1, max_size=30)
)


@given(LOSSES)
def test_the_true_front_is_what_no_row_dominates(rows: list[list[float]]) -> None:
    losses = np.array(rows)
    front = true_front(losses)
    expected = {tuple(a) for a in losses if not any(dominated(a, b) for b in losses)}
    assert {tuple(p) for p in front.points} == expected
    assert (front.ideal < front.nadir).all()
    assert 0 < front.hypervolume <= REFERENCE ** losses.shape[1] + 1e-9


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12))
def test_the_hypervolume_in_two_objectives_is_the_area(rows: list[tuple[int, int]]) -> None:
    """Against a sum over the cells of the grid that the scaled points span."""
    front = true_front(np.array(rows, dtype=float))
    points = front.scaled(front.points)
    xs, ys = (sorted({*points[:, i], REFERENCE}) for i in (0, 1))
    area = sum(
        (x1 - x0) * (y1 - y0)
        for (x0, x1), (y0, y1) in itertools.product(itertools.pairwise(xs), itertools.pairwise(ys))
        if any(p[0] <= x0 and p[1] <= y0 for p in points)
    )
    assert math.isclose(front.hypervolume, area, rel_tol=1e-9)


def test_constraints_cut_the_true_front(tmp_path: Path) -> None:
    bounded = problem(write(tmp_path), constraints=[{"metric": "latency_ms", "max": 5}])
    assert bounded.front["rows"] == 3
    assert sorted(bounded.front["points"]) == [[0.5, 1.0], [0.9, 4.0]]
    assert (bounded.front["ideal"], bounded.front["nadir"]) == ([0.9, 1.0], [0.5, 4.0])


@pytest.mark.parametrize(
    ("name", "rows", "size", "objectives"),
    [
        ("nas_bench_macro_cifar10", 6561, 35, ["accuracy", "macs"]),
        ("channel_bench_mobilenet_cifar10", 16384, 101, ["accuracy", "macs", "params"]),
    ],
)
def test_public_tables_are_complete(reference: Path, name: str, rows: int, size: int, objectives: list[str]) -> None:
    path = reference / "benchmarks" / f"{name}.parquet"
    if not path.exists():
        pytest.skip(f"no {path}")
    found = problem(path, objectives)
    assert (found.complete, found.front["rows"], found.front["size"]) == (True, rows, size)
