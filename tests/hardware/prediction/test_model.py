from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasopt.errors import MeasurementError
from nasopt.hardware.prediction.kernels import Kernel
from nasopt.hardware.prediction.model import Array, KernelModel, Network, fit, quantities
from nasopt.hardware.prediction.validation import cross_validated, errors, interval_factor, predicted_beyond


def conv(inputs: int, outputs: int, side: int) -> Kernel:
    return Kernel(
        kind="pointwise",
        operations=2.0 * inputs * outputs * side**2,
        read=float(inputs * side**2),
        written=float(outputs * side**2),
        weights=float(inputs * outputs),
        channels=(inputs, outputs),
        side=side,
    )


def depthwise(channels: int, side: int, size: int) -> Kernel:
    values = float(channels * side**2)
    shape = {"channels": (channels, channels), "side": side, "size": size}
    weights = float(channels * size**2)
    work = {"operations": 2 * values * size**2, "read": values, "written": values, "weights": weights}
    return Kernel(kind="depthwise", **work, **shape)


POOL = Kernel(kind="pool", read=4096, written=4096, channels=(16, 16), side=16, size=3)


def networks(number: int, seed: int = 0) -> list[Network]:
    draw = np.random.default_rng(seed)

    def one() -> Network:
        found: Counter[Kernel] = Counter()
        for _ in range(draw.integers(3, 9)):
            channels, side = int(draw.choice([8, 16, 24, 32, 64])), int(draw.choice([8, 16, 32]))
            found[conv(channels, int(draw.choice([16, 32, 96])), side)] += 1
            found[depthwise(channels, side, int(draw.choice([3, 5])))] += 1
        return found

    return [one() for _ in range(number)]


def truth(nets: list[Network], noise: float = 0.0, seed: int = 1) -> Array:
    """A device on which small maps are slow, which no rate can say."""

    def cost(kernel: Kernel) -> float:
        slow = 1.3 if kernel.side == 8 else 1.0
        return slow * (0.002 + kernel.operations / 1e7 + (kernel.read + kernel.written) / 4e6)

    exact = np.array([0.1 + sum(times * cost(k) for k, times in net.items()) for net in nets])
    return exact * np.exp(noise * np.random.default_rng(seed).standard_normal(len(nets)))


def test_it_learns_a_device_whose_kernels_are_no_roofline() -> None:
    nets = networks(300)
    costs = truth(nets)
    model = fit(nets[:80], costs[:80])
    found = errors(model.predict(nets[80:]), costs[80:], 1.0, "networks")
    assert found.within_10 > 0.99
    assert found.spearman is not None
    assert found.spearman > 0.995
    rates_alone = errors(KernelModel(rates=model.rates).predict(nets[80:]), costs[80:], 1.0, "networks")
    assert found.median < rates_alone.median / 2


def test_rates_are_never_negative_and_outliers_do_not_move_them() -> None:
    nets = networks(120)
    costs = truth(nets, noise=0.02)
    spoiled = costs.copy()
    spoiled[::12] *= 4
    model = fit(nets, spoiled)
    assert min(model.rates.values()) >= 0
    assert np.median(np.abs(model.predict(nets) / costs - 1)) < 0.03


@settings(max_examples=25, deadline=None)
@given(channels=st.integers(1, 128), side=st.integers(1, 64), factor=st.integers(2, 4))
def test_rates_charge_more_work_at_least_as_much(channels: int, side: int, factor: int) -> None:
    model = KernelModel(rates=dict.fromkeys(quantities(conv(1, 1, 1)), 0.3) | {"network": 1.0})
    small, large = model.costs([conv(channels, channels, side), conv(channels, factor * channels, side)])
    assert 0 < small <= large


def test_a_network_is_the_sum_of_its_kernels() -> None:
    nets = networks(60)
    model = fit(nets, truth(nets))
    one, other = nets[0], nets[1]
    both = Counter(one) + Counter(other)
    constant = model.rates["network"]
    assert model.predict([both])[0] == pytest.approx(model.predict([one, other]).sum() - constant)


def test_a_kind_that_was_never_seen_is_refused() -> None:
    nets = networks(20)
    model = fit(nets, truth(nets))
    with pytest.raises(MeasurementError, match="never seen a kernel like 'pool'"):
        model.predict([{POOL: 1}])


@pytest.mark.parametrize("costs", [[1, 2, 3], [1, 2, 3, 4, 0], [1, 2, 3, 4, np.nan]])
def test_too_little_or_impossible_data_is_refused(costs: list[float]) -> None:
    with pytest.raises(ValueError, match="at least 5 networks with a positive cost"):
        fit(networks(len(costs)), np.array(costs, dtype=float))


def test_the_interval_holds_what_it_says() -> None:
    nets = networks(700)
    costs = truth(nets, noise=0.05)
    fitted, rest = nets[:200], nets[200:]
    factor = interval_factor(cross_validated(fitted, costs[:200]), costs[:200])
    found = errors(fit(fitted, costs[:200]).predict(rest), costs[200:], factor, "networks")
    assert 0.91 <= found.coverage <= 0.985


def test_errors_by_hand() -> None:
    found = errors(np.array([1.0, 2.1, 3.9]), np.array([1.0, 2.0, 3.0]), 1.1, "rows")
    assert found.within_10 == pytest.approx(2 / 3)
    assert found.coverage == pytest.approx(2 / 3)
    assert found.median == pytest.approx(0.05)
    assert found.worst == pytest.approx(0.3)
    assert found.spearman == pytest.approx(1)
    assert str(found) == "66.7% of 3 rows within 10%, Spearman 1.000, 95% interval holds 67%"
    assert interval_factor(np.array([1.0, 1.1]), np.array([1.0, 1.0])) == pytest.approx(1.1)


def test_extrapolation_is_tried_on_the_dearest() -> None:
    nets = networks(60)
    costs = truth(nets)
    predicted, true = predicted_beyond(nets, costs)
    assert sorted(true) == sorted(costs)[-12:]
    assert np.isfinite(predicted).all()


@pytest.mark.parametrize("lanes", [1, 16])
def test_vectors_of_a_device_are_found_in_its_costs(lanes: int) -> None:
    draw = np.random.default_rng(3)

    def one() -> Network:
        sides = draw.choice([8, 16, 32], size=6)
        return Counter(conv(*(int(c) for c in draw.integers(17, 60, size=2)), int(side)) for side in sides)

    def cost(kernel: Kernel) -> float:
        inputs, outputs = (-(-c // lanes) * lanes for c in kernel.channels)
        return 0.005 + 2.0 * inputs * outputs * kernel.side**2 / 1e7

    nets = [one() for _ in range(160)]
    costs = np.array([sum(times * cost(k) for k, times in net.items()) for net in nets])
    model = fit(nets[:80], costs[:80])
    assert model.lanes == lanes
    assert np.max(np.abs(model.predict(nets[80:]) / costs[80:] - 1)) < 0.02
    assert lanes == 1 or np.max(np.abs(fit(nets[:80], costs[:80], lanes=1).predict(nets[80:]) / costs[80:] - 1)) > 0.05


def test_a_cost_that_is_known_badly_counts_less() -> None:
    nets = networks(200)
    costs, spread = truth(nets), np.full(60, 0.005)
    measured = costs[:60].copy()
    measured[::2] *= np.exp(0.3 * np.random.default_rng(2).standard_normal(30))
    spread[::2] = 0.3

    def error(**known: Array) -> float:
        return float(np.median(np.abs(fit(nets[:60], measured, **known).predict(nets[60:]) / costs[60:] - 1)))

    assert error(spread=spread) < 0.7 * error()
