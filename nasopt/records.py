"""The facts that travel between the layers: frozen, with units in their names.

Imports nothing of the project and no heavy package, so that every layer can speak in these terms.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

Provenance: TypeAlias = Literal["measured", "estimated", "predicted", "computed", "tabulated", "reported"]
"""Where a figure comes from: a sensor or clock, a load or datasheet model, a fitted model, exact counting, a table that
somebody else filled, or code of the user's that vouches for it."""

Interval: TypeAlias = tuple[float, float]

RouterKind: TypeAlias = Literal["confidence", "learned", "difficulty"]

Precision: TypeAlias = Literal["fp32", "fp16", "int8"]
"""In what numbers a network computes. Between devices that differ, a graph's own precision counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageChoice:
    """What one searchable stage of a sub-network looks like."""

    width: float
    """Fraction of the stage's full channels, in (0, 1]."""
    depth: int
    """Number of blocks that run."""
    kernel: int
    """Side of the depthwise kernel, odd."""
    expansion: int
    """Hidden channels of a block as a multiple of its input channels."""


Architecture: TypeAlias = tuple[StageChoice, ...]
"""One sub-network: a choice for each stage, from the stem outwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkLayout:
    """What all networks of a space have in common: the supernet's frame and the choices it must offer."""

    in_channels: int
    classes: int
    stem_channels: int
    stem_stride: int
    channels: tuple[int, ...]
    """Channels of each stage at width 1."""
    strides: tuple[int, ...]
    widths: tuple[float, ...]
    depths: tuple[int, ...]
    kernels: tuple[int, ...]
    expansions: tuple[int, ...]
    resolutions: tuple[int, ...]
    """Every choice, ascending, the little and the big network's together."""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> NetworkLayout:
        """Restore a record written as JSON from `dataclasses.asdict`."""
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
        return cls(**values)

    def smallest(self) -> Architecture:
        """The sub-network with the least of everything."""
        choice = StageChoice(
            width=self.widths[0], depth=self.depths[0], kernel=self.kernels[0], expansion=self.expansions[0]
        )
        return (choice,) * len(self.channels)

    def largest(self) -> Architecture:
        """The sub-network with the most of everything."""
        choice = StageChoice(
            width=self.widths[-1], depth=self.depths[-1], kernel=self.kernels[-1], expansion=self.expansions[-1]
        )
        return (choice,) * len(self.channels)


