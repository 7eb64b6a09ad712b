"""Small spaces and objectives on which samplers are checked."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

from optuna import Study, Trial
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from nasopt.records import TrialKeys

Space = dict[str, BaseDistribution]

MIXED: Space = {
    "choice": CategoricalDistribution(["a", "b", None, True, 1, 1.5]),
    "number": IntDistribution(1, 9, step=2),
    "width": IntDistribution(1, 1000, log=True),
    "rate": FloatDistribution(0.0, 1.0),
    "scale": FloatDistribution(1e-5, 1.0, log=True),
    "share": FloatDistribution(0.0, 0.9, step=0.3),
}
SIZES = ("small", "middle", "large")
GRID: Space = {name: CategoricalDistribution(SIZES) for name in ("p", "q", "r", "s")}
LINE: Space = {f"x{i}": IntDistribution(0, 9) for i in range(4)}
UNION: Space = {
    "kind": CategoricalDistribution(["cell", "chain"]),
    "depth": IntDistribution(1, 4),
    "cell": CategoricalDistribution(["x", "y", "z"]),
}


def grid_points() -> list[dict[str, Any]]:
    """All 81 points of GRID."""
    return [dict(zip(GRID, sizes, strict=True)) for sizes in itertools.product(SIZES, repeat=len(GRID))]


def grid_values(params: Mapping[str, Any]) -> list[float]:
    """Accuracy to be maximised and cost to be minimised; large is good and dear, by another measure for each."""
    sizes = [SIZES.index(params[name]) for name in GRID]
    return [1 - math.exp(-sum((i + 1) * s for i, s in enumerate(sizes)) / 8), float(sum(sizes)) + 0.1]


def mixed_values(trial: Trial) -> list[float]:
    """Three smooth objectives on MIXED."""
    p = trial.params
    return [p["rate"] + p["number"] / 10, p["share"] - p["rate"] + math.log(p["width"]), math.log(p["scale"]) ** 2]


def line_values(params: Mapping[str, int]) -> list[float]:
    """Negative distance to (2, 2, 2, 2) and distance to (3, 3, 3, 3)."""
    return [-float(sum(abs(x - 2) for x in params.values())), float(sum(abs(x - 3) for x in params.values()))]


def excess(params: Mapping[str, int]) -> float:
    """Sum of both distances; 4 on the whole front."""
    low, high = line_values(params)
    return high - low


def constrained_values(trial: Trial) -> list[float] | None:
    """Objectives on LINE where x0 <= 4 is known to be needed before, and x1 >= 5 after an evaluation.

    A refused trial has no values.
    """
    early, late = float(trial.params["x0"] - 4), float(5 - trial.params["x1"])
    trial.set_constraint("macs", early)
    trial.set_constraint("params", late if early <= 0 else 0.0)
    return None if early > 0 else line_values(trial.params)


def diverging_values(trial: Trial) -> list[float] | None:
    """Objectives on LINE where training diverges from x0 = 5 on; no constraint says so."""
    if trial.params["x0"] <= 4:
        return line_values(trial.params)
    trial.set_user_attr(TrialKeys.ENDED, "diverged")
    return None


def run_grid(study: Study) -> dict[str, Any]:
    """One trial of two objectives on GRID."""
    trial = study.ask(GRID)
    study.tell(trial, grid_values(trial.params))
    return trial.params


def points(study: Study) -> list[tuple[Any, ...]]:
    """Parameters of all trials that have them, one hashable each."""
    trials = [t for t in study.get_trials(deepcopy=False) if t.params]
    return [tuple(sorted((n, type(v).__name__, v) for n, v in t.params.items())) for t in trials]
