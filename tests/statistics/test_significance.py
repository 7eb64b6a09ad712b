"""Paired tests and their correction, against scipy, published values and their own definitions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nasopt.statistics.significance import average_ranks, holm, paired_p, pairs_needed, smallest_p

SHARES = st.lists(st.integers(0, 1000).map(lambda v: v / 1000), min_size=2, max_size=9)


def by_hand(first: list[float], second: list[float]) -> float:
    """All sign flips of the signed ranks, zeros keeping their rank."""
    differences = np.round(np.subtract(first, second), 12)
    if not differences.any():
        return 1.0
    ranks = stats.rankdata(np.abs(differences))
    signed = np.sign(differences) * ranks
    sums = [
        sum(s * abs(r) for s, r in zip(signs, signed, strict=True))
        for signs in itertools.product((-1, 1), repeat=len(signed))
    ]
    return sum(abs(total) >= abs(signed.sum()) - 1e-9 for total in sums) / len(sums)


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_p_is_that_of_all_sign_flips(data: st.DataObject) -> None:
    first = data.draw(SHARES)
    second = data.draw(st.lists(st.sampled_from([*first, 0.5]), min_size=len(first), max_size=len(first)))
    p = paired_p(first, second)
    assert p == pytest.approx(by_hand(first, second))
    assert p == pytest.approx(paired_p(second, first))
    assert smallest_p(len(first)) <= p * (1 + 1e-9) <= 1 + 1e-6


def test_without_ties_it_is_wilcoxons_exact_test() -> None:
    rng = np.random.default_rng(3)
    first, second = rng.random(12), rng.random(12) + 0.1
    assert paired_p(first, second) == pytest.approx(stats.wilcoxon(first, second, method="exact").pvalue)
    assert paired_p([0.9] * 20, [0.8] * 19 + [0.9]) < 0.001  # ties and a zero, more pairs than can be enumerated
    assert paired_p([0.5, 0.6], [0.5, 0.6]) == 1.0


def test_all_wins_give_the_smallest_p() -> None:
    for pairs in range(2, 11):
        first = [0.5 + i / 100 for i in range(pairs)]
        assert paired_p(first, [0.1] * pairs) == pytest.approx(smallest_p(pairs))
    assert smallest_p(3) == 0.25
    assert smallest_p(0) == 1.0


def test_pairs_needed_is_the_first_that_suffices() -> None:
    assert pairs_needed(1, 0.05) == 6  # 2 / 2^5 is .0625, 2 / 2^6 is .031
    assert pairs_needed(28, 0.05) == 11
    for tests in (1, 3, 10, 45):
        enough = pairs_needed(tests, 0.05)
        assert tests * smallest_p(enough) <= 0.05 < tests * smallest_p(enough - 1)


def test_holm_gives_the_published_example() -> None:
    # R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.7, 0.6]) == [1.0, 1.0]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_between_the_raw_values_and_bonferronis(ps: list[float]) -> None:
    adjusted = holm(ps)
    for p, corrected in zip(ps, adjusted, strict=True):
        assert p <= corrected <= min(1.0, p * len(ps)) + 1e-12
    order = np.argsort(ps, kind="stable")
    assert list(np.array(adjusted)[order]) == sorted(adjusted)
    # what it rejects is what the step-down procedure rejects
    rejected = 0
    for rank, index in enumerate(order):
        if ps[index] * (len(ps) - rank) > 0.05:
            break
        rejected += 1
    assert sum(p <= 0.05 for p in adjusted) == rejected


def test_average_ranks() -> None:
    scores = np.array([[0.9, 0.8, 0.7], [0.7, 0.7, 0.9]])
    assert list(average_ranks(scores)) == [1.75, 2.25, 2.0]
