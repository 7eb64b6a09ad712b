"""An Optuna sampler around pymoo's survival and mating operators."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import Protocol

import moocore
import numpy as np
from optuna.distributions import BaseDistribution
from pymoo.config import Config
from pymoo.core.mixed import MixedVariableMating
from pymoo.core.population import Population
from pymoo.core.problem import Problem
from pymoo.core.selection import Selection
from pymoo.core.variable import Choice, Integer, Real
from pymoo.operators.crossover.sbx import SBX
from pymoo.operators.crossover.ux import UX
from pymoo.operators.mutation.pm import PM
from pymoo.operators.mutation.rm import ChoiceRandomMutation
from pymoo.operators.repair.rounding import RoundingRepair
from pymoo.operators.survival.rank_and_crowding.metrics import get_crowding_function

from nasopt.samplers.history import History
from nasopt.samplers.pymoo import PymooOptions
from nasopt.samplers.stateless import BreedingSampler
from nasopt.space.encoding import Array, Encoding

Config.warnings["not_compiled"] = False  # pymoo prints it to the terminal in the middle of a study

INTEGER_ETA = 3.0
"""Spread of polynomial mutation on stepped numbers; pymoo's 20 hardly leaves the level of a short scale."""


SHORTLIST = 3
"""Survivors are chosen among so many times the population, so that an ask stays fast after thousands of trials."""
SHORTEST = 60


class Scheme(Protocol):
    """What makes one algorithm differ from another: who survives, and who mates."""

    def parents(
        self, problem: Problem, population: Population, size: int, rng: np.random.Generator
    ) -> tuple[Population, Selection]:
        """Survivors of a population that may hold more than `size`, and the selection among them."""
        ...


class PymooSampler(BreedingSampler):
    """Breeds with pymoo's operators; the population is rebuilt from the trials at each ask."""

    def __init__(
        self,
        scheme: Scheme,
        options: PymooOptions,
        *,
        population_size: int,
        seed: int | None = None,
        search_space: Mapping[str, BaseDistribution] | None = None,
    ) -> None:
        super().__init__(population_size=population_size, seed=seed, search_space=search_space)
        self._scheme = scheme
        self._options = options

    def offspring(self, history: History, encoding: Encoding, rng: np.random.Generator) -> Iterator[Array]:
        """Rows (d,) of two parents' crossover and mutation, two at a time."""
        history = shortlist(history, max(SHORTLIST * self.population_size, SHORTEST))
        problem = _problem(history, encoding)
        with warnings.catch_warnings():  # pymoo switches warnings off for the whole process while it normalises
            population, selection = self._scheme.parents(
                problem, _population(history, encoding, rng), self.population_size, rng
            )
        mating = self._mating(selection, len(encoding.axes))
        while True:
            for child in mating.do(problem, population, 2, random_state=rng):
                yield np.array([float(child.X[name]) for name in encoding.names])

    def _mating(self, selection: Selection, dimensions: int) -> MixedVariableMating:
        crossing = self._options.crossover_prob
        rate = 1 / dimensions if self._options.mutation_prob is None else self._options.mutation_prob
        return MixedVariableMating(
            selection=selection,
            crossover={
                Real: SBX(prob=crossing),
                Integer: SBX(prob=crossing, vtype=float, repair=RoundingRepair()),
                Choice: UX(prob=crossing),
            },
            mutation={  # pymoo mates each choice by itself and would take its rate as that of a single parameter: 0.5
                Real: PM(prob=1.0, prob_var=rate),
                Integer: PM(prob=1.0, prob_var=rate, eta=INTEGER_ETA, vtype=float, repair=RoundingRepair()),
                Choice: ChoiceRandomMutation(prob=1.0, prob_var=rate),
            },
            eliminate_duplicates=None,  # done against all trials, not the population alone
        )


def _problem(history: History, encoding: Encoding) -> Problem:
    variables = {}
    for axis in encoding.axes:
        if axis.kind == "choice":
            variables[axis.name] = Choice(options=list(range(axis.levels or 1)))
        elif axis.kind == "integer":
            variables[axis.name] = Integer(bounds=(0, int(axis.top)))
        else:
            variables[axis.name] = Real(bounds=(0.0, 1.0))
    return Problem(vars=variables, n_obj=history.losses.shape[1], n_ieq_constr=int(not history.feasible.all()))


def _population(history: History, encoding: Encoding, rng: np.random.Generator) -> Population:
    rows = encoding.fill(history.codes, rng)
    population = Population.new(X=[dict(zip(encoding.names, row, strict=True)) for row in rows.tolist()])
    population.set("F", history.losses)
    if not history.feasible.all():
        population.set("G", history.violations[:, None])
    return population


def shortlist(history: History, limit: int) -> History:
    """The trials that can survive: whole fronts in their order, the last one thinned, then the least infeasible."""
    if len(history) <= limit:
        return history
    feasible = np.flatnonzero(history.feasible)
    chosen: list[int] = []
    if len(feasible):
        losses = history.losses[feasible]
        ranks = moocore.pareto_rank(losses)
        for rank in range(int(ranks.max()) + 1):
            front = feasible[ranks == rank]
            if len(chosen) + len(front) > limit:
                crowding = get_crowding_function("cd").do(losses[ranks == rank], n_remove=0)
                front = front[np.argsort(-crowding, kind="stable")[: limit - len(chosen)]]
            chosen.extend(front.tolist())
            if len(chosen) == limit:
                break
    infeasible = np.flatnonzero(~history.feasible)
    by_violation = infeasible[np.argsort(history.violations[infeasible], kind="stable")]
    chosen.extend(by_violation[: limit - len(chosen)].tolist())
    kept = np.sort(np.array(chosen, dtype=int))
    return History(codes=history.codes[kept], losses=history.losses[kept], violations=history.violations[kept])
