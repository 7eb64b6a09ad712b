"""Decisions, quality and costs of routing, against slow and obvious computations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from nasopt.records import Cost
from nasopt.routing import costs
from nasopt.routing.decisions import decide, is_correct, optimal_exits, route, sweep
from nasopt.routing.statistics import class_table, routed_quality

N, CLASSES = 40, 7
LOGITS = arrays.arrays(np.float32, (N, CLASSES), elements=st.floats(-8, 8, width=32))
LABELS = arrays.arrays(np.int64, N, elements=st.integers(0, CLASSES - 1))
SCORES = arrays.arrays(np.float32, N, elements=st.floats(0, 1, width=32))


@given(LOGITS, LOGITS, SCORES, LABELS)
def test_a_sweep_holds_every_threshold(
    little: np.ndarray, big: np.ndarray, scores: np.ndarray, labels: np.ndarray
) -> None:
    curve = sweep(little, big, scores, labels)
    assert curve.exit_rate[0] == 0
    assert curve.exit_rate[-1] == 1
    assert len(curve.tau) == len(np.unique(scores)) + 1
    for tau, rate, accuracy in zip(curve.tau, curve.exit_rate, curve.accuracy, strict=True):
        quality = routed_quality(little, big, scores, labels, tau)
        assert quality["exit_rate"] == pytest.approx(rate)
        assert quality["accuracy"] == pytest.approx(accuracy)


@given(LOGITS, LOGITS, SCORES, LABELS, st.floats(0, 1))
def test_routing_accuracy_counts_decisions_one_by_one(
    little: np.ndarray, big: np.ndarray, scores: np.ndarray, labels: np.ndarray, tau: float
) -> None:
    right = 0
    for i in range(N):
        little_right, big_right = little[i].argmax() == labels[i], big[i].argmax() == labels[i]
        exits = scores[i] >= np.float32(tau)
        right += exits == bool(little_right or not big_right)
    assert routed_quality(little, big, scores, labels, tau)["routing_accuracy"] == pytest.approx(right / N)


@given(LOGITS, LOGITS, LABELS)
def test_no_routing_beats_the_optimal_one(little: np.ndarray, big: np.ndarray, labels: np.ndarray) -> None:
    optimal = optimal_exits(is_correct(little, labels), is_correct(big, labels))
    best = is_correct(route(little, big, optimal), labels).mean()
    assert best == (is_correct(little, labels) | is_correct(big, labels)).mean()


def test_class_table_leaves_out_absent_classes() -> None:
    labels = np.array([0, 0, 2])
    rows = class_table(np.eye(3)[[0, 1, 2]], np.array([True, False, True]), labels, ("a", "b", "c"))
    assert rows == [
        {"class": "a", "images": 2, "accuracy": 0.5, "exit_rate": 0.5},
        {"class": "c", "images": 1, "accuracy": 1.0, "exit_rate": 1.0},
    ]


def cost(value: float, half: float = 0.0) -> Cost:
    return Cost(value=value, ci95=(value - half, value + half), provenance="measured")


@given(st.floats(0, 1), st.floats(0.1, 10), st.floats(0.1, 10))
def test_expected_cost_is_the_mean_over_inputs(rate: float, easy: float, big: float) -> None:
    paths = costs.PathCosts(easy=cost(easy), big=cost(big))
    expected = costs.expected(paths, exit_rate=rate, inputs=100)
    assert expected.value == pytest.approx(rate * easy + (1 - rate) * (easy + big))
    assert expected.ci95[0] <= expected.value <= expected.ci95[1]
    assert easy - 1e-9 <= expected.ci95[0]
    assert expected.ci95[1] <= easy + big + 1e-9


def test_the_interval_of_an_expected_cost_covers() -> None:
    """Over many samples of inputs and measurements, about 95% of the intervals hold the true expectation."""
    draw = np.random.default_rng(0)
    rate, easy, big, inputs, noise = 0.7, 1.0, 4.0, 200, 0.1
    hits = 0
    for _ in range(2000):
        seen = draw.binomial(inputs, rate) / inputs
        paths = costs.PathCosts(
            easy=cost(easy + noise * draw.normal(), 1.96 * noise), big=cost(big + noise * draw.normal(), 1.96 * noise)
        )
        low, high = costs.expected(paths, exit_rate=seen, inputs=inputs).ci95
        hits += low <= easy + (1 - rate) * big <= high
    assert 0.93 <= hits / 2000 <= 0.975


def test_quantiles_over_inputs_are_of_one_path_or_the_other() -> None:
    paths = costs.PathCosts(easy=cost(1.0), big=cost(3.0))
    assert costs.quantile(paths, exit_rate=0.9, q=0.9).value == 1.0
    assert costs.quantile(paths, exit_rate=0.89, q=0.9).value == 4.0
    assert costs.worst(paths, exit_rate=1.0).value == 1.0
    assert costs.worst(paths, exit_rate=0.999).value == 4.0


def test_batched_latency_against_simulation() -> None:
    by_batch = {1: cost(1.0), 8: cost(5.0), 32: cost(14.0)}
    got = costs.batched_latency(cost(10.0), by_batch, batch=32, exit_rate=0.6, inputs=500)
    hard = np.random.default_rng(0).binomial(32, 0.4, size=200_000)
    simulated = 10.0 + np.interp(hard, [0, 1, 8, 32], [0, 1, 5, 14]).mean()
    assert got.value == pytest.approx(simulated, rel=2e-3)
    assert got.ci95[0] < got.value < got.ci95[1]
    none_hard = costs.batched_latency(cost(10.0), by_batch, batch=32, exit_rate=1.0, inputs=500)
    assert none_hard.value == 10.0
    all_hard = costs.batched_latency(cost(10.0), by_batch, batch=32, exit_rate=0.0, inputs=500)
    assert all_hard.value == 24.0


def test_costs_of_different_provenance_are_not_added() -> None:
    estimated = Cost(value=1.0, ci95=(0.5, 2.0), provenance="estimated")
    with pytest.raises(ValueError, match="cannot add"):
        costs.expected(costs.PathCosts(easy=cost(1.0), big=estimated), exit_rate=0.5, inputs=10)
    with pytest.raises(ValueError, match="different provenance"):
        costs.batched_latency(cost(1.0), {1: estimated}, batch=2, exit_rate=0.5, inputs=10)


def test_a_decision_is_made_in_single_precision() -> None:
    tau = 0.7
    assert decide(np.array([np.float32(tau)]), tau).all()
    assert not math.isclose(float(np.float32(tau)), tau, rel_tol=1e-9)
