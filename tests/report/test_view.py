"""Reading studies that Optuna wrote."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.storages import BaseStorage

from nasopt.errors import StudyNotFoundError, UsageError
from nasopt.report.view import load_view, study_names
from nasopt.statistics.binomial import wilson

Write = Callable[..., Any]


def test_every_ending_is_told_apart(write: Write, storage: BaseStorage) -> None:
    written = write(storage=storage)
    expected = {
        written.completed(0.9, 2.0): "completed",
        written.lost("infeasible"): "infeasible",
        written.lost("diverged"): "diverged",
        written.failed("device lost"): "device lost",
        written.failed("interrupted"): "interrupted",
        written.running(): "running",
    }
    view = load_view(storage, "study")
    assert {t.number: t.ended for t in view.trials} == expected
    assert [t.number for t in view.finished()] == [0]
    assert [t.feasible for t in view.trials] == [True, False, True, True, True, True]
    assert view.trials[1].reason == "because"
    assert view.counts()["infeasible"] == 1


def test_a_trial_without_a_mark_was_added_elsewhere(write: Write, memory: BaseStorage) -> None:
    written = write()
    trial = written.study.ask()
    written.study.tell(trial, state=optuna.trial.TrialState.FAIL)
    assert load_view(memory, "study").trials[0].ended == "added elsewhere"


def test_the_study_is_read_back(write: Write, memory: BaseStorage) -> None:
    written = write()
    number = written.completed(0.9, 2.0)
    written.session(trials=3)
    written.session(energy_kwh=None, host={"cpu": "an example CPU", "cores": 2, "system": "Linux"})
    written.study.set_user_attr("test_scores", {str(number): {"accuracy": 0.88, "images": 360}})
    view = load_view(memory, "study")
    assert [(o.metric, o.direction) for o in view.objectives] == [("accuracy", "maximize"), ("latency_ms", "minimize")]
    assert view.test_scores == {number: {"accuracy": 0.88, "images": 360}}
    assert [s.energy_kwh for s in view.sessions] == [0.02, None]
    assert view.sessions[0].trials == 3
    assert [s.host for s in view.sessions] == ["desk", "an example CPU, 2 cores"]
    assert view.seed == 7
    assert view.trials[0].seconds == 4.0
    assert view.provenances("latency_ms") == ("measured",)
    assert view.provenances("accuracy") == ()
    assert view.constraints[0].max == 5e6


def test_the_front_is_feasible_nondominated_and_sorted(write: Write, memory: BaseStorage) -> None:
    written = write()
    slow = written.completed(0.95, 9.0)
    fast = written.completed(0.80, 1.0)
    written.completed(0.80, 2.0)  # dominated
    twin = written.completed(0.95, 9.0)  # equal to the first
    written.completed(0.99, 0.5, over=1.0)  # better than all, and refused
    written.lost("infeasible")
    view = load_view(memory, "study")
    assert [t.number for t in view.front()] == [slow, fast]
    assert twin not in [t.number for t in view.front()]


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=12))
def test_no_member_of_the_front_is_dominated_and_all_others_are_covered(points: list[tuple[int, int]]) -> None:
    from dataclasses import replace

    losses = np.array([(-a / 10, float(b)) for a, b in points])
    view = _TEMPLATE
    trials = tuple(replace(view.trials[0], number=i, values=(-float(a), float(b))) for i, (a, b) in enumerate(losses))
    front = replace(view, trials=trials).front()
    kept = losses[[t.number for t in front]]
    assert len({tuple(k) for k in kept}) == len(kept)
    for k in kept:
        assert not any((o <= k).all() and (o < k).any() for o in losses)
    for point in losses:
        assert any((k <= point).all() for k in kept)


def _template() -> Any:
    from nasopt.report.view import Objective, StudyView, TrialView

    trial = TrialView(
        number=0, state="complete", params={}, distributions={}, values=(0.5, 1.0), outcome=None, ended="completed",
        reason="", constraints={}, started=None, finished=None, wall_s=0.0,
        seconds=0.0,
    )  # fmt: skip
    return StudyView(
        name="s",
        objectives=(
            Objective(metric="accuracy", direction="maximize"),
            Objective(metric="latency_ms", direction="minimize"),
        ),
        constraints=(), trials=(trial,), spec={}, data={}, devices=(), supernet={}, sessions=(), host={}, versions={},
        git="", seed=0, artifacts=None, contest=None, test_scores={},
    )  # fmt: skip


_TEMPLATE = _template()


def test_a_missing_study_names_those_that_exist(write: Write, memory: BaseStorage) -> None:
    write("quickstart")
    with pytest.raises(StudyNotFoundError, match="did you mean 'quickstart'"):
        load_view(memory, "quikstart")
    with pytest.raises(StudyNotFoundError, match="it holds quickstart"):
        load_view(memory, "zzz")


def test_an_empty_database_says_how_to_fill_it(memory: BaseStorage) -> None:
    with pytest.raises(StudyNotFoundError, match="nasopt run"):
        load_view(memory, "any")


def test_a_study_of_something_else_is_refused(write: Write, memory: BaseStorage) -> None:
    optuna.create_study(storage=memory, study_name="foreign")
    write("ours")
    assert study_names(memory) == ["ours"]
    with pytest.raises(UsageError, match="not made by nasopt"):
        load_view(memory, "foreign")


def test_a_missing_trial_is_named(write: Write, memory: BaseStorage) -> None:
    write().completed(0.9, 2.0)
    with pytest.raises(StudyNotFoundError, match="no trial 7; its trials are 0 to 0"):
        load_view(memory, "study").trial(7)


def test_intervals_come_from_the_cost_or_from_counting(write: Write, memory: BaseStorage) -> None:
    write().completed(0.9, 2.0)
    view = load_view(memory, "study")
    trial = view.trials[0]
    assert view.figure(trial, "latency_ms") == (2.0, (1.9, 2.1))
    _, counted = view.figure(trial, "accuracy")  # type: ignore[misc]
    assert counted == pytest.approx(wilson(0.9, 287))
    assert view.figure(trial, "ece") == (0.02, None)
    assert view.figure(trial, "energy_mj") is None


def test_thousands_of_trials_load_quickly(write: Write, memory: BaseStorage) -> None:
    written = write()
    written.search(20)
    stored = written.study.trials
    for index in range(3000):
        memory.create_new_trial(written.study._study_id, template_trial=stored[index % 20])
    start = time.perf_counter()
    view = load_view(memory, "study")
    front = view.front()
    assert time.perf_counter() - start < 1.5
    assert len(view.trials) == 3020
    assert len(front) == len({tuple(t.values) for t in written.study.best_trials})
