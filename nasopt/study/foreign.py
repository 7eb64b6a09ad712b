"""Trials of a study that nasopt did not draw: told apart, checked, and shown to samplers as far as they fit."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Container, Mapping
from typing import Any

from optuna import Study
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

from nasopt.problems import Problem
from nasopt.records import TrialKeys
from nasopt.spec.study import StudySpec
from nasopt.study.constraints import ConstraintSet

See = Callable[[FrozenTrial], FrozenTrial | None]


def mark_of(trial: FrozenTrial) -> dict[str, Any] | None:
    """The record of `TrialKeys.SLOT`, by which a trial is one of nasopt's; None where it has none, or a damaged one."""
    mark = trial.user_attrs.get(TrialKeys.SLOT)
    if not isinstance(mark, dict) or not isinstance(mark.get("slot"), int) or not isinstance(mark.get("owner"), str):
        return None
    return mark


def is_ours(trial: FrozenTrial) -> bool:
    """Whether nasopt drew or ended a trial. All others belong to whoever added, enqueued or asked for them."""
    return trial.state != TrialState.WAITING and (mark_of(trial) is not None or TrialKeys.ENDED in trial.user_attrs)


def enqueued_params(trial: FrozenTrial) -> dict[str, Any]:
    """What a waiting trial asks for; the sampler fills in the rest."""
    return {**trial.params, **(trial._system_attrs.get("fixed_params") or {})}


def misfit(params: Mapping[str, Any], space: Mapping[str, BaseDistribution]) -> str | None:
    """Why these parameters, of all or of some names, are no point of the space; None where they are."""
    for name, value in params.items():
        if name not in space:
            return f"{name} is no parameter of this study ({', '.join(space)})"
        if not _contains(space[name], value):
            return f"{name}={value!r} is not in {_words(space[name])}"
    return None


def _contains(distribution: BaseDistribution, value: Any) -> bool:
    if isinstance(distribution, CategoricalDistribution):
        return any(c == value and isinstance(c, bool) == isinstance(value, bool) for c in distribution.choices)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return False
    if isinstance(distribution, IntDistribution) and value != int(value):
        return False
    return bool(distribution._contains(distribution.to_internal_repr(value)))


def _words(distribution: Any) -> str:
    if isinstance(distribution, CategoricalDistribution):
        return f"its choices ({', '.join(map(repr, distribution.choices))})"
    step = f" in steps of {distribution.step}" if distribution.step is not None else ""
    return f"{distribution.low} to {distribution.high}{step}"


class SeenStudy(Study):
    """A study as its sampler sees it: without foreign trials that are no finished points of its space.

    A sampler that met one would narrow its space to what all trials share, or stop.
    """

    def __init__(self, study: Study, see: See) -> None:
        super().__init__(study_name=study.study_name, storage=study._storage)
        self._see = see

    def _get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None, use_cache: bool = False
    ) -> list[FrozenTrial]:
        trials = super()._get_trials(deepcopy=deepcopy, states=states, use_cache=use_cache)
        return [seen for trial in trials if (seen := self._see(trial)) is not None]


def seeing(spec: StudySpec, problem: Problem, constraints: ConstraintSet) -> See:
    """How the sampler of a study sees its trials: None for one that it must not meet.

    Foreign trials carry no constraints, or others: those of the study are reckoned from the parameters and values that
    they have, with 0 for what cannot be known, as for a trial that was refused before it was measured.
    """
    known: dict[int, FrozenTrial] = {}
    metrics = [o.metric for o in spec.objectives]

    def see(trial: FrozenTrial) -> FrozenTrial | None:
        if is_ours(trial):
            return trial
        space = problem.distributions
        if trial.state != TrialState.COMPLETE or trial.params.keys() != space.keys() or misfit(trial.params, space):
            return None
        if list(trial.constraints) == list(constraints.keys):
            return trial
        if trial._trial_id not in known:
            values = dict(zip(metrics, trial.values, strict=True))
            known[trial._trial_id] = _constrained(trial, _reckoned(trial, values))
        return known[trial._trial_id]

    def _reckoned(trial: FrozenTrial, values: dict[str, float]) -> dict[str, float]:
        inspection = problem.inspect(trial.params)
        violations = constraints.before(inspection)
        return violations | {b.key: b.violation(values[b.metric]) for b in constraints.bounds if b.metric in values}

    return see


def _constrained(trial: FrozenTrial, violations: Mapping[str, float]) -> FrozenTrial:
    """A copy with these constraints and no others; the stored trial stays as its owner made it."""
    twin = copy.copy(trial)
    kept = {k: v for k, v in trial._system_attrs.items() if not k.startswith("constraints")}
    twin._system_attrs = {**kept, **{f"constraints:{key}": value for key, value in violations.items()}}
    return twin
