"""Objectives beyond 2^53, up to the largest float and down to the smallest: searched, summed up and compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, IntDistribution
from rich.console import Console

from nasopt.database import open_storage
from nasopt.problems.true_front import true_front
from nasopt.report.compare import compare_views
from nasopt.report.document import write_report
from nasopt.report.hypervolume import hypervolume, reference_point
from nasopt.report.notation import short_number, significant
from nasopt.report.regret import regret_of
from nasopt.report.status import status_table
from nasopt.report.view import StudyView, load_view, study_names
from nasopt.report.yardstick import yardstick
from nasopt.samplers.botorch import botorch
from nasopt.samplers.predictor import predictor
from nasopt.spec.study import StudySpec
from nasopt.statistics.magnitude import LARGEST, beyond, places, unit_of
from nasopt.study import run

COLUMNS = {
    "beyond_2_53": [10**30 + i for i in range(12)],  # one float, all of them
    "next_to_each_other": [2.0**53 + 2 * i for i in range(12)],
    "largest": [(-1) ** i * 1.7e308 * (1 - i / 24) for i in range(12)],
    "largest_alike": [LARGEST] * 12,
    "smallest": [5e-324 * (i + 1) for i in range(12)],
    "far_apart": [10.0 ** (50 * i - 280) for i in range(12)],
}


def spec_of(column: str, folder: Path, seed: int = 0) -> StudySpec:
    rows = [f"o{i},{(i * 7) % 12 / 12},{value}" for i, value in enumerate(COLUMNS[column])]
    (folder / f"{column}.csv").write_text("\n".join(["op,acc,cost", *rows]))
    content = {
        "study": {"name": f"{column}-{seed}", "trials": 6, "seed": seed, "storage": f"sqlite:///{folder}/s.db"},
        "problem": {"kind": "table", "file": str(folder / f"{column}.csv")},
        "objectives": [{"metric": "acc", "direction": "maximize"}, {"metric": "cost", "direction": "minimize"}],
        "sampler": "random",
    }
    return StudySpec.model_validate(content)


def views_in(folder: Path) -> list[StudyView]:
    storage = open_storage(f"sqlite:///{folder}/s.db", create=False)
    return [load_view(storage, name) for name in study_names(storage)]


def test_every_size_is_summed_up_beside_the_others(tmp_path: Path) -> None:
    for column in COLUMNS:
        run(spec_of(column, tmp_path))
    views = views_in(tmp_path)
    assert len(views) == len(COLUMNS)
    console = Console(width=200, record=True)
    console.print(status_table(views))
    text = console.export_text()
    assert all(view.name in text for view in views)
    assert "cannot be summed up" not in text
    for view in views:
        near = regret_of(view)
        assert near is not None
        assert 0 < near.share <= 1


@pytest.mark.parametrize("column", ["beyond_2_53", "next_to_each_other", "largest", "smallest"])
def test_two_studies_are_compared(tmp_path: Path, column: str) -> None:
    for seed in (0, 1):
        run(spec_of(column, tmp_path, seed))
    found = compare_views(views_in(tmp_path))
    assert np.isfinite(found.reference).all()
    assert found.together > 0
    ends = [h for h in found.hypervolume if h.by == "trials" and h.fraction == 1.0]
    assert all(0 < share <= 1 for share in ends[0].shares.values())


def test_a_report_says_which_figure_has_no_axis(tmp_path: Path) -> None:
    run(spec_of("largest", tmp_path))
    (view,) = views_in(tmp_path)
    write_report(view, tmp_path / "report")
    text = (tmp_path / "report" / "report.md").read_text()
    assert "The figure is not drawn: cost (tabulated) reaches 1." in text


@pytest.mark.parametrize("column", sorted(COLUMNS))
def test_a_true_front_has_all_of_its_own_hypervolume(column: str) -> None:
    costs = np.array(COLUMNS[column], dtype=float)
    losses = np.stack([-np.arange(12) * 5 % 12, costs], axis=1)
    front = true_front(losses)
    record = front.describe(np.ones(2), len(losses))
    assert 0 < record["hypervolume"] < 2
    assert np.isfinite(front.scaled(front.points)).all()


def test_volumes_of_any_size_compare() -> None:
    losses = np.array([[0.25, 0.75], [0.5, 0.5]])
    for unit in (1e-300, 1.0, 1e30, 1e300):
        half, whole = (hypervolume(points * unit, np.full(2, unit)) for points in (losses[:1], losses))
        assert half / whole == pytest.approx(0.1875 / 0.3125)


def test_places_and_units() -> None:
    low, high = np.array([-1.7e308, 0.0, 5e-324, 3.0]), np.array([1.7e308, 1e30, 1e-323, 3.0])
    np.testing.assert_allclose(places(np.array([low, high]), low, high), [[0, 0, 0, 0], [1, 1, 1, 0]])
    assert places(np.array([[0.0, 0.0, 0.0, 4.0]]), low, high)[0, 3] == np.inf
    assert beyond(np.array([0.0]), np.array([2.0]), 1.1)[0] == 2.2
    assert beyond(np.array([-1e308]), np.array([1.7e308]), 1.1)[0] == np.inf
    assert unit_of(np.array([0.0, 1e30, -1e59, 1e-59])).tolist() == [1, 1, 1, 1]
    assert unit_of(LARGEST) == 2.0**1023


@pytest.mark.parametrize("column", ["largest", "beyond_2_53", "smallest", "far_apart"])
@pytest.mark.parametrize("sampler", ["predictor", "botorch"])
def test_samplers_learn_from_every_size(sampler: str, column: str) -> None:
    """After the start the best of what is left is found sooner or later, and no ask fails."""
    space = {"a": CategoricalDistribution("xyzw"), "b": IntDistribution(0, 2)}
    make = {"predictor": predictor(seed=0, search_space=space, startup=5), "botorch": botorch(seed=0, startup_trials=5)}
    study = optuna.create_study(directions=["minimize", "maximize"], sampler=make[sampler])
    for number in range(8):
        trial = study.ask(space)
        place = "xyzw".index(trial.params["a"]) * 3 + trial.params["b"]
        study.tell(trial, [float(COLUMNS[column][place]), float(place % 5)])
        assert study.trials[number].state.is_finished()
    assert len({tuple(t.params.values()) for t in study.trials}) == 8


def test_numbers_stay_short() -> None:
    assert significant(1e30) == "1.00e+30"
    assert significant(-1.7e308) == "-1.70e+308"
    assert significant(123456789.0) == "123,456,789"
    assert short_number(1e30) == "1.00e+30"
    assert short_number(2.5e9) == "2.5 G"


def test_a_reference_point_lies_beyond_neighbouring_floats(tmp_path: Path) -> None:
    run(spec_of("next_to_each_other", tmp_path))
    (view,) = views_in(tmp_path)
    stick = yardstick(view)
    assert stick is not None
    assert stick.points is not None
    assert (stick.points < reference_point([view])).all()
