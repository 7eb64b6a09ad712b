"""Calibration error and top-k accuracy against loops, scipy and scikit-learn."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats
from scipy.special import softmax
from sklearn.metrics import top_k_accuracy_score

from nasopt.statistics.classification import expected_calibration_error, top_k_accuracy

N, CLASSES = 40, 7
LOGITS = arrays.arrays(np.float32, (N, CLASSES), elements=st.floats(-8, 8, width=32))
COARSE = arrays.arrays(np.float32, (N, CLASSES), elements=st.integers(-2, 2).map(float))
"""As of networks in 8 bits: many are equal."""
LABELS = arrays.arrays(np.int64, N, elements=st.integers(0, CLASSES - 1))


@given(LOGITS, LABELS, st.integers(1, CLASSES - 1))
def test_top_k_agrees_with_scikit_learn(logits: np.ndarray, labels: np.ndarray, k: int) -> None:
    logits = logits + np.arange(N * CLASSES).reshape(N, CLASSES) * 1e-3  # no ties, which either may break as it likes
    expected = top_k_accuracy_score(labels, logits, k=k, labels=range(CLASSES))
    assert top_k_accuracy(logits, labels, k) == pytest.approx(expected)


@given(st.one_of(LOGITS, COARSE), LABELS, st.integers(1, CLASSES - 1))
def test_ties_leave_room_only_at_the_last_place(logits: np.ndarray, labels: np.ndarray, k: int) -> None:
    """Surely in: fewer than k others are as large. Surely out: k others are larger."""
    own = logits[np.arange(N), labels][:, None]
    surely = ((logits >= own).sum(axis=1) <= k).mean()
    at_most = ((logits > own).sum(axis=1) < k).mean()
    assert surely <= top_k_accuracy(logits, labels, k) <= at_most


@given(COARSE, st.integers(1, CLASSES - 1))
def test_of_equal_logits_exactly_k_are_in(logits: np.ndarray, k: int) -> None:
    shares = [top_k_accuracy(logits, np.full(N, label), k) for label in range(CLASSES)]
    assert sum(shares) == pytest.approx(k)


@given(COARSE, LABELS, st.integers(CLASSES, CLASSES + 3))
def test_no_more_classes_than_k_is_no_warning(logits: np.ndarray, labels: np.ndarray, k: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert top_k_accuracy(logits, labels, k) == 1


def test_two_classes_and_logits_that_are_not_finite_have_a_top_k() -> None:
    assert top_k_accuracy(np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([1, 1]), 1) == 0.5
    assert top_k_accuracy(np.array([[np.inf, 0.0, 1.0]]), np.array([0]), 1) == 1


def test_calibration_error_of_known_cases() -> None:
    sure = np.eye(4)[[0, 1, 2, 3]] * 100.0
    assert expected_calibration_error(sure, np.array([0, 1, 2, 3])) == pytest.approx(0, abs=1e-6)
    assert expected_calibration_error(sure, np.array([1, 0, 3, 2])) == pytest.approx(1)
    even = np.zeros((4, 4))
    assert expected_calibration_error(even, np.array([0, 0, 0, 0])) == pytest.approx(0.75)


@given(st.one_of(LOGITS, COARSE), LABELS, st.integers(1, 20))
def test_calibration_error_against_a_loop(logits: np.ndarray, labels: np.ndarray, bins: int) -> None:
    confidence = softmax(logits.astype(np.float64), axis=1).max(axis=1)
    correct = logits.argmax(axis=1) == labels
    bin_of = [min(int(c * bins), bins - 1) for c in confidence]
    total = 0.0
    for number in range(bins):
        inside = np.array([b == number for b in bin_of])
        if inside.any():
            total += inside.sum() * abs(confidence[inside].mean() - correct[inside].mean())
    assert expected_calibration_error(logits, labels, bins=bins) == pytest.approx(total / N, abs=1e-9)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_calibration_error_agrees_with_the_bins_of_scipy(seed: int) -> None:
    draw = np.random.default_rng(seed)  # no confidence on an edge
    logits, labels = draw.normal(size=(200, CLASSES)), draw.integers(CLASSES, size=200)
    confidence = softmax(logits, axis=1).max(axis=1)
    gap = confidence - (logits.argmax(axis=1) == labels)
    sums = stats.binned_statistic(confidence, gap, "sum", bins=15, range=(0, 1)).statistic
    assert expected_calibration_error(logits, labels) == pytest.approx(np.abs(sums).sum() / 200)
