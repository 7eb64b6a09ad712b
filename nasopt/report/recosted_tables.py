"""Other devices in tables: what a front costs there, how its order fares, and how far a model was off."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.text import Text

from nasopt.errors import UsageError
from nasopt.records import Cost, Interval
from nasopt.records.metrics import split_metric
from nasopt.report.markup import Block, Grid, Paragraph, Picture
from nasopt.report.notation import figure_text, heading, scaled, short_name, show
from nasopt.report.recosted import (
    FEWEST,
    Confirmation,
    Correlation,
    Recosted,
    Transfer,
    confirmations,
    pairs_of,
    transfer_of,
)
from nasopt.report.tables import bare_table
from nasopt.report.theme import DARK, LIGHT, Theme, canvas, encode, legend, log_if_wide, save
from nasopt.report.view import StudyView, metric_of

_ROWS = 40
"""Trials in a table; the figure and the JSON have them all."""


def transfer_table(view: StudyView, transfer: Transfer) -> RenderableType:
    """Costs on both devices, the rank correlations, and what becomes of the front."""
    header, rows, caption = _transfer_rows(view, transfer)
    table = bare_table(f"{view.name} on {transfer.recosted.device}: {transfer.recosted.description}", caption)
    for index, name in enumerate(header):
        table.add_column(escape(name), justify="left" if index == len(header) - 1 else "right")
    for row in rows:
        table.add_row(*map(escape, row))
    return Group(table, *(Text(line) for line in transfer_lines(transfer)))


def transfer_lines(transfer: Transfer) -> Iterator[str]:
    """Sentences about a transfer."""
    name = transfer.recosted.device
    for found in transfer.correlations:
        yield correlation_text(found, name)
    if transfer.replaced:
        joined = f"; {_numbers(transfer.joins)} would join" if transfer.joins else ""
        yield (
            f"front with costs of {name}: {_numbers(transfer.stays)} stay, {_numbers(transfer.leaves)} leave{joined}; "
            "constraints as the study kept them"
        )
    else:
        yield "no objective of the study depends on a device that this one has figures for: the front is the same"
    if transfer.kept:
        yield f"{name} has no figure for {', '.join(transfer.kept)}: the study's own count for it"
    if transfer.recosted.unsteady:
        yield f"the machine was not steady while {_numbers(sorted(transfer.recosted.unsteady))} were measured"


def correlation_text(found: Correlation, device: str) -> str:
    """One correlation with its intervals, or why there is none."""
    if found.spearman is None or found.kendall is None:
        return f"{short_name(found.metric)}: {found.trials} trials, or figures that do not differ, have no order"
    few = f"; fewer than {FEWEST} trials have no interval" if found.spearman_ci95 is None else ""
    return (
        f"{short_name(found.metric)} against {device} over {found.trials} trials: Spearman "
        f"{_rank(found.spearman, found.spearman_ci95)}, Kendall tau {_rank(found.kendall, found.kendall_ci95)}{few}"
    )


def _rank(value: float, interval: Interval | None) -> str:
    return f"{value:.3f}" + (f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else "")


def _numbers(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers)) or "none"


def _transfer_rows(view: StudyView, transfer: Transfer) -> tuple[tuple[str, ...], list[tuple[str, ...]], str]:
    recosted, metrics = transfer.recosted, [c.metric for c in transfer.correlations]
    header = ["trial", *(o.metric for o in view.objectives if o.metric not in metrics)]
    others = header[1:]
    header[1:] = [heading(view, m) for m in others]
    for metric in metrics:
        header += [heading(view, metric), f"{short_name(split_metric(metric)[0])} on {recosted.device}"]
    members = {*transfer.stays, *transfer.leaves}
    trials = [t for t in view.finished() if t.number in recosted.costs]
    trials.sort(key=lambda t: (t.number not in members, t.number))
    rows = []
    for trial in trials[:_ROWS]:
        cells = [str(trial.number), *(figure_text(view, trial, m) for m in others)]
        for metric in metrics:
            cost = recosted.costs[trial.number][split_metric(metric)[0]]
            cells += [figure_text(view, trial, metric), _shown(metric, cost)]
        status = "stays" if trial.number in transfer.stays else "leaves" if trial.number in transfer.leaves else ""
        rows.append((*cells, "would join" if trial.number in transfer.joins else status))
    left_out = f"; {len(trials) - _ROWS} more trials are not shown" if len(trials) > _ROWS else ""
    caption = f"± is half of the 95% interval; costs on {recosted.device} are {recosted.provenance}{left_out}"
    return (*header, "front"), rows, caption


def _shown(metric: str, cost: Cost) -> str:
    interval = cost.ci95 if cost.ci95[1] > cost.ci95[0] else None
    return show(split_metric(metric)[0], cost.value, interval, cost.provenance)


def transfer_json(view: StudyView, transfer: Transfer) -> dict[str, Any]:
    """A transfer as JSON values."""
    recosted = transfer.recosted
    return {
        "study": view.name,
        "device": recosted.device,
        "provenance": recosted.provenance,
        "correlations": [
            {
                "metric": c.metric,
                "trials": c.trials,
                "spearman": c.spearman,
                "spearman_ci95": c.spearman_ci95,
                "kendall": c.kendall,
                "kendall_ci95": c.kendall_ci95,
            }
            for c in transfer.correlations
        ],
        "front": {"stays": transfer.stays, "leaves": transfer.leaves, "joins": transfer.joins},
        "trials": [
            {
                "number": t.number,
                "here": {c.metric: _cost_json(t.cost(c.metric)) for c in transfer.correlations},
                "there": {m: _cost_json(cost) for m, cost in recosted.costs[t.number].items()},
                "steady": t.number not in recosted.unsteady,
            }
            for t in view.finished()
            if t.number in recosted.costs
        ],
    }


def _cost_json(cost: Cost | None) -> dict[str, Any] | None:
    return None if cost is None else {"value": cost.value, "ci95": cost.ci95, "provenance": cost.provenance}


def transfer_figure(view: StudyView, transfer: Transfer, theme: Theme = LIGHT) -> Figure:
    """The study's costs against the other device's, one panel a metric; bars are 95% intervals."""
    figure, axes = canvas(theme, len(transfer.correlations), height=4.4)
    trials = [t for t in view.finished() if t.number in transfer.recosted.costs]
    members = {*transfer.stays, *transfer.leaves}
    for ax, found in zip(axes, transfer.correlations, strict=True):
        base = split_metric(found.metric)[0]
        drawn: list[float] = []
        for on_front, label in ((False, "other trials"), (True, "Pareto front")):
            some = [t for t in trials if (t.number in members) == on_front]
            if not some:
                continue
            costs = pairs_of(found.metric, some, transfer.recosted)
            (x, xerr), (y, yerr) = (_drawn(found.metric, [pair[side] for pair in costs]) for side in (0, 1))
            drawn += x
            color = theme.series[0] if on_front else theme.muted
            ax.errorbar(
                x, y, xerr=xerr, yerr=yerr, fmt="o", color=color, elinewidth=0.8, markersize=5.5 if on_front else 4,
                alpha=1.0 if on_front else 0.6, label=label, zorder=3 if on_front else 2,
            )  # fmt: skip
        log_if_wide(ax, "x", drawn)
        ax.set_xlabel(heading(view, found.metric))
        unit = metric_of(base).unit
        ax.set_ylabel(f"{short_name(base)} on {transfer.recosted.device} ({unit}, {_provenance(found, transfer)})")
        legend(ax, theme, loc="best")
    return figure


def _provenance(found: Correlation, transfer: Transfer) -> str:
    base = split_metric(found.metric)[0]
    return " and ".join(sorted({c[base].provenance for c in transfer.recosted.costs.values()}))


def _drawn(metric: str, costs: Sequence[Cost]) -> tuple[list[float], list[list[float]]]:
    values = [scaled(metric, c.value, c.provenance) for c in costs]
    low = [max(0.0, c.value - c.ci95[0]) for c in costs]
    high = [max(0.0, c.ci95[1] - c.value) for c in costs]
    return values, [low, high]


def write_transfer_figure(view: StudyView, transfer: Transfer, folder: Path) -> tuple[Path, ...]:
    """Write the figure as PNG and SVG.

    Raises:
        UsageError: the folder cannot be written.
    """
    files = tuple(folder / f"transfer-{transfer.recosted.device}{suffix}" for suffix in (".png", ".svg"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            save(transfer_figure(view, transfer), file)
    except OSError as error:
        raise UsageError(f"cannot write to {folder}: {error.strerror or error}; name another folder") from error
    return files


def confirmation_table(recosted: Recosted, told: Sequence[Confirmation]) -> RenderableType:
    """Modelled and measured figures, the model's error, and whether its interval held."""
    header, rows = _confirmation_rows(told)
    table = bare_table(f"Costs of {recosted.confirms}, measured on {recosted.device}", _CONFIRMED)
    for index, name in enumerate(header):
        table.add_column(escape(name), justify="left" if index in (1, len(header) - 1) else "right")
    for row in rows:
        table.add_row(*map(escape, row))
    return Group(table, *(Text(confirmation_text(c)) for c in told))


