"""Figures of one study: front, hypervolume history, parameter importance, routing trade-off, members of a portfolio."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from nasopt.records.metrics import split_metric
from nasopt.report.hypervolume import history, whole_of
from nasopt.report.importance import Importances
from nasopt.report.notation import COUNTED, heading, origin, scaled
from nasopt.report.portfolio import NOBODY, gains, names_of, proposer_of
from nasopt.report.theme import LIGHT, MARKERS, Theme, canvas, legend, log_if_wide, name_label, prefixed, stair_step
from nasopt.report.view import Array, StudyView, TrialView
from nasopt.report.yardstick import yardstick

_LAST = 20
"""Trials over which the shares of a portfolio's members are taken."""
_CROWD = 14
"""Members of a front above which trial numbers beside the points only blur them."""


def pareto_figure(view: StudyView, theme: Theme = LIGHT) -> Figure:
    """The front among all finished trials: two objectives in one panel, more in one panel a pair.

    Bars are 95% intervals. One objective alone is drawn over the trial number.
    """
    if len(view.objectives) == 1:
        return _single_objective(view, theme)
    pairs = list(combinations([o.metric for o in view.objectives], 2))
    figure, axes = canvas(theme, len(pairs), height=5.0 if len(pairs) == 1 else 4.2)
    for index, (ax, (first, second)) in enumerate(zip(axes, pairs, strict=True)):
        across, up = (second, first) if len(pairs) == 1 or first == "accuracy" else (first, second)
        _front_panel(ax, view, across, up, theme, stair=len(pairs) == 1)
        if index == 0:
            legend(ax, theme, loc="lower right" if up == "accuracy" else "best")
    return figure


def _front_panel(ax: Axes, view: StudyView, across: str, up: str, theme: Theme, *, stair: bool) -> None:
    front = view.front()
    members = {t.number for t in front}
    others = [t for t in view.finished() if t.number not in members]
    for feasible, label in ((True, "other trials"), (False, "breaks a constraint")):
        x, y = _points(view, [t for t in others if t.feasible == feasible], across, up)
        marker, face = ("o", theme.muted) if feasible else ("x", None)
        if len(x):
            ax.scatter(
                x, y, s=20, marker=marker, color=face or theme.muted, alpha=0.45, linewidths=1, label=label,
                rasterized=len(x) > 500,
            )  # fmt: skip
    _draw_true_front(ax, view, across, up, theme)
    x, y = _points(view, front, across, up)
    if stair and len(x) > 1:
        best_up = next(o for o in view.objectives if o.metric == up).direction == "maximize"
        along = next(o for o in view.objectives if o.metric == across).direction
        order = np.argsort(x)
        ax.step(x[order], y[order], where=stair_step(along), color=theme.series[0], alpha=0.5, linewidth=1.3)
        if numbered(view):
            _number(ax, front, x, y, theme, below=best_up)
    ax.errorbar(
        x, y, xerr=_bars(view, front, across), yerr=_bars(view, front, up), fmt="o", color=theme.series[0],
        ecolor=to_rgba(theme.series[0], 0.4), elinewidth=1, markersize=5.5, label="Pareto front", zorder=3,
    )  # fmt: skip
    log_if_wide(ax, "x", list(_points(view, view.finished(), across, across)[0]))
    number_axes(ax, across, up)
    ax.set_xlabel(heading(view, across))
    ax.set_ylabel(heading(view, up))


def _draw_true_front(ax: Axes, view: StudyView, across: str, up: str, theme: Theme) -> None:
    stick = yardstick(view)
    if stick is None or stick.points is None:
        return
    signs = np.array([o.sign for o in view.objectives])
    named = dict(zip([o.metric for o in view.objectives], (stick.points * signs).T, strict=True))
    ax.scatter(
        named[across], named[up], s=44, facecolors="none", edgecolors=theme.ink, linewidths=0.7, alpha=0.55,
        label="true front" if stick.complete else "true front of the rows present", zorder=2,
    )  # fmt: skip


def number_axes(ax: Axes, across: str, up: str) -> None:
    """Counts such as MACs with M and k on their axis."""
    for axis, metric in ((ax.xaxis, across), (ax.yaxis, up)):
        if split_metric(metric)[0] in COUNTED:
            prefixed(axis)


def numbered(view: StudyView) -> bool:
    """Whether the front's points carry their trial numbers."""
    return len(view.objectives) == 2 and 1 < len(view.front()) <= _CROWD


def _number(ax: Axes, front: Sequence[TrialView], x: Array, y: Array, theme: Theme, *, below: bool) -> None:
    for trial, px, py in zip(front, x, y, strict=True):
        ax.annotate(
            f"{trial.number}", (px, py), xytext=(5, -11 if below else 6), textcoords="offset points",
            fontsize=8, color=theme.muted,
        )  # fmt: skip


