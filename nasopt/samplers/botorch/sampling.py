"""An Optuna sampler around BoTorch's models and acquisition functions."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import moocore
import numpy as np
import torch
from numpy.typing import NDArray
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from nasopt.samplers.botorch import BotorchOptions
from nasopt.samplers.botorch.acquisition import MOST_OBJECTIVES, Worth
from nasopt.samplers.botorch.search import Lattice, search
from nasopt.samplers.botorch.surrogate import Surrogate
from nasopt.samplers.botorch.training_data import Output, teaching_of
from nasopt.samplers.history import History, Point, Seen, history_of, known_rows, teachers_of
from nasopt.samplers.initial_design import first_points
from nasopt.samplers.stateless import BreedingSampler
from nasopt.samplers.threads import one_thread
from nasopt.space.encoding import Array, Encoding

logger = logging.getLogger("nasopt")

SCOUTS = 512
"""Random points that show where the front may end."""


class BotorchSampler(BreedingSampler):
    """Proposes the point of largest expected improvement under Gaussian processes; keeps nothing between two asks."""

    def __init__(
        self,
        options: BotorchOptions,
        *,
        seed: int | None = None,
        search_space: Mapping[str, BaseDistribution] | None = None,
    ) -> None:
        super().__init__(population_size=options.startup_trials, seed=seed, search_space=search_space)
        self._options = options
        self._told = False

    def offspring(self, history: History, encoding: Encoding, rng: np.random.Generator) -> Iterator[Array]:
        """Random rows (d,): what comes after the points that were searched for."""
        return (encoding.draw(rng, 1)[0] for _ in itertools.count())

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """A point of the whole space that no trial has; a repeat where there is none left."""
        with one_thread(), _torch_on_one_thread():
            return super().sample_relative(study, trial, search_space)

    def proposals(
        self, study: Study, trial: FrozenTrial, points: Sequence[Point], encoding: Encoding
    ) -> Iterator[Array]:
        """Rows (d,), best first."""
        used = teachers_of(points)
        history = history_of(points, study, encoding)
        if len(history) < self.population_size:
            return first_points(encoding, known_rows(points, encoding, but=trial.number), self._rng)
        self._tell_of_limit(len(history))
        lattice = Lattice(encoding)
        teaching = teaching_of([p.trial for p in used], history, study, self._options.max_data)
        rows = lattice.scale(encoding.fill(history.codes, self._rng))
        worth = Worth(
            [self._surrogate(o, rows, lattice) for o in teaching.objectives if len(o.trials) > 1],
            [self._surrogate(o, rows, lattice) for o in teaching.constraints],
            feasible=torch.from_numpy(rows[_feasible(teaching.objectives, history)]),
            pending=_pending(points, trial, lattice, encoding, self._rng),
            samples=self._options.samples or (16 if len(study.directions) == MOST_OBJECTIVES else 64),
            generator=torch.Generator().manual_seed(int(self._rng.integers(2**31))),
            scouts=torch.from_numpy(lattice.scale(encoding.draw(self._rng, SCOUTS))),
        )
        pinned = encoding.encode(trial.system_attrs.get("fixed_params", {}))
        found = search(
            worth,
            lattice,
            starts=rows[_best(history)],
            seen=Seen(points, encoding, own=trial.number),
            pinned=np.full(len(encoding.axes), np.nan) if pinned is None else pinned,
            pool=self._options.pool,
            rng=self._rng,
        )
        return itertools.chain(found, self.offspring(history, encoding, self._rng))

    def _surrogate(self, output: Output, rows: Array, lattice: Lattice) -> Surrogate:
        return Surrogate(
            lattice.features, rows[output.trials], output.values, output.variances, self._options.fit_steps
        )

    def _tell_of_limit(self, count: int) -> None:
        if count > self._options.max_data and not self._told:
            self._told = True
            logger.info(
                "botorch: %d trials are more than max_data; the Gaussian processes learn from %d of them",
                count,
                self._options.max_data,
            )


@contextmanager
def _torch_on_one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _feasible(objectives: Sequence[Output], history: History) -> NDArray[np.int_]:
    """Indices of the feasible trials that the objectives' processes know."""
    known = objectives[0].trials
    kept: NDArray[np.int_] = known[history.feasible[known]]
    return kept


def _best(history: History) -> NDArray[np.int_]:
    """Indices of the trials around which is searched: the front, else the least infeasible ones."""
    if not history.feasible.any():
        return np.argsort(history.violations, kind="stable")[:5]
    feasible = np.flatnonzero(history.feasible)
    front: NDArray[np.int_] = feasible[moocore.is_nondominated(history.losses[feasible])]
    return front


def _pending(
    points: Sequence[Point], trial: FrozenTrial, lattice: Lattice, encoding: Encoding, rng: np.random.Generator
) -> torch.Tensor | None:
    """Rows (p, d) of the trials that others evaluate now."""
    rows = [
        p.row
        for p in points
        if p.trial.state == TrialState.RUNNING
        and p.trial.number != trial.number
        and p.row is not None
        and not np.isnan(p.row).all()
    ]
    if not rows:
        return None
    return torch.from_numpy(lattice.scale(encoding.fill(np.array(rows), rng)))
