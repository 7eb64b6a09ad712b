"""From a study file's sampler section to an Optuna sampler."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler

from nasopt import plugins
from nasopt.errors import UsageError
from nasopt.spec.study import SamplerSpec


def build_sampler(
    spec: SamplerSpec,
    *,
    seed: int,
    trials: int,
    search_space: Mapping[str, BaseDistribution],
    provided: Mapping[str, Any] | None = None,
) -> BaseSampler:
    """Call the sampler's factory with what its signature asks for: seed, search_space, trials (the budget).

    `provided` is what it requires besides, see `study.providing`; empty before that is made.

    Raises:
        UnknownPluginError: no sampler of that name.
        UsageError: options that it does not take.
    """
    factory = plugins.load("samplers", spec.name)
    offered: dict[str, Any] = {"seed": seed, "search_space": dict(search_space), "trials": trials, **(provided or {})}
    wanted = inspect.signature(factory).parameters
    given = {name: value for name, value in offered.items() if name in wanted}
    if taken := given.keys() & spec.options.keys():
        raise UsageError(f"sampler option {min(taken)!r} is set by nasopt itself; remove it from sampler.options")
    try:
        sampler = factory(**given, **spec.options)
    except TypeError as error:
        raise UsageError(f"sampler {spec.name} refuses its options: {error}") from error
    if not isinstance(sampler, BaseSampler):
        raise UsageError(f"sampler {spec.name} gave a {type(sampler).__name__}, not an optuna.samplers.BaseSampler")
    return sampler