def _points(view: StudyView, trials: Sequence[TrialView], across: str, up: str) -> tuple[Array, Array]:
    pairs = [(view.figure(t, across), view.figure(t, up)) for t in trials]
    sources = origin(view, across), origin(view, up)
    known = [(scaled(across, a[0], sources[0]), scaled(up, b[0], sources[1])) for a, b in pairs if a and b]
    table = np.array(known, dtype=np.float64).reshape(len(known), 2)
    return table[:, 0], table[:, 1]


def _bars(view: StudyView, trials: Sequence[TrialView], metric: str) -> Array:
    """Distances to the ends of the 95% intervals, shape (2, n); 0 where a figure has no interval."""
    found = [f for t in trials if (f := view.figure(t, metric))]
    rows = [(v - i[0], i[1] - v) if i else (0.0, 0.0) for v, i in found]
    source = origin(view, metric)
    return np.maximum(0.0, [[scaled(metric, r[side], source) for r in rows] for side in (0, 1)])


def _single_objective(view: StudyView, theme: Theme) -> Figure:
    metric = view.objectives[0].metric
    figure, (ax,) = canvas(theme, 1)
    trials = view.finished()
    best = {t.number for t in view.front()}
    for chosen, label in ((False, "other trials"), (True, "best trial")):
        some = [t for t in trials if (t.number in best) == chosen]
        source = origin(view, metric)
        known = [(t.number, scaled(metric, f[0], source)) for t in some if (f := view.figure(t, metric))]
        if known:
            x, y = zip(*known, strict=True)
            color = theme.series[0] if chosen else theme.muted
            yerr = _bars(view, some, metric) if chosen else None
            ax.errorbar(x, y, yerr=yerr, fmt="o", color=color, markersize=6 if chosen else 4, capsize=2, label=label)
    number_axes(ax, "", metric)
    ax.set_xlabel("trial")
    ax.set_ylabel(heading(view, metric))
    legend(ax, theme)
    return figure


def history_figure(view: StudyView, reference: Array, theme: Theme = LIGHT) -> Figure:
    """Hypervolume as a share of the final one, by trials and by the seconds that they cost, where they cost any.

    Where a table tells what the true front has, as a share of that.
    """
    stick = yardstick(view)
    finished = "evaluated trials" if view.problem else "trained and measured trials"
    labels = {"trials": finished, "seconds": "cost of the search (minutes)"}
    if stick is not None and not view.problem.get("charged"):
        labels.pop("seconds")
    figure, axes = canvas(theme, len(labels), height=3.6)
    for ax, by in zip(axes, labels, strict=True):
        budget, reached = history(view, reference, by=by)  # type: ignore[arg-type]
        whole = whole_of(stick) if stick is not None else reached[-1] if len(reached) else 0.0
        share = 100 * reached / whole if whole > 0 else reached
        x = budget / 60 if by == "seconds" else budget
        if len(x):
            start = view.preparation_seconds / 60 if by == "seconds" else 0.0
            rises = np.diff(share, prepend=0.0) != 0
            rises[-1] = True
            x, share = np.concatenate([[start], x[rises]]), np.concatenate([[0.0], share[rises]])
            ax.step(x, share, where="post", color=theme.series[0], linewidth=1.8)
            ax.fill_between(x, share, step="post", color=theme.series[0], alpha=0.12, linewidth=0)
            if start > 0:
                ax.axvspan(
                    0,
                    start,
                    color=theme.muted,
                    alpha=0.12,
                    linewidth=0,
                    label="supernet training" if not view.prior else "training of supernet and prior",
                )
                legend(ax, theme, loc="lower right")
        ax.set_ylim(0, 104)
        ax.set_xlim(left=0)
        ax.set_xlabel(labels[by])
    axes[0].set_ylabel(f"hypervolume (% of the {'final' if stick is None else 'true'} front's)")
    return figure


def importance_figure(view: StudyView, found: Sequence[Importances], theme: Theme = LIGHT) -> Figure | None:
    """The parameters that matter most, one panel an objective; None where there are no importances."""
    told = [f for f in found if f.shares]
    if not told:
        return None
    rows = min(10, max(len(f.shares) for f in told))
    figure, axes = canvas(theme, len(told), height=1.3 + 0.29 * rows)
    for index, (ax, importance) in enumerate(zip(axes, told, strict=True)):
        best = list(importance.shares.items())[:10]
        names, shares = [n for n, _ in best][::-1], [100 * s for _, s in best][::-1]
        ax.barh(names, shares, color=theme.series[index % len(theme.series)], height=0.65)
        for row, share in enumerate(shares):
            ax.annotate(
                f"{share:.0f}", (share, row), xytext=(3, 0), textcoords="offset points", va="center", fontsize=8,
                color=theme.muted,
            )  # fmt: skip
        ax.set_xlim(0, 1.12 * max(shares))
        ax.grid(visible=False, axis="y")
        ax.set_title(heading(view, importance.metric, device=False), fontsize=10, color=theme.ink, loc="left")
        ax.set_xlabel("share of importance (%)")
    return figure


