"""Comparisons for the terminal, as rich renderables."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from nasopt.report.compare import Comparison
from nasopt.report.leaderboard_tables import leaderboard_tables
from nasopt.report.notation import duration, level, short_name, show, significant
from nasopt.report.side_by_side import Figure, TrialComparison
from nasopt.report.tables import bare_table

_MOST_STUDIES = 6
"""Studies that get a column each; more are told apart by method only."""


def comparison_table(comparison: Comparison | TrialComparison) -> RenderableType:
    """A comparison of studies or of trials, with what must be known to read it."""
    if isinstance(comparison, TrialComparison):
        return _trials(comparison)
    parts: list[RenderableType] = [Text(f"! {w}", style="yellow") for w in comparison.warnings]
    if comparison.contest is None:
        parts.append(_studies(comparison))
    if len(comparison.studies) <= _MOST_STUDIES:
        parts += [_hypervolumes(comparison), _bests(comparison), _coverage(comparison)]
    parts += leaderboard_tables(comparison)
    return Group(*(part for piece in parts for part in (piece, Text())))


def _studies(comparison: Comparison) -> Table:
    table = bare_table("Studies", "cost: supernet, prior and all trials, charged as if no cache had answered")
    for name in ("study", "method", "seed", "trials", "front", "cost", "hypervolume at its end"):
        table.add_column(name, justify="left" if name in ("study", "method") else "right")
    for s in comparison.studies:
        seed = "–" if s.seed is None else str(s.seed)
        cells = [s.name, s.group, seed, str(s.trials), str(s.front), duration(s.seconds), significant(s.hypervolume)]
        table.add_row(*map(escape, cells))
    return table


def _hypervolumes(comparison: Comparison) -> Table:
    point = ", ".join(
        f"{o.metric} {level(o.metric, v, comparison.origins[o.metric])}"
        for o, v in zip(comparison.objectives, comparison.reference, strict=True)
    )
    table = bare_table(
        f"Hypervolume at equal cost, % of {comparison.whole}", f"up to the common reference point: {point}"
    )
    table.add_column("budget")
    for s in comparison.studies:
        table.add_column(escape(s.name), justify="right")
    for row in comparison.hypervolume:
        budget = f"{row.budget:.0f} trials" if row.by == "trials" else duration(row.budget)
        top = max(row.shares.values())
        shares = [row.shares[s.name] for s in comparison.studies]
        cells = [f"[bold]{100 * v:.1f}[/bold]" if v == top > 0 else f"{100 * v:.1f}" for v in shares]
        table.add_row(f"{row.fraction:.0%}: {budget}", *cells)
    return table


def _bests(comparison: Comparison) -> Table:
    table = bare_table("Best value of each objective at equal cost", "# is the trial; ± is half of the 95% interval")
    table.add_column("objective")
    table.add_column("budget")
    for s in comparison.studies:
        table.add_column(escape(s.name), justify="right")
    for row in comparison.best:
        budget = f"{row.budget:.0f} trials" if row.by == "trials" else duration(row.budget)
        cells = []
        for s in comparison.studies:
            value, origin = row.values[s.name], comparison.origins[row.metric]
            if value is None:
                cells.append("–")
            else:
                cells.append(escape(f"{show(row.metric, value, row.intervals[s.name], origin)} #{row.trials[s.name]}"))
        table.add_row(escape(short_name(row.metric)), budget, *cells)
    return table


def _coverage(comparison: Comparison) -> Table:
    table = bare_table("Coverage: % of the column's front that the row's front covers", "at the end of each study")
    table.add_column("")
    for s in comparison.studies:
        table.add_column(escape(s.name), justify="right")
    for a in comparison.studies:
        covered = comparison.coverage[a.name]
        cells = ["–" if a is b else f"{100 * covered[b.name]:.0f}" for b in comparison.studies]
        table.add_row(escape(a.name), *cells)
    return table


def _trials(comparison: TrialComparison) -> RenderableType:
    on = f" on {comparison.data}" if comparison.data else ""
    intervals = any(figure is not None and figure.ci95 for row in comparison.rows for figure in row.figures)
    chance = (
        "≈ marks figures whose 95% interval meets the best one's: the difference may be chance"
        if intervals
        else "the figures stand as they were given, without intervals, so that no difference is marked as chance"
    )
    table = bare_table(f"Trials of {comparison.study}{on}", f"bold is best; {chance}")
    table.add_column("")
    for number in comparison.numbers:
        table.add_column(f"trial {number}", justify="right")
    for row in comparison.rows:
        table.add_row(escape(short_name(row.metric)), *(_cell(row.metric, f) for f in row.figures))
    if comparison.params:
        table.add_section()
        for name, values in comparison.params.items():
            shown = [f"{v:.4g}" if isinstance(v, float) else str(v) for v in values]
            table.add_row(escape(name), *map(escape, shown), style="dim")
    return table


def _cell(metric: str, figure: Figure | None) -> str:
    if figure is None:
        return "–"
    text = escape(show(metric, figure.value, figure.ci95, figure.provenance))
    return f"[bold]{text}[/bold]" if figure.best else f"≈ {text}" if figure.tied else text
