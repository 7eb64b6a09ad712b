"""How near a search of a table has come to the table's true front."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from nasopt.report.hypervolume import hypervolume
from nasopt.report.view import Array, StudyView, TrialView
from nasopt.report.yardstick import SCALED_REFERENCE, Yardstick, yardstick


@dataclass(frozen=True, slots=True, kw_only=True)
class Regret:
    """What a study has of the true front."""

    share: float
    """Of its hypervolume."""
    found: int | None
    """Members of the true front that the study has; None where their points were not stored."""
    yardstick: Yardstick

    @property
    def regret(self) -> float:
        """1 - share."""
        return max(0.0, 1.0 - self.share)

    def __str__(self) -> str:
        of = "" if self.yardstick.complete else " of the rows present"
        members = "" if self.found is None else f"; {self.found} of its {self.yardstick.size} points found"
        return f"{100 * self.share:.2f}% of the hypervolume of the true front{of}, regret {self.regret:.4f}{members}"


def regret_of(view: StudyView, trials: Iterable[TrialView] | None = None) -> Regret | None:
    """How near the study's front, or that of `trials`, is to the true one; None where no table tells."""
    stick = yardstick(view)
    if stick is None:
        return None
    losses = view.losses(view.front() if trials is None else [t for t in trials if t.feasible and t.finished_trial])
    found = None
    if stick.points is not None:
        found = len({tuple(row) for row in losses} & {tuple(row) for row in stick.points})
    return Regret(share=share(losses, stick), found=found, yardstick=stick)


def share(losses: Array, stick: Yardstick) -> float:
    """Hypervolume of `losses` (n, objectives) as a share of the true front's; 1 is all of it."""
    reference = np.full(len(stick.ideal), SCALED_REFERENCE)
    return hypervolume(stick.scaled(losses), reference) / stick.hypervolume
