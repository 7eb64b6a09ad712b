"""Who proposed what in a study whose sampler is a portfolio."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nasopt.errors import UsageError
from nasopt.report.hypervolume import history, reference_point
from nasopt.report.view import Array, StudyView, TrialView

NOBODY = "enqueued or added"
"""Stands for the members in trials that none of them proposed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposer:
    """One member of the portfolio, or `NOBODY`."""

    name: str
    trials: int
    finished: int
    """Trained and measured ones."""
    front: int
    """Those on the final front."""
    gained: float
    """Share of the final hypervolume that its trials added when they finished, in [0, 1]."""


def proposers(view: StudyView) -> tuple[Proposer, ...]:
    """The members by the number of their trials, most first; empty where no trial names its proposer."""
    if not (names := names_of(view)):
        return ()
    front = {t.number for t in view.front()}
    done = list(zip(view.finished(), gains(view), strict=True))
    return tuple(
        Proposer(
            name=name,
            trials=sum(proposer_of(t) == name for t in view.trials),
            finished=sum(proposer_of(t) == name for t, _ in done),
            front=sum(proposer_of(t) == name for t in view.trials if t.number in front),
            gained=float(sum(gain for t, gain in done if proposer_of(t) == name)),
        )
        for name in names
    )


def gains(view: StudyView) -> Array:
    """Share of the final hypervolume that each of `view.finished()` added, shape (n,)."""
    try:
        _, reached = history(view, reference_point([view]))
    except UsageError:  # there is no front yet
        return np.zeros(len(view.finished()))
    final = reached[-1] if len(reached) else 0.0
    return np.diff(reached, prepend=0.0) / final if final > 0 else np.zeros(len(reached))


def names_of(view: StudyView) -> list[str]:
    """The members by the number of their trials, most first, `NOBODY` last; empty where no trial names its proposer."""
    if not any(t.proposer for t in view.trials):
        return []
    everyone = [proposer_of(t) for t in view.trials]
    return sorted(set(everyone), key=lambda name: (name == NOBODY, -everyone.count(name), name))


def proposer_of(trial: TrialView) -> str:
    """The member that proposed a trial, else `NOBODY`."""
    return trial.proposer or NOBODY