@dataclass(frozen=True, slots=True, kw_only=True)
class LossWeights:
    """L = alpha L_big + beta L_little + gamma L_routing + lambda_ L_consistency, see `training.losses`."""

    alpha: float
    beta: float
    gamma: float
    lambda_: float
    temperature: float
    """T of the consistency term."""
    eta: float
    """Weight of the efficiency penalty inside L_routing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One point of the search space `big-little`, decoded."""

    little: Architecture
    big: Architecture
    router: RouterKind
    tau: float
    """An input leaves at the little head when its router score is at least tau."""
    loss: LossWeights
    resolution: int
    """Side of the square input in pixels."""
    precision: Precision = "fp32"
    """Of the graphs that are scored and deployed; training is always in fp32."""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Candidate:
        """Restore a record written as JSON from `dataclasses.asdict`."""
        return cls(
            little=tuple(StageChoice(**stage) for stage in data["little"]),
            big=tuple(StageChoice(**stage) for stage in data["big"]),
            router=data["router"],
            tau=data["tau"],
            loss=LossWeights(**data["loss"]),
            resolution=data["resolution"],
            precision=data.get("precision", "fp32"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedModel:
    """An ONNX graph on disk with fixed input shapes."""

    path: Path
    inputs: tuple[tuple[str, tuple[int, ...]], ...]
    """Name and shape of each input, batch first."""
    structure: str
    """Hash of all that a cost may depend on, weights not among it: see `hardware.structure_hash`."""
    size_bytes: int
    precision: Precision = "fp32"
    """In what the graph computes; its inputs and outputs are float32 all the same."""

    @property
    def batch(self) -> int:
        """Number of inputs that one run handles."""
        return next((shape[0] for _, shape in self.inputs if shape), 1)


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
    """Latency that others did not disturb, on the scale of `reference_ms`; see `hardware.calibrated`."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Everything a finished trial knows about its network, on the validation split.

    `quality` holds fractions in [0, 1] (accuracy, top5, ece, exit_rate, routing_accuracy); `costs` holds figures with
    provenance, keyed by metric (`latency_ms`), with `@device` appended where a study has several devices.
    """

    quality: Mapping[str, float]
    costs: Mapping[str, Cost]
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Wall-clock seconds by phase (train, evaluate, export, measure); of the original where the cache answered."""
    cached: tuple[str, ...] = ()
    """Phases that the cache answered."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """JSON values worth keeping: runtime, provider, meter, protocol, parity."""
    files: Mapping[str, Path] = field(default_factory=dict)
    """Artifacts by file name, where they lie now; not part of the JSON."""

    def value(self, metric: str) -> float | None:
        """The figure of a metric, or None where this outcome has none."""
        if metric in self.quality:
            return self.quality[metric]
        cost = self.costs.get(metric)
        return None if cost is None else cost.value

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; `from_json` restores the record."""
        return {k: v for k, v in dataclasses.asdict(self).items() if k != "files"}

    @classmethod
    def from_stored(cls, stored: Any) -> Outcome:
        """Restore the attribute `TrialKeys.OUTCOME` of a trial, of this version or an earlier one."""
        return cls.from_json(json.loads(stored) if isinstance(stored, str) else stored)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Outcome:
        """Restore a record written by `to_json`."""
        costs = {
            name: Cost(value=c["value"], ci95=(c["ci95"][0], c["ci95"][1]), provenance=c["provenance"])
            for name, c in data["costs"].items()
        }
        return cls(
            quality=dict(data["quality"]),
            costs=costs,
            seconds=dict(data["seconds"]),
            cached=tuple(data["cached"]),
            details=dict(data["details"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What is known of a candidate before anything is trained."""

    bounds: Mapping[str, Interval]
    """Lowest and highest possible value by metric; equal ends where the metric is known exactly."""
    structural: Mapping[str, float]
    """Violations of what the space itself demands, by name; feasible at 0 or less."""
    reason: str = ""
    """Why the space refuses the candidate, where the names of `structural` do not say it well."""


Ended: TypeAlias = Literal[
    "completed",
    "infeasible",
    "pruned",
    "diverged",
    "export failed",
    "measurement failed",
    "evaluation failed",
    "device lost",
    "interrupted",
    "refused",
]
"""Why a trial ended; stored as its user attribute `ended`."""


class StudyKeys:
    """Names of a study's user attributes; `study/` writes them, `report/` reads them."""

    SPEC = "spec"
    """The resolved study file as JSON, passwords removed."""
    SPEC_HASH = "spec_hash"
    OBJECTIVES = "objectives"
    """List of {metric, direction}."""
    CONSTRAINTS = "constraints"
    """List of {key, metric, min, max}, in the fixed order in which every trial sets them."""
    DISTRIBUTIONS = "distributions"
    """The search space: {parameter: distribution as Optuna's JSON}."""
    PROBLEM = "problem"
    """What is searched, where it is no family of networks: {kind, source, provenance, key (of what the figures hang
    on), points (text)}. Of a table also {rows, combinations, missing (both text), front: {rows, size, ideal, nadir,
    hypervolume, points}}, see `problems.true_front`."""
    DATA = "data"
    """{name, requested, train, validation, test (images in each split), classes, found (text: how many images of which
    classes), notices (texts: what was left out, resized or matched), untested (text: why there are no test images, or
    empty), fingerprint, preprocessing}; `name` differs from `requested` when `data.otherwise` was taken."""
    DEVICES = "devices"
    """List of {name, description, backend, provenance, meter, reading, remedy}; `reading` is what the meter reads."""
    SUPERNET = "supernet"
    """{key, seconds, cached, subnet_accuracy: [20 fractions]}."""
    PRIOR = "prior"
    """`ArchitecturePrior.summary()` of the prior that the sampler draws from, where it needs one."""
    HOST = "host"
    """Fingerprint of the host that created the study."""
    VERSIONS = "versions"
    GIT = "git"
    SEED = "seed"
    ARTIFACTS = "artifacts"
    """Absolute path of the artifact folder."""
    TEST_SCORES = "test_scores"
    """{trial number as text: {accuracy, top5, ece, exit_rate, images}} of the front, on the test split."""
    STREAM = "stream:"
    """Prefix, with a trial's number behind it: {device: `RoutedStream.to_json()`} of the front."""
    RECOSTED = "recosted:"
    """Prefix of what networks cost on other devices, see `report.recosted`: NAME: with {device, conditions, confirms},
    and NAME:0, NAME:1, ... with {trial number as text: {costs, steady}}."""
    CONTEST = "contest"
    """{name, label, seed, labels, seeds, control, reference} of a study that competes; absent from all others."""
    SESSION = "session:"
    """Prefix; each process adds {host, hardware, started, seconds, trials, energy_kwh, co2_kg, method}."""


class TrialKeys:
    """Names of a trial's user attributes."""

    SLOT = "slot"
    """{slot, seed, owner, host, pid}: which draw of the sampler this is, and who evaluates it (nobody where `owner` is
    empty: the trial is set aside for a `reason`); with `since`, the time (ISO 8601) at which it was taken up again."""
    OUTCOME = "outcome"
    """`Outcome.to_json()` as JSON text; earlier versions stored the record itself."""
    ENDED = "ended"
    REASON = "reason"
    """One line, where the trial did not complete."""
    PROPOSER = "proposer"
    """The member of a portfolio that proposed it."""


class ArtifactNames:
    """File names of a trial's artifacts."""

    WEIGHTS = "pair.safetensors"
    """Weights of the pair and its router; the metadata holds candidate and layout as JSON."""
    EASY = "easy.onnx"
    """Stem, little network and router as they were scored, batch 1; only of trials below fp32."""
    HARD = "hard.onnx"
    """The big network as it was scored, batch 1; only of trials below fp32."""
    PRIOR = "prior.json"
    """Of a study: the architecture prior of its sampler."""
    CLASSES = "classes.csv"
    """Accuracy, exit rate and images of each class, on the validation split."""
