from __future__ import annotations

import time
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasopt.errors import MeasurementError
from nasopt.hardware.timing.summary import Reference, block_interval, time_interleaved
from nasopt.records import Latency, TimingProtocol

pytestmark = pytest.mark.timed

PROTOCOL = TimingProtocol(
    warmup_runs=3, warmup_s=0, min_runs=60, min_s=0, max_s=2.0, blocks=6, drift_limit=0.5, tight_enough=9.0
)


def spin(milliseconds: float) -> None:
    end = time.perf_counter() + milliseconds / 1e3
    while time.perf_counter() < end:
        pass


class TestInterval:
    @given(st.lists(st.floats(0.01, 100), min_size=2, max_size=40), st.floats(0.01, 100))
    def test_holds_its_centre_and_is_not_negative(self, medians: list[float], centre: float) -> None:
        low, high = block_interval(medians, centre)
        assert 0 <= low <= centre <= high

    @pytest.mark.parametrize("blocks", [2, 3, 5, 6, 10, 30])
    def test_covers_the_median_in_95_of_100_cases(self, blocks: int) -> None:
        draw = np.random.default_rng(blocks)
        samples = draw.normal(10.0, 0.5, size=(2000, blocks))
        intervals = [block_interval(row, float(np.median(row))) for row in samples.tolist()]
        covered = np.mean([low <= 10.0 <= high for low, high in intervals])
        assert covered >= 0.94
        if blocks == 30:  # and is not just wide
            assert covered < 0.985

    def test_leaves_out_one_block_of_ten_at_each_end(self) -> None:
        assert block_interval([9.0, 1, 2, 3, 4, 5, 6, 7, 8, 50.0], 5.0) == (2, 9)

    def test_one_block_has_none(self) -> None:
        with pytest.raises(MeasurementError, match="2 blocks or more"):
            block_interval([1.0], 1.0)


