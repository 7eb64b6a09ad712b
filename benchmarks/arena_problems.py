"""pymoo's test problems as Optuna search spaces: as they are, with unordered choices among the numbers, and mixed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import moocore
import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import Trial
from pymoo.problems import get_problem

Array = NDArray[np.float64]
Space = dict[str, BaseDistribution]
LEVELS = 5
"""So many evenly spaced values of a number become unordered names."""
STEPS = 12
"""An integer of a mixed space runs from 0 to this."""
LOWEST = 1e-3
"""A logarithmic number of a mixed space runs from this to 1."""
ABSENT = 0.45
"""Where a conditional parameter is absent, its variable stands here."""
FRONT = 20_000
"""So many points of the true Pareto set are drawn for the hypervolume of the true front."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A search problem whose objectives are all minimised."""

    name: str
    objectives: int
    reference: Array
    """(m,); a score is a share of the box between the ideal and this point."""
    ideal: Array
    """(m,), at or below the best value of each objective."""
    held_out: bool
    """Whether no variant of `predictor` was tried on it before the defaults were settled."""
    base: Any
    """pymoo's problem."""
    places: tuple[Callable[[Any], float], ...]
    """From a parameter's value to the variable's place in [0, 1]."""
    space: Space
    """The union of all parameters."""
    conditional: str | None = None
    """A parameter that is asked for only where `tail` is "free"."""

    def ask(self, trial: Trial) -> dict[str, Any]:
        """Suggest what the space holds, define-by-run."""
        params = {
            n: trial._suggest(n, d)  # the same for every distribution
            for n, d in self.space.items()
            if n != self.conditional
        }
        if self.conditional is not None and params["tail"] == "free":
            params[self.conditional] = trial._suggest(self.conditional, self.space[self.conditional])
        return params

    def evaluate(self, params: dict[str, Any]) -> tuple[Array, Array]:
        """Losses (m,) and constraints (c,), kept at 0 and below."""
        places = [place(params[f"x{i}"]) if f"x{i}" in params else ABSENT for i, place in enumerate(self.places)]
        x = self.base.xl + np.array(places) * (self.base.xu - self.base.xl)
        found = self.base.evaluate(x, return_values_of=["F", "G"])
        return found[0], found[1]

    def share(self, losses: Array) -> float:
        """Hypervolume of losses (n, m) over that of the box between the ideal and the reference point."""
        box = np.prod(self.reference - self.ideal)
        return float(moocore.hypervolume(losses, ref=self.reference) / box) if len(losses) else 0.0

    def true_share(self) -> float | None:
        """The share of the true front; None where it is not known in closed form."""
        optimal = _pareto_set(self.base)
        if optimal is None:
            return None
        losses, broken = self.base.evaluate(optimal, return_values_of=["F", "G"])
        return self.share(losses[(broken <= 0).all(axis=1)] if broken.size else losses)


def _pareto_set(base: Any) -> Array | None:
    """Random points (FRONT, d) of the true Pareto set."""
    rng = np.random.default_rng(0)
    name = type(base).__name__.upper()
    if name.startswith("WFG"):
        each = base.k // (base.n_obj - 1)  # so many variables place a point along one direction of the front
        positions = np.concatenate(
            [rng.random((FRONT, base.n_obj - 1)).repeat(each, axis=1), rng.random((FRONT, base.k))]
        )
        drawn: Array = np.concatenate([base._calc_pareto_set_extremes(), base._positional_to_optimal(positions)])
        return drawn
    if name.startswith("ZDT"):
        points = np.zeros((FRONT, base.n_var))
        points[:, 0] = np.linspace(0.0, 1.0, FRONT)
        return points
    if name in ("DTLZ2", "C2DTLZ2", "DTLZ7"):
        points = np.full((FRONT, base.n_var), 0.0 if name == "DTLZ7" else 0.5)
        points[:, : base.n_obj - 1] = rng.random((FRONT, base.n_obj - 1))
        corners = np.array(np.meshgrid(*[[0.0, 1.0]] * (base.n_obj - 1))).reshape(base.n_obj - 1, -1).T
        points[: len(corners), : base.n_obj - 1] = corners
        return points
    return None


