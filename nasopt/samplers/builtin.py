"""Optuna's own samplers under the names of study files, each with the options it takes from there."""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import optuna
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from nasopt.errors import UsageError
from nasopt.samplers.lost import WithLost

_WHOLE = "a whole number of 0 or more"
_KINDS: dict[type, tuple[str, tuple[type, ...]]] = {
    bool: ("true or false", (bool,)),
    int: (_WHOLE, (int,)),
    float: ("a number", (int, float)),
}
"""What an option takes whose default is of this type."""
_BEYOND = re.compile("Callable|Sampler|ndarray|Sequence")
"""Annotations of parameters that no study file can express, such as functions."""


def build(name: str, sampler: type[BaseSampler], *, seed: int | None, options: dict[str, Any]) -> BaseSampler:
    """Construct an Optuna sampler from a study file's options.

    Raises:
        UsageError: an option that the sampler does not take, or a value that it refuses.
    """
    parameters = inspect.signature(sampler).parameters
    known = [p for p, about in parameters.items() if p not in ("self", "seed") and not _BEYOND.search(str(about))]
    if unknown := [o for o in options if o not in known]:
        raise UsageError(f"sampler {name} has no option {unknown[0]!r}; it takes {', '.join(known) or 'none'}")
    for option, value in options.items():  # Optuna meets a text for a number only when it draws
        wanted, alike = _KINDS.get(type(parameters[option].default), ("", (type(value),)))
        if type(value) not in alike or (wanted == _WHOLE and value < 0):
            raise UsageError(f"sampler {name}: option {option} expects {wanted}, not {value!r}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return sampler(**({"seed": seed} | options))
    except (TypeError, ValueError) as error:
        raise UsageError(f"sampler {name} refuses its options {options}: {error}") from error


def _know_space(sampler: BaseSampler, space: Mapping[str, BaseDistribution] | None) -> BaseSampler:
    """Let a relational sampler use the space it is told, not the intersection of all trials' spaces.

    A study builds its sampler anew for every trial, and the intersection costs time in proportion to the trials (8 ms
    at 40 trials of 34 parameters). Replacing the public method of the instance keeps Optuna's class, whose name is the
    key under which genetic samplers find their generations again. Parameters that a complete trial lacks are left out,
    as Optuna does: its samplers read every parameter of the space from every trial.
    """
    if space:
        static = {name: d for name, d in space.items() if not d.single()}

        def shared(study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
            names = set(static)
            for t in study._get_trials(deepcopy=False, states=(TrialState.COMPLETE,), use_cache=True):
                names.intersection_update(t.params)
            return {name: d for name, d in static.items() if name in names}

        sampler.infer_relative_search_space = shared  # type: ignore[method-assign]
    return sampler


def _genetic(name: str, sampler: type[BaseSampler]) -> Callable[..., BaseSampler]:
    def factory(
        *,
        seed: int | None = None,
        search_space: Mapping[str, BaseDistribution] | None = None,
        trials: int | None = None,
        **options: Any,
    ) -> BaseSampler:
        if trials is not None:  # Optuna's population of 50 would make a short study a random search
            options.setdefault("population_size", max(6, trials // 6))
        return WithLost(_know_space(build(name, sampler, seed=seed, options=options), search_space))

    factory.__doc__ = f"{sampler.__name__} with a population of a sixth of the budget, unless given."
    return factory


def _model_based(
    name: str, sampler: type[BaseSampler], *, reads_pruned: bool, **defaults: Any
) -> Callable[..., BaseSampler]:
    def factory(
        *, seed: int | None = None, search_space: Mapping[str, BaseDistribution] | None = None, **options: Any
    ) -> BaseSampler:
        settings = defaults | options
        built = build(name, sampler, seed=seed, options=settings)
        # univariate and grouped TPE are not told: they find out for themselves which parameters go together
        relational = settings.get("multivariate", True) and not settings.get("group", False)
        knowing = _know_space(built, search_space) if relational else built
        return knowing if reads_pruned else WithLost(knowing)

    factory.__doc__ = f"{sampler.__name__} with {defaults}."
    return factory


def random(*, seed: int | None = None, **options: Any) -> BaseSampler:
    """RandomSampler, the control of every comparison."""
    return build("random", optuna.samplers.RandomSampler, seed=seed, options=options)


nsga2 = _genetic("nsga2", optuna.samplers.NSGAIISampler)
nsga3 = _genetic("nsga3", optuna.samplers.NSGAIIISampler)
tpe = _model_based("tpe", optuna.samplers.TPESampler, reads_pruned=True, multivariate=True)
gp = _model_based("gp", optuna.samplers.GPSampler, reads_pruned=False, deterministic_objective=False)
