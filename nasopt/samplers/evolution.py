"""Evolution on a weighted sum of the objectives: tournament, crossover, mutation, and optionally age.

The search of Once-for-All [Cai2020] and of regularised evolution [Real2019], on Optuna's trials.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler

from nasopt.errors import UsageError
from nasopt.samplers.history import History
from nasopt.samplers.stateless import (
    BreedingSampler,
    check_integer,
    check_numbers,
    check_share,
    population_for,
    read_options,
)
from nasopt.space.encoding import Array, Axis, Encoding

STEP = 0.2
"""Standard deviation of a mutation on a number, as a share of its range."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvolutionOptions:
    """Options of the evolution sampler."""

    population_size: int | None = None
    """Parents; also how many random trials come first."""
    tournament_size: int | None = None
    """Members that compete to become a parent; a quarter of the population unless given, as in [Real2019]."""
    crossover_prob: float = 0.5
    """Probability that a child has two parents, each of its parameters from either."""
    mutation_prob: float | None = None
    """Probability that a parameter mutates; one over their number unless given. A child of one parent mutates at
    least once."""
    weights: Literal["drawn", "equal"] | tuple[float, ...] = "drawn"
    """Of the objectives in their order, in the weighted sum; `drawn`: other ones for each trial, so that the search
    spreads along the front."""
    ageing: bool = False
    """The newest trials are the population, and not the fittest [Real2019]."""

    def __post_init__(self) -> None:
        if self.population_size is not None:
            check_integer("population_size", self.population_size, 2)
        if self.tournament_size is not None:
            check_integer("tournament_size", self.tournament_size, 1)
        check_share("crossover_prob", self.crossover_prob)
        if self.mutation_prob is not None:
            check_share("mutation_prob", self.mutation_prob)
        if not isinstance(self.ageing, bool):
            raise ValueError(f"ageing must be true or false, got {self.ageing!r}")
        if self.weights not in ("drawn", "equal"):
            what = "drawn, equal or a list of numbers that are not negative, one for each objective"
            weights = check_numbers("weights", self.weights, lambda w: math.isfinite(w) and w >= 0, what)
            if not sum(weights) > 0:
                raise ValueError(f"weights must not all be 0, got {self.weights!r}")


class EvolutionSampler(BreedingSampler):
    """Breeds from the fittest or the newest trials by a weighted sum of their scaled objectives."""

    def __init__(
        self,
        options: EvolutionOptions,
        *,
        population_size: int,
        seed: int | None = None,
        search_space: Mapping[str, BaseDistribution] | None = None,
    ) -> None:
        super().__init__(population_size=population_size, seed=seed, search_space=search_space)
        self._options = options

    def offspring(self, history: History, encoding: Encoding, rng: np.random.Generator) -> Iterator[Array]:
        """Rows (d,) of children of tournament winners.

        Raises:
            UsageError: the number of weights is not that of the objectives.
        """
        fitness = self._fitness(history, rng)
        size = self.population_size
        order = np.arange(len(history))[-size:] if self._options.ageing else np.argsort(fitness, kind="stable")[:size]
        members = encoding.fill(history.codes[order], rng)
        losses = fitness[order]
        while True:
            child = members[self._winner(losses, rng)].copy()
            crossed = rng.random() < self._options.crossover_prob
            if crossed:
                other = members[self._winner(losses, rng)]
                child = np.where(rng.random(len(child)) < 0.5, child, other)
            yield self._mutate(child, encoding, rng, at_least_once=not crossed)

    def _fitness(self, history: History, rng: np.random.Generator) -> Array:
        """(n,), smaller is fitter; infeasible trials come after all feasible ones, by their violation."""
        count = history.losses.shape[1]
        given = self._options.weights
        if given == "drawn":
            weights = rng.dirichlet(np.ones(count))
        else:
            weights = np.ones(count) if given == "equal" else np.array(given, dtype=float)
        if len(weights) != count:
            raise UsageError(
                f"sampler evolution has {len(weights)} weights for {count} objectives; give one for each objective"
            )
        fitness: Array = history.losses @ (weights / weights.sum())
        worst = fitness.max(initial=0.0)
        return np.where(history.feasible, fitness, worst + history.violations)

    def _winner(self, losses: Array, rng: np.random.Generator) -> int:
        size = self._options.tournament_size or max(2, self.population_size // 4)
        competitors: NDArray[np.int_] = rng.choice(len(losses), size=min(size, len(losses)), replace=False)
        return int(competitors[losses[competitors].argmin()])

    def _mutate(self, row: Array, encoding: Encoding, rng: np.random.Generator, *, at_least_once: bool) -> Array:
        rate = self._options.mutation_prob
        chosen = rng.random(len(row)) < (1 / len(row) if rate is None else rate)
        if at_least_once and not chosen.any():
            chosen[rng.integers(len(row))] = True
        for i in np.flatnonzero(chosen):
            row[i] = step(encoding.axes[i], row[i], rng)
        return row


def step(axis: Axis, code: float, rng: np.random.Generator) -> float:
    """Another choice, or a number nearby; a stepped number moves by at least one step."""
    if axis.kind == "choice":
        levels = axis.levels or 1
        return float((int(code) + rng.integers(1, levels)) % levels)
    move = rng.normal(0.0, STEP * axis.top)
    if axis.kind == "integer":
        move = math.copysign(max(1.0, abs(round(move))), move)
    moved = code + move
    if not 0 <= moved <= axis.top:
        moved = code - move  # off one end: go the other way
    return float(min(max(moved, 0.0), axis.top))


def evolution(
    *,
    seed: int | None = None,
    search_space: Mapping[str, BaseDistribution] | None = None,
    trials: int | None = None,
    **options: Any,
) -> BaseSampler:
    """Evolution on a weighted sum, stateless; its options are those of EvolutionOptions.

    Raises:
        UsageError: an option that it does not take, or a value that it refuses.
    """
    read = read_options("evolution", EvolutionOptions, options)
    size = population_for(trials, read.population_size)
    return EvolutionSampler(read, population_size=size, seed=seed, search_space=search_space)
