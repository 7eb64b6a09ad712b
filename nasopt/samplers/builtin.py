"""Optuna's own samplers under the names of study files, each with the options it takes from there."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import optuna
from optuna.samplers import BaseSampler

from nasopt.errors import UsageError


def build(name: str, sampler: type[BaseSampler], *, seed: int | None, options: dict[str, Any]) -> BaseSampler:
    """Construct an Optuna sampler from a study file's options.

    Raises:
        UsageError: an option that the sampler does not take, or a value that it refuses.
    """
    known = [p for p in inspect.signature(sampler).parameters if p not in ("self", "seed", "constraints_func")]
    if unknown := [o for o in options if o not in known]:
        raise UsageError(f"sampler {name} has no option {unknown[0]!r}; it takes {', '.join(known)}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return sampler(**({"seed": seed} | options))
    except (TypeError, ValueError) as error:
        raise UsageError(f"sampler {name} refuses its options {options}: {error}") from error


def _genetic(name: str, sampler: type[BaseSampler]) -> Callable[..., BaseSampler]:
    def factory(*, seed: int | None = None, trials: int | None = None, **options: Any) -> BaseSampler:
        if trials is not None:  # Optuna's population of 50 would make a short study a random search
            options.setdefault("population_size", max(6, trials // 6))
        return build(name, sampler, seed=seed, options=options)

    factory.__doc__ = f"{sampler.__name__} with a population of a sixth of the budget, unless given."
    return factory


def _plain(name: str, sampler: type[BaseSampler], **defaults: Any) -> Callable[..., BaseSampler]:
    def factory(*, seed: int | None = None, **options: Any) -> BaseSampler:
        return build(name, sampler, seed=seed, options=defaults | options)

    factory.__doc__ = f"{sampler.__name__}{' with ' + str(defaults) if defaults else ''}."
    return factory


nsga2 = _genetic("nsga2", optuna.samplers.NSGAIISampler)
nsga3 = _genetic("nsga3", optuna.samplers.NSGAIIISampler)
tpe = _plain("tpe", optuna.samplers.TPESampler, multivariate=True)
random = _plain("random", optuna.samplers.RandomSampler)
gp = _plain("gp", optuna.samplers.GPSampler, deterministic_objective=False)
