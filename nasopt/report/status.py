"""How far studies and contests are, as a table for the terminal."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence

from rich.console import RenderableType
from rich.markup import escape
from rich.text import Text

from nasopt.errors import NasoptError
from nasopt.report.contests import by_contest, pooled_front
from nasopt.report.cost import search_cost
from nasopt.report.notation import figure_text, short_name
from nasopt.report.portfolio import proposers
from nasopt.report.regret import regret_of
from nasopt.report.tables import bare_table
from nasopt.report.view import StudyView, TrialView

log = logging.getLogger(__name__)

_UNREADABLE = (ArithmeticError, LookupError, TypeError, ValueError, NasoptError)
"""What stored values that another version, tool or accident left may raise."""


def status_table(views: Sequence[StudyView], *, members: bool = False) -> RenderableType:
    """One row a study: trials by ending, size of the front, the best of each objective with its trial, search cost.

    Several studies of one contest share a row, in which trials and cost are summed and the front is that of all
    together; with `members` each has its own.
    """
    if not views:
        return Text("the database holds no study of nasopt yet; make one with: nasopt run STUDY.yaml")
    groups = [(view,) for view in views] if members else by_contest(views)
    methods = sorted({m for v in views for m in search_cost(v).methods})
    captions = [f"energy and CO2 of the search by {', '.join(methods)}"] if methods else []
    if any(len(group) > 1 for group in groups):
        captions.append("the studies of a contest singly: nasopt status --members")
    table = bare_table("Studies", "\n".join(captions))
    for name in ("study", "trials", "front", "best on the front", "search cost"):
        table.add_column(name, justify="right" if name == "front" else "left")
    for group in groups:
        try:
            row = _row(group)
        except _UNREADABLE as error:  # what one study holds must not hide the others
            log.info("the study %s cannot be summed up", group[0].name, exc_info=True)
            row = [group[0].name, f"cannot be summed up: {type(error).__name__}: {error}", "–", "–", "–"]
        table.add_row(*map(escape, row))
    return table


def _row(group: Sequence[StudyView]) -> list[str]:
    """Of one study, or of several of one contest."""
    first, front = group[0], pooled_front(group)
    several = first.contest is not None and len(group) > 1
    best = [_best(front, i, several=several) for i in range(len(first.objectives))] if front else ["–"]
    if front and (near := regret_of(first, [trial for _, trial in front])) is not None:
        best.append(f"{100 * near.share:.2f}% of the true front")
    name = first.contest.contest if first.contest and several else first.name
    cost = search_cost(*group).lines()
    return [name, "\n".join(_trials(group)), str(len(front)), "\n".join(best), "\n".join(cost)]


def _trials(group: Sequence[StudyView]) -> list[str]:
    """How many of those asked for are finished, how the others ended, and who proposed them in a single study."""
    counts: Counter[str] = Counter()
    for view in group:
        counts.update(view.counts())
    asked = [int((view.spec.get("study") or {}).get("trials") or 0) for view in group]
    done = f"{counts.pop('completed', 0)}" + (f" of {sum(asked)}" if all(asked) else "")
    lines = [f"{len(group)} studies, {done} trials" if len(group) > 1 else done]
    lines += [f"{number} {ending}" for ending, number in sorted(counts.items(), key=lambda c: (-c[1], c[0]))]
    return lines + ([f"{p.trials} by {p.name}" for p in proposers(group[0])] if len(group) == 1 else [])


def _best(front: Sequence[tuple[StudyView, TrialView]], index: int, *, several: bool) -> str:
    view, trial = min(front, key=lambda member: float(member[0].losses([member[1]])[0][index]))
    metric = view.objectives[index].metric
    found = f"{short_name(metric)} {figure_text(view, trial, metric)} #{trial.number}"
    return f"{found} of {view.name}" if several else found
