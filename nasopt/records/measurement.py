"""What a device says of a graph: how it was asked, latency, energy, costs with their origin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from nasopt.records.candidate import Precision

Provenance: TypeAlias = Literal["measured", "estimated", "predicted", "computed", "tabulated", "reported"]
"""Where a figure comes from: a sensor or clock, a load or datasheet model, a fitted model, exact counting, a table that
somebody else filled, or code of the user's that vouches for it."""


Interval: TypeAlias = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimingProtocol:
    """How a latency is taken. The defaults are those of docs/measuring.md."""

    warmup_runs: int = 10
    warmup_s: float = 0.5
    min_runs: int = 50
    min_s: float = 1.0
    max_s: float = 5.0
    """Upper bound of one measurement's counted time, calm-downs included."""
    blocks: int = 10
    """Blocks of runs of the candidate, each between two blocks of the reference network."""
    drift_limit: float = 0.03
    """Largest tolerated drift of the reference network, as a fraction of its rolling baseline."""
    tight_enough: float = 0.01
    """Beyond the least number of blocks, more are taken until the 95% interval of the ratio to the reference is within
    this fraction of it on either side, or `max_s` is over."""
    threads: int = 1
    energy_windows: int = 5
    energy_window_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Time of one run of a graph, in milliseconds."""

    median_ms: float
    p90_ms: float
    min_ms: float
    mad_ms: float
    """Median absolute deviation."""
    ci95_ms: Interval
    runs: int
    provenance: Provenance
    reference_ratio: float | None = None
    """Ratio to the interleaved reference network, if one ran."""
    ratio_ci95: Interval | None = None
    processor_ratio: float | None = None
    """The same in processor time of the runs that others disturbed least: what holds where programs take turns on
    the processor. None where more than the calling thread works."""
    processor_ratio_ci95: Interval | None = None
    valid: bool = True
    """False when the reference drifted beyond the limit in every attempt."""
    reference_ms: float | None = None
    """Time of the reference network that `calibrated_ms` is reckoned with: fixed for a device and runtime."""
    calibrated_ms: float | None = None
    """Latency that others did not disturb, on the scale of `reference_ms`; see `hardware.timing.reference_scale`."""
    calibrated_ci95_ms: Interval | None = None

    @property
    def figure_ms(self) -> float:
        """The figure that counts: the calibrated one, or the median where no reference ran."""
        return self.median_ms if self.calibrated_ms is None else self.calibrated_ms

    @property
    def figure_ci95_ms(self) -> Interval:
        """Its interval."""
        return self.ci95_ms if self.calibrated_ci95_ms is None else self.calibrated_ci95_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Energy:
    """Energy of one run of a graph, in millijoules."""

    gross_mj: float
    net_mj: float | None
    """With the idle power taken off; None where idle was not seen."""
    ci95_mj: Interval
    """Of the gross figure."""
    windows: int
    meter: str
    provenance: Provenance
    net_ci95_mj: Interval | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What a backend says of one exported graph on one device."""

    device: str
    backend: str
    provider: str
    """The execution provider or runtime that really ran."""
    runtime: str
    """Name and version of the runtime."""
    latency: Latency
    energy: Energy | None
    peak_memory_mb: float | None
    memory_provenance: Provenance = "measured"
    seconds: float = 0.0
    """What the measurement itself took."""
    precision: Precision = "fp32"
    """Of the graph that was measured."""
    remarks: tuple[str, ...] = ()
    """What a reader of the figures has to know: the error of a predictor, what it extrapolates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """A figure with its origin and 95% interval."""

    value: float
    ci95: Interval
    provenance: Provenance
