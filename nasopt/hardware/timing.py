"""Taking latencies on a machine that is not quiet: interleaved blocks, a drift gate, and intervals that admit it.

Blocks of each candidate run between blocks of a frozen reference network. A block whose neighbouring reference blocks
are off their rolling baseline says more about the machine than about the candidate, so it is set aside and repeated.
Interleaving and randomised order follow Google Benchmark's `--benchmark_enable_random_interleaving`; pairing with an
adjacent reference follows arXiv 2001.05811.
"""

from __future__ import annotations

import gc
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nasopt.errors import MeasurementError
from nasopt.records import Interval, Latency, TimingProtocol

Array = np.ndarray[Any, np.dtype[np.float64]]
Run = Callable[[], object]

_REFERENCE_SHARE = 0.25
"""Time of a reference block as a share of the candidate block beside it."""
_REFERENCE_RUNS = (5, 200)
_BASELINE_BLOCKS = 64
_COOLDOWN_S = (0.02, 0.5)
_STUDENT = (12.706, 4.303, 3.182, 2.776)
"""97.5% quantiles of Student's t with 1 to 4 degrees of freedom."""


@dataclass(slots=True)
class Reference:
    """The reference network and the memory of how long its blocks took."""

    run: Run
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=_BASELINE_BLOCKS))
    """Medians of the latest blocks, in ms."""

    @property
    def baseline_ms(self) -> float:
        """Median of the latest blocks."""
        return float(np.median(self.recent))

    def settle(self) -> None:
        """Warm up and fill the baseline, the first time."""
        if not self.recent:
            _warm_up(self.run, TimingProtocol(warmup_runs=20, warmup_s=0.05, max_s=1.0))
            for _ in range(10):
                self.block(20)

    def block(self, runs: int) -> float:
        """Median of this many runs, in ms, noted for the baseline."""
        median = float(np.median(_timed(self.run, runs)))
        self.recent.append(median)
        return median


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Consecutive runs of one candidate and how the reference did around them."""

    times_ms: Array
    reference_ms: float
    """Mean of the medians before and after."""
    drift: float
    """Larger deviation of the two from the baseline, as a fraction of it."""


def _timed(run: Run, runs: int) -> Array:
    """Milliseconds of each of this many calls."""
    clock = time.perf_counter_ns
    ticks = np.empty((runs, 2), dtype=np.int64)
    for i in range(runs):
        start = clock()
        run()
        ticks[i] = start, clock()
    times: Array = (ticks[:, 1] - ticks[:, 0]) / 1e6
    if not (times > 0).all():
        raise MeasurementError("the clock did not advance during a run; a time of zero is not a measurement")
    return times


def _warm_up(run: Run, protocol: TimingProtocol) -> float:
    """Run until warm; the typical time of a run, in ms."""
    start = time.perf_counter()
    times: list[float] = []
    while len(times) < max(protocol.warmup_runs, 3) or time.perf_counter() - start < protocol.warmup_s:
        times.append(float(_timed(run, 1)[0]))
        if time.perf_counter() - start > protocol.max_s:
            break
    return float(np.median(times[-50:]))


@contextmanager
def _undisturbed() -> Iterator[None]:
    """No garbage collection while runs are timed."""
    enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _block_sizes(typical_ms: Sequence[float], protocol: TimingProtocol) -> list[int]:
    """Runs in a block of each candidate, so that all blocks together fit `max_s`."""
    sizes = []
    for ms in typical_ms:
        wanted = max(protocol.min_runs, math.ceil(protocol.min_s * 1e3 / ms))
        affordable = protocol.max_s * 1e3 / len(typical_ms) / (ms * (1 + _REFERENCE_SHARE))
        sizes.append(max(1, math.ceil(min(wanted, affordable) / protocol.blocks)))
    return sizes


def time_interleaved(
    runs: Sequence[Run], reference: Reference, protocol: TimingProtocol, *, seed: int = 0
) -> list[Latency]:
    """Latency of each candidate, all measured in one interleaved run.

    `max_s` bounds the time after warm-up, calm-downs included, for each candidate; the order within a round is random.
    """
    with _undisturbed():
        reference.settle()
        typical = [_warm_up(run, protocol) for run in runs]
        blocks = _interleave(runs, typical, reference, protocol, np.random.default_rng(seed))
    return [_summary(taken, protocol) for taken in blocks]


def _interleave(
    runs: Sequence[Run],
    typical_ms: Sequence[float],
    reference: Reference,
    protocol: TimingProtocol,
    draw: np.random.Generator,
) -> list[list[Block]]:
    sizes = _block_sizes(typical_ms, protocol)
    block_ms = float(np.mean([s * ms for s, ms in zip(sizes, typical_ms, strict=True)]))
    low, high = _REFERENCE_RUNS
    reference_runs = int(np.clip(_REFERENCE_SHARE * block_ms / reference.baseline_ms, low, high))
    taken: list[list[Block]] = [[] for _ in runs]
    deadline = time.perf_counter() + protocol.max_s * len(runs)
    calm_s = _COOLDOWN_S[0]
    before = reference.block(reference_runs)
    while missing := [i for i, done in enumerate(taken) if len(_quiet(done, protocol)) < protocol.blocks]:
        for i in draw.permutation(missing):
            times = _timed(runs[i], sizes[i])
            after, baseline = reference.block(reference_runs), reference.baseline_ms
            drift = max(abs(before / baseline - 1), abs(after / baseline - 1))
            taken[i].append(Block(times_ms=times, reference_ms=(before + after) / 2, drift=drift))
            before = after
            left = deadline - time.perf_counter()
            if left <= 0 and min(map(len, taken)) >= 2:
                return taken
            if drift > protocol.drift_limit and left > 0:
                time.sleep(min(calm_s, left))
                calm_s = min(2 * calm_s, _COOLDOWN_S[1])
                before = reference.block(reference_runs)
            else:
                calm_s = _COOLDOWN_S[0]
    return taken


def _quiet(blocks: Sequence[Block], protocol: TimingProtocol) -> list[Block]:
    return [b for b in blocks if b.drift <= protocol.drift_limit]


def _summary(blocks: Sequence[Block], protocol: TimingProtocol) -> Latency:
    quiet = _quiet(blocks, protocol)
    valid = len(quiet) >= max(2, min(len(blocks), (protocol.blocks + 1) // 2))
    used = quiet if valid else list(blocks)
    pooled = np.concatenate([b.times_ms for b in used])
    median = float(np.median(pooled))
    return Latency(
        median_ms=median,
        p90_ms=float(np.quantile(pooled, 0.9)),
        min_ms=float(pooled.min()),
        mad_ms=float(np.median(np.abs(pooled - median))),
        ci95_ms=block_interval([float(np.median(b.times_ms)) for b in used], median),
        runs=len(pooled),
        provenance="measured",
        reference_ratio=float(np.median([np.median(b.times_ms) / b.reference_ms for b in used])),
        valid=valid,
    )


def block_interval(medians: Sequence[float], centre: float) -> Interval:
    """A 95% interval of the median from the medians of blocks, widened to hold `centre`.

    Runs within a block share the machine's mood, so blocks and not runs are the independent observations. With six
    blocks or more it is the interval between order statistics (no assumption on the distribution, coverage at least
    95%), with fewer Student's t.
    """
    values = np.sort(np.asarray(medians, dtype=np.float64))
    count = len(values)
    if count >= 6:
        # leave out k blocks at each end: the largest k with P(at most k of `count` fair coins) <= 2.5%
        skip = max(k for k in range(count // 2) if sum(math.comb(count, j) for j in range(k + 1)) <= 0.025 * 2**count)
        low, high = float(values[skip]), float(values[count - 1 - skip])
    elif count >= 2:
        half = float(_STUDENT[count - 2] * values.std(ddof=1) / math.sqrt(count))
        low, high = float(values.mean()) - half, float(values.mean()) + half
    else:
        raise MeasurementError("one block of runs has no interval; use 2 blocks or more")
    return max(0.0, min(low, centre)), max(high, centre)
