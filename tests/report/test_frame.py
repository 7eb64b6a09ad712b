"""A study as a data frame, as a short text, and while it runs."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from optuna.storages import BaseStorage

import nasopt
from nasopt.report import compare_trials, comparison_table, load_view
from nasopt.study import events

Write = Callable[..., Any]
ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "results.md"
pd = pytest.importorskip("pandas")

MIXED = """\
study: {name: mixed, storage: "sqlite:///s.db", trials: 12}
problem: {kind: python, target: "mixing:Problem"}
objectives: [{metric: "AR@100", direction: maximize}, {metric: number, direction: minimize}]
constraints: [{metric: number, max: 40}]
sampler: random
"""
CODE = """\
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution


class Problem:
    distributions = {
        "n": IntDistribution(1, 50),
        "x": FloatDistribution(0, 1),
        "size": CategoricalDistribution((8, "large", None, 2.5)),
        "flag": CategoricalDistribution((False, True)),
    }

    def evaluate(self, params):
        if params["n"] % 9 in (0, 4):
            raise ValueError("no")
        return {"AR@100": params["x"], "number": float(params["n"])}
"""


def test_the_frame_of_a_study_of_networks(write: Write, memory: BaseStorage, tmp_path: Path) -> None:
    written = write()
    best, _ = written.completed(0.9, 2.0), written.completed(0.8, 3.0)
    written.lost("infeasible", "too many")
    written.failed("diverged")
    written.running()
    view = load_view(memory, "study")
    frame = view.to_dataframe()
    assert list(frame.number) == [0, 1, 2, 3, 4]
    assert list(frame.ended) == ["completed", "completed", "infeasible", "diverged", "running"]
    assert list(frame.number[frame.front]) == [best]
    row = frame.iloc[0]
    assert (row.figures_latency_ms, row.low_latency_ms, row.high_latency_ms) == pytest.approx((2.0, 1.9, 2.1))
    assert row.provenance_latency_ms == "measured"
    assert row.low_accuracy < row.figures_accuracy == 0.9 < row.high_accuracy
    assert frame.figures_accuracy.isna().tolist() == [False, False, True, True, True]
    assert frame["violations_macs"].tolist()[2] == 5.0
    assert {f"params_{name}" for name in view.trials[0].params} <= set(frame.columns)
    _saves(frame, tmp_path)


def _saves(frame: object, folder: Path) -> None:
    frame.to_csv(folder / "t.csv", index=False)  # type: ignore[attr-defined]
    frame.to_parquet(folder / "t.parquet")  # type: ignore[attr-defined]
    again = pd.read_parquet(folder / "t.parquet")
    assert list(again.columns) == list(frame.columns)  # type: ignore[attr-defined]
    assert len(pd.read_csv(folder / "t.csv")) == len(again) == len(frame)  # type: ignore[arg-type]


def test_a_frame_saves_whatever_the_choices_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    Path("mixing.py").write_text(CODE)
    Path("s.yaml").write_text(MIXED)
    seen: list[events.Event] = []
    result = nasopt.run(nasopt.load_spec("s.yaml"), listener=seen.append)
    view = result.study.view()
    frame = view.to_dataframe()
    assert len(frame) == len(view.trials) > 12  # some failed
    assert frame["figures_AR@100"].notna().sum() == 12
    assert list(frame.number) == list(range(len(frame)))  # a metric of that name has its own column
    assert set(frame.params_size.dropna()) <= {"8", "large", "2.5"}
    assert frame.params_flag.dtype == bool
    _saves(frame, tmp_path)
    started = [e for e in seen if isinstance(e, events.TrialStarted)]
    ended = [e for e in seen if isinstance(e, events.TrialEnded)]
    assert len(started) == len(ended) == len(frame)
    assert all(e.params == view.trial(e.number).params for e in ended)
    assert len(repr(view)) < 200
    assert "12 completed" in repr(view)
    assert len(repr(result)) < 300
    assert len(repr(view.front())) < 100 * len(view.front())
    chosen = [t.number for t in view.finished()[:2]]
    compared = compare_trials(view, chosen)
    table = comparison_table(compared)
    assert table.title == "Trials of mixed on mixing:Problem"  # type: ignore[union-attr]
    assert "without intervals" in str(table.caption)  # type: ignore[union-attr]


def test_an_empty_study_has_a_frame(write: Write, memory: BaseStorage, tmp_path: Path) -> None:
    write()
    frame = load_view(memory, "study").to_dataframe()
    assert len(frame) == 0
    assert "figures_accuracy" in frame.columns
    frame.to_parquet(tmp_path / "t.parquet")


def test_the_example_of_a_listener_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    Path("mixing.py").write_text(CODE)
    Path("my_study.yaml").write_text(MIXED)
    (code,) = [b for b in re.findall(r"^```python\n(.*?)^```", RESULTS.read_text(), re.M | re.S) if "listener=" in b]
    exec(compile(code, str(RESULTS), "exec"), {})
    assert len(re.findall(r"^trial \d+, \d+ of 12: \{.*\} at \{'n': ", capsys.readouterr().out, re.M)) == 12


def test_the_guide_lists_every_event_with_its_fields() -> None:
    text = RESULTS.read_text()
    for event in events.Event.__args__:  # type: ignore[attr-defined]
        (row,) = re.findall(rf"^\| `{event.__name__}` \|.*$", text, re.M)
        assert set(re.findall(r"`([a-z]+)`", row.rpartition(" | ")[2])) == set(event.__dataclass_fields__)
