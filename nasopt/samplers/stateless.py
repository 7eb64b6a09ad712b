"""The part that evolutionary samplers share: a stateless Optuna sampler that never proposes a point twice."""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, TypeVar

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.search_space import IntersectionSearchSpace
from optuna.trial import FrozenTrial

from nasopt.errors import UsageError
from nasopt.samplers.history import PROPOSAL, History, Point, Seen, announced, history_of, read_points, read_trials
from nasopt.samplers.lost import StudyWithLost
from nasopt.space.encoding import Array, Encoding, digest

Options = TypeVar("Options")

OFFSPRING_TRIED = 60
"""So many offspring may be known already before a random new point is taken instead."""
RANDOM_TRIED = 100
ANNOUNCED_TRIED = 20


class BreedingSampler(BaseSampler):
    """Rebuilds its population from the study's trials at each ask, and keeps no state but its generator.

    So any number of workers, resumed studies, enqueued and added trials teach it alike. A proposal is new against
    trials of all states. Workers announce what they propose before its parameters are stored, and draw again where
    another did the same: whoever announces later sees the earlier, so that no two keep the same point.
    """

    def __init__(
        self,
        *,
        population_size: int,
        seed: int | None = None,
        search_space: Mapping[str, BaseDistribution] | None = None,
    ) -> None:
        """Without a `search_space` it is what all trials that teach have in common; the first ones are then random."""
        self.population_size = population_size
        self._rng = np.random.default_rng(seed)
        self._independent = RandomSampler(seed=seed)
        self._space = {n: d for n, d in (search_space or {}).items() if not d.single()}
        self._intersection = IntersectionSearchSpace()

    @abstractmethod
    def offspring(self, history: History, encoding: Encoding, rng: np.random.Generator) -> Iterator[Array]:
        """Rows (d,) without end, bred from a history of at least `population_size` trials."""

    def reseed_rng(self) -> None:
        """Seed all generators anew."""
        self._rng = np.random.default_rng()
        self._independent.reseed_rng()

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The given space, else the intersection of the spaces of the trials that teach."""
        if self._space:
            return dict(self._space)
        return {n: d for n, d in self._intersection.calculate(StudyWithLost(study)).items() if not d.single()}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A random value, for parameters outside of the relative space."""
        return self._independent.sample_independent(study, trial, param_name, param_distribution)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """A point of the whole space that no trial has; a repeat where there is none left."""
        encoding = Encoding(search_space)
        if not encoding.axes:
            return {}
        points = read_points(study, encoding)
        seen = Seen(points, encoding, own=trial.number)
        pinned = _pinned(trial, encoding)
        rows = self.proposals(study, trial, points, encoding)
        settled = {p.trial.number for p in points if p.trial.state.is_finished()} | {trial.number}
        for _ in range(ANNOUNCED_TRIED):
            params, fresh = self._pick(rows, pinned, seen, encoding)
            mine = digest(params)
            study._storage.set_trial_system_attr(trial._trial_id, PROPOSAL, mine)
            others = {announced(t) for t in read_trials(study) if t.number not in settled}
            seen.add(others)
            if not fresh or mine not in others:
                break
        return params

    def proposals(
        self, study: Study, trial: FrozenTrial, points: Sequence[Point], encoding: Encoding
    ) -> Iterator[Array]:
        """Rows (d,) for a trial, best first: offspring, or random while the population is not complete."""
        history = history_of(points, study, encoding)
        if len(history) < self.population_size:
            return (encoding.draw(self._rng, 1)[0] for _ in itertools.count())
        return self.offspring(history, encoding, self._rng)

    def _pick(
        self, rows: Iterator[Array], pinned: Array, seen: Seen, encoding: Encoding
    ) -> tuple[dict[str, Any], bool]:
        """An assignment and whether it is new: offspring, else random, else whatever a walk over the space finds."""
        random = (encoding.draw(self._rng, 1)[0] for _ in itertools.count())
        first: dict[str, Any] | None = None
        walk = encoding.walk(self._rng, pinned)
        for row in itertools.chain(
            itertools.islice(rows, OFFSPRING_TRIED), itertools.islice(random, RANDOM_TRIED), walk
        ):
            point = encoding.snap(np.where(np.isnan(pinned), row, pinned))
            params = encoding.decode(point)
            first = params if first is None else first
            if point not in seen and not seen.promised(digest(params)):
                return params, True
        assert first is not None  # random rows never end
        return first, False


def _pinned(trial: FrozenTrial, encoding: Encoding) -> Array:
    """Row (d,) of what an enqueued trial has fixed, NaN elsewhere."""
    row = encoding.encode(trial.system_attrs.get("fixed_params", {}))
    return np.full(len(encoding.axes), np.nan) if row is None else row


def population_for(trials: int | None, size: int | None) -> int:
    """Population as given, else a sixth of the budget of trials, else Optuna's 50."""
    if size is not None:
        return size
    return 50 if trials is None else max(6, trials // 6)


def read_options(name: str, kind: type[Options], options: Mapping[str, Any]) -> Options:
    """Make a sampler's frozen dataclass of options, whose constructor checks values.

    Raises:
        UsageError: an option that the sampler does not take, or a value that it refuses.
    """
    known = [f.name for f in fields(kind)]  # type: ignore[arg-type]
    if unknown := [o for o in options if o not in known]:
        raise UsageError(f"sampler {name} has no option {unknown[0]!r}; it takes {', '.join(known)}")
    try:
        return kind(**options)
    except (TypeError, ValueError) as error:
        raise UsageError(f"sampler {name} refuses its options {dict(options)}: {error}") from error


def check_integer(name: str, value: Any, low: int) -> None:
    """Refuse what is not a whole number of at least `low`.

    Raises:
        ValueError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise ValueError(f"{name} must be a whole number of at least {low}, got {value!r}")


def check_share(name: str, value: Any) -> None:
    """Refuse what is not a number from 0 to 1.

    Raises:
        ValueError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"{name} must be a number from 0 to 1, got {value!r}")


def check_numbers(name: str, value: Any, accepts: Callable[[float], bool], what: str) -> Sequence[float]:
    """Refuse what is not a list of numbers that `accepts` takes.

    Raises:
        ValueError: it is not; `what` says what was expected.
    """
    numbers = isinstance(value, list | tuple) and all(
        isinstance(v, int | float) and not isinstance(v, bool) and accepts(v) for v in value
    )
    if not numbers:
        raise ValueError(f"{name} must be {what}, got {value!r}")
    return tuple(value)
