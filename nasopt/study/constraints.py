"""Constraints of a study: what refuses a candidate before training, and what a finished trial is held to."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nasopt.errors import MeasurementError
from nasopt.records import Inspection, Outcome
from nasopt.spec.study import ConstraintSpec

LARGEST = 1e100
"""No violation is larger: a bound may be infinite, and what is stored is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """One side of one constraint; its violation is relative to the limit, feasible at 0 or less."""

    key: str
    """Name of the constraint in the database: `latency_ms_max`."""
    metric: str
    limit: float
    upper: bool

    @property
    def text(self) -> str:
        """As a person writes it: `latency_ms<=10`."""
        return f"{self.metric}{'<=' if self.upper else '>='}{self.limit:g}"

    def violation(self, value: float) -> float:
        """How far the value lies beyond the limit, as a fraction of it, up to `LARGEST` times it."""
        beyond = value - self.limit if self.upper else self.limit - value
        return min(max(beyond / max(abs(self.limit), 1e-12), -LARGEST), LARGEST)


class ConstraintSet:
    """All constraints of a study in the fixed order in which every trial sets them.

    Samplers pair constraints by position or name, so each trial must carry all of them, in one order: alphabetical,
    since databases give attributes back in the order of insertion or of the key.
    """

    def __init__(
        self,
        specs: Sequence[ConstraintSpec],
        structural: Sequence[str],
        stored: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """`stored` is the study's record of `StudyKeys.CONSTRAINTS`, whose names go on: older versions chose others."""
        self.structural = tuple(structural)
        names = _Names(structural, stored)
        self.bounds = tuple(
            Bound(key=names.of(spec.metric, upper), metric=spec.metric, limit=limit, upper=upper)
            for spec in specs
            for limit, upper in ((spec.max, True), (spec.min, False))
            if limit is not None
        )

    @property
    def keys(self) -> tuple[str, ...]:
        """Names in order."""
        return tuple(sorted((*self.structural, *(b.key for b in self.bounds))))

    def describe(self) -> list[dict[str, Any]]:
        """The record of `StudyKeys.CONSTRAINTS`; a structural constraint bounds its own violation at 0."""
        structural = [{"key": name, "metric": name, "min": None, "max": 0.0} for name in self.structural]
        bounds = [
            {"key": b.key, "metric": b.metric, "min": None if b.upper else b.limit, "max": b.limit if b.upper else None}
            for b in self.bounds
        ]
        return sorted([*structural, *bounds], key=lambda record: str(record["key"]))

    def before(self, inspection: Inspection) -> dict[str, float]:
        """Violations that are certain before training; 0 for what is not known yet."""
        values = {name: inspection.structural[name] for name in self.structural}
        for bound in self.bounds:
            low, high = inspection.bounds.get(bound.metric, (-math.inf, math.inf))
            best = bound.violation(low if bound.upper else high)
            values[bound.key] = best if best > 0 else 0.0
        return dict(sorted(values.items()))

    def after(self, inspection: Inspection, outcome: Outcome) -> dict[str, float]:
        """Violations of a measured trial.

        Raises:
            MeasurementError: the outcome lacks a metric that is bounded.
        """
        values = {name: inspection.structural[name] for name in self.structural}
        for bound in self.bounds:
            low, high = inspection.bounds.get(bound.metric, (-math.inf, math.inf))
            value = low if low == high else outcome.value(bound.metric)
            if value is None:
                raise MeasurementError(
                    f"the constraint {bound.text} needs {bound.metric}, which this device did not give"
                )
            values[bound.key] = bound.violation(value)
        return dict(sorted(values.items()))

    def text(self, key: str) -> str:
        """What a constraint's name stands for, as a person writes it."""
        return next((b.text for b in self.bounds if b.key == key), key)

    def refusal(self, violations: Mapping[str, float]) -> str | None:
        """One line that names what refuses a candidate; None where nothing does."""
        broken = {self.text(key): v for key, v in violations.items() if v > 0}
        return "; ".join(f"{text} violated by {100 * v:.3g}%" for text, v in broken.items()) or None


class _Names:
    """Names of bounds, each once: those of the stored trials, else such as other tools take for keys."""

    def __init__(self, structural: Sequence[str], stored: Sequence[Mapping[str, Any]]) -> None:
        self._taken = set(structural)
        self._stored: dict[tuple[str, bool], list[str]] = {}
        for record in stored:
            for side, upper in (("max", True), ("min", False)):
                if record.get(side) is not None and record["key"] not in self._taken:
                    self._stored.setdefault((record["metric"], upper), []).append(record["key"])

    def of(self, metric: str, upper: bool) -> str:
        """The next name of a bound on this side of the metric."""
        if known := self._stored.get((metric, upper)):
            name = known.pop(0)
        else:
            wanted = f"{plain_key(metric)}_{'max' if upper else 'min'}"
            more = (f"{wanted}_{count}" for count in itertools.count(2))
            name = next(n for n in itertools.chain([wanted], more) if n not in self._taken)
        self._taken.add(name)
        return name


def plain_key(name: str) -> str:
    """A name as a key that other tools take, MLflow's being the strictest: `latency_ms@pi` -> `latency_ms.pi`."""
    return re.sub(r"[^\w.\- /]", "_", name.replace("@", "."))
