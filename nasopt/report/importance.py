"""Which parameters matter for an objective, by PED-ANOVA over the finished trials. [Watanabe2023]"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nasopt.database import quiet_optuna
from nasopt.report.view import StudyView

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

FEWEST = 10
"""Trials below which the best of them are a handful, and importances are noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Importances:
    """Shares of importance of the searched parameters for one objective."""

    metric: str
    shares: dict[str, float]
    """Parameter -> share, most first, summing to 1; empty with a `reason`."""
    reason: str = ""
    """Why there are none."""


def importances(view: StudyView) -> tuple[Importances, ...]:
    """Parameter importances for each objective, from the trained and measured trials."""
    trials = [t for t in view.finished() if t.values is not None and t.distributions]
    if len(trials) < FEWEST:
        reason = f"{len(trials)} finished trials are too few; importances need {FEWEST} or more"
        return tuple(Importances(metric=o.metric, shares={}, reason=reason) for o in view.objectives)
    from optuna import create_study
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
    from optuna.storages import InMemoryStorage
    from optuna.trial import create_trial

    with quiet_optuna():
        study = create_study(storage=InMemoryStorage(), directions=[o.direction for o in view.objectives])
    for t in trials:
        study.add_trial(
            create_trial(params=dict(t.params), distributions=dict(t.distributions), values=list(t.values or ()))
        )
    quantile = max(0.1, min(0.5, 10 / len(trials)))  # the best tenth, but ten trials where there are twenty
    found = []
    for index, objective in enumerate(view.objectives):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that low targets are better: the sign below sees to it
            raw = get_param_importances(
                study,
                evaluator=PedAnovaImportanceEvaluator(target_quantile=quantile),
                target=_loss(index, objective.sign),
                normalize=False,
            )
        total = math.fsum(raw.values())
        if total > 0:
            found.append(Importances(metric=objective.metric, shares={k: v / total for k, v in raw.items()}))
        else:
            reason = f"the best trials by {objective.metric} do not differ from the rest in any parameter"
            found.append(Importances(metric=objective.metric, shares={}, reason=reason))
    return tuple(found)


def _loss(index: int, sign: float) -> Callable[[FrozenTrial], float]:
    return lambda trial: sign * trial.values[index]
