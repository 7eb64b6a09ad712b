"""From a study file's sampler section to an Optuna sampler."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.samplers import BaseSampler

from nasopt import plugins
from nasopt.errors import DatabaseError, LostTrialError, NasoptError, SamplerError
from nasopt.samplers.factory import call_factory, first_line
from nasopt.spec.study import SamplerSpec

log = logging.getLogger(__name__)


def build_sampler(
    spec: SamplerSpec,
    *,
    seed: int,
    trials: int,
    search_space: Mapping[str, BaseDistribution],
    provided: Mapping[str, Any] | None = None,
) -> BaseSampler:
    """Call the sampler's factory with what its signature asks for: seed, search_space, trials (the budget).

    `provided` is what it requires besides, see `study.requirements`; empty before that is made.

    Raises:
        UnknownPluginError: no sampler of that name.
        UsageError: options that it does not take, or values that it refuses.
    """
    factory = plugins.load("samplers", spec.name)
    offered: dict[str, Any] = {"seed": seed, "search_space": dict(search_space), "trials": trials, **(provided or {})}
    return call_factory(spec.name, factory, spec.options, offered)


@contextmanager
def sampler_errors(name: str) -> Iterator[None]:
    """Turn what a sampler raises while it draws, or is told a result, into a SamplerError of one line.

    Its traceback goes to the log. What database and disk raise below it is passed on: that is not the sampler's doing.
    Nor is a trial that another worker has ended meanwhile: that is a LostTrialError.
    """
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except UpdateFinishedTrialError as error:
        raise LostTrialError(first_line(error)) from error
    except (SamplerError, DatabaseError, SQLAlchemyError, StorageInternalError, OSError):
        raise
    except NasoptError as error:  # it knows the cause, such as weights for another number of objectives
        raise SamplerError(first_line(error), exit_code=error.exit_code) from error
    except Exception as error:
        if isinstance(error, ValueError) and str(error).startswith("Cannot tell a "):  # Optuna has no type for it
            raise LostTrialError(first_line(error)) from error
        log.info("sampler %s raised", name, exc_info=True)
        raise SamplerError(
            f"sampler {name} raised {type(error).__name__}: {first_line(error)} (nasopt run --log-file FILE keeps "
            "the traceback)"
        ) from error
