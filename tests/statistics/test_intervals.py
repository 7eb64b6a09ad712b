"""Bootstrap intervals against loops that draw one by one, and against scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from nasopt.statistics.intervals import holding, overlap, percentile_interval, resamples

VALUES = arrays.arrays(np.float64, st.integers(2, 12), elements=st.floats(-100, 100))


@settings(max_examples=40)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=4), st.integers(1, 50))
def test_rows_are_drawn_resample_by_resample(sizes: list[int], times: int) -> None:
    draw = np.random.default_rng(0)
    rows = resamples(*sizes, times=times)
    assert [r.shape for r in rows] == [(times, size) for size in sizes]
    for time in range(times):
        for sample, size in zip(rows, sizes, strict=True):
            assert sample[time].tolist() == draw.integers(size, size=size).tolist()


def test_rows_of_stored_intervals() -> None:
    """Other rows would give networks that were measured once another interval."""
    assert resamples(5, times=2)[0].tolist() == [[4, 3, 2, 1, 1], [0, 0, 0, 0, 4]]
    first, second = resamples(3, 7, times=2)
    assert first.tolist() == [[2, 1, 1], [1, 2, 1]]
    assert second.tolist() == [[1, 2, 0, 0, 0, 1, 5], [4, 6, 5, 4, 3, 3, 6]]


@settings(deadline=None, max_examples=40)
@given(VALUES)
def test_the_interval_of_a_mean_agrees_with_scipy(values: np.ndarray) -> None:
    (rows,) = resamples(len(values), times=500)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=500, rng=np.random.default_rng(0), method="percentile"
    ).confidence_interval
    assert percentile_interval(values[rows].mean(axis=1)) == pytest.approx(tuple(theirs), abs=1e-9)


@settings(deadline=None, max_examples=20)
@given(VALUES)
def test_pairs_are_drawn_together_as_by_scipy(values: np.ndarray) -> None:
    table = np.column_stack([values + 200, np.arange(len(values)) + 1.0])
    (rows,) = resamples(len(table), times=300)
    ratios = table[rows].mean(axis=1)

    def ratio(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
        return x.mean(axis=axis) / y.mean(axis=axis)

    theirs = stats.bootstrap(
        tuple(table.T), ratio, paired=True, n_resamples=300, rng=np.random.default_rng(0), method="percentile"
    ).confidence_interval
    assert percentile_interval(ratios[:, 0] / ratios[:, 1]) == pytest.approx(tuple(theirs), rel=1e-9)


def test_intervals_of_means_cover() -> None:
    """About 95% of the intervals hold the true mean, a little less as is known of percentiles of 30 values."""
    draw = np.random.default_rng(0)
    (rows,) = resamples(30, times=500)
    hits = 0
    for _ in range(1000):
        low, high = percentile_interval(draw.normal(1.0, 0.3, size=30)[rows].mean(axis=1))
        hits += low <= 1.0 <= high
    assert 0.91 <= hits / 1000 <= 0.97


@given(arrays.arrays(np.float64, st.integers(1, 60), elements=st.floats(-1e6, 1e6)))
def test_percentiles_lie_between_neighbours(figures: np.ndarray) -> None:
    ranked = np.sort(figures)
    for end, share in zip(percentile_interval(figures), (0.025, 0.975), strict=True):
        place = share * (len(ranked) - 1)
        below, above = int(np.floor(place)), min(int(np.floor(place)) + 1, len(ranked) - 1)
        expected = ranked[below] + (place - below) * (ranked[above] - ranked[below])
        assert end == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_an_interval_is_widened_to_hold_its_figure() -> None:
    assert holding((1.0, 2.0), 1.5) == (1.0, 2.0)
    assert holding((1.0, 2.0), 0.5) == (0.5, 2.0)
    assert holding((1.0, 2.0), 2.5) == (1.0, 2.5)


def test_intervals_that_touch_overlap() -> None:
    assert overlap((0, 1), (1, 2))
    assert not overlap((0, 1), (1.1, 2))
