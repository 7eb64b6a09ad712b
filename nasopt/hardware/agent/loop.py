"""The timing loop: blocks of each candidate between blocks of a frozen reference network, and a drift gate.

A block whose neighbouring reference blocks are off their rolling baseline says more about the machine than about the
candidate, so it is set aside and repeated. Interleaving and randomised order follow Google Benchmark's
`--benchmark_enable_random_interleaving`; pairing with an adjacent reference follows arXiv 2001.05811.
"""

import gc
import math
import time
from collections import deque
from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from .intervals import block_interval
from .refusals import RefusedError

Run = Callable[[], object]
Protocol = Mapping[str, Any]
"""The fields of `nasopt.records.TimingProtocol` by name."""

REFERENCE_SHARE = 0.25
"""Time of a reference block as a share of the candidate block beside it."""
_REFERENCE_RUNS = (5, 200)
_BASELINE_BLOCKS = 64
_COOLDOWN_S = (0.02, 0.5)
_ALONE = 0.9
_UNHURRIED = 0.1
_SETTLING = {"warmup_runs": 20, "warmup_s": 0.05, "max_s": 1.0}


class Reference:
    """The reference network and the memory of how long its blocks took."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.recent: "deque[float]" = deque(maxlen=_BASELINE_BLOCKS)
        """Medians of the latest blocks, in ms."""
        self.busy_ms: Optional[float] = None
        """Processor time of the latest block, see `Block`."""

    @property
    def baseline_ms(self) -> float:
        """Median of the latest blocks."""
        return float(np.median(self.recent))

    def settle(self) -> None:
        """Warm up and fill the baseline, the first time."""
        if not self.recent:
            warm_up(self.run, _SETTLING)
            for _ in range(10):
                self.block(20)

    def block(self, runs: int) -> float:
        """Median of this many runs, in ms, noted for the baseline."""
        times, busy = timed(self.run, runs)
        median = float(np.median(times)) / 1e6
        self.recent.append(median)
        self.busy_ms = _unhurried_ms(busy) if _alone(times, busy) else None
        return median


class Block:
    """Consecutive runs of one candidate and how the reference did around them."""

    def __init__(
        self,
        times_ns: Any,
        reference_ms: float,
        drift: float,
        busy_ms: Optional[float] = None,
        reference_busy_ms: Optional[float] = None,
    ) -> None:
        self.busy_ms = busy_ms
        """Processor time of unhurried runs; None where it cannot be told."""
        self.reference_busy_ms = reference_busy_ms
        """The reference's: mean of before and after."""
        self.times_ns = np.asarray(times_ns, dtype=np.int64)
        self.reference_ms = reference_ms
        """Mean of the medians before and after."""
        self.drift = drift
        """Larger deviation of the two from the baseline, as a fraction of it."""
        self.median_ms = float(np.median(self.times_ns)) / 1e6

    @property
    def ratio(self) -> float:
        """To the reference beside it."""
        return self.median_ms / self.reference_ms

    @property
    def busy_ratio(self) -> Optional[float]:
        """Processor time of unhurried runs against the reference's beside it; None where it cannot be told."""
        if self.busy_ms is None or self.reference_busy_ms is None:
            return None
        return self.busy_ms / self.reference_busy_ms

    def to_json(self) -> Dict[str, Any]:
        """Plain JSON values; `Block(**values)` restores it."""
        return {
            "times_ns": self.times_ns.tolist(),
            "reference_ms": self.reference_ms,
            "drift": self.drift,
            "busy_ms": self.busy_ms,
            "reference_busy_ms": self.reference_busy_ms,
        }


def timed_ns(run: Run, runs: int) -> Any:
    """Nanoseconds of each of this many calls, of shape (runs,)."""
    return timed(run, runs)[0]


def timed(run: Run, runs: int) -> Tuple[Any, Any]:
    """Nanoseconds of each of this many calls by the clock, and of this thread on the processor, each (runs,).

    What runs elsewhere and times itself there has a method `block_ns(runs)` that gives the first; the second is 0.
    """
    elsewhere = getattr(run, "block_ns", None)
    if elsewhere is not None:
        taken = np.asarray(elsewhere(runs), dtype=np.int64)
        return taken, np.zeros_like(taken)
    clock = getattr(time, "perf_counter_ns", _clock_ns)  # Python 3.7
    busy_clock = getattr(time, "thread_time_ns", int)  # always 0 where there is none
    ticks = np.empty((runs, 4), dtype=np.int64)
    for i in range(runs):
        busy = busy_clock()
        start = clock()
        run()
        ticks[i] = start, clock(), busy, busy_clock()
    times = ticks[:, 1] - ticks[:, 0]
    if not (times > 0).all():
        raise RefusedError("the clock did not advance during a run; a time of zero is not a measurement")
    return times, ticks[:, 3] - ticks[:, 2]


def _alone(times_ns: Any, busy_ns: Any) -> bool:
    """Whether all work is this thread's: what nobody disturbed took as long on the processor as by the clock."""
    return bool(np.median(busy_ns / times_ns) > _ALONE)


