"""What is known of a candidate before and after its evaluation, and why a trial ended."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from nasopt.records.measurement import Cost, Interval


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
