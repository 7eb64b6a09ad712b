"""Trials of one study side by side, and which of their differences the intervals bear out."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nasopt.errors import UsageError
from nasopt.records import Interval
from nasopt.records.metrics import METRICS, split_metric
from nasopt.report.view import StudyView, TrialView, metric_of
from nasopt.statistics.intervals import overlap


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One trial's figure of one metric."""

    value: float
    ci95: Interval | None
    provenance: str
    """Empty for quality."""
    best: bool
    """Whether no other trial of the comparison is better."""
    tied: bool
    """Whether its interval shares a point with the best one's: the difference may be chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRow:
    """One metric over the trials; None where a trial has no figure."""

    metric: str
    figures: tuple[Figure | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialComparison:
    """Trials of one study, metric by metric."""

    study: str
    data: str
    """Name of the data set, or where the figures of a study without networks come from; empty where neither is
    recorded."""
    numbers: tuple[int, ...]
    rows: tuple[MetricRow, ...]
    params: dict[str, tuple[Any, ...]]
    """Searched parameters in which the trials differ, one value a trial."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return dataclasses.asdict(self)


def compare_trials(view: StudyView, numbers: Sequence[int]) -> TrialComparison:
    """Set trials of one study side by side.

    Raises:
        StudyNotFoundError: the study has no trial of one of these numbers.
        UsageError: fewer than two trials, one named twice, or one that was not measured.
    """
    if len(numbers) < 2 or len(set(numbers)) < len(numbers):
        raise UsageError(f"name two different trials of {view.name!r} or more, such as: 3 17")
    trials = [view.trial(n) for n in numbers]
    for trial in trials:
        if trial.outcome is None:
            why = f" ({trial.reason})" if trial.reason else ""
            raise UsageError(f"trial {trial.number} has no figures to compare: it ended {trial.ended}{why}")
    params = {
        name: tuple(t.params.get(name) for t in trials)
        for name in dict.fromkeys(n for t in trials for n in t.params)
        if len({repr(t.params.get(name)) for t in trials}) > 1
    }
    rows = tuple(_row(view, trials, metric) for metric in metrics_of(trials))
    data = str(view.data.get("name") or view.problem.get("source") or "")
    return TrialComparison(study=view.name, data=data, numbers=tuple(numbers), rows=rows, params=params)


def metrics_of(trials: Sequence[TrialView]) -> list[str]:
    """Every metric that one of the trials has, in the order of `METRICS`."""
    order = {name: index for index, name in enumerate(METRICS)}
    names = {m for t in trials if t.outcome for m in (*t.outcome.quality, *t.outcome.costs)}
    return sorted(names, key=lambda m: (order.get(split_metric(m)[0], len(order)), m))


def _row(view: StudyView, trials: Sequence[TrialView], metric: str) -> MetricRow:
    direction = next((o.direction for o in view.objectives if o.metric == metric), metric_of(metric).direction)
    found = [view.figure(t, metric) for t in trials]
    values = [f[0] for f in found if f is not None]
    top = max(values) if direction == "maximize" else min(values)
    champion = next(f for f in found if f is not None and f[0] == top)
    best = champion[1] or (top, top)

    def figure(trial: TrialView, pair: tuple[float, Interval | None] | None) -> Figure | None:
        if pair is None:
            return None
        value, interval = pair
        cost = trial.cost(metric)
        return Figure(
            value=value,
            ci95=interval,
            provenance=cost.provenance if cost else "",
            best=value == top,
            tied=value != top and overlap(interval or (value, value), best),
        )

    return MetricRow(metric=metric, figures=tuple(figure(t, f) for t, f in zip(trials, found, strict=True)))