class TestInterleaving:
    def test_recovers_known_times_and_their_ratio_to_the_reference(self) -> None:
        reference = Reference(run=lambda: spin(0.2))
        first, second = time_interleaved([lambda: spin(0.4), lambda: spin(1.0)], reference, PROTOCOL)
        assert first.median_ms == pytest.approx(0.4, rel=0.05)
        assert second.median_ms == pytest.approx(1.0, rel=0.05)
        assert first.reference_ratio == pytest.approx(2.0, rel=0.05)
        assert first.ratio_ci95 is not None
        assert first.ratio_ci95[0] <= first.reference_ratio <= first.ratio_ci95[1]
        for latency in (first, second):
            assert latency.provenance == "measured"
            assert latency.runs >= 60
            assert latency.min_ms <= latency.median_ms <= latency.p90_ms
            assert latency.ci95_ms[0] <= latency.median_ms <= latency.ci95_ms[1]
            assert latency.mad_ms < 0.1 * latency.median_ms

    def test_blocks_of_all_candidates_alternate_with_the_reference_in_random_order(self) -> None:
        log: list[str] = []

        def noting(name: str) -> None:
            if not log or log[-1] != name:
                log.append(name)
            spin(0.05)

        runs = [lambda: noting("a"), lambda: noting("b")]
        time_interleaved(runs, Reference(run=lambda: noting("r")), replace(PROTOCOL, blocks=12, drift_limit=9.0))
        counted = log[log.index("b") + 1 :]  # after the warm-ups
        assert counted[0] == "r"
        assert all((left == "r") != (right == "r") for left, right in pairwise(counted))
        order = [name for name in counted if name != "r"]
        assert order.count("a") == order.count("b") == 12
        assert len({tuple(order[i : i + 2]) for i in range(0, 24, 2)}) == 2

    def test_a_disturbed_stretch_is_repeated_and_does_not_count(self) -> None:
        """The machine halves its speed for a while; the reference tells, and the slow blocks are taken again."""
        began = time.perf_counter()

        def slowdown() -> float:
            return 2.5 if 0.15 < time.perf_counter() - began < 0.3 else 1.0

        reference = Reference(run=lambda: spin(0.1 * slowdown()))
        reference.settle()
        began = time.perf_counter()
        protocol = replace(PROTOCOL, min_runs=800, blocks=8)
        (latency,) = time_interleaved([lambda: spin(0.3 * slowdown())], reference, protocol)
        assert latency.valid
        assert latency.p90_ms < 0.5
        assert latency.median_ms == pytest.approx(0.3, rel=0.05)

    def test_a_machine_that_never_settles_makes_the_measurement_invalid(self) -> None:
        calls = 0

        def restless() -> None:
            nonlocal calls
            calls += 1
            spin((0.05, 0.4, 0.1, 0.2)[calls // 5 % 4])

        start = time.perf_counter()
        protocol = replace(PROTOCOL, max_s=0.4, drift_limit=0.1)
        (latency,) = time_interleaved([lambda: spin(0.2)], Reference(run=restless), protocol)
        assert not latency.valid
        assert latency.median_ms == pytest.approx(0.2, rel=0.05)  # what was seen is still told
        assert time.perf_counter() - start < 4.0

    def test_the_time_of_a_slow_candidate_is_bounded(self) -> None:
        protocol = replace(PROTOCOL, min_runs=1000, max_s=0.2, warmup_runs=2)
        start = time.perf_counter()
        (latency,) = time_interleaved([lambda: time.sleep(0.03)], Reference(run=lambda: spin(0.05)), protocol)
        assert time.perf_counter() - start < 4.0
        assert latency.runs >= 2
        assert latency.median_ms == pytest.approx(30, rel=0.2)

    def test_goes_on_until_the_ratio_is_known_well_enough_and_no_longer(self) -> None:
        draw = np.random.default_rng(0)

        def noisy() -> None:
            spin(float(draw.uniform(0.05, 0.15)))

        def taken(tight_enough: float) -> Latency:
            protocol = replace(PROTOCOL, min_runs=30, drift_limit=9.0, tight_enough=tight_enough)
            return time_interleaved([noisy], Reference(run=lambda: spin(0.1)), protocol)[0]

        loose, tight = taken(9.0), taken(0.08)
        assert loose.runs == 30
        assert tight.runs > 60
        assert tight.ratio_ci95 is not None
        assert tight.reference_ratio is not None
        assert np.diff(tight.ratio_ci95) <= 2 * 0.08 * tight.reference_ratio

    def test_an_interval_that_never_gets_tight_ends_with_the_time(self) -> None:
        start = time.perf_counter()
        protocol = replace(PROTOCOL, max_s=0.3, tight_enough=1e-9)
        (latency,) = time_interleaved([lambda: spin(0.1)], Reference(run=lambda: spin(0.05)), protocol)
        assert 0.3 < time.perf_counter() - start < 4.0
        assert latency.runs > 200
        assert latency.valid

    def test_fewer_runs_give_a_wider_interval(self) -> None:
        draw = np.random.default_rng(0)

        def noisy() -> None:
            spin(float(draw.uniform(0.05, 0.15)))

        def width(blocks: int, runs: int) -> float:
            protocol = replace(PROTOCOL, blocks=blocks, min_runs=runs, drift_limit=9.0)
            (latency,) = time_interleaved([noisy], Reference(run=lambda: spin(0.05)), protocol)
            return latency.ci95_ms[1] - latency.ci95_ms[0]

        assert width(3, 6) > 2 * width(20, 1000)

    def test_a_clock_that_stands_still_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(time, "perf_counter_ns", lambda: 1)
        with pytest.raises(MeasurementError, match="clock did not advance"):
            time_interleaved([lambda: None], Reference(run=lambda: None), PROTOCOL)


class TestProcessorTime:
    """What is left where other programs take the processor away: here sleep stands for their turns."""

    @staticmethod
    def work(milliseconds: float) -> None:
        end = time.thread_time() + milliseconds / 1e3
        while time.thread_time() < end:
            pass

    def test_turns_of_other_programs_do_not_count(self) -> None:
        def interrupted() -> None:
            self.work(1.0)
            time.sleep(0.004)

        (taken,) = time_interleaved([interrupted], Reference(run=lambda: self.work(0.2)), PROTOCOL)
        assert taken.median_ms > 4.9
        assert taken.processor_ratio == pytest.approx(5.0, rel=0.05)
        assert taken.processor_ratio_ci95 is not None
        assert taken.processor_ratio_ci95[0] <= taken.processor_ratio <= taken.processor_ratio_ci95[1]

    def test_it_is_not_told_where_others_do_the_work(self) -> None:
        elsewhere = Reference(run=lambda: time.sleep(0.0005))
        assert time_interleaved([lambda: self.work(0.3)], elsewhere, PROTOCOL)[0].processor_ratio is None
        here = Reference(run=lambda: self.work(0.2))
        (threaded,) = time_interleaved([lambda: self.work(0.3)], here, replace(PROTOCOL, threads=2))
        assert threaded.processor_ratio is None
