"""No point twice, whoever proposes it: a repeat becomes the nearest new point that mutation finds."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from nasopt.samplers.evolution import step
from nasopt.samplers.history import PROPOSAL, History, announced, params_of, read_trials
from nasopt.samplers.stateless import BreedingSampler
from nasopt.space.encoding import Array, Encoding, digest

CHANGED_ALIKE = 20
"""So many mutants change one parameter, as many more two, and so on."""


class _Neighbours(BreedingSampler):
    """Breeds from one given assignment, ever farther from it; the rest is the common guard against repeats."""

    def __init__(self, params: Mapping[str, Any], seed: int) -> None:
        super().__init__(population_size=0, seed=seed)
        self._params = params

    def offspring(self, history: History, encoding: Encoding, rng: np.random.Generator) -> Iterator[Array]:
        row = encoding.encode(self._params)
        assert row is not None  # checked before
        for tried in itertools.count():
            changed = min(len(row), 1 + tried // CHANGED_ALIKE)
            child = row.copy()
            for i in rng.permutation(len(row))[:changed]:
                child[i] = step(encoding.axes[i], row[i], rng)
            yield child


def unseen(
    study: Study,
    trial: FrozenTrial,
    space: dict[str, BaseDistribution],
    params: dict[str, Any],
    rng: np.random.Generator,
) -> dict[str, Any]:
    """`params`, or a new point near it where a trial of any state has it or another worker has announced it.

    `params` assigns all of `space`. It is announced in turn. A repeat is given only when a finite space is used up.
    """
    fixed = {n: v for n, v in trial.system_attrs.get("fixed_params", {}).items() if n in params}
    wanted = params | fixed
    if Encoding(space).encode(wanted) is None:
        return params  # a value outside of its distribution: Optuna asks again for this one
    mine = digest(wanted)
    trials = read_trials(study)
    if not any(_may_be(t, wanted) for t in trials if t.number != trial.number):
        if any(t.number == trial.number and announced(t) == mine for t in trials):
            return params  # the member looks for repeats itself
        study._storage.set_trial_system_attr(trial._trial_id, PROPOSAL, mine)
        running = [t for t in read_trials(study) if t.state == TrialState.RUNNING and t.number != trial.number]
        if mine not in {announced(t) for t in running}:
            return params
    return _Neighbours(wanted, int(rng.integers(2**32))).sample_relative(study, trial, space)


def _may_be(trial: FrozenTrial, params: Mapping[str, Any]) -> bool:
    """Whether a trial agrees with `params` wherever it has one of them: quick, and never wrong when it says no."""
    own = params_of(trial)
    return bool(own) and all(params[name] == value for name, value in own.items() if name in params)
