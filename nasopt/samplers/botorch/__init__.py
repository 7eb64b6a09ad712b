"""Bayesian optimisation with BoTorch as a sampler. BoTorch is imported at the first use only."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler

from nasopt.errors import UsageError
from nasopt.samplers.stateless import check_integer, read_options


@dataclass(frozen=True, slots=True, kw_only=True)
class BotorchOptions:
    """Options of the botorch sampler."""

    startup_trials: int = 10
    """Complete trials before the Gaussian processes take over: homogeneous points, then points far from each other;
    those that were added beforehand count."""
    samples: int | None = None
    """Draws from the posterior over which the acquisition function is averaged; 64 unless given, 16 with three
    objectives, where each draw's hypervolume is cut into boxes by itself."""
    pool: int = 2048
    """Points that are screened before the most promising ones are scored by the acquisition function."""
    max_data: int = 300
    """A Gaussian process learns from at most so many trials: the best fronts, and an even sample of the others."""
    fit_steps: int = 12
    """Steps of L-BFGS in a fit of hyperparameters."""

    def __post_init__(self) -> None:
        check_integer("startup_trials", self.startup_trials, 2)
        if self.samples is not None:
            check_integer("samples", self.samples, 8)
        check_integer("pool", self.pool, 16)
        check_integer("max_data", self.max_data, 20)
        check_integer("fit_steps", self.fit_steps, 1)


def botorch(
    *,
    seed: int | None = None,
    search_space: Mapping[str, BaseDistribution] | None = None,
    **options: Any,
) -> BaseSampler:
    """Gaussian processes and noisy expected hypervolume improvement; its options are those of BotorchOptions.

    Raises:
        UsageError: an option that it does not take, a value that it refuses, or BoTorch is missing.
    """
    read = read_options("botorch", BotorchOptions, options)
    try:
        sampling = importlib.import_module("nasopt.samplers.botorch.sampling")
    except ImportError as error:
        raise UsageError(f"sampler botorch needs botorch (pip install 'nasopt[botorch]'): {error}") from error
    sampler: BaseSampler = sampling.BotorchSampler(read, seed=seed, search_space=search_space)
    return sampler
