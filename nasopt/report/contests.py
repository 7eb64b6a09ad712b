"""Which studies are a contest's, and what they found together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nasopt.report.view import StudyView, TrialView


def by_contest(views: Sequence[StudyView]) -> list[tuple[StudyView, ...]]:
    """The studies of each contest together, where the first of them stood; every other study alone.

    A study that is there twice, as where a database was copied, begins its contest anew.
    """
    groups: list[list[StudyView]] = []
    latest: dict[Any, list[StudyView]] = {}
    for view in views:
        if view.contest is None:
            groups.append([view])
            continue
        key = view.contest.contest, (view.spec.get("study") or {}).get("storage"), view.objectives
        if key not in latest or any(member.name == view.name for member in latest[key]):
            latest[key] = []
            groups.append(latest[key])
        latest[key].append(view)
    return [tuple(group) for group in groups]


def pooled_front(views: Sequence[StudyView]) -> list[tuple[StudyView, TrialView]]:
    """Members of the front of all studies together, best first objective first; of equals the first."""
    from moocore import is_nondominated

    members = [(view, trial) for view in views for trial in view.front()]
    if not members:
        return []
    losses = np.concatenate([view.losses([trial]) for view, trial in members])
    kept = is_nondominated(losses, keep_weakly=False)
    chosen = [(tuple(row), m) for row, m, good in zip(losses, members, kept, strict=True) if good]
    return [member for _, member in sorted(chosen, key=lambda pair: pair[0])]
