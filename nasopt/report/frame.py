"""A study as a table for pandas: one row a trial, every column of one kind, so that it saves as CSV and Parquet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from nasopt.errors import UsageError

if TYPE_CHECKING:
    from pandas import DataFrame

    from nasopt.report.view import StudyView, TrialView


def to_dataframe(view: StudyView) -> DataFrame:
    """All trials of a study; see `StudyView.to_dataframe` for the columns.

    Raises:
        UsageError: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise UsageError("a data frame needs pandas; pip install pandas") from error
    trials = view.trials
    metrics = _seen(
        [o.metric for o in view.objectives],
        *((*t.outcome.quality, *t.outcome.costs) for t in trials if t.outcome is not None),
    )
    figures = {metric: [view.figure(t, metric) for t in trials] for metric in metrics}
    columns: dict[str, Any] = {
        "number": [t.number for t in trials],
        "state": [t.state for t in trials],
        "ended": [t.ended for t in trials],
        "reason": [t.reason for t in trials],
        "feasible": [t.feasible for t in trials],
        "front": [t.number in {f.number for f in view.front()} for t in trials] if trials else [],
        "started": pd.to_datetime([t.started for t in trials]),
        "finished": pd.to_datetime([t.finished for t in trials]),
        "seconds": [float(t.seconds) for t in trials],
        "proposer": [t.proposer for t in trials],
    }
    for name in _seen(*(t.params for t in trials)):
        columns[f"params_{name}"] = _alike([t.params.get(name) for t in trials])
    for metric, found in figures.items():
        columns[f"figures_{metric}"] = [float("nan") if f is None else float(f[0]) for f in found]
        for side, prefix in ((0, "low"), (1, "high")):
            ends = [float(f[1][side]) if f is not None and f[1] is not None else float("nan") for f in found]
            columns[f"{prefix}_{metric}"] = ends
        columns[f"provenance_{metric}"] = [_provenance(t, metric) for t in trials]
    for constraint in view.constraints:
        kept = [t.constraints.get(constraint.key) for t in trials]
        columns[f"violations_{constraint.key}"] = [float("nan") if v is None else float(v) for v in kept]
    for name in _seen(*view.test_scores.values()):
        scores = [view.test_scores.get(t.number, {}).get(name) for t in trials]
        columns[f"test_{name}"] = [float("nan") if s is None else float(s) for s in scores]
    return pd.DataFrame(columns)


def _seen(*names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(name for some in names for name in some))


def _alike(values: Sequence[Any]) -> list[Any]:
    """Values of one kind: numbers or truths as they are, anything mixed as text, which is all that Parquet can hold."""
    kinds = {type(v) for v in values if v is not None}
    if kinds <= {int, float} or (len(kinds) == 1 and kinds <= {bool, str}):
        return list(values)
    return [None if v is None else str(v) for v in values]


def _provenance(trial: TrialView, metric: str) -> str:
    return cost.provenance if (cost := trial.cost(metric)) is not None else ""
