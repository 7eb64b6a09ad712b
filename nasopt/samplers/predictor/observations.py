"""What the finished trials of a study teach its surrogates."""

from __future__ import annotations

from dataclasses import dataclass

import moocore
import numpy as np
from numpy.typing import NDArray

from nasopt.space.encoding import Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Observations:
    """What trials teach that were evaluated or lost, all minimised, the front's ideal at 0 and its nadir at 1."""

    codes: Array  # (n, d)
    losses: Array  # (n, m)
    feasible: NDArray[np.bool_]  # (n,)
    constraints: Array  # (n, c), compressed; feasible at 0 and below

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: NDArray[np.intp]) -> Observations:
        """Some of them."""
        return Observations(
            codes=self.codes[rows],
            losses=self.losses[rows],
            feasible=self.feasible[rows],
            constraints=self.constraints[rows],
        )

    def front(self) -> Array:
        """Losses (f, m) of the feasible points that no other dominates, each once."""
        inside = np.unique(self.losses[self.feasible], axis=0)
        return inside[moocore.is_nondominated(inside)] if len(inside) else inside

    def distances(self) -> Array:
        """Additive epsilon distance (n,) of each point to the front; 0 on it, 0 everywhere without a front."""
        front = self.front()
        if not len(front):
            return np.zeros(len(self))
        nearest = np.full(len(self), np.inf)
        for point in front:
            np.minimum(nearest, (self.losses - point).max(axis=1), out=nearest)
        return np.maximum(nearest, 0.0)


def teachers(observations: Observations, limit: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Rows of at most `limit` observations: four in five nearest to the front, the rest at random."""
    n = len(observations)
    if n <= limit:
        return np.arange(n)
    order = np.argsort(observations.distances(), kind="stable")
    near = 4 * limit // 5
    return np.sort(np.concatenate([order[:near], rng.choice(order[near:], size=limit - near, replace=False)]))
