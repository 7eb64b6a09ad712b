"""Calling a sampler's factory: what its signature asks for, the user's options, and one line where it refuses them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from optuna.samplers import BaseSampler

from nasopt.errors import UsageError


def call_factory(
    name: str, factory: Callable[..., Any], options: Mapping[str, Any], offered: Mapping[str, Any]
) -> BaseSampler:
    """Make a sampler from a study file's options, and from what its factory takes of `offered`.

    A factory may refuse an option itself with a UsageError, or leave that to its signature and to the TypeError or
    ValueError of its code: the user reads one line in either case.

    Raises:
        UsageError: an option that it does not take, that is set for it, or whose value it refuses.
    """
    parameters = inspect.signature(factory).parameters
    given = {option: value for option, value in offered.items() if option in parameters}
    if taken := given.keys() & options.keys():
        raise UsageError(f"sampler {name}: option {min(taken)!r} is set by nasopt itself; remove it")
    if not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
        known = [option for option in parameters if option not in given]
        if unknown := [option for option in options if option not in known]:
            raise UsageError(f"sampler {name} has no option {unknown[0]!r}; it takes {', '.join(known) or 'none'}")
    try:
        sampler = factory(**given, **options)
    except (TypeError, ValueError) as error:
        raise UsageError(f"sampler {name} refuses its options: {first_line(error)}") from error
    if not isinstance(sampler, BaseSampler):
        raise UsageError(f"sampler {name} gave a {type(sampler).__name__}, not an optuna.samplers.BaseSampler")
    return sampler


def first_line(error: BaseException) -> str:
    """What an error says, as far as its first line; its kind where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
