"""What a trial tells other readers of its database: its figures as scalar attributes, written in one transaction.

The whole outcome is one JSON text beside them, so that a data frame of the study saves as Parquet and CSV whatever the
problem is.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from optuna.storages import BaseStorage, RDBStorage

from nasopt.records import Inspection, Outcome, TrialKeys
from nasopt.study.constraints import plain_key

_OURS = frozenset({TrialKeys.SLOT, TrialKeys.OUTCOME, TrialKeys.ENDED, TrialKeys.REASON, TrialKeys.PROPOSER})


def known_figures(inspection: Inspection) -> dict[str, float]:
    """What is known exactly of a candidate before it is evaluated, such as its MACs."""
    bounds = inspection.bounds.items()
    return {metric: float(low) for metric, (low, high) in bounds if low == high and math.isfinite(low)}


def scalar_attributes(known: Mapping[str, float], outcome: Outcome | None) -> dict[str, float | str]:
    """Each figure of a trial under its metric's name, `@` as `.`; and where it comes from, unless it was counted.

    `latency_ms` goes with `latency_ms.provenance`. A metric that has the name of another attribute of nasopt's gets an
    underscore behind it.
    """
    figures: dict[str, float | str] = {_key(metric): value for metric, value in known.items()}
    if outcome is None:
        return figures
    figures |= {_key(metric): float(value) for metric, value in outcome.quality.items()}
    for metric, cost in outcome.costs.items():
        figures[_key(metric)] = float(cost.value)
        if cost.provenance != "computed":
            figures[f"{_key(metric)}.provenance"] = cost.provenance
    return figures


def outcome_text(outcome: Outcome) -> str:
    """The outcome as `Outcome.from_stored` reads it back."""
    return json.dumps(outcome.to_json(), allow_nan=False)


def write_attributes(storage: BaseStorage, trial_id: int, attributes: Mapping[str, Any]) -> None:
    """Set user attributes of an unfinished trial, all or none where a database holds them.

    Optuna's own call takes a transaction for each: some 3 ms on SQLite, and a trial has thirty.
    """
    backend = getattr(storage, "_backend", storage)
    if not isinstance(backend, RDBStorage):
        for key, value in attributes.items():
            storage.set_trial_user_attr(trial_id, key, value)
        return
    from optuna.storages._rdb import models
    from optuna.storages._rdb.storage import _create_scoped_session

    table = models.TrialUserAttributeModel
    with _create_scoped_session(backend.scoped_session, True) as session:
        for key, value in attributes.items():
            backend._set_trial_attr_without_commit(session, table, trial_id, key, value)


def _key(metric: str) -> str:
    key = plain_key(metric)
    return f"{key}_" if key in _OURS else key
