"""The Pareto front of a whole table, against which a search of it is scored exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nasopt.statistics.magnitude import LARGEST, places

Array = npt.NDArray[np.float64]

REFERENCE = 1.1
"""The point up to which hypervolume counts, on objectives that the true front's ideal and nadir scale to 0 and 1."""
_LEAST_WIDTH = 2.0**-30
"""Of a column that never changes, as a share of its value: beside 1e30 a difference of 1 is none."""
_KEPT = 256
"""Points of a front that are stored with a study, for its figures; of a larger one none are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueFront:
    """The front of all rows that keep the constraints. Values are losses: all minimised."""

    points: Array
    """(n, objectives), distinct."""
    ideal: Array
    """(objectives,), the best of each on the front."""
    nadir: Array
    """(objectives,), the worst of each on the front; where they are all the same there, the worst of the rows."""

    @property
    def hypervolume(self) -> float:
        """Of the points scaled by ideal and nadir, up to `REFERENCE` in each objective. [Zitzler1999]"""
        from moocore import hypervolume

        return float(hypervolume(self.scaled(self.points), ref=np.full(len(self.ideal), REFERENCE)))

    def scaled(self, losses: Array) -> Array:
        """Losses (n, objectives) with the ideal at 0 and the nadir at 1."""
        return places(losses, self.ideal, self.nadir)

    def describe(self, signs: Array, rows: int) -> dict[str, Any]:
        """The record that a study keeps, in the objectives' directions; `rows` is how many it is the front of."""
        points = (self.points * signs).tolist() if len(self.points) <= _KEPT else None
        return {
            "rows": rows,
            "size": len(self.points),
            "ideal": (self.ideal * signs).tolist(),
            "nadir": (self.nadir * signs).tolist(),
            "hypervolume": self.hypervolume,
            "points": points,
        }


def true_front(losses: Array) -> TrueFront:
    """The front of `losses` (n, objectives), n at least 1, all minimised and finite."""
    from moocore import is_nondominated

    points = np.unique(losses[is_nondominated(losses, keep_weakly=False)], axis=0)
    ideal, nadir = points.min(axis=0), points.max(axis=0)
    flat = nadir <= ideal
    nadir[flat] = losses.max(axis=0)[flat]  # a front that is a single point still scores the rows behind it
    same = nadir <= ideal  # and a column that never changes scores nothing
    with np.errstate(over="ignore"):
        nadir[same] = np.minimum(ideal[same] + np.maximum(1.0, np.abs(ideal[same]) * _LEAST_WIDTH), LARGEST)
    return TrueFront(points=points, ideal=ideal, nadir=nadir)
