"""Intervals of counted shares against scipy and published values, and the weights of a batch's counts against sums."""

from __future__ import annotations

import math
import subprocess
import sys
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nasopt.statistics.binomial import Z95, Z95_ROUNDED, binomial_weights, plus_four_error, wilson


@st.composite
def counted(draw: st.DrawFn) -> tuple[int, int]:
    inputs = draw(st.integers(1, 10_000))
    return draw(st.integers(0, inputs)), inputs


def test_the_quantile_is_that_of_the_normal_distribution() -> None:
    assert pytest.approx(stats.norm.ppf(0.975), rel=1e-15) == Z95
    assert round(Z95, 6) == Z95_ROUNDED


def test_wilson_agrees_with_its_published_example() -> None:
    # 81 of 263, in the worked example of Newcombe (1998, table I): 0.2553 to 0.3662
    assert wilson(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)


@given(counted())
def test_wilson_agrees_with_scipy(seen: tuple[int, int]) -> None:
    expected = stats.binomtest(*seen).proportion_ci(method="wilson")
    assert wilson(seen[0] / seen[1], seen[1]) == pytest.approx(tuple(expected), rel=1e-12, abs=1e-15)


@given(st.integers(1, 500), st.data())
def test_wilson_holds_its_share_and_stays_in_range(inputs: int, data: st.DataObject) -> None:
    share = data.draw(st.integers(0, inputs)) / inputs
    low, high = wilson(share, inputs)
    assert 0 <= low <= share + 1e-12
    assert share - 1e-12 <= high <= 1
    assert high - low > 0


def test_an_interval_of_a_share_takes_no_seconds_of_imports() -> None:
    program = (
        "import sys\n"
        "from nasopt.statistics import binomial, classification, intervals, significance\n"
        "binomial.wilson(0.9, 288), binomial.plus_four_error(0.9, 288), intervals.overlap((0, 1), (1, 2))\n"
        "significance.holm([0.1, 0.2]), intervals.percentile_interval([0.0, 1.0])\n"
        "assert not {'scipy', 'sklearn', 'torch', 'matplotlib'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


@given(counted())
def test_two_more_of_either_outcome(seen: tuple[int, int]) -> None:
    right, inputs = seen
    share = Fraction(right + 2, inputs + 4)
    error = plus_four_error(right / inputs, inputs)
    assert error == pytest.approx(Z95 * math.sqrt(share * (1 - share) / (inputs + 4)), rel=1e-7)
    assert error == pytest.approx(plus_four_error(1 - right / inputs, inputs))
    assert error > 0


@pytest.mark.parametrize("share", [0.05, 0.5, 0.93])
@pytest.mark.parametrize("inputs", [20, 100, 1000])
def test_two_more_of_either_outcome_cover(share: float, inputs: int) -> None:
    """The chance that the interval around the adjusted share holds the true one, summed over all counts."""
    covered = 0.0
    for right, weight in enumerate(binomial_weights(inputs, share)):
        centre = (right + 2) / (inputs + 4)
        covered += weight * (abs(centre - share) <= plus_four_error(right / inputs, inputs))
    assert 0.93 <= covered <= 0.99


@given(st.integers(0, 64), st.floats(0, 1).map(lambda rate: 1.0 - rate))
def test_weights_against_exact_sums(trials: int, probability: float) -> None:
    p = Fraction(probability)
    exact = [float(math.comb(trials, k) * p**k * (1 - p) ** (trials - k)) for k in range(trials + 1)]
    assert binomial_weights(trials, probability) == pytest.approx(exact, rel=1e-10, abs=1e-300)


def test_certain_outcomes_have_all_the_weight() -> None:
    assert binomial_weights(3, 0.0).tolist() == [1, 0, 0, 0]
    assert binomial_weights(3, 1.0).tolist() == [0, 0, 0, 1]
