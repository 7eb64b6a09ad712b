"""Contests as their readers see them: leaderboard, figures, report, also while they run."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.storages import BaseStorage
from rich.console import Console

from nasopt.errors import UsageError
from nasopt.records import StudyKeys
from nasopt.report import compare_views, comparison_table, write_comparison_figures, write_contest_report
from nasopt.report.contest_figures import curves, median_surface
from nasopt.report.contests import by_contest, pooled_front
from nasopt.report.leaderboard_tables import verdict
from nasopt.report.status import status_table
from nasopt.report.view import Objective, StudyView, load_view, study_names

TWO = (("accuracy", "maximize"), ("latency_ms", "minimize"))
THREE = (*TWO, ("energy_mj", "minimize"))
Contest = Callable[..., list[StudyView]]


@pytest.fixture
def contest(write: Callable[..., Any], memory: BaseStorage) -> Contest:
    """`contest(trials, objectives, **record)`: a, b and c, the later the dearer; `trials` may be by (label, seed)."""

    def make(trials: Any = 8, objectives: Any = TWO, seeds: Sequence[int] = range(6), **record: Any) -> list[StudyView]:
        names = []
        for place, label in enumerate("abc"):
            for seed in seeds:
                membership = {"name": "k", "label": label, "seed": seed, "labels": list("abc"), "seeds": list(seeds)}
                study = write(
                    name := f"k/{label}/{seed}", objectives=objectives, seed=seed, contest=membership | record
                )
                spec = copy.deepcopy(study.study.user_attrs["spec"])
                spec["study"]["trials"] = 8
                study.study.set_user_attr("spec", spec | {"sampler": {"name": "tpe", "options": {"n": place}}})
                count = trials(label, seed) if callable(trials) else trials
                study.search(count, seed=seed, shift=float(place))
                names.append(name)
        return [load_view(memory, n) for n in names]

    return make


def text_of(views: Sequence[StudyView]) -> str:
    console = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(comparison_table(compare_views(views)))
    return console.export_text()


def test_the_cheaper_is_found_to_be_better(contest: Contest) -> None:
    found = compare_views(contest())
    board = found.leaderboard
    assert board is not None
    assert found.contest == "k"
    assert [s.method for s in board.standings] == ["a", "b", "c"]
    assert [s.spread("trials", 1.0).rank for s in board.standings] == [1.0, 2.0, 3.0]
    final = [t for t in board.tests if (t.by, t.fraction) == ("trials", 1.0)]
    assert [(t.first, t.second) for t in final] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert all(t.p == pytest.approx(2 / 64) and t.p_holm == pytest.approx(6 / 64) for t in final)
    assert not board.can_tell  # six seeds are too few for three tests
    assert "Run at least 7 seeds" in verdict(board)
    json.dumps(found.to_json(), allow_nan=False)


def status_rows(views: Sequence[StudyView], **options: Any) -> list[str]:
    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(status_table(views, **options))
    return console.export_text().splitlines()


def test_the_status_of_a_contest_is_one_row(contest: Contest, write: Callable[..., Any], memory: BaseStorage) -> None:
    contest(lambda label, seed: 8 if label == "a" else 3, seeds=[0, 1], objectives=TWO)
    optuna.delete_study(study_name="k/c/1", storage=memory)
    written = write("k/c/1", contest={"name": "k", "label": "c", "seed": 1, "labels": list("abc"), "seeds": [0, 1]})
    written.completed(0.99, 99.0)
    written.lost("infeasible")
    written.session()
    write("k/alone").search(2).session()
    views = [load_view(memory, name) for name in study_names(memory)]
    rows = status_rows(views)
    told = "\n".join(rows)
    assert [row.split()[0] for row in rows[3:] if row[:1] == "k"] == ["k", "k/alone"]
    assert "6 studies, 26 of 64 trials" in told  # 2 x 8 + 3 x 3 + 1, and five studies of 8 with one of 24
    assert told.count("1 infeasible") == 1
    assert "#0 of k/c/1" in told  # no other has so high an accuracy
    assert f" {len(pooled_front(views[:-1]))} " in next(row for row in rows if "26 of 64" in row)
    assert "nasopt status --members" in told
    singly = status_rows(views, members=True)
    assert [row.split()[0] for row in singly[3:] if row[:1] == "k"] == [v.name for v in views]
    assert "--members" not in "\n".join(singly)


def test_the_report_has_the_test_scores_of_the_front(contest: Contest, memory: BaseStorage, tmp_path: Path) -> None:
    views = contest(4, seeds=[0, 1])
    assert "accuracy on test" not in write_contest_report(views, tmp_path).markdown.read_text()
    first, *others = pooled_front(views)
    assert others
    scores = {str(first[1].number): {"accuracy": 0.8125, "images": 360.0}}
    memory.set_study_user_attr(memory.get_study_id_from_name(first[0].name), StudyKeys.TEST_SCORES, scores)
    content = write_contest_report([load_view(memory, v.name) for v in views], tmp_path).markdown.read_text()
    rows = content.split("accuracy on test", 1)[1].splitlines()[2 : 3 + len(others)]
    assert "81.2% ±4.4" in rows[0]
    assert all("–" in row for row in rows[1:])  # not scored yet


def test_contests_of_one_name_in_two_databases_are_two(contest: Contest) -> None:
    views = contest(1, seeds=[0, 1])
    names = [v.name for v in views]
    assert [[v.name for v in group] for group in by_contest([*views, *views])] == [names, names]  # a copied database
    elsewhere = [replace(v, spec=v.spec | {"study": {"storage": "sqlite:///b.db"}}, name=v.name + "0") for v in views]
    assert [len(group) for group in by_contest([*views, *elsewhere])] == [6, 6]
    assert [row.split()[0] for row in status_rows(views[:1]) if row[:1] == "k"] == ["k/a/0"]  # one alone is itself


def test_a_control_makes_fewer_tests(contest: Contest) -> None:
    board = compare_views(contest(seeds=range(7), control="c")).leaderboard
    assert board is not None
    final = [t for t in board.tests if (t.by, t.fraction) == ("trials", 1.0)]
    assert [(t.first, t.second) for t in final] == [("c", "a"), ("c", "b")]
    assert board.can_tell
    assert verdict(board) == "Significant at 0.05 after Holm's correction: a beats c, b beats c."


def test_a_fixed_reference_is_taken(contest: Contest) -> None:
    views = contest(seeds=[0, 1], reference=[0.5, 20.0])
    assert compare_views(views).reference == pytest.approx((0.5, 20.0))


def test_unfinished_seeds_are_left_out(contest: Contest) -> None:
    found = compare_views(contest(lambda label, seed: 3 if (label, seed) == ("b", 2) else 8, seeds=range(3)))
    assert {s.seed for s in found.studies} == {0, 1}
    assert any("left out (2)" in w for w in found.warnings)


def test_before_a_seed_is_finished_all_are_compared_at_what_they_have(contest: Contest) -> None:
    views = contest(lambda label, seed: {("a", 0): 4, ("b", 0): 3, ("c", 0): 3}.get((label, seed), 0), seeds=[0, 1])
    found = compare_views(views)
    assert {s.seed for s in found.studies} == {0}
    assert next(h.budget for h in found.hypervolume if (h.by, h.fraction) == ("trials", 1.0)) == 3
    assert any("not over" in w for w in found.warnings)


def test_nothing_to_compare_yet(contest: Contest) -> None:
    with pytest.raises(UsageError, match="no seed of the contest 'k' has a finished trial of every competitor"):
        compare_views(contest(lambda label, seed: 1 if label == "a" else 0, seeds=[0]))


def test_the_table_fits_a_terminal_and_has_no_row_a_study(contest: Contest) -> None:
    text = text_of(contest())
    assert "Leaderboard of k by trials" in text
    assert "By device-seconds" in text
    assert "By the clock" in text
    assert "k/a/0" not in text


@pytest.mark.parametrize("objectives", [TWO, THREE])
def test_report_and_figures_are_written(contest: Contest, objectives: Any, tmp_path: Path) -> None:
    views = contest(5, objectives, seeds=range(2))
    files = write_comparison_figures(views, compare_views(views), tmp_path / "figures")
    assert sorted(f.name for f in files) == ["attainment.png", "attainment.svg", "histories.png", "histories.svg"]
    report = write_contest_report(views, tmp_path / "report")
    text = report.markdown.read_text()
    assert "nasopt report: k" in text
    front = pooled_front(views)
    assert all(f"| {v.name} | {t.number} |" in text for v, t in front)
    assert report.html.read_text().count("data:image/svg") >= 4  # two figures, for light and dark pages


def test_the_pooled_front_is_that_of_all_trials(contest: Contest) -> None:
    views = contest(6, seeds=range(2))
    losses = np.concatenate([v.losses(v.finished()) for v in views])
    front = np.array([v.losses([t])[0] for v, t in pooled_front(views)])
    for row in losses:
        assert (front <= row).all(axis=1).any()
    for row in front:
        assert not ((losses <= row).all(axis=1) & (losses < row).any(axis=1)).any()


def test_curves_share_their_steps() -> None:
    runs = [(np.array([1.0, 3.0]), np.array([0.2, 0.6])), (np.array([2.0, 9.0]), np.array([0.5, 0.9]))]
    x, values = curves(runs, 4.0)
    assert list(x) == [0, 1, 2, 3, 4]
    assert values.tolist() == [[0, 0.2, 0.2, 0.6, 0.6], [0, 0, 0.5, 0.5, 0.5]]


def test_the_median_surface_is_what_half_of_the_runs_attain() -> None:
    up, across = Objective(metric="accuracy", direction="maximize"), Objective(metric="macs", direction="minimize")
    runs = [np.array([[-0.9, 3.0]]), np.array([[-0.8, 2.0]]), np.array([[-0.7, 1.0]])]
    assert median_surface(runs, up, across) == [(0.7, 2.0), (0.8, 3.0)]
    assert median_surface([np.empty((0, 2)), np.empty((0, 2)), runs[0]], up, across) == []
