"""The true front of a table, up to which any search of it can come."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from nasopt.report.view import Array, StudyView
from nasopt.statistics.magnitude import beyond, places

SCALED_REFERENCE = 1.1
"""The point up to which hypervolume counts, on objectives scaled by the true front's ideal (0) and nadir (1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Yardstick:
    """The true front of the table that a study searches, as the study recorded it; values are losses."""

    ideal: Array
    """(objectives,)"""
    nadir: Array
    hypervolume: float
    """Of the true front, on the scaled objectives."""
    size: int
    rows: int
    """Of the table that keep the constraints."""
    complete: bool
    """Whether the table has every combination of its choices."""
    points: Array | None
    """(size, objectives); None where they were too many to store."""

    @property
    def reference(self) -> Array:
        """The losses, shape (objectives,), up to which hypervolume counts; infinite where no float is so large."""
        return beyond(self.ideal, self.nadir, SCALED_REFERENCE)

    def scaled(self, losses: Array) -> Array:
        """Losses (n, objectives) with the true front's ideal at 0 and its nadir at 1."""
        return places(losses, self.ideal, self.nadir)


def yardstick(view: StudyView) -> Yardstick | None:
    """The true front of a study's table; None for any other study, and where none was stored to compare with."""
    front = view.problem.get("front")
    if not front or not 0 < front["hypervolume"] < math.inf:
        return None
    signs = np.array([o.sign for o in view.objectives])
    points = front.get("points")
    return Yardstick(
        ideal=np.array(front["ideal"]) * signs,
        nadir=np.array(front["nadir"]) * signs,
        hypervolume=front["hypervolume"],
        size=front["size"],
        rows=front["rows"],
        complete=view.problem["missing"] == "0",
        points=None if points is None else np.array(points).reshape(len(points), len(signs)) * signs,
    )
