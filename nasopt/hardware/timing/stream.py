"""Timing a routed network over a stream of real inputs, in blocks between those of its two paths and the reference.

The paths are timed as every measurement times them, one graph over and over. What the stream shows besides is what
routing itself costs: the decision, weights that the other branch drove out of the cache, branches that the processor
did not foresee. Inputs matter for it, so they come in their true order.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np

from nasopt.errors import MeasurementError
from nasopt.hardware.agent.loop import REFERENCE_SHARE, Reference, timed_ns, undisturbed, warm_up
from nasopt.hardware.devices.refusals import translated
from nasopt.records import ExportedModel, TimingProtocol
from nasopt.records.stream import RoutedStream, StreamTimes, Way
from nasopt.statistics.intervals import holding, percentile_interval, resamples

Array = np.ndarray[Any, np.dtype[np.float64]]
Images: TypeAlias = np.ndarray[Any, np.dtype[np.float32]]
"""Shape (n, c, h, w), as a network takes them."""
Run = Callable[[], object]
Kind: TypeAlias = Literal["easy", "hard", "stream"]

_REFERENCE_RUNS = (5, 200)
_CALM_S = (0.02, 0.5)
_RESAMPLES = 1000
_FEWEST_IMAGES = 200
_FEWEST_PASSES = 3
"""In a block, as far as time allows: a median over fewer keeps what other processes did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutedGraphs:
    """A routed network as graphs of batch 1."""

    easy: ExportedModel
    hard: ExportedModel
    routed: ExportedModel
    """Both behind one `If`."""
    tau: float
    """An input leaves at the little head when its score is at least tau."""


class Stream(Protocol):
    """A routed network that is ready to run on a sequence of images."""

    way: Way

    def load(self, index: int) -> None:
        """Put an image where `run` reads it; not timed."""

    def run(self) -> None:
        """Answer for the loaded image."""

    def exited(self) -> bool:
        """Whether the last run left at the little head."""


@dataclass(frozen=True, slots=True)
class _Block:
    ratios: Array
    """Of times to the reference beside them: (1,) of a path, (images,) of the stream."""
    reference_ms: float
    drift: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sizes:
    easy: int
    hard: int
    images: int
    passes: int
    """Passes over the images in one block."""
    block_ms: float


def time_stream(
    stream: Stream, images: int, easy: Run, hard: Run, reference: Reference, protocol: TimingProtocol
) -> StreamTimes:
    """Time a stream of up to `images` images, and both paths, in one interleaved run.

    `max_s` bounds the time of each of the three after warm-up. An image's time is the median over the passes, since
    some other process may have had the processor in one of them; the stream's is the mean over the images.

    Raises:
        MeasurementError: the clock stood still.
    """
    started = time.perf_counter()
    with translated(), undisturbed():
        reference.settle()
        typical = {"easy": warm_up(easy, asdict(protocol)), "hard": warm_up(hard, asdict(protocol))}
        decided, image_ms = _first_pass(stream, images, protocol)
        sizes = _sizes(typical, image_ms, len(decided), protocol)

        def of_stream() -> Array:
            return _passes(stream, sizes.images, sizes.passes)

        takers = {
            "easy": lambda: np.median(timed_ns(easy, sizes.easy), keepdims=True) / 1e6,
            "hard": lambda: np.median(timed_ns(hard, sizes.hard), keepdims=True) / 1e6,
            "stream": of_stream,
        }
        taken = _interleave(takers, sizes.block_ms, reference, protocol)
    return _summary(taken, decided[: sizes.images], protocol, time.perf_counter() - started)


def _first_pass(stream: Stream, images: int, protocol: TimingProtocol) -> tuple[list[bool], float]:
    """Decisions on as many images as time allows, and the usual milliseconds of one; warms the stream up."""
    clock, deadline = time.perf_counter, time.perf_counter() + protocol.max_s
    decided: list[bool] = []
    took: dict[bool, list[float]] = {True: [], False: []}
    while len(decided) < images and (len(decided) < 2 or clock() < deadline):
        start = clock()
        stream.load(len(decided))
        stream.run()
        seconds = clock() - start
        decided.append(stream.exited())
        took[decided[-1]].append(seconds)
    usual = sum(len(times) * float(np.median(times)) for times in took.values() if times)
    return decided, 1e3 * usual / len(decided)


