"""What distinguishes the evolutionary algorithms of pymoo: who survives and who mates.

Each scheme rebuilds its survivors from all trials at once, so that nothing has to be remembered between two asks:
ideal points, extreme points and archives are those of the whole history. With a single objective all of them are the
plain genetic algorithm.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from functools import partial
from math import comb
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymoo.algorithms.moo.ctaea import CADASurvival, RestrictedMating, comp_by_cv_dom_then_random
from pymoo.algorithms.moo.moead import NeighborhoodSelection
from pymoo.algorithms.moo.nsga2 import binary_tournament
from pymoo.algorithms.moo.nsga3 import ReferenceDirectionSurvival
from pymoo.algorithms.moo.sms import LeastHypervolumeContributionSurvival, cv_and_dom_tournament
from pymoo.algorithms.moo.spea2 import SPEA2Survival, spea_binary_tournament
from pymoo.algorithms.soo.nonconvex.ga import FitnessSurvival, comp_by_cv_and_fitness
from pymoo.core.population import Population
from pymoo.core.problem import Problem
from pymoo.core.selection import Selection
from pymoo.decomposition.pbi import PBI
from pymoo.decomposition.tchebicheff import Tchebicheff
from pymoo.operators.selection.tournament import TournamentSelection
from pymoo.operators.survival.rank_and_crowding import RankAndCrowding
from pymoo.util.ref_dirs import get_reference_directions

from nasopt.samplers.pymoo import MoeadOptions, PymooOptions
from nasopt.samplers.pymoo_sampling import Scheme
from nasopt.space.encoding import Array

Tournament = Callable[..., NDArray[np.int_]]


class TournamentScheme:
    """Survival and binary tournament of one of pymoo's genetic algorithms."""

    def __init__(self, survival: Callable[[Array, int], Any], compare: Tournament, kind: str = "") -> None:
        """`survival` is made for losses (n, m) and a size; `kind` is the tournament type that NSGA-II asks for."""
        self._survival = survival
        self._compare = compare
        self._kind = kind

    def parents(
        self, problem: Problem, population: Population, size: int, rng: np.random.Generator
    ) -> tuple[Population, Selection]:
        """Survivors, and a binary tournament among them."""
        if problem.n_obj == 1:
            survival, compare = FitnessSurvival(), comp_by_cv_and_fitness
        else:
            algorithm = SimpleNamespace(tournament_type=self._kind, random_state=rng)
            survival, compare = (
                self._survival(_survivable(population), size),
                partial(self._compare, algorithm=algorithm),
            )
        survivors = survival.do(problem, population, n_survive=size, random_state=rng)
        return survivors, TournamentSelection(func_comp=compare)


class TwoArchiveScheme:
    """C-TAEA: an archive that converges to the feasible front and one that covers all directions. [Li2019]"""

    def parents(
        self, problem: Problem, population: Population, size: int, rng: np.random.Generator
    ) -> tuple[Population, Selection]:
        """Both archives, and the mating that is restricted to one from each where they differ."""
        if problem.n_obj == 1:
            return SCHEMES["nsga2"](PymooOptions()).parents(problem, population, size, rng)
        survival = CADASurvival(directions(problem.n_obj, size))
        count = len(survival.ref_dirs)
        survival.ideal_point = population.get("F").min(axis=0)
        # pymoo takes the last `count` for this generation's offspring; the rest stands for the archive of diversity
        converged, diverse = survival.do(problem, population, population[:-count], n_survive=count, random_state=rng)
        mating = RestrictedMating(func_comp=comp_by_cv_dom_then_random)
        return Population.merge(converged, diverse), mating


