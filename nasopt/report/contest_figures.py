"""Figures of methods that ran several times: hypervolume over the budget, and what half of the runs attain."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nasopt.report.compare import Comparison, common_budget, within
from nasopt.report.figures import number_axes
from nasopt.report.hypervolume import Budget, history, preparation
from nasopt.report.leaderboard import Leaderboard
from nasopt.report.notation import heading, scaled
from nasopt.report.theme import LIGHT, MARKERS, Theme, canvas, legend, log_if_wide, name_label, stair_step
from nasopt.report.view import Array, Objective, StudyView

_DASHES = ("-", "--", ":", "-.")
_LABELS: dict[Budget, str] = {
    "trials": "trained and measured trials",
    "seconds": "device time charged, after what all share",
    "wall": "time by the clock",
}
_LONG_S = 600.0
"""Times from here on are drawn in minutes."""


def methods_figure(
    views: Sequence[StudyView], comparison: Comparison, board: Leaderboard, theme: Theme = LIGHT
) -> Figure:
    """Hypervolume of each method over each kind of budget: the median of its runs, and the quartiles as a band."""
    point = np.array(comparison.reference) * np.array([o.sign for o in comparison.objectives])
    together = comparison.together or 1.0
    budgets = list(dict.fromkeys(h.by for h in comparison.hypervolume))
    figure, axes = canvas(theme, len(budgets), height=4.0)
    for ax, by in zip(axes, budgets, strict=True):
        alike = min(preparation(v, by=by) for v in views)
        end = next(h.budget for h in comparison.hypervolume if h.by == by and h.fraction == 1.0) - alike
        unit = 60.0 if by != "trials" and end >= _LONG_S else 1.0
        for index, standing in enumerate(board.standings):
            runs = [history(v, point, by=by) for v in views if _group(comparison, v) == standing.method]
            x, shares = curves([(b - alike, r / together) for b, r in runs], end)
            low, middle, high = 100 * np.quantile(shares, (0.25, 0.5, 0.75), axis=0)
            color = theme.series[index % 6]
            ax.fill_between(x / unit, low, high, step="post", color=color, alpha=0.15, linewidth=0)
            ax.step(
                x / unit, middle, where="post", color=color, linewidth=1.8, linestyle=_DASHES[index // 6 % 4],
                label=name_label(standing.method),
            )  # fmt: skip
        ax.set_xlim(left=0, right=end / unit)
        ax.set_ylim(bottom=_floor(comparison, by), top=101)
        ax.set_xlabel(_LABELS[by] + ("" if by == "trials" else " (minutes)" if unit > 1 else " (s)"))
    axes[0].set_ylabel(f"hypervolume (% of {comparison.whole})")
    legend(axes[0], theme, loc="lower right", title=_runs(board, "median and quartiles"), title_fontsize=9)
    return figure


def _runs(board: Leaderboard, what: str) -> str:
    """`median of 10 runs`."""
    counts = sorted({s.runs for s in board.standings})
    return f"{what} of {' to '.join(str(c) for c in dict.fromkeys((counts[0], counts[-1])))} runs"


def _group(comparison: Comparison, view: StudyView) -> str | None:
    return next((s.group for s in comparison.studies if s.name == view.name), None)


def _floor(comparison: Comparison, by: Budget) -> float:
    """Where the axis begins: below the least that any run had at a quarter of the budget."""
    least = min(min(h.shares.values()) for h in comparison.hypervolume if h.by == by and h.fraction == 0.25)
    return max(0.0, 10 * np.floor(10 * least - 1))


def curves(runs: Sequence[tuple[Array, Array]], end: float) -> tuple[Array, Array]:
    """Step curves (budget, value) on common steps up to `end`: x of shape (k,) and values of shape (runs, k)."""
    x = np.unique(np.concatenate([[0.0], *(b[b <= end] for b, _ in runs), [end]]))
    values = np.zeros((len(runs), len(x)))
    for row, (budget, reached) in zip(values, runs, strict=True):
        index = np.searchsorted(budget, x * (1 + 1e-12), side="right")
        row[index > 0] = reached[index[index > 0] - 1]
    return x, values


def medians_figure(
    views: Sequence[StudyView], comparison: Comparison, board: Leaderboard, theme: Theme = LIGHT
) -> Figure | None:
    """What half of a method's runs attain at the common number of trials; None with one objective. [Fonseca2011]

    With more than two objectives there is a panel for each pair, in which the others are left out of account: the line
    says which values of the two half of the runs attain together, whatever they cost in the rest.
    """
    pairs = list(combinations(range(len(comparison.objectives)), 2))
    if not pairs:
        return None
    figure, axes = canvas(theme, len(pairs), height=5.0 if len(pairs) == 1 else 4.2)
    limit = common_budget([v for v in views if _group(comparison, v)], "trials")
    for ax, (up, across) in zip(axes, pairs, strict=True):
        _medians(ax, views, comparison, board, (up, across), limit, theme)
    corner = "lower right" if comparison.objectives[0].direction == "maximize" else "best"
    legend(axes[0], theme, loc=corner, title=_runs(board, "median"), title_fontsize=9)
    return figure


def _medians(
    ax: Axes,
    views: Sequence[StudyView],
    comparison: Comparison,
    board: Leaderboard,
    pair: tuple[int, int],
    limit: float,
    theme: Theme,
) -> None:
    up, across = (comparison.objectives[i] for i in pair)
    surfaces = []
    for standing in board.standings:
        members = [v for v in views if _group(comparison, v) == standing.method]
        runs = [v.losses(within(v, "trials", limit))[:, list(pair)] for v in members]
        corners = median_surface(runs, up, across)
        first, second = comparison.origins[up.metric], comparison.origins[across.metric]
        surfaces.append([(scaled(across.metric, b, second), scaled(up.metric, a, first)) for a, b in corners])
    drawn = [x for corners in surfaces for x, _ in corners]
    for index, (standing, corners) in enumerate(zip(board.standings, surfaces, strict=True)):
        color, dashes = theme.series[index % 6], _DASHES[index // 6 % 4]
        if corners:
            _tail(ax, corners, drawn, across, color, dashes)
        ax.step(
            [x for x, _ in corners], [y for _, y in corners], where=stair_step(across.direction), color=color,
            linewidth=1.7, linestyle=dashes, marker=MARKERS[index % 6], markersize=4, label=name_label(standing.method),
        )  # fmt: skip
    log_if_wide(ax, "x", drawn)
    number_axes(ax, across.metric, up.metric)
    ax.set_xlabel(heading(views[0], across.metric))
    ax.set_ylabel(heading(views[0], up.metric))


def _tail(
    ax: Axes, corners: Sequence[tuple[float, float]], drawn: Sequence[float], across: Objective, color: str, dashes: str
) -> None:
    """What a corner attains also holds at every worse value: go on to where the last method ends."""
    maximised = across.direction == "maximize"
    x, y = corners[0] if maximised else corners[-1]
    ax.plot([x, min(drawn) if maximised else max(drawn)], [y, y], color=color, linewidth=1.7, linestyle=dashes)


def median_surface(runs: Sequence[Array], up: Objective, across: Objective) -> list[tuple[float, float]]:
    """Corners of what half of the runs (losses of shape (n, 2) each) attain, as values, in the order of `across`."""
    from moocore import eaf

    able = [r for r in runs if len(r)]
    if 2 * len(able) < len(runs) or not able:
        return []
    sets = np.concatenate([np.full(len(r), i) for i, r in enumerate(able, start=1)])
    percent = 100 * min(1.0, len(runs) / 2 / len(able))  # of those that have anything
    surface = eaf(np.concatenate(able), sets, percentiles=[percent])[:, :-1]
    points = surface * np.array([up.sign, across.sign])
    return sorted(((float(a), float(b)) for a, b in points), key=lambda p: p[1])