def _plain(dimensions: int) -> tuple[Space, list[Callable[[Any], float]]]:
    return {f"x{i}": FloatDistribution(0.0, 1.0) for i in range(dimensions)}, [float] * dimensions


def _unordered(dimensions: int) -> tuple[Space, list[Callable[[Any], float]]]:
    """Every other number as names in a shuffled order."""
    space, places = _plain(dimensions)
    for i in range(1, dimensions, 2):
        order = np.random.default_rng(i).permutation(LEVELS)
        values = {f"c{name}": float(level) / (LEVELS - 1) for name, level in enumerate(order)}
        space[f"x{i}"] = CategoricalDistribution(tuple(values))
        places[i] = values.__getitem__
    return space, places


def _mixed(dimensions: int) -> tuple[Space, list[Callable[[Any], float]]]:
    """Numbers, integers, logarithmic and stepped numbers, names in turns; the last one conditional."""
    space, places = _unordered(dimensions)
    for i in range(0, dimensions - 1, 2):
        kind = (i // 2) % 3
        if kind == 0:
            space[f"x{i}"] = IntDistribution(0, STEPS)
            places[i] = lambda value: value / STEPS
        elif kind == 1:
            space[f"x{i}"] = FloatDistribution(LOWEST, 1.0, log=True)
            places[i] = lambda value: 1.0 - math.log(value) / math.log(LOWEST)
    space["tail"] = CategoricalDistribution(("free", "held"))
    return space, places


SHAPES = {"": _plain, "unordered": _unordered, "mixed": _mixed}


def _make(name: str, dimensions: int, objectives: int, reference: Sequence[float], shape: str, held: bool) -> Problem:
    known = {"n_var": dimensions} | ({} if name.startswith("zdt") else {"n_obj": objectives})
    space, places = SHAPES[shape](dimensions)
    return Problem(
        name=f"{name.upper()}, {objectives} objectives" + (f", {shape}" if shape else ""),
        objectives=objectives,
        reference=np.array(reference, dtype=float),
        ideal=np.array(IDEAL.get(name, [0.0] * objectives)),
        held_out=held,
        base=get_problem(name, **known),
        places=tuple(places),
        space=space,
        conditional=f"x{dimensions - 1}" if shape == "mixed" else None,
    )


IDEAL = {"zdt3": (0.0, -0.8)}
"""Where an objective falls below 0."""
WFG = (3.0, 5.0, 7.0)
"""Reference point of the WFG problems, as is usual: a unit beyond the front's nadir."""
LINES: tuple[tuple[str, int, int, Sequence[float], tuple[str, ...], bool], ...] = (
    ("dtlz2", 8, 3, (2.0, 2.0, 2.0), ("", "unordered"), False),
    ("dtlz7", 6, 3, (1.1, 1.1, 30.0), ("", "unordered"), False),
    ("zdt1", 10, 2, (1.1, 7.0), ("", "unordered"), False),
    ("wfg4", 8, 2, WFG[:2], ("", "unordered", "mixed"), False),
    ("wfg9", 8, 2, WFG[:2], ("", "unordered"), False),
    ("zdt3", 10, 2, (1.1, 7.0), ("", "unordered"), True),
    ("wfg2", 8, 3, WFG, ("", "unordered"), False),
    ("wfg5", 8, 3, WFG, ("", "unordered", "mixed"), False),
    ("c2dtlz2", 8, 3, (2.0, 2.0, 2.0), ("",), True),
)
"""pymoo's name, dimensions, objectives, reference point, shapes, and whether it was held out."""


def problems() -> list[Problem]:
    """All problems of the arena, those that were held out last."""
    return [
        _make(name, dimensions, objectives, reference, shape, held)
        for name, dimensions, objectives, reference, shapes, held in LINES
        for shape in shapes
    ]
