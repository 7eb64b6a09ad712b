"""`predictor`: learn each objective from the trials so far, and try next what should improve the front most.

The way of predictor-guided architecture search [Cai2020, Once-for-All; Lu2020, NSGANetV2] with the acquisition of
Bayesian optimisation: Gaussian processes over the choices on several scales of each objective
(`surrogate`), the whole space or an evolution on the surrogates as candidates (`search`), exact
expected hypervolume improvement (`boxes`). The first trials are homogeneous networks and points far from each
other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial

from nasopt.samplers.history import History, Point, history_of, known_rows, teachers_of
from nasopt.samplers.initial_design import first_points
from nasopt.samplers.lost import losses_of
from nasopt.samplers.predictor.observations import Observations
from nasopt.samplers.predictor.search import Stage, prepare, rank
from nasopt.samplers.stateless import BreedingSampler, check_integer, read_options
from nasopt.samplers.threads import one_thread
from nasopt.space.encoding import Array, Encoding

STARTUP = 16
"""Complete trials before the surrogates take over."""
OFTEN, SELDOM = 5, 20
"""The surrogates are fitted anew after a twelfth of the trials, but within these numbers."""
REMEMBERED = 4
"""So many stages are kept in a process; the oldest go first."""
_STAGES: dict[bytes, Stage] = {}
"""Stages by the digest of what they rest on, so that a study may build its sampler anew for every trial."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictorOptions:
    """What a study file may set."""

    startup: int | None = None
    """Complete trials before the surrogates take over; unless given 16."""
    pool: int = 1500
    """Candidates that are ranked at each ask."""
    whole: int = 20_000
    """A space of at most so many points is searched completely when the surrogates are fitted."""

    def __post_init__(self) -> None:
        if self.startup is not None:
            check_integer("startup", self.startup, 2)
        check_integer("pool", self.pool, 10)
        check_integer("whole", self.whole, 0)


class PredictorSampler(BreedingSampler):
    """Proposes by expected hypervolume improvement on surrogates that are rebuilt from the study's trials.

    A stage (fits, candidates) serves a few asks. It follows from the first so many trials and nothing else, so that one
    that another process made, or that was forgotten, comes out the same again.
    """

    def __init__(
        self,
        options: PredictorOptions,
        *,
        seed: int | None = None,
        search_space: Mapping[str, BaseDistribution] | None = None,
    ) -> None:
        self._startup = options.startup or STARTUP
        super().__init__(population_size=self._startup, seed=seed, search_space=search_space)
        self._options = options
        self._seed = int(self._rng.integers(2**31))

    def reseed_rng(self) -> None:
        """Seed all generators anew."""
        super().reseed_rng()
        self._seed = int(self._rng.integers(2**31))

    def offspring(self, history: History, encoding: Encoding, rng: np.random.Generator) -> Iterator[Array]:
        """Rows (d,) for a study of which nothing but its history is known."""
        observations = Observations(
            codes=history.codes,
            losses=history.losses,
            feasible=history.feasible,
            constraints=np.empty((len(history), 0)),
        )
        with one_thread():
            stage = prepare(encoding, observations, pool=self._options.pool, whole=self._options.whole, rng=rng)
            ranked = rank(stage, encoding, observations, history.codes, rng)
        yield from ranked

    def proposals(
        self, study: Study, trial: FrozenTrial, points: Sequence[Point], encoding: Encoding
    ) -> Iterator[Array]:
        """Rows (d,), best first."""
        rng = np.random.default_rng([self._seed, trial.number])
        known = known_rows(points, encoding, but=trial.number)
        complete = teachers_of(points)
        if len(complete) < self._startup:
            return first_points(encoding, known, rng)
        observations = _observe(complete, history_of(points, study, encoding))
        with one_thread():
            stage = self._stage(study, complete, encoding)
            return iter(rank(stage, encoding, observations, known, rng))

    def _stage(self, study: Study, complete: Sequence[Point], encoding: Encoding) -> Stage:
        """Fits and candidates after the last refit, remembered under all that they rest on."""
        first = complete[: _last_refit(len(complete), self._startup)]
        key = _digest(study, first, encoding, self._options)
        if (found := _STAGES.pop(key, None)) is None:
            observations = _observe(first, history_of(first, study, encoding))
            rng = np.random.default_rng(len(first))
            found = prepare(encoding, observations, pool=self._options.pool, whole=self._options.whole, rng=rng)
        _STAGES[key] = found
        while len(_STAGES) > REMEMBERED:
            _STAGES.pop(next(iter(_STAGES)), None)
        return found


def _digest(study: Study, points: Sequence[Point], encoding: Encoding, options: PredictorOptions) -> bytes:
    """Name of what a stage is made from."""
    named = (study.directions, [(axis.name, axis.distribution) for axis in encoding.axes], options)
    finished = [(p.trial.number, p.trial.datetime_complete) for p in points]  # finished trials never change
    losses = losses_of([p.trial for p in points], study.directions)
    facts = np.concatenate([losses, [p.row for p in points]], axis=1)
    return hashlib.sha256(repr((named, finished)).encode() + facts.tobytes()).digest()


def _last_refit(count: int, startup: int) -> int:
    """The largest number of trials up to `count` after which surrogates are fitted."""
    last = startup
    while (following := last + min(SELDOM, max(OFTEN, last // 12))) <= count:
        last = following
    return last


def _observe(complete: Sequence[Point], history: History) -> Observations:
    """The history with each constraint by itself: compressed, feasible at 0 and below; a missing one is infinite."""
    found = [p.trial.constraints for p in complete]
    names = sorted(set().union(*found))
    raw = np.array([[values.get(name, np.inf) for name in names] for values in found], dtype=float)
    raw = raw.reshape(len(complete), len(names))
    columns = [_compressed(column) for column in raw.T]
    broken = ~history.feasible & (raw <= 0.0).all(axis=1)
    if broken.any():  # its training diverged
        columns.append(np.where(broken, 1.0, -1.0))
    constraints = np.stack(columns, axis=1) if columns else np.empty((len(complete), 0))
    return Observations(codes=history.codes, losses=history.losses, feasible=history.feasible, constraints=constraints)


def _compressed(column: Array) -> Array:
    """Constraint values (n,) with far ones drawn in and 0 left where it is."""
    finite = column[np.isfinite(column)]
    unit = float(np.median(np.abs(finite))) if len(finite) else 1.0
    scaled = np.arcsinh(column / (unit or 1.0))
    bound = float(np.abs(scaled[np.isfinite(scaled)]).max(initial=1.0)) + 1.0
    return np.clip(scaled, -bound, bound)


def predictor(
    *,
    seed: int | None = None,
    search_space: Mapping[str, BaseDistribution] | None = None,
    **options: Any,
) -> BaseSampler:
    """The predictor-guided sampler; its options are those of PredictorOptions.

    Raises:
        UsageError: an option that it does not take, or a value that it refuses.
    """
    return PredictorSampler(read_options("predictor", PredictorOptions, options), seed=seed, search_space=search_space)
