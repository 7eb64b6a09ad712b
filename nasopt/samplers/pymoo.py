"""pymoo's evolutionary algorithms by name. What needs pymoo itself is loaded when a sampler is made."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler

from nasopt.errors import UsageError
from nasopt.samplers.stateless import check_integer, check_share, population_for, read_options


@dataclass(frozen=True, slots=True, kw_only=True)
class PymooOptions:
    """Options of the pymoo samplers."""

    population_size: int | None = None
    """Trials that survive as parents; also how many random ones come first."""
    crossover_prob: float = 0.9
    """Probability that two parents exchange genes."""
    mutation_prob: float | None = None
    """Probability that a parameter mutates; one over the number of parameters unless given."""

    def __post_init__(self) -> None:
        if self.population_size is not None:
            check_integer("population_size", self.population_size, 2)
        check_share("crossover_prob", self.crossover_prob)
        if self.mutation_prob is not None:
            check_share("mutation_prob", self.mutation_prob)


@dataclass(frozen=True, slots=True, kw_only=True)
class MoeadOptions(PymooOptions):
    """Options of MOEA/D."""

    neighbors: int = 20
    """Subproblems from which a mate is taken."""
    neighbor_mating_prob: float = 0.9
    """Probability that it is; else from all."""

    def __post_init__(self) -> None:
        PymooOptions.__post_init__(self)  # a slotted dataclass breaks the short form of super()
        check_integer("neighbors", self.neighbors, 2)
        check_share("neighbor_mating_prob", self.neighbor_mating_prob)


def _factory(algorithm: str, title: str, kind: type[PymooOptions] = PymooOptions) -> Callable[..., BaseSampler]:
    name = f"pymoo-{algorithm}"

    def factory(
        *,
        seed: int | None = None,
        search_space: Mapping[str, BaseDistribution] | None = None,
        trials: int | None = None,
        **options: Any,
    ) -> BaseSampler:
        read = read_options(name, kind, options)
        try:
            sampling = importlib.import_module("nasopt.samplers.pymoo_sampling")
            scheme = importlib.import_module("nasopt.samplers.pymoo_schemes").SCHEMES[algorithm](read)
        except ImportError as error:
            raise UsageError(f"sampler {name} needs pymoo and numba (pip install 'nasopt[pymoo]'): {error}") from error
        size = population_for(trials, read.population_size)
        sampler: BaseSampler = sampling.PymooSampler(
            scheme, read, population_size=size, seed=seed, search_space=search_space
        )
        return sampler

    factory.__name__ = algorithm
    factory.__doc__ = f"{title}, stateless; its options are those of {kind.__name__}."
    return factory


nsga2 = _factory("nsga2", "NSGA-II [Deb2002]")
nsga3 = _factory("nsga3", "NSGA-III [Deb2014]")
smsemoa = _factory("smsemoa", "SMS-EMOA [Beume2007]")
agemoea = _factory("agemoea", "AGE-MOEA [Panichella2019]")
spea2 = _factory("spea2", "SPEA2 [Zitzler2001]")
ctaea = _factory("ctaea", "C-TAEA [Li2019]")
moead = _factory("moead", "MOEA/D [Zhang2007], constraints by penalty", MoeadOptions)
