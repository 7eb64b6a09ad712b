"""What a routed network costs over a stream of real inputs, beside the sum of its paths: a record that travels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from nasopt.records import Interval, StudyKeys

Way: TypeAlias = Literal["if-graph", "host-router"]
"""One graph that decides by `If`, or two graphs with a router on the host between them."""

TOLERANCE = 0.05
"""A stream further than this from the weighted sum of its paths is a finding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamTimes:
    """Time for each image of a stream at batch 1, and that of the paths alone, from one interleaved run.

    Milliseconds; intervals are 95%, by bootstrap over blocks.
    """

    images: int
    """The first so many images of the validation split, in their order."""
    exit_rate: float
    """Share of them that left at the little head, as the timed graphs decided."""
    stream_ms: float
    stream_ci95_ms: Interval
    easy_ms: float
    hard_ms: float
    weighted_ms: float
    """easy + (1 - exit rate) hard."""
    weighted_ci95_ms: Interval
    difference: float
    """stream / weighted - 1."""
    difference_ci95: Interval
    blocks: int
    """Counted blocks of the stream."""
    valid: bool
    """False when the reference drifted beyond the limit in most blocks."""
    seconds: float
    """What the measurement took."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutedStream(StreamTimes):
    """A stream's times and what they were taken on."""

    device: str
    backend: str
    provider: str
    runtime: str
    way: Way

    @property
    def is_finding(self) -> bool:
        """Whether it is sure that the sum of the paths does not stand for the stream: the whole interval says so."""
        low, high = self.difference_ci95
        return self.valid and (low > TOLERANCE or high < -TOLERANCE)

    @property
    def is_untold(self) -> bool:
        """Whether it looks so, and may be chance or the work of other programs."""
        return abs(self.difference) > TOLERANCE and not self.is_finding

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; `from_json` restores the record."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> RoutedStream:
        """Restore a record written by `to_json`."""
        values: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in data.items()}
        return cls(**values)


def stored_streams(attrs: Mapping[str, Any]) -> dict[int, dict[str, RoutedStream]]:
    """Streams by trial number and device, from a study's user attributes."""
    prefix = StudyKeys.STREAM
    stored = {int(key.removeprefix(prefix)): record for key, record in attrs.items() if key.startswith(prefix)}
    return {n: {d: RoutedStream.from_json(r) for d, r in stored[n].items()} for n in sorted(stored)}
