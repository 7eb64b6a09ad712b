"""Figures of a comparison: attainment surfaces and hypervolume histories of several studies."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from nasopt.errors import FigureError
from nasopt.report.compare import Attainment, Comparison
from nasopt.report.contest_figures import medians_figure, methods_figure
from nasopt.report.figures import number_axes
from nasopt.report.hypervolume import history
from nasopt.report.notation import heading, scaled
from nasopt.report.theme import LIGHT, MARKERS, Theme, canvas, legend, log_if_wide, name_label, save, stair_step
from nasopt.report.view import StudyView

log = logging.getLogger(__name__)

_DASHES = ("-", "--", ":", "-.")


def attainment_figure(views: Sequence[StudyView], comparison: Comparison, theme: Theme = LIGHT) -> Figure | None:
    """What each study attains at the common number of trials; None with one objective.

    More than two objectives: the fronts of the studies, one panel a pair of objectives.
    """
    objectives = comparison.objectives
    if len(objectives) < 2:
        return None
    if len(objectives) > 2:
        return _fronts(views, comparison, theme)
    figure, (ax,) = canvas(theme, 1, height=5.0)
    up, across = objectives
    for index, surface in enumerate(a for a in comparison.attainment if a.percent == 100.0):
        x, y = _stairs(surface, comparison)
        ax.step(
            x, y, where=stair_step(across.direction), color=theme.series[index % 6], linewidth=1.8,
            linestyle=_DASHES[index // 6 % 4], marker=MARKERS[index % 6], markersize=4, label=name_label(surface.group),
        )  # fmt: skip
    source = comparison.origins[across.metric]
    log_if_wide(ax, "x", [scaled(across.metric, p[1], source) for a in comparison.attainment for p in a.points])
    number_axes(ax, across.metric, up.metric)
    ax.set_xlabel(heading(views[0], across.metric))
    ax.set_ylabel(heading(views[0], up.metric))
    legend(ax, theme, loc="lower right" if up.direction == "maximize" else "best")
    return figure


def _stairs(surface: Attainment, comparison: Comparison) -> tuple[list[float], list[float]]:
    up, across = comparison.objectives
    sources = comparison.origins[across.metric], comparison.origins[up.metric]
    points = sorted(
        (scaled(across.metric, p[1], sources[0]), scaled(up.metric, p[0], sources[1])) for p in surface.points
    )
    return [x for x, _ in points], [y for _, y in points]


def _fronts(views: Sequence[StudyView], comparison: Comparison, theme: Theme) -> Figure:
    pairs = list(combinations([o.metric for o in comparison.objectives], 2))
    sources = comparison.origins
    figure, axes = canvas(theme, len(pairs))
    for panel, (ax, (first, second)) in enumerate(zip(axes, pairs, strict=True)):
        across, up = (second, first) if first == "accuracy" else (first, second)
        for index, view in enumerate(views):
            found = [(view.figure(t, across), view.figure(t, up)) for t in view.front()]
            points = [
                (scaled(across, a[0], sources[across]), scaled(up, b[0], sources[up])) for a, b in found if a and b
            ]
            x, y = zip(*points, strict=True) if points else ((), ())
            ax.scatter(
                x, y, s=26, alpha=0.8, linewidths=0, color=theme.series[index % 6], marker=MARKERS[index % 6],
                label=name_label(view.name),
            )  # fmt: skip
        number_axes(ax, across, up)
        ax.set_xlabel(heading(views[0], across))
        ax.set_ylabel(heading(views[0], up))
        if panel == 0:
            legend(ax, theme)
    return figure


def histories_figure(views: Sequence[StudyView], comparison: Comparison, theme: Theme = LIGHT) -> Figure:
    """Hypervolume of each study by trials, and by seconds where they were charged."""
    signs = np.array([o.sign for o in comparison.objectives])
    point = np.array(comparison.reference) * signs
    together = comparison.together or 1.0
    budgets = [by for by in dict.fromkeys(h.by for h in comparison.hypervolume) if by != "wall"]
    figure, axes = canvas(theme, len(budgets), height=3.8)
    labels = {"trials": "trained and measured trials", "seconds": "cost of the search (minutes)"}
    groups = {s.name: s.group for s in comparison.studies}
    order = list(dict.fromkeys(groups.values()))
    for ax, by in zip(axes, budgets, strict=True):
        for view in views:
            budget, reached = history(view, point, by=by)
            x = budget / 60 if by == "seconds" else budget
            index = order.index(groups[view.name])
            run = [n for n in groups if groups[n] == groups[view.name]].index(view.name)
            ax.step(
                x, 100 * reached / together, where="post", color=theme.series[index % 6], linewidth=1.7,
                linestyle=_DASHES[run % 4], label=name_label(view.name),
            )  # fmt: skip
        common = next(h for h in comparison.hypervolume if h.by == by and h.fraction == 1.0).budget
        ax.axvline(common / 60 if by == "seconds" else common, color=theme.muted, linewidth=1, linestyle=":")
        ax.set_ylim(0, 104)
        ax.set_xlim(left=0)
        ax.set_xlabel(labels[by])
    axes[0].set_ylabel(f"hypervolume (% of {comparison.whole})")
    legend(axes[-1], theme, loc="lower right")
    return figure


def write_comparison_figures(
    views: Sequence[StudyView], comparison: Comparison, folder: Path
) -> tuple[Path, ...]:  # fmt: skip
    """Write `attainment` and `histories` into a folder, each as PNG and SVG; the files written.

    Where methods ran several times, both show methods, and not runs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    compared = [v for v in views if v.name in {s.name for s in comparison.studies}]
    figures: dict[str, Figure | None]
    if (board := comparison.leaderboard) is not None:
        figures = {
            "attainment": medians_figure(compared, comparison, board),
            "histories": methods_figure(compared, comparison, board),
        }
    else:
        figures = {
            "attainment": attainment_figure(compared, comparison),
            "histories": histories_figure(compared, comparison),
        }
    written = []
    for name, figure in figures.items():
        if figure is not None:
            for suffix in (".png", ".svg"):
                try:
                    save(figure, folder / f"{name}{suffix}")
                except FigureError as error:
                    log.warning("%s is not drawn: %s", name, error)
                    break
                written.append(folder / f"{name}{suffix}")
    return tuple(written)
