"""What the Gaussian processes are taught: the trials of a study as values to be maximised and limits to be kept."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import moocore
import numpy as np
from numpy.typing import NDArray
from optuna import Study
from optuna.trial import FrozenTrial

from nasopt.records import TrialKeys
from nasopt.samplers.history import History
from nasopt.samplers.lost import losses_of
from nasopt.space.encoding import Array
from nasopt.statistics.binomial import Z95_ROUNDED
from nasopt.statistics.magnitude import column_units

BEND = 4.0
"""Losses lose half of their slope over 1 / BEND of the front's span: good networks are told apart, and no stretch is
wasted on useless ones."""
SHARE_KNOWN = 0.5
"""From this share of trials with an interval on, noise is taken as observed; the others get the median."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Observations of one objective or constraint."""

    trials: NDArray[np.int_]
    """Indices (k,) of the history's trials that have a value."""
    values: Array
    """(k,); objectives are maximised, a constraint is kept at 0 and below."""
    variances: Array | None
    """(k,) of the values' noise, where measurements came with intervals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Teaching:
    """Objectives and constraints of the trials in a space that teach."""

    objectives: tuple[Output, ...]
    constraints: tuple[Output, ...]


def teaching_of(trials: Sequence[FrozenTrial], history: History, study: Study, limit: int) -> Teaching:
    """Observations of at most `limit` of the trials, which are those of the history in its order."""
    kept = np.arange(len(history)) if len(history) <= limit else subset(history, limit)
    raw = losses_of(trials, study.directions)
    units = column_units(raw)
    raw = raw / units
    finite = kept[np.isfinite(raw[kept]).all(axis=1)]
    names: Sequence[str | None] = study.metric_names or [None] * raw.shape[1]
    objectives = []
    for j, name in enumerate(names):
        errors = (
            _standard_errors([trials[i] for i in finite], j, name)
            / units[j]
            * _slope(raw[finite, j], history.losses[finite, j])
        )
        losses = history.losses[finite, j]
        objectives.append(Output(trials=finite, values=-squash(losses), variances=_variances(errors, losses)))
    return Teaching(objectives=tuple(objectives), constraints=tuple(_constraints(trials, history, kept)))


def squash(losses: Array) -> Array:
    """Losses on a logarithmic scale that leaves the front's ideal at 0 and its nadir at 1; straight below 0."""
    bent = np.log1p(BEND * np.maximum(losses, 0.0)) + BEND * np.minimum(losses, 0.0)
    return bent / np.log1p(BEND)


def _variances(errors: Array, losses: Array) -> Array | None:
    """(k,) from standard errors with NaN where unknown; None where too few are known."""
    known = np.isfinite(errors)
    if not len(errors) or known.mean() < SHARE_KNOWN:
        return None
    filled = np.where(known, errors, np.median(errors[known]))
    slope = BEND / (1.0 + BEND * np.maximum(losses, 0.0)) / np.log1p(BEND)
    return (filled * slope) ** 2


def _slope(values: Array, losses: Array) -> float:
    """By how much a scaled loss changes with its value."""
    if not len(values) or np.ptp(values) == 0:
        return float("nan")
    return float(np.ptp(losses) / np.ptp(values))


def _standard_errors(trials: Sequence[FrozenTrial], objective: int, name: str | None) -> Array:
    """(k,) from the 95% intervals of measured costs, in the objective's unit; NaN where a trial has none."""
    return np.array([_standard_error(t, objective, name) for t in trials], dtype=float)


def _standard_error(trial: FrozenTrial, objective: int, name: str | None) -> float:
    """A figure without a spread, or one that a model predicted, tells nothing about noise."""
    costs = _costs(trial)
    cost = costs[name] if name is not None and name in costs else _equal(costs, trial.values[objective])
    if not isinstance(cost, Mapping) or cost.get("provenance") != "measured":
        return float("nan")
    try:
        low, high = cost["ci95"]
        width = float(high) - float(low)
    except (KeyError, TypeError, ValueError):
        return float("nan")
    return width / (2 * Z95_ROUNDED) if width > 0 else float("nan")


def _costs(trial: FrozenTrial) -> Mapping[str, Any]:
    stored = trial.user_attrs.get(TrialKeys.OUTCOME)
    if isinstance(stored, str):
        try:
            stored = json.loads(stored)
        except ValueError:
            return {}
    costs = stored.get("costs") if isinstance(stored, Mapping) else None
    return costs if isinstance(costs, Mapping) else {}


def _equal(costs: Mapping[str, Any], value: float) -> Any:
    """The cost with exactly this value, for studies that name no metrics."""
    return next((c for c in costs.values() if isinstance(c, Mapping) and c.get("value") == value), None)


def _constraints(trials: Sequence[FrozenTrial], history: History, kept: NDArray[np.int_]) -> list[Output]:
    """One for each constraint that some trial breaks, and one for trials whose training diverged."""
    keys = sorted({key for i in kept for key in trials[i].constraints})
    outputs = []
    explained = np.zeros(len(kept), dtype=bool)
    for key in keys:
        values = np.array([trials[i].constraints.get(key, np.inf) for i in kept], dtype=float)
        explained |= values > 0
        if not (values > 0).any():
            continue
        finite = np.abs(values[np.isfinite(values) & (values != 0)])
        unit = float(np.median(finite)) if len(finite) else 1.0
        scaled = np.clip(values / unit, -1e3, 1e3)
        outputs.append(Output(trials=kept, values=np.sign(scaled) * np.log1p(np.abs(scaled)), variances=None))
    broken = (history.violations[kept] > 0) & ~explained
    if broken.any():
        outputs.append(Output(trials=kept, values=np.where(broken, 1.0, -1.0), variances=None))
    return outputs


def subset(history: History, limit: int) -> NDArray[np.int_]:
    """Indices (limit,) in ascending order: half of them the best fronts, the others evenly from the rest."""
    feasible = np.flatnonzero(history.feasible)
    order = np.argsort(history.violations, kind="stable")
    if len(feasible):
        ranks = moocore.pareto_rank(history.losses[feasible])
        order = np.concatenate([feasible[np.argsort(ranks, kind="stable")], order[len(feasible) :]])
    best = order[: limit // 2]
    rest = np.setdiff1d(np.arange(len(history)), best)
    evenly = rest[np.linspace(0, len(rest) - 1, limit - len(best)).round().astype(int)]
    chosen: NDArray[np.int_] = np.sort(np.concatenate([best, evenly]))
    return chosen