def routing_figure(view: StudyView, theme: Theme = LIGHT) -> Figure | None:
    """Accuracy over the share of inputs that leave early, by kind of router; None without exit rates."""
    trials = [t for t in view.finished() if view.figure(t, "exit_rate") and view.figure(t, "accuracy")]
    if not trials:
        return None
    figure, (ax,) = canvas(theme, 1, height=4.6)
    members = {t.number for t in view.front()}
    kinds = sorted({router_of(view, t) for t in trials})
    for index, kind in enumerate(kinds):
        color, marker = theme.series[index % 6], MARKERS[index % 6]
        for on_front in (False, True):
            some = [t for t in trials if router_of(view, t) == kind and (t.number in members) == on_front]
            x, y = _points(view, some, "exit_rate", "accuracy")
            if on_front:
                ax.errorbar(
                    x, y, xerr=_bars(view, some, "exit_rate"), yerr=_bars(view, some, "accuracy"), fmt="none",
                    ecolor=color, elinewidth=0.8, alpha=0.45,
                )  # fmt: skip
                ax.scatter(x, y, s=46, marker=marker, color=color, edgecolors=theme.ink, linewidths=0.9, zorder=3)
            else:
                ax.scatter(x, y, s=24, marker=marker, color=color, alpha=0.5, linewidths=0, rasterized=len(x) > 500)
        ax.scatter([], [], s=40, marker=marker, color=color, label=f"{kind} router")
    ax.scatter([], [], s=46, marker="o", facecolors="none", edgecolors=theme.ink, label="on the Pareto front")
    ax.set_xlabel("inputs that leave at the little head (%)")
    ax.set_ylabel(heading(view, "accuracy"))
    ax.set_xlim(-3, 103)
    legend(ax, theme, loc="best")
    return figure


def router_of(view: StudyView, trial: TrialView) -> str:
    """The kind of router a trial used, searched or fixed."""
    kind = trial.params.get("router.kind")
    if kind is None:
        kind = ((view.spec.get("space") or {}).get("router") or {}).get("kind") or "unnamed"
    return kind[0] if isinstance(kind, list) else str(kind)


def proposers_figure(view: StudyView, theme: Theme = LIGHT) -> Figure:
    """Shares of the trials, and the hypervolume that each member added, both stacked."""
    names = names_of(view)
    figure, (left, right) = canvas(theme, 2, height=3.8)
    by = np.array([[proposer_of(t) == name for t in view.trials] for name in names], dtype=float)
    _stack(left, _moving_share(by), names, theme)
    left.set_xlabel("trials, in the order in which they were proposed")
    left.set_ylabel(f"share of the last {_LAST} trials (%)")
    left.set_xlim(1, max(2, len(view.trials)))
    left.set_ylim(0, 100)
    done = view.finished()
    gained = np.array([[proposer_of(t) == name for t in done] for name in names], dtype=float) * gains(view)
    _stack(right, 100 * np.cumsum(gained, axis=1), names, theme)
    right.set_xlabel("completed trials")
    right.set_ylabel("hypervolume added (% of the final front's)")
    right.set_xlim(1, max(2, len(done)))
    right.set_ylim(0, 104)
    legend(right, theme, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


def _stack(ax: Axes, rows: Array, names: Sequence[str], theme: Theme) -> None:
    """Rows (members, n) one upon the other over 1 to n."""
    tops = np.cumsum(rows, axis=0)
    x = np.arange(1, rows.shape[1] + 1)
    for index, (name, top) in enumerate(zip(names, tops, strict=True)):
        ax.fill_between(
            x, tops[index - 1] if index else 0.0 * top, top, step="mid", label=name_label(name), linewidth=0,
            facecolor=theme.muted if name == NOBODY else theme.series[index % len(theme.series)],
            hatch="///" if index >= len(theme.series) else None, edgecolor=theme.paper, alpha=0.85,
        )  # fmt: skip


def _moving_share(by: Array) -> Array:
    """Percent of the last trials that are of each member, from a mask (members, n)."""
    sums = np.cumsum(np.concatenate([np.zeros((len(by), 1)), by], axis=1), axis=1)
    ends = np.arange(1, by.shape[1] + 1)
    starts = np.maximum(0, ends - _LAST)
    shares: Array = 100 * (sums[:, ends] - sums[:, starts]) / (ends - starts)
    return shares
