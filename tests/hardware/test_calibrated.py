"""Calibrated latencies: one scale for a device, whatever the machine's mood, and nothing where no reference ran."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from nasopt.cache import Cache
from nasopt.evaluation.measuring import restored
from nasopt.hardware import backend_for, load_profile, measure_all
from nasopt.hardware.timing.reference_scale import calibrated
from nasopt.records import Energy, Latency, Measurement, TimingProtocol
from nasopt.testing import graphs

pytestmark = pytest.mark.timed

PROTOCOL = TimingProtocol(warmup_s=0.0, min_runs=20, min_s=0.02, max_s=0.4, blocks=4, drift_limit=0.5)


class Board:
    """A backend by its signature alone."""

    def __init__(self, **signature: Any) -> None:
        self._signature = {"device": "board", "meter": "none"} | signature

    def signature(self) -> dict[str, Any]:
        return self._signature


def taken(ratio: float, reference_ms: float, *, valid: bool = True) -> Measurement:
    median = ratio * reference_ms
    latency = Latency(
        median_ms=median, p90_ms=median, min_ms=median, mad_ms=0.0, ci95_ms=(0.9 * median, 1.1 * median), runs=50,
        provenance="measured", reference_ratio=ratio, ratio_ci95=(0.99 * ratio, 1.01 * ratio), valid=valid,
        reference_ms=reference_ms, calibrated_ms=median, calibrated_ci95_ms=(0.99 * median, 1.01 * median),
    )  # fmt: skip
    return Measurement(
        device="board", backend="b", provider="p", runtime="r", latency=latency, energy=None, peak_memory_mb=None
    )


def take(cache: Cache, measurement: Measurement, threads: int = 1, **signature: Any) -> Latency:
    protocol = TimingProtocol(threads=threads)
    (found,) = calibrated(Board(**signature), [measurement], protocol, cache=cache)  # type: ignore[arg-type]
    return found.latency


def test_the_first_steady_measurement_sets_the_scale(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    assert take(cache, taken(4.0, 0.9, valid=False)).calibrated_ms == pytest.approx(3.6)  # not steady: its own
    first = take(cache, taken(4.0, 0.5))
    assert (first.calibrated_ms, first.calibrated_ci95_ms) == (pytest.approx(2.0), pytest.approx((1.98, 2.02)))
    slow = take(cache, taken(4.0, 1.5))  # the whole machine is three times slower
    assert slow.median_ms == pytest.approx(6.0)
    assert slow.calibrated_ms == slow.figure_ms == pytest.approx(2.0)
    assert slow.figure_ci95_ms == slow.calibrated_ci95_ms
    assert slow.reference_ms == 0.5
    assert take(Cache(tmp_path), taken(4.0, 1.5, valid=False), meter="rapl").calibrated_ms == pytest.approx(2.0)


@pytest.mark.parametrize("other", [{"device": "another"}, {"runtime": "newer"}, {"threads": 2}])
def test_another_device_runtime_or_number_of_threads_has_its_own(tmp_path: Path, other: dict[str, Any]) -> None:
    cache = Cache(tmp_path)
    take(cache, taken(4.0, 0.5))
    assert take(cache, taken(4.0, 0.8), **other).calibrated_ms == pytest.approx(3.2)


def test_a_damaged_scale_is_made_anew(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    take(cache, taken(4.0, 0.5))
    (file,) = (tmp_path / "references").glob("*.json")
    file.write_text('{"reference_ms": ')
    assert take(cache, taken(4.0, 0.8)).calibrated_ms == pytest.approx(3.2)


def test_modelled_energy_goes_with_the_latency_that_counts(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    take(cache, taken(4.0, 0.5))
    modelled = Energy(gross_mj=60.0, net_mj=None, ci95_mj=(54, 66), windows=0, meter="m", provenance="estimated")
    metered = replace(modelled, windows=5, provenance="measured")
    pair = [replace(taken(4.0, 1.5), energy=energy) for energy in (modelled, metered)]
    first, second = calibrated(Board(), pair, TimingProtocol(), cache=cache)  # type: ignore[arg-type]
    assert first.energy is not None
    assert first.energy.gross_mj == pytest.approx(20.0)  # 10 W for 2 ms
    assert first.energy.ci95_mj == pytest.approx((19.8, 20.2))
    assert second.energy == metered


def test_predicted_latencies_are_left_alone(tmp_path: Path) -> None:
    backend = backend_for(load_profile("jetson_nano"))
    (found,) = measure_all(backend, [graphs.write_classifier(tmp_path / "m.onnx")], TimingProtocol())
    assert found.latency.calibrated_ms is None
    assert found.latency.figure_ms == found.latency.median_ms


def test_real_measurements_are_calibrated_and_can_be_kept(tmp_path: Path) -> None:
    backend = backend_for(load_profile("local"), meter="none")
    models = [graphs.write_classifier(tmp_path / f"{side}.onnx", side=side) for side in (8, 32)]
    small, large = measure_all(backend, models, PROTOCOL)
    assert small.latency.reference_ms == large.latency.reference_ms
    assert 0 < small.latency.figure_ms < large.latency.figure_ms
    assert large.latency.calibrated_ms == pytest.approx(large.latency.median_ms, rel=1.0)
    assert restored(json.loads(json.dumps(asdict(large)))) == large