def _unhurried_ms(busy_ns: Any) -> float:
    """Processor time of runs that others disturbed least, in ms: caches are cold after another program had its turn."""
    return float(np.quantile(busy_ns, _UNHURRIED)) / 1e6


def _clock_ns() -> int:
    return int(time.perf_counter() * 1e9)


def warm_up(run: Run, protocol: Protocol) -> float:
    """Run until warm; the typical time of a run, in ms. What runs elsewhere warms up in every block by itself."""
    if hasattr(run, "block_ns"):
        return float(np.median(timed_ns(run, max(protocol["warmup_runs"], 3)))) / 1e6
    start = time.perf_counter()
    times: List[int] = []
    while len(times) < max(protocol["warmup_runs"], 3) or time.perf_counter() - start < protocol["warmup_s"]:
        times.append(timed_ns(run, 1)[0])
        if time.perf_counter() - start > protocol["max_s"]:
            break
    return float(np.median(times[-50:])) / 1e6


@contextmanager
def undisturbed() -> Iterator[None]:
    """No garbage collection while runs are timed."""
    enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def quiet(blocks: Sequence[Block], protocol: Protocol) -> List[Block]:
    """The blocks during which the reference kept to its baseline."""
    return [b for b in blocks if b.drift <= protocol["drift_limit"]]


def typical_ms(blocks: Sequence[Block]) -> float:
    """Median over all runs of some blocks."""
    return float(np.median(np.concatenate([b.times_ns for b in blocks]))) / 1e6


def take_blocks(runs: Sequence[Run], reference: Reference, protocol: Protocol, seed: int = 0) -> List[List[Block]]:
    """The blocks of each candidate, all taken in one interleaved run; the order within a round is random.

    A candidate is done once `blocks` quiet blocks are taken and the 95% interval of its ratio to the reference is
    within `tight_enough` of it on either side. `max_s` bounds the time after warm-up, calm-downs included, for each
    candidate.
    """
    with undisturbed():
        reference.settle()
        warm_ms = [warm_up(run, protocol) for run in runs]
        return _interleave(runs, warm_ms, reference, protocol, np.random.RandomState(seed))


def _interleave(
    runs: Sequence[Run], warm_ms: Sequence[float], reference: Reference, protocol: Protocol, draw: Any
) -> List[List[Block]]:
    sizes = _block_sizes(warm_ms, protocol)
    block_ms = float(np.mean([s * ms for s, ms in zip(sizes, warm_ms)]))
    low, high = _REFERENCE_RUNS
    reference_runs = int(np.clip(REFERENCE_SHARE * block_ms / reference.baseline_ms, low, high))
    taken: List[List[Block]] = [[] for _ in runs]
    deadline = time.perf_counter() + protocol["max_s"] * len(runs)
    calm_s = _COOLDOWN_S[0]
    before, busy_before = reference.block(reference_runs), reference.busy_ms
    while True:
        missing = [i for i, blocks in enumerate(taken) if not _enough(blocks, protocol)]
        if not missing:
            return taken
        for i in draw.permutation(missing):
            times, busy = timed(runs[i], sizes[i])
            after, baseline = reference.block(reference_runs), reference.baseline_ms
            drift = max(abs(before / baseline - 1), abs(after / baseline - 1))
            own, beside = None, None  # type: Optional[float], Optional[float]
            if protocol["threads"] == 1 and busy_before is not None and reference.busy_ms is not None:
                own, beside = _unhurried_ms(busy), (busy_before + reference.busy_ms) / 2
            taken[i].append(Block(times, (before + after) / 2, drift, own, beside))
            before, busy_before = after, reference.busy_ms
            left = deadline - time.perf_counter()
            if left <= 0 and min(map(len, taken)) >= 2:
                return taken
            if drift > protocol["drift_limit"] and left > 0:
                time.sleep(min(calm_s, left))
                calm_s = min(2 * calm_s, _COOLDOWN_S[1])
                before, busy_before = reference.block(reference_runs), reference.busy_ms
            else:
                calm_s = _COOLDOWN_S[0]


def _block_sizes(warm_ms: Sequence[float], protocol: Protocol) -> List[int]:
    """Runs in a block of each candidate, so that all blocks together fit `max_s`."""
    sizes = []
    for ms in warm_ms:
        wanted = max(protocol["min_runs"], math.ceil(protocol["min_s"] * 1e3 / ms))
        affordable = protocol["max_s"] * 1e3 / len(warm_ms) / (ms * (1 + REFERENCE_SHARE))
        sizes.append(max(1, math.ceil(min(wanted, affordable) / protocol["blocks"])))
    return sizes


def _enough(blocks: Sequence[Block], protocol: Protocol) -> bool:
    used = quiet(blocks, protocol)
    if len(used) < protocol["blocks"]:
        return False
    ratios = [b.ratio for b in used]
    centre = float(np.median(ratios))
    low, high = block_interval(ratios, centre)
    return high - low <= 2 * protocol["tight_enough"] * centre