def _sizes(typical_ms: Mapping[str, float], image_ms: float, images: int, protocol: TimingProtocol) -> _Sizes:
    wanted_ms = 1e3 * protocol.min_s / protocol.blocks
    affordable_ms = 1e3 * protocol.max_s / protocol.blocks / (1 + REFERENCE_SHARE)
    least = math.ceil(protocol.min_runs / protocol.blocks)

    def runs(ms: float) -> int:
        return max(1, min(max(least, math.ceil(wanted_ms / ms)), math.floor(affordable_ms / ms)))

    affordable = math.floor(affordable_ms / image_ms)
    images = max(2, min(images, max(_FEWEST_IMAGES, affordable // _FEWEST_PASSES), affordable))
    passes = max(1, math.ceil(min(wanted_ms, affordable_ms) / (images * image_ms)))
    return _Sizes(
        easy=runs(typical_ms["easy"]),
        hard=runs(typical_ms["hard"]),
        images=images,
        passes=max(passes, min(_FEWEST_PASSES, affordable // images)),
        block_ms=images * passes * image_ms,
    )


def _passes(stream: Stream, images: int, passes: int) -> Array:
    """Milliseconds of each image: the median over passes of the whole sequence."""
    clock = time.perf_counter_ns
    ticks = np.empty((passes, images), dtype=np.int64)
    for row in ticks:
        for i in range(images):
            stream.load(i)
            start = clock()
            stream.run()
            row[i] = clock() - start
    if not (ticks > 0).all():
        raise MeasurementError("the clock did not advance during a run; a time of zero is not a measurement")
    times: Array = np.median(ticks, axis=0) / 1e6
    return times


def _interleave(
    takers: Mapping[str, Callable[[], Array]], block_ms: float, reference: Reference, protocol: TimingProtocol
) -> dict[str, list[_Block]]:
    """Blocks of each kind between reference blocks, until each has enough quiet ones or the time is up."""
    draw = np.random.default_rng(len(takers))
    runs = int(np.clip(REFERENCE_SHARE * block_ms / reference.baseline_ms, *_REFERENCE_RUNS))
    taken: dict[str, list[_Block]] = {kind: [] for kind in takers}
    deadline = time.perf_counter() + protocol.max_s * len(takers)
    calm_s = _CALM_S[0]
    before = reference.block(runs)
    while missing := [k for k, done in taken.items() if len(_quiet(done, protocol)) < protocol.blocks]:
        for kind in draw.permutation(missing):
            times = takers[kind]()
            after, baseline = reference.block(runs), reference.baseline_ms
            beside = (before + after) / 2
            drift = max(abs(before / baseline - 1), abs(after / baseline - 1))
            taken[kind].append(_Block(times / beside, beside, drift))
            before = after
            left = deadline - time.perf_counter()
            if left <= 0 and min(map(len, taken.values())) >= 2:
                return taken
            if drift > protocol.drift_limit and left > 0:
                time.sleep(min(calm_s, left))
                calm_s = min(2 * calm_s, _CALM_S[1])
                before = reference.block(runs)
            else:
                calm_s = _CALM_S[0]
    return taken


def _quiet(blocks: Sequence[_Block], protocol: TimingProtocol) -> list[_Block]:
    return [b for b in blocks if b.drift <= protocol.drift_limit]


def _summary(
    taken: Mapping[str, Sequence[_Block]], decided: Sequence[bool], protocol: TimingProtocol, seconds: float
) -> StreamTimes:
    quiet = {kind: _quiet(blocks, protocol) for kind, blocks in taken.items()}
    valid = all(len(blocks) >= max(2, protocol.blocks // 2) for blocks in quiet.values())
    used = quiet if valid else {kind: list(blocks) for kind, blocks in taken.items()}
    unit_ms = float(np.median([b.reference_ms for blocks in used.values() for b in blocks]))
    exit_rate = float(np.mean(decided))
    tables = {kind: np.array([b.ratios for b in blocks]) * unit_ms for kind, blocks in used.items()}
    found = _figures(tables, exit_rate)
    resampled = np.array(
        [
            _figures({k: t[rows] for (k, t), rows in zip(tables.items(), drawn, strict=True)}, exit_rate)
            for drawn in zip(*resamples(*map(len, tables.values()), times=_RESAMPLES), strict=True)
        ]
    )
    intervals = [holding(percentile_interval(column), v) for column, v in zip(resampled.T, found, strict=True)]
    return StreamTimes(
        images=len(decided),
        exit_rate=exit_rate,
        easy_ms=found[0],
        hard_ms=found[1],
        stream_ms=found[2],
        stream_ci95_ms=intervals[2],
        weighted_ms=found[3],
        weighted_ci95_ms=intervals[3],
        difference=found[4],
        difference_ci95=intervals[4],
        blocks=len(used["stream"]),
        valid=valid,
        seconds=seconds,
    )


def _figures(tables: Mapping[str, Array], exit_rate: float) -> tuple[float, float, float, float, float]:
    """Easy, hard, stream and weighted milliseconds, and how far the stream is from the weighted sum."""
    easy, hard = (float(np.median(tables[kind])) for kind in ("easy", "hard"))
    stream = float(np.median(tables["stream"], axis=0).mean())
    weighted = easy + (1 - exit_rate) * hard
    return easy, hard, stream, weighted, stream / weighted - 1


def routed_stream(
    times: StreamTimes, *, device: str, backend: str, provider: str, runtime: str, way: Way
) -> RoutedStream:
    """The record of a timed stream."""
    return RoutedStream(device=device, backend=backend, provider=provider, runtime=runtime, way=way, **asdict(times))
