"""Trials that lost without a value: refused by a constraint, or diverged.

Nobody measured a value of theirs, so the database holds none: they are PRUNED, with every constraint set. Optuna's TPE
reads them so. Samplers that read COMPLETE trials alone would never hear of them; these are given a view of the study in
which a lost trial is COMPLETE with the worst values seen. Nothing of the view is ever stored.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from nasopt.records import TrialKeys

DIVERGED = "diverged"
"""What the user attribute `TrialKeys.ENDED` of a trial says whose training diverged."""


def is_lost(trial: FrozenTrial) -> bool:
    """Whether a trial without values says something of its network: it breaks a constraint, or its training diverged.

    Other PRUNED trials were given up by their evaluation, and say nothing.
    """
    if trial.state != TrialState.PRUNED:
        return False
    return trial.user_attrs.get(TrialKeys.ENDED) == DIVERGED or any(v > 0 for v in trial.constraints.values())


def teaches(trial: FrozenTrial) -> bool:
    """Whether a sampler learns from a trial: it was evaluated, or lost."""
    return trial.state == TrialState.COMPLETE or is_lost(trial)


def losses_of(trials: Sequence[FrozenTrial], directions: Sequence[StudyDirection]) -> NDArray[np.float64]:
    """Values of shape (n, m) of trials that teach, all minimised; infinite for those that lost."""
    signs = np.array([-1.0 if d == StudyDirection.MAXIMIZE else 1.0 for d in directions])
    rows = [np.full(len(signs), np.inf) if is_lost(t) else np.array(t.values, dtype=float) * signs for t in trials]
    return np.array(rows, dtype=float).reshape(len(trials), len(signs))


class StudyWithLost(Study):
    """A study as a sampler sees it that reads COMPLETE trials alone.

    Lost trials are COMPLETE with the worst values seen: values do not matter among infeasible trials under constrained
    domination [Deb2002], and a diverged trial loses to every other. Older databases hold infinite values of COMPLETE
    trials, which become the worst seen as well. A trial of elsewhere whose constraints are not those of the study is
    left out: nobody knows whether it keeps them, and Optuna's Gaussian processes refuse a study with such a trial.
    """

    def __init__(self, study: Study) -> None:
        vars(self).update(vars(study))  # the same storage, and the same cache of trials

    def _get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None, use_cache: bool = False
    ) -> list[FrozenTrial]:
        """What all reading of trials goes through in Optuna."""
        wanted = frozenset(state for state in TrialState if states is None or state in states)
        read = wanted | {TrialState.PRUNED} if TrialState.COMPLETE in wanted else wanted
        trials = super()._get_trials(deepcopy=deepcopy, states=tuple(read), use_cache=use_cache)
        return [t for t in _shown(trials, self.directions) if t.state in wanted]


class WithLost(BaseSampler):
    """A sampler that reads COMPLETE trials alone, and learns from lost ones all the same."""

    def __init__(self, sampler: BaseSampler) -> None:
        self.sampler = sampler
        """The sampler inside."""

    def __str__(self) -> str:
        return str(self.sampler)

    def reseed_rng(self) -> None:
        """Seed all generators anew."""
        self.sampler.reseed_rng()

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The sampler's own."""
        return self.sampler.infer_relative_search_space(StudyWithLost(study), trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The sampler's own."""
        return self.sampler.sample_relative(StudyWithLost(study), trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """The sampler's own."""
        return self.sampler.sample_independent(StudyWithLost(study), trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Passed on."""
        self.sampler.before_trial(StudyWithLost(study), trial)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Passed on."""
        self.sampler.after_trial(StudyWithLost(study), trial, state, values)


def _shown(trials: Sequence[FrozenTrial], directions: Sequence[StudyDirection]) -> list[FrozenTrial]:
    """The trials as `StudyWithLost` shows them; those given are not changed."""
    teachers = [t for t in trials if teaches(t)]
    losses = losses_of(teachers, directions)
    finite = np.isfinite(losses)
    worst = np.where(finite, losses, -np.inf).max(axis=0, initial=-np.inf)
    worst[np.isinf(worst)] = 0.0  # no value was seen at all
    signs = np.array([-1.0 if d == StudyDirection.MAXIMIZE else 1.0 for d in directions])
    keys = _constraint_keys(teachers)
    as_seen: dict[int, FrozenTrial | None] = {}
    for trial, row, known in zip(teachers, losses, finite, strict=True):
        if frozenset(trial.constraints) != keys:
            as_seen[trial.number] = None
        elif not known.all():
            as_seen[trial.number] = _completed(trial, signs * np.where(known, row, worst))
    seen = (as_seen.get(t.number, t) for t in trials)
    return [t for t in seen if t is not None]


def _completed(trial: FrozenTrial, values: NDArray[np.float64]) -> FrozenTrial:
    twin = copy.copy(trial)
    twin.state = TrialState.COMPLETE
    twin.values = values.tolist()
    return twin


def _constraint_keys(trials: Iterable[FrozenTrial]) -> frozenset[str]:
    """The constraints of a study: those that most trials of ours carry, else most trials."""
    marked: Counter[frozenset[str]] = Counter()
    counts: Counter[frozenset[str]] = Counter()
    for trial in trials:
        keys = frozenset(trial.constraints)
        counts[keys] += 1
        marked[keys] += TrialKeys.ENDED in trial.user_attrs
    return max(counts, key=lambda keys: (marked[keys], counts[keys]), default=frozenset())
