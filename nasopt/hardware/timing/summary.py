"""Latencies from interleaved blocks: medians, and intervals that admit how noisy the machine was."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from nasopt.hardware.agent import intervals, loop
from nasopt.hardware.agent.loop import Block, Reference
from nasopt.hardware.devices.refusals import translated
from nasopt.records import Interval, Latency, TimingProtocol
from nasopt.statistics.intervals import holding, percentile_interval, resamples

__all__ = ["Reference", "block_interval", "summarised", "time_interleaved"]

_QUIETEST = 0.25
"""Quantile of the blocks that counts for calibrated latencies: what other processes do only adds to a block's time."""
_RESAMPLES = 500

Run = Callable[[], object]
_FEWEST = 2
"""Blocks whose processor time has an interval."""


def time_interleaved(
    runs: Sequence[Run], reference: Reference, protocol: TimingProtocol, *, seed: int = 0
) -> list[Latency]:
    """Latency of each candidate, all measured in one interleaved run; see `agent.loop.take_blocks`.

    Raises:
        MeasurementError: the clock stood still.
    """
    with translated():
        taken = loop.take_blocks(runs, reference, asdict(protocol), seed)
    return [summarised(blocks, protocol) for blocks in taken]


def summarised(blocks: Sequence[Block], protocol: TimingProtocol) -> Latency:
    """The latency that the blocks of one candidate amount to.

    The quiet blocks count. Where they are fewer than half of what was wanted, all count and the figure is not valid.
    """
    quiet = loop.quiet(blocks, asdict(protocol))
    valid = len(quiet) >= max(2, min(len(blocks), (protocol.blocks + 1) // 2))
    used = quiet if valid else list(blocks)
    pooled: np.ndarray[Any, np.dtype[np.float64]] = np.concatenate([b.times_ns for b in used]) / 1e6
    median = float(np.median(pooled))
    ratio = float(np.median([b.ratio for b in used]))
    busy = [b.busy_ratio for b in blocks if b.busy_ratio is not None]
    busy_ratio = float(np.median(busy)) if len(busy) >= _FEWEST else None
    calibration = _quickest(blocks, used, ratio)
    return Latency(
        median_ms=median,
        p90_ms=float(np.quantile(pooled, 0.9)),
        min_ms=float(pooled.min()),
        mad_ms=float(np.median(np.abs(pooled - median))),
        ci95_ms=block_interval([b.median_ms for b in used], median),
        runs=len(pooled),
        provenance="measured",
        reference_ratio=ratio,
        ratio_ci95=block_interval([b.ratio for b in used], ratio),
        processor_ratio=busy_ratio,
        processor_ratio_ci95=None if busy_ratio is None else block_interval(busy, busy_ratio),
        valid=valid,
        reference_ms=calibration[0],
        calibrated_ms=calibration[1],
        calibrated_ci95_ms=calibration[2],
    )


def _quickest(blocks: Sequence[Block], used: Sequence[Block], ratio: float) -> tuple[float, float, Interval]:
    """The reference's time, the candidate's and its interval, in ms, as far as others left the processor alone.

    With one thread that does all the work, the lower quartile over all blocks of the processor time of unhurried runs,
    of both: in every block some runs are undisturbed, even where another process has the core half of the time. The
    interval is a bootstrap over blocks of their ratio. Elsewhere the ratio by the clock, and the reference's quickest
    blocks.
    """
    busy = [(b.busy_ms, b.reference_busy_ms) for b in blocks if b.busy_ms and b.reference_busy_ms]
    if len(busy) < _FEWEST:
        reference_ms = float(np.quantile([b.reference_ms for b in used], _QUIETEST))
        low, high = block_interval([b.ratio for b in used], ratio)
        return reference_ms, ratio * reference_ms, (low * reference_ms, high * reference_ms)
    table: np.ndarray[Any, np.dtype[np.float64]] = np.array(busy, dtype=np.float64)
    own, reference_ms = (float(v) for v in np.quantile(table, _QUIETEST, axis=0))
    (rows,) = resamples(len(table), times=_RESAMPLES)
    ends = np.quantile(table[rows], _QUIETEST, axis=1)
    low, high = percentile_interval(ends[:, 0] / ends[:, 1])
    return reference_ms, own, holding((low * reference_ms, high * reference_ms), own)


def block_interval(medians: Sequence[float], centre: float) -> Interval:
    """A 95% interval of the median from the medians of blocks; see `agent.intervals.block_interval`.

    Raises:
        MeasurementError: there is one block only.
    """
    with translated():
        return intervals.block_interval(medians, centre)
