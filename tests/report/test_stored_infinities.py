"""Databases of older versions, whose refused and diverged trials have infinite values, read like any other."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import pytest
from optuna.trial import TrialState

from nasopt.database import open_storage
from nasopt.report import compare_views, load_view, status_table, write_report
from nasopt.report.compare import Comparison
from tests.stored import restore


@pytest.fixture
def url(tmp_path: Path) -> str:
    return restore("infinite_values.sql", tmp_path / "old.db")


@pytest.mark.parametrize("name", ["ends", "digits"])
def test_view_and_report_know_no_infinity(url: str, name: str, tmp_path: Path) -> None:
    storage = open_storage(url)
    stored = storage.get_all_trials(storage.get_study_id_from_name(name))
    infinite = [t.number for t in stored if t.state == TrialState.COMPLETE and math.inf in map(abs, t.values)]
    assert len(infinite) == {"ends": 6, "digits": 13}[name]
    view = load_view(storage, name)
    assert all(view.trial(n).values is None and view.trial(n).reason for n in infinite)
    assert {view.trial(n).ended for n in infinite} <= {"infeasible", "diverged"}
    assert view.front()
    text = write_report(view, tmp_path).html.read_text()
    assert "Infinity" not in text


def test_comparison_and_status(url: str) -> None:
    storage = open_storage(url)
    ends = load_view(storage, "ends")
    compared = compare_views([ends, dataclasses.replace(ends, name="again")])
    assert isinstance(compared, Comparison)
    status_table([ends, load_view(storage, "digits")])


def test_a_study_of_an_older_version_goes_on_with_its_names(url: str, tmp_path: Path) -> None:
    """Constraints keep the names that the stored trials have, since samplers pair them by name."""
    from nasopt.study import run
    from tests.stored.ends import spec

    result = run(spec(url, tmp_path, trials=18))
    trials = result.study.optuna.get_trials()
    assert {tuple(t.constraints) for t in trials if t.state.is_finished() and t.constraints} == {
        ("accuracy>=0.6", "weights<=900")
    }
    new = [t for t in trials if t.number > 23]
    assert new
    for trial in new:
        json.dumps([trial.values, trial.user_attrs, trial.system_attrs], allow_nan=False)