class DecompositionScheme:
    """MOEA/D: each direction keeps its best trial and mates with its neighbours. [Zhang2007]

    The best of the whole history replaces the replacement of neighbours. A violated constraint is a penalty beyond the
    worst loss, since the method knows none.
    """

    def __init__(self, options: PymooOptions) -> None:
        assert isinstance(options, MoeadOptions)
        self._neighbors = options.neighbors
        self._probability = options.neighbor_mating_prob

    def parents(
        self, problem: Problem, population: Population, size: int, rng: np.random.Generator
    ) -> tuple[Population, Selection]:
        """One trial for each direction, and mating in a random neighbourhood."""
        if problem.n_obj == 1:
            return SCHEMES["nsga2"](PymooOptions()).parents(problem, population, size, rng)
        weights = directions(problem.n_obj, size)
        losses, violations = population.get("F"), population.get("CV")[:, 0]
        decomposition = Tchebicheff() if problem.n_obj == 2 else PBI()
        ideal = losses.min(axis=0)
        fitness = decomposition.do(losses, weights, _type="many_to_many", ideal_point=ideal)
        fitness = np.where(violations[:, None] > 0, fitness.max() + violations[:, None], fitness)
        distances = np.linalg.norm(weights[:, None] - weights[None], axis=2)
        neighbors = np.argsort(distances, axis=1, kind="stable")[:, : max(2, self._neighbors)]
        return population[fitness.argmin(axis=0)], _NeighborMating(neighbors, self._probability)


class _NeighborMating(Selection):
    """pymoo's selection in a neighbourhood, that of a subproblem drawn at random."""

    def __init__(self, neighbors: NDArray[np.int_], probability: float) -> None:
        super().__init__()
        self._neighbors = neighbors
        self._selection = NeighborhoodSelection(prob=probability)

    def _do(
        self,
        problem: Problem,
        pop: Population,
        n_select: int,
        n_parents: int,
        random_state: np.random.Generator | None = None,
        **_: Any,
    ) -> Any:
        assert random_state is not None
        around = self._neighbors[random_state.integers(len(pop), size=n_select)]
        return self._selection._do(problem, pop, n_select, n_parents, neighbors=around, random_state=random_state)


@functools.cache
def directions(objectives: int, size: int) -> Array:
    """At most `size` evenly spread weights of shape (n, objectives), each summing to 1 [Das1998]."""
    partitions = 1
    while comb(partitions + objectives, objectives - 1) <= size:
        partitions += 1
    found: Array = get_reference_directions("das-dennis", objectives, n_partitions=partitions)
    return found[:size]


def _violation_else_random(
    pop: Population, pairs: NDArray[np.int_], random_state: np.random.Generator, **_: Any
) -> NDArray[np.int_]:
    """NSGA-III's tournament. pymoo's own breaks ties between infeasible ones with a generator without a seed."""
    violations = pop.get("CV")[:, 0][pairs]
    coin = random_state.random(pairs.shape)
    by_violation = np.lexsort((coin, violations), axis=1)[:, 0]
    winner = np.where((violations > 0).any(axis=1), by_violation, coin.argmin(axis=1))
    return pairs[np.arange(len(pairs)), winner][:, None]


def _agemoea(_: PymooOptions) -> Scheme:
    age = importlib.import_module("pymoo.algorithms.moo.age")  # needs numba, which the others do without
    return TournamentScheme(
        lambda _losses, _size: age.AGEMOEASurvival(), binary_tournament, "comp_by_rank_and_crowding"
    )


def _survivable(population: Population) -> Array:
    """Losses (n, m) of the feasible trials, which alone a survival compares."""
    losses: Array = population.get("F")[population.get("CV")[:, 0] <= 0]
    return losses


def _spea2_survival(losses: Array, _: int) -> SPEA2Survival:
    varied = len(losses) > 0 and bool((np.ptp(losses, axis=0) > 0).all())
    return SPEA2Survival(normalize=varied)  # it would divide by a range of 0


SCHEMES: dict[str, Callable[[PymooOptions], Scheme]] = {
    "nsga2": lambda _: TournamentScheme(
        lambda _losses, _size: RankAndCrowding(), binary_tournament, "comp_by_dom_and_crowding"
    ),
    "nsga3": lambda _: TournamentScheme(
        lambda losses, size: ReferenceDirectionSurvival(directions(losses.shape[1], size)), _violation_else_random
    ),
    "smsemoa": lambda _: TournamentScheme(
        lambda _losses, _size: LeastHypervolumeContributionSurvival(), cv_and_dom_tournament
    ),
    "agemoea": _agemoea,
    "spea2": lambda _: TournamentScheme(_spea2_survival, spea_binary_tournament),
    "ctaea": lambda _: TwoArchiveScheme(),
    "moead": DecompositionScheme,
}
"""Made from the sampler's options."""
