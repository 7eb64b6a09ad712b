"""What a calibration measures: networks and single blocks that spread over everything a space can produce.

A pool is drawn at random, each member described by logarithms of its work and shares of its kernels, and samples are
taken one by one, each as far as possible from those before it [Kennard1969]. So the first n of a design are a design.
Held-out networks are drawn as a search would draw them, and by other random numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, TypeAlias

import numpy as np

from nasopt.networks.geometry import BlockPlan, plan, reduced, stem_side
from nasopt.records import Candidate, NetworkLayout
from nasopt.space import BigLittleSpace
from nasopt.space.encoding import Encoding
from nasopt.spec.space import SpaceSpec

Part: TypeAlias = Literal["easy", "hard", "block"]
Array: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]

BATCHES = (1, 1, 1, 1, 1, 1, 8, 32)
"""A study measures single images above all, and batches for its throughput."""
_POOL = 1500
_BLOCK_EVERY = 4
"""One sample of so many is a single block."""
_MOST_MACS = 3e8
"""Of one run: what takes longer teaches little for the time that it costs."""
_RESOLUTIONS = (16, 24, 32, 32, 48, 64, 96, 128)
_LANES = 16
_PATIENCE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A space of networks with the images that they are for."""

    space: BigLittleSpace
    in_channels: int
    classes: int

    @property
    def layout(self) -> NetworkLayout:
        """The supernet of this space."""
        return self.space.layout(in_channels=self.in_channels, classes=self.classes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One graph: a path of a candidate, or one block of its big network."""

    part: Part
    layout: NetworkLayout
    candidate: Candidate
    batch: int
    block: int = 0
    """Which block, of a single one."""

    def blocks(self) -> tuple[BlockPlan, ...]:
        """The inverted residuals that run."""
        architecture = self.candidate.little if self.part == "easy" else self.candidate.big
        found = plan(self.layout, architecture, stem_side(self.layout, self.candidate.resolution))
        return (found[self.block],) if self.part == "block" else found

    @property
    def identity(self) -> tuple[Any, ...]:
        """What makes its graph: two samples with the same one cost the same."""
        ends = () if self.part == "block" else (self.layout.in_channels, self.layout.classes)
        router = self.candidate.router if self.part == "easy" else None
        return (self.part, self.batch, self.candidate.resolution, ends, router, self.blocks())

    def __str__(self) -> str:
        blocks = self.blocks()
        what = f"{self.part} path of {len(blocks)} blocks" if self.part != "block" else "single block"
        batch = "" if self.batch == 1 else f", batch {self.batch}"
        return f"{what}, {self.candidate.resolution} pixels{batch}"


Draw: TypeAlias = Callable[[np.random.Generator], Frame]


def broad_frame(draw: np.random.Generator) -> Frame:
    """A random space of inverted residuals: 2 to 5 stages of 8 to 320 channels, images of 16 to 128 pixels."""
    stages = int(draw.integers(2, 6))
    stem = int(draw.choice([8, 16, 24, 32]))
    channels = [stem * float(draw.uniform(0.75, 1.75))]
    for _ in range(stages - 1):
        channels.append(channels[-1] * float(draw.uniform(1.0, 2.0)))
    spec = SpaceSpec.model_validate(
        {
            "resolution": int(draw.choice(_RESOLUTIONS)),
            "stem_channels": stem,
            "stem_stride": int(draw.integers(1, 3)),
            "channels": [min(320, max(8, 4 * round(c / 4))) for c in channels],
            "strides": draw.integers(1, 3, size=stages).tolist(),
        }
    )
    space = BigLittleSpace(spec, native_resolution=32)
    return Frame(space=space, in_channels=int(draw.choice([1, 3, 3, 3])), classes=int(draw.choice([10, 100])))


def design(frames: Draw, number: int, *, seed: int) -> list[Sample]:
    """So many networks and single blocks, in the order in which to measure them; fewer where the space has fewer."""
    draw = np.random.default_rng([seed, 0])
    networks = _distinct(_networks(frames, draw), _POOL)
    blocks = _distinct((_single_block(s, draw) for s in _networks(frames, draw)), _POOL // _BLOCK_EVERY)
    singles = iter([blocks[i] for i in spread(_described(blocks), number)])
    wholes = iter([networks[i] for i in spread(_described(networks), number)])
    chosen = [next(singles if i % _BLOCK_EVERY == _BLOCK_EVERY - 1 else wholes, None) for i in range(number)]
    return [s for s in chosen if s is not None]


def held_out(frames: Draw, number: int, *, seed: int, beside: Sequence[Sample]) -> list[Sample]:
    """So many networks as a search would draw them, none of them among those `beside`; fewer where there are fewer."""
    return _distinct(_networks(frames, np.random.default_rng([seed, 1])), number, {s.identity for s in beside})


def spread(points: Array, number: int) -> list[int]:
    """Indices of `number` of the points (n, d), each the farthest from all before it; the first lies in the middle."""
    scaled = (points - points.mean(0)) / np.maximum(points.std(0), 1e-9)
    chosen = [int(np.argmin((scaled**2).sum(1)))]
    nearest = np.full(len(points), np.inf)
    while len(chosen) < min(number, len(points)):
        nearest = np.minimum(nearest, ((scaled - scaled[chosen[-1]]) ** 2).sum(1))
        chosen.append(int(np.argmax(nearest)))
    return chosen


def _distinct(samples: Iterator[Sample], number: int, seen: Collection[tuple[Any, ...]] = ()) -> list[Sample]:
    """The first `number` samples whose graphs are new; fewer where new ones no longer come."""
    known, found = set(seen), []
    for sample in islice(samples, _PATIENCE * number):
        if sample.identity not in known:
            known.add(sample.identity)
            found.append(sample)
        if len(found) == number:
            break
    return found


def _networks(frames: Draw, draw: np.random.Generator) -> Iterator[Sample]:
    while True:
        frame = frames(draw)
        encoding = Encoding(frame.space.distributions)
        candidate = frame.space.decode(encoding.decode(encoding.draw(draw, 1)[0]))
        part: Part = "easy" if draw.random() < 0.5 else "hard"
        batch = int(draw.choice(BATCHES))
        sample = Sample(part=part, layout=frame.layout, candidate=candidate, batch=batch)
        if _macs(sample) <= _MOST_MACS:
            yield sample


def _single_block(network: Sample, draw: np.random.Generator) -> Sample:
    number = int(draw.integers(sum(choice.depth for choice in network.candidate.big)))
    return Sample(part="block", layout=network.layout, candidate=network.candidate, batch=network.batch, block=number)


def _macs(sample: Sample) -> float:
    return sample.batch * sum(sum(_block_macs(block)) for block in sample.blocks())


def _block_macs(block: BlockPlan) -> tuple[int, int, int]:
    after = reduced(block.side, block.stride) ** 2
    return (
        block.inputs * block.hidden * block.side**2,
        block.hidden * block.kernel**2 * after,
        block.hidden * block.outputs * after,
    )


def _described(samples: Sequence[Sample]) -> Array:
    """Work and kinds of kernels of each sample (n, 10), on scales on which distance means something."""
    return np.array([_description(s) for s in samples])


def _description(sample: Sample) -> list[float]:
    blocks = sample.blocks()
    macs = np.array([_block_macs(block) for block in blocks], dtype=np.float64)
    moved = sum(
        block.inputs * block.side**2 + 2 * block.hidden * (block.side**2 + reduced(block.side, block.stride) ** 2)
        for block in blocks
    )
    share = macs.sum(1) / macs.sum()

    def mean(values: Sequence[float]) -> float:
        return float(share @ np.asarray(values))

    return [
        math.log(sample.batch * macs.sum()),
        math.log(sample.batch * moved),
        math.log(len(blocks)),
        math.log(sample.batch),
        float(macs[:, 1].sum() / macs.sum()),
        mean([math.log(block.kernel) for block in blocks]),
        mean([math.log(block.hidden) for block in blocks]),
        mean([math.log(block.side) for block in blocks]),
        mean([math.log(block.hidden / block.inputs) for block in blocks]),
        mean([block.hidden % _LANES == 0 for block in blocks]),
    ]
