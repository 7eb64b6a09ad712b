"""Studies at equal cost, and trials side by side."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from optuna.storages import BaseStorage
from rich.console import Console

from nasopt.errors import StudyNotFoundError, UsageError
from nasopt.report.compare import compare_views, coverage
from nasopt.report.comparison_figures import write_comparison_figures
from nasopt.report.comparison_tables import comparison_table
from nasopt.report.side_by_side import compare_trials
from nasopt.report.view import StudyView, load_view

Write = Callable[..., Any]


def rendered(renderable: Any) -> str:
    console = Console(width=220, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(renderable)
    return console.export_text()


@pytest.fixture
def pair(write: Write, memory: BaseStorage) -> list[StudyView]:
    good, poor = write("good"), write("poor")
    spec = poor.study.user_attrs["spec"]
    poor.study.set_user_attr("spec", spec | {"sampler": {"name": "random", "options": {}}})
    for accuracy, latency in ((0.8, 4.0), (0.9, 3.0), (0.95, 2.0), (0.99, 1.0)):
        good.completed(accuracy, latency)
    for accuracy, latency in ((0.7, 5.0), (0.6, 3.0)):
        poor.completed(accuracy, latency)
    return [load_view(memory, n) for n in ("good", "poor")]


def test_hypervolume_at_equal_cost(pair: list[StudyView]) -> None:
    found = compare_views(pair, reference=(0.5, 6.0))
    assert found.reference == pytest.approx((0.5, 6.0))
    by = {(h.by, h.fraction): h for h in found.hypervolume}
    assert by["trials", 1.0].budget == 2  # the smaller study has two trials
    assert by["trials", 1.0].values["good"] == pytest.approx(0.4 * 3)
    assert by["trials", 1.0].values["poor"] == pytest.approx(0.2 * 1 + 0.1 * 2)
    assert by["trials", 0.5].values["good"] == pytest.approx(0.3 * 2)
    assert by["seconds", 1.0].budget == 48  # supernet 40 s, two trials of 4 s
    assert by["seconds", 0.25].values == {"good": 0.0, "poor": 0.0}
    whole = 0.49 * 5
    assert by["trials", 1.0].shares["good"] == pytest.approx(1.2 / whole)
    assert {s.name: s.hypervolume for s in found.studies}["good"] == pytest.approx(whole)


def test_best_at_equal_cost_names_the_trial(pair: list[StudyView]) -> None:
    best = next(b for b in compare_views(pair).best if b.by == "trials" and b.metric == "latency_ms")
    assert best.values == {"good": 3.0, "poor": 3.0}
    assert best.trials == {"good": 1, "poor": 1}
    assert best.intervals["good"] == pytest.approx((2.85, 3.15))


def test_coverage_is_the_share_weakly_dominated(pair: list[StudyView]) -> None:
    found = compare_views(pair).coverage
    assert found == {"good": {"poor": 1.0}, "poor": {"good": 0.0}}
    one, two = np.array([[1.0, 1.0]]), np.array([[1.0, 1.0], [0.0, 2.0], [2.0, 2.0], [1.0, 3.0]])
    assert coverage(one, two) == 0.75
    assert coverage(np.empty((0, 2)), two) == 0


def test_runs_of_one_method_share_a_group(write: Write, memory: BaseStorage) -> None:
    names = []
    for sampler in ("nsga2", "random"):
        for seed in range(3):
            study = write(name := f"{sampler}{seed}", seed=seed)
            spec = copy.deepcopy(study.study.user_attrs["spec"])
            spec["sampler"]["name"] = sampler
            study.study.set_user_attr("spec", spec)
            study.search(12, seed=seed)
            names.append(name)
    views = [load_view(memory, n) for n in names]
    found = compare_views(views)
    assert [s.group for s in found.studies] == ["nsga2"] * 3 + ["random"] * 3
    low, middle, high = found.hypervolume[-1].groups["nsga2"]
    shares = sorted(found.hypervolume[-1].shares[f"nsga2{i}"] for i in range(3))
    assert [low, middle, high] == shares
    assert {a.percent for a in found.attainment} == {0.0, 50.0, 100.0}
    # the same seeds ran "by both methods", so both attain the same
    mine, theirs = ([a.points for a in found.attainment if a.group == g] for g in ("nsga2", "random"))
    assert mine == theirs
    text = rendered(comparison_table(found))
    assert "Leaderboard by trials" in text
    assert found.leaderboard is not None
    assert {s.method: s.runs for s in found.leaderboard.standings} == {"nsga2": 3, "random": 3}
    assert found.leaderboard.seeds == (0, 1, 2)
    assert {(t.p, t.p_holm, t.difference) for t in found.leaderboard.tests if t.by != "wall"} == {(1.0, 1.0, 0.0)}


def test_attainment_of_one_run_is_its_front(pair: list[StudyView]) -> None:
    surface = next(a for a in compare_views(pair).attainment if a.group == "random")
    assert sorted(surface.points) == [(0.6, 3.0), (0.7, 5.0)]


def test_json_has_no_infinity(pair: list[StudyView]) -> None:
    data = json.loads(json.dumps(compare_views(pair).to_json(), allow_nan=False))
    assert data["studies"][0]["name"] == "good"
    assert data["hypervolume"][0]["values"].keys() == {"good", "poor"}


def test_figures_are_written(pair: list[StudyView], tmp_path: Any) -> None:
    files = write_comparison_figures(pair, compare_views(pair), tmp_path / "new" / "folder")
    assert sorted(f.name for f in files) == ["attainment.png", "attainment.svg", "histories.png", "histories.svg"]
    assert all(f.stat().st_size > 5000 for f in files)


@pytest.mark.parametrize(
    ("objectives", "attrs", "message"),
    [
        ((("accuracy", "maximize"), ("energy_mj", "minimize")), {}, "same objectives"),
        ((("latency_ms", "minimize"), ("accuracy", "maximize")), {}, "same order"),
        (None, {"data": {"name": "cifar10"}}, "different data sets"),
        (None, {"devices": [{"name": "pi", "provenance": "measured"}]}, "different devices"),
    ],
)
def test_what_means_different_things_is_refused(
    write: Write, memory: BaseStorage, objectives: Any, attrs: dict[str, Any], message: str
) -> None:
    write("a").completed(0.9, 2.0)
    other = write("b", objectives, **attrs) if objectives else write("b", **attrs)
    other.completed(*((2.0, 0.9) if objectives and objectives[0][0] == "latency_ms" else (0.9, 2.0)))
    with pytest.raises(UsageError, match=message):
        compare_views([load_view(memory, n) for n in "ab"])


def test_origins_are_never_mixed(write: Write, memory: BaseStorage, jetson: dict[str, str]) -> None:
    write("a", devices=[jetson | {"provenance": "measured"}]).completed(0.9, 2.0)
    write("b", devices=[jetson]).completed(0.9, 2.0)
    with pytest.raises(UsageError, match="latency_ms is measured in 'a', estimated in 'b'"):
        compare_views([load_view(memory, n) for n in "ab"])


def test_unequal_hosts_spaces_and_versions_are_warned_of(write: Write, memory: BaseStorage) -> None:
    write("a").completed(0.9, 2.0)
    write("b", host={"cpu": "another"}, versions={"nasopt": "9"}, constraints=[]).completed(0.9, 2.0)
    text = " ".join(compare_views([load_view(memory, n) for n in "ab"]).warnings)
    assert "different hosts (cores, cpu, machine)" in text
    assert "different versions of nasopt" in text
    assert "different constraints" in text


def test_one_study_twice_or_empty_is_refused(write: Write, memory: BaseStorage, pair: list[StudyView]) -> None:
    with pytest.raises(UsageError, match="named twice"):
        compare_views([pair[0], pair[0]])
    with pytest.raises(UsageError, match="two studies or more"):
        compare_views(pair[:1])
    write("empty").lost("infeasible")
    with pytest.raises(UsageError, match="'empty' has no trained"):
        compare_views([pair[0], load_view(memory, "empty")])


def test_members_beyond_a_given_reference_are_told(pair: list[StudyView]) -> None:
    found = compare_views(pair, reference=(0.9, 6.0))
    assert "2 members of the front of 'poor' lie beyond" in " ".join(found.warnings)


def test_trials_differ_or_are_tied_within_their_intervals(write: Write, memory: BaseStorage) -> None:
    written = write()
    a, b, c = written.completed(0.9, 2.0), written.completed(0.89, 2.1), written.completed(0.5, 4.0)
    view = load_view(memory, "study")
    rows = {r.metric: r.figures for r in compare_trials(view, [a, b, c]).rows}
    assert [f.best for f in rows["accuracy"]] == [True, False, False]
    assert [f.tied for f in rows["accuracy"]] == [False, True, False]
    assert [f.tied for f in rows["latency_ms"]] == [False, True, False]
    text = rendered(comparison_table(compare_trials(view, [a, b, c])))
    assert "≈ 2.10 ms ±5%" in text
    json.dumps(compare_trials(view, [a, c]).to_json(), allow_nan=False)


def test_trials_that_cannot_be_compared_are_named(write: Write, memory: BaseStorage) -> None:
    written = write()
    a, lost = written.completed(0.9, 2.0), written.lost("infeasible", "macs 6 M above 5 M")
    view = load_view(memory, "study")
    with pytest.raises(UsageError, match="it ended infeasible \\(macs 6 M above 5 M\\)"):
        compare_trials(view, [a, lost])
    with pytest.raises(StudyNotFoundError, match="no trial 9"):
        compare_trials(view, [a, 9])
    with pytest.raises(UsageError, match="two different trials"):
        compare_trials(view, [a, a])


def test_names_are_no_formulas(write: Write, memory: BaseStorage, tmp_path: Any) -> None:
    for name in ("$\\frac$", "_hidden"):
        write(name).search(6)
    views = [load_view(memory, n) for n in ("$\\frac$", "_hidden")]
    found = compare_views(views)
    assert len(write_comparison_figures(views, found, tmp_path)) == 4
    from nasopt.report.comparison_figures import histories_figure

    labels = histories_figure(views, found).axes[1].get_legend_handles_labels()[1]
    assert labels == ["$\\frac$", " _hidden"]
