"""Hypervolume, its reference point and its history."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.storages import BaseStorage

from nasopt.errors import UsageError
from nasopt.report.hypervolume import at, history, hypervolume, reference_point, spent
from nasopt.report.view import load_view

Write = Callable[..., Any]


def test_two_boxes_by_hand() -> None:
    assert hypervolume(np.array([[1.0, 3.0], [2.0, 1.0]]), np.array([4.0, 4.0])) == pytest.approx(3 + 4)


def test_points_beyond_the_reference_count_nothing() -> None:
    assert hypervolume(np.array([[5.0, 0.0], [np.inf, np.inf]]), np.array([4.0, 4.0])) == 0
    assert hypervolume(np.empty((0, 2)), np.array([4.0, 4.0])) == 0


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=8))
def test_it_equals_the_count_of_dominated_cells(points: list[tuple[int, int]]) -> None:
    cells = sum(any(a <= x and b <= y for a, b in points) for x in range(10) for y in range(10))
    assert hypervolume(np.array(points, dtype=float), np.array([10.0, 10.0])) == pytest.approx(cells)


def test_the_reference_is_the_nadir_of_the_union_and_a_tenth_of_its_range(write: Write, memory: BaseStorage) -> None:
    first, second = write("a"), write("b")
    first.completed(0.9, 4.0)
    first.completed(0.5, 9.0)  # dominated: no part of a front
    second.completed(0.7, 2.0)
    views = [load_view(memory, n) for n in "ab"]
    assert reference_point(views) == pytest.approx([-0.7 + 0.02, 4.0 + 0.2])
    assert reference_point(views, fixed=(0.1, 20.0)) == pytest.approx([-0.1, 20.0])
    with pytest.raises(UsageError, match="expected one each for accuracy, latency_ms"):
        reference_point(views, fixed=(1.0,))


def test_one_point_alone_dominates_something(write: Write, memory: BaseStorage) -> None:
    write().completed(0.9, 4.0)
    view = load_view(memory, "study")
    assert hypervolume(view.losses(view.front()), reference_point([view])) == pytest.approx(0.09 * 0.4)


def test_without_a_front_there_is_no_reference(write: Write, memory: BaseStorage) -> None:
    write().lost("infeasible")
    with pytest.raises(UsageError, match="no finished feasible trial in study"):
        reference_point([load_view(memory, "study")])


def test_history_never_falls_and_ends_at_the_front(write: Write, memory: BaseStorage) -> None:
    written = write().search(30)
    written.completed(0.999, 0.01, over=1.0)  # infeasible: no progress
    view = load_view(memory, "study")
    point = reference_point([view])
    budget, reached = history(view, point)
    assert list(budget) == list(range(1, 32))
    assert (np.diff(reached) >= 0).all()
    assert reached[-1] == reached[-2] == pytest.approx(hypervolume(view.losses(view.front()), point))
    whole = [hypervolume(view.losses(view.finished()[:k]), point) for k in (1, 10, 30)]
    assert [reached[0], reached[9], reached[29]] == pytest.approx(whole)


def test_seconds_charge_the_supernet_and_what_failed_before(write: Write, memory: BaseStorage) -> None:
    written = write()
    for _ in range(2):
        written.completed(0.9, 4.0)
    view = load_view(memory, "study")
    first, second = view.trials
    assert list(spent(view, by="seconds")) == [44.0, 48.0]
    assert first.finished is not None
    just_after = first.finished + timedelta(microseconds=1)
    lost = replace(second, number=2, ended="diverged", outcome=None, seconds=100.0, finished=just_after)
    late = replace(lost, number=3, finished=first.finished + timedelta(days=1))
    assert list(spent(replace(view, trials=(first, second, lost, late)), by="seconds")) == [44.0, 148.0]


def test_a_history_is_read_at_a_budget() -> None:
    budget, reached = np.array([10.0, 20.0]), np.array([0.3, 0.5])
    assert [at(budget, reached, b) for b in (9.9, 10.0, 15.0, 99.0)] == [0.0, 0.3, 0.3, 0.5]