_CONFIRMED = "error: modelled over measured, less 1; held: the measured figure lies in the model's 95% interval"


def _confirmation_rows(told: Sequence[Confirmation]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    rows: list[tuple[str, ...]] = []
    for found in told:
        entries = zip(found.trials, found.modelled, found.measured, found.errors, found.held, strict=True)
        for number, modelled, measured, error, held in entries:
            cells = (_shown(found.metric, modelled), _shown(found.metric, measured), f"{100 * error:+.1f}%")
            rows.append((str(number), short_name(found.metric), *cells, "yes" if held else "no"))
    return ("trial", "cost", "modelled", "measured", "error", "interval held"), rows


def confirmation_text(found: Confirmation) -> str:
    """What the measured figures say of the model, in a sentence."""
    sizes = sorted(abs(e) for e in found.errors)
    within = sum(size <= 0.1 for size in sizes)
    return (
        f"{short_name(found.metric)}: {within} of {len(sizes)} within 10%, worst {100 * sizes[-1]:.1f}%; the model's "
        f"interval held {sum(found.held)} of {len(sizes)}"
    )


def confirmation_json(recosted: Recosted, told: Sequence[Confirmation]) -> dict[str, Any]:
    """A confirmation as JSON values."""
    return {
        "modelled_device": recosted.confirms,
        "device": recosted.device,
        "metrics": [
            {
                "metric": c.metric,
                "trials": c.trials,
                "modelled": [_cost_json(m) for m in c.modelled],
                "measured": [_cost_json(m) for m in c.measured],
                "errors": c.errors,
                "held": c.held,
            }
            for c in told
        ],
    }


def other_devices(view: StudyView) -> Iterator[Block]:
    """The report's section on other devices: confirmations first, then transfers."""
    for name, recosted in view.recosted.items():
        if recosted.confirms and (told := confirmations(view, recosted)):
            header, rows = _confirmation_rows(told)
            caption = f"Modelled costs of {recosted.confirms} beside those measured on {recosted.device}; {_CONFIRMED}."
            yield Grid(caption=caption, header=header, rows=tuple(rows), text_columns=frozenset({0, 1, 5}))
            yield Paragraph(text=". ".join(confirmation_text(c) for c in told) + ".")
        elif not recosted.confirms:
            yield from _transferred(view, name, recosted)


def _transferred(view: StudyView, name: str, recosted: Recosted) -> Iterator[Block]:
    try:
        transfer = transfer_of(view, recosted)
    except UsageError:  # trials have been taken away, or the objectives changed
        return
    header, rows, caption = _transfer_rows(view, transfer)
    last = len(header) - 1
    yield Grid(caption=f"{caption}.", header=header, rows=tuple(rows), text_columns=frozenset({0, last}))
    yield Paragraph(text=". ".join(line[0].upper() + line[1:] for line in transfer_lines(transfer)) + ".")
    yield _picture(
        f"transfer-{name}",
        f"Costs on {name} against the study's.",
        lambda theme: transfer_figure(view, transfer, theme),
    )


def _picture(name: str, caption: str, draw: Callable[[Theme], Figure]) -> Picture:
    light, dark = draw(LIGHT), draw(DARK)
    png, light_svg, dark_svg = encode(light, "png"), encode(light, "svg"), encode(dark, "svg")
    return Picture(name=name, caption=caption, png=png, light=light_svg, dark=dark_svg)
