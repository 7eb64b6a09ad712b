"""Tables and summaries for the terminal, as rich renderables; nothing here prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from nasopt.records.metrics import METRICS, split_metric
from nasopt.report.cost import hours, search_cost
from nasopt.report.notation import figure_text, is_modelled, level, network_text, origin, short_name, show
from nasopt.report.portfolio import proposers
from nasopt.report.regret import regret_of
from nasopt.report.view import Constraint, StudyView, TrialView

_BESIDES = ("accuracy", "exit_rate", "latency_ms", "energy_mj", "macs")


def columns(view: StudyView, trials: Sequence[TrialView]) -> list[str]:
    """Metrics worth a column: the objectives first, then the usual ones that the trials have."""
    objectives = [o.metric for o in view.objectives]
    bases = {split_metric(m)[0] for m in objectives}
    bounded = [c.metric for c in view.constraints] if view.problem else []
    besides = [
        m
        for m in dict.fromkeys([*bounded, *_BESIDES])
        if m not in bases and any(view.figure(t, m) is not None for t in trials)
    ]
    return objectives + besides


def front_table(view: StudyView, limit: int | None = None) -> RenderableType:
    """The Pareto front with intervals, the best in the first objective first.

    `limit` keeps so many rows, spread over the front.
    """
    front = view.front()
    if not front:
        return Text(f"{view.name}: no finished feasible trial yet")
    shown = spread(front, limit)
    place = view.data.get("name") or view.problem.get("source")
    on = f" on {place}" if place else ""
    title = f"Pareto front of {view.name}{on}: {len(front)} of {len(view.finished())} trials"
    if len(shown) < len(front):
        title += f", {len(shown)} shown"
    table = bare_table(title, _caption(view, columns(view, shown), shown))
    table.add_column("trial", justify="right")
    objectives = {o.metric for o in view.objectives}
    names = columns(view, shown)
    for metric in names:
        table.add_column(_heading(view, metric), justify="right", style="bold" if metric in objectives else None)
    if not view.problem:
        table.add_column("router\nand τ")
    precisions = [precision_text(view, trial) for trial in shown]
    if several := len(set(precisions)) > 1:
        table.add_column("preci-\nsion")
    for trial, precision in zip(shown, precisions, strict=True):
        cells = [figure_text(view, trial, m, interval=m in objectives, named=False) for m in names]
        cells += [] if view.problem else [_router(view, trial)]
        cells += [precision] if several else []
        table.add_row(str(trial.number), *map(escape, cells))
    return table


def _heading(view: StudyView, metric: str) -> Text:
    """Name, device and origin of a metric, one below the other."""
    name, *on = short_name(metric).split(" on ")
    lines = [*(["exit", "rate"] if name == "exit rate" else [name]), *on]
    device, source = view.device_of(metric), origin(view, metric)
    if device is not None and "@" not in metric:
        lines.append(device.name)
    heading = Text("\n".join(lines))
    if source and source != "computed":
        heading.append(f"\n{source}", style="dim" if source in ("measured", "tabulated", "reported") else "yellow")
    return heading


def _router(view: StudyView, trial: TrialView) -> str:
    network = network_text(view, trial)
    return network.router.replace(", τ ", " ") if network else "–"


def precision_text(view: StudyView, trial: TrialView) -> str:
    """In what a trial's network was scored; a dash where that is not known."""
    network = None if view.problem else network_text(view, trial)
    return network.precision if network else "–"


class _Wide(Table):
    """A table whose title and caption are as wide as the terminal: rich breaks them at the width of the columns."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        title, caption = self.title, self.caption
        self.title = self.caption = None
        try:
            if isinstance(title, str):
                yield Text.from_markup(title, style="table.title")
            yield from super().__rich_console__(console, options)
            if isinstance(caption, str):
                yield Text.from_markup(caption, style="table.caption")
        finally:
            self.title, self.caption = title, caption


def bare_table(title: str, caption: str = "") -> Table:
    """A table without frames, narrow enough for a terminal."""
    return _Wide(
        title=escape(title),
        title_justify="left",
        caption=escape(caption) or None,
        caption_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
    )


def spread(front: Sequence[TrialView], limit: int | None) -> list[TrialView]:
    """At most `limit` members, evenly spread, both ends included."""
    if limit is None or limit >= len(front):
        return list(front)
    if limit <= 1:
        return list(front[: max(limit, 0)])
    return [front[round(i * (len(front) - 1) / (limit - 1))] for i in range(limit)]


def _caption(view: StudyView, metrics: Sequence[str], trials: Sequence[TrialView]) -> str:
    if view.problem:
        return origin_text(view)
    images = view.data.get("validation")
    on = f" on {images} validation images" if images else ""
    modelled = any(is_modelled(p) for m in metrics for p in view.provenances(m))
    tilde = "; ~ marks figures of a model, not measured" if modelled else ""
    found = {precision_text(view, trial) for trial in trials}
    same = f"; networks in {found.pop()}" if len(found) == 1 and found.isdisjoint({"fp32", "–"}) else ""
    return f"± is half of the 95% interval; accuracies and rates{on}{tilde}{same}"


def origin_text(view: StudyView) -> str:
    """Where the figures of a study that searches no networks come from."""
    return f"figures {'of' if view.problem['kind'] == 'table' else 'by'} {view.problem['source']}"


def problem_text(view: StudyView) -> str:
    """What a study searches that searches no networks."""
    record = view.problem
    if record["kind"] != "table":
        return f"{record['kind']} {record['source']}; figures {record['provenance']}"
    missing = int(record["missing"])
    has = f"{record['rows']:,} of {int(record['combinations']):,} combinations" if missing else "every combination"
    return f"table {record['source']} with {has}; figures {record['provenance']}"


def summary(view: StudyView) -> RenderableType:
    """What a run ends with: how many trials, what to know about the figures, where the study is."""
    near = regret_of(view) if view.finished() else None
    lines = [
        Text(tally(view)),
        *([] if near is None else [Text(str(near))]),
        *(Text(f"! {note}", style="yellow") for note in notes(view)),
    ]
    if (supernet := supernet_line(view)) is not None:
        lines.append(Text(supernet))
    if (prior := prior_line(view)) is not None:
        lines.append(Text(prior))
    if found := proposers(view):
        shares = ", ".join(f"{p.trials} by {p.name} ({p.gained:.0%} of the hypervolume)" for p in found)
        lines.append(Text(f"proposed: {shares}"))
    lines.append(Text(f"search cost: {search_cost(view)}"))
    storage = (view.spec.get("study") or {}).get("storage")
    if storage:
        lines.append(Text(f"stored as {view.name!r} in {storage}"))
    return Group(*lines)


def tally(view: StudyView) -> str:
    """`24 trials trained and measured, 3 infeasible; the front has 7`."""
    counts = view.counts()
    others = [f"{n} {ending}" for ending, n in counts.items() if ending != "completed"]
    done = "evaluated" if view.problem else "trained and measured"
    parts = [f"{counts.get('completed', 0)} trials {done}", *others]
    return f"{', '.join(parts)}; the front has {len(view.front())}"


def notes(view: StudyView) -> Iterator[str]:
    """What a reader must know before believing the figures, each in one sentence."""
    if requested := substituted(view):
        yield (
            f"the data set is {view.data['name']}, not {requested}, which was neither on disk nor downloadable: "
            f"no accuracy here says anything about {requested}"
        )
    for device in view.devices:
        if is_modelled(device.provenance):
            remedy = f"; {device.remedy}" if device.remedy else ""
            yield f"costs on {device.name} are {device.provenance}, not measured{remedy}"
    for metric in sorted({m for t in view.finished() if t.outcome for m in t.outcome.costs}):
        found = view.provenances(metric)
        device_of = view.device_of(metric)
        if len(found) > 1:
            yield f"{metric} mixes {' and '.join(found)} figures; they cannot be compared with each other"
        elif is_modelled(found[0]) and not (device_of and is_modelled(device_of.provenance)):
            meter = f" by {device_of.meter}" if device_of and device_of.meter else ""
            yield f"{short_name(metric)} is {found[0]}{meter}, not measured"
    if view.problem.get("missing", "0") != "0":
        yield f"{problem_text(view)}; points without a row are refused, the true front is that of the rows present"
    yield from damage(view)
    if (foreign := foreign_text(view)) is not None:
        yield foreign
    if view.trials and not view.front():
        worst = broken_constraints(view)
        if worst:
            yield f"no trial is feasible; the constraints broken most: {', '.join(worst)}"


def damage(view: StudyView) -> Iterator[str]:
    """A line for each trial that is stored damaged, the first few."""
    found = view.unreadable()
    for trial in found[:5]:
        yield f"trial {trial.number} of {view.name} cannot be read and is left out: {trial.reason}"
    if len(found) > 5:
        yield f"{len(found) - 5} more trials of {view.name} cannot be read"


def foreign_text(view: StudyView) -> str | None:
    """What to know of trials that others have put into the study; None where there are none."""
    if not (added := view.elsewhere()):
        return None
    numbers = ", ".join(str(t.number) for t in added[:10]) + (" and more" if len(added) > 10 else "")
    which = f"{len(added)} trials were" if len(added) > 1 else "one trial was"
    text = (
        f"{which} added elsewhere ({numbers}): the sampler learns from those that are points of this space; they do "
        "not count, and are not on the front"
    )
    if best := view.best_elsewhere():
        text += f", though Optuna's best_trials has {', '.join(str(t.number) for t in best[:10])} among its own"
    return text


def substituted(view: StudyView) -> str:
    """The data set that was asked for where `data.otherwise` was taken instead; empty where it was not."""
    requested, used = str(view.data.get("requested") or ""), str(view.data.get("name") or "")
    otherwise = (view.spec.get("data") or {}).get("otherwise")
    taken = otherwise and requested != otherwise and used.startswith(otherwise)
    return requested if taken else ""


def broken_constraints(view: StudyView) -> list[str]:
    """Constraints by how many trials break them, most first: `macs at most 1.00 M (17 trials)`."""
    broken = {c.key: sum(t.constraints.get(c.key, 0.0) > 0 for t in view.trials) for c in view.constraints}
    ranked = sorted((c for c in view.constraints if broken[c.key]), key=lambda c: -broken[c.key])
    return [f"{bound_text(view, c)} ({broken[c.key]} trials)" for c in ranked]


def bound_text(view: StudyView, constraint: Constraint) -> str:
    """`latency_ms at most 5.00 ms`; the name alone of one that is no bound on a metric."""
    if constraint.key == constraint.metric and split_metric(constraint.metric)[0] not in METRICS:
        return constraint.key.replace("_", " ")
    source = origin(view, constraint.metric)
    low = f"at least {level(constraint.metric, constraint.min, source)}" if constraint.min is not None else ""
    high = f"at most {level(constraint.metric, constraint.max, source)}" if constraint.max is not None else ""
    bounds = " and ".join(part for part in (low, high) if part)
    return f"{constraint.metric} {bounds}" if bounds else constraint.key


def prior_line(view: StudyView) -> str | None:
    """How sharp the sampler's architecture prior is, what stands behind it, and what it cost."""
    prior = view.prior
    if not prior:
        return None
    sharpness = "/".join(f"{entropy:.2f}" for entropy in prior.get("entropy") or [])
    smallest = "/".join(f"{share:.2f}" for share in prior.get("smallest_share") or [])
    predictor = (prior.get("predictor") or {}).get("device") or "no device"
    seconds = float(prior.get("seconds") or 0.0)
    return (
        f"architecture prior trained by relaxation ({prior.get('method')}, {hours(seconds)}), costs of {predictor}: "
        f"entropy {sharpness} of uniform and smallest choices {smallest}, by preference"
    )


def supernet_line(view: StudyView) -> str | None:
    """Median validation accuracy of random sub-networks of the supernet, and whether it was trained here."""
    accuracies = view.supernet.get("subnet_accuracy") or []
    if not accuracies:
        return None
    seconds = float(view.supernet.get("seconds") or 0.0)
    origin = "from the cache" if view.supernet.get("cached") else "trained for this study"
    return (
        f"supernet {origin} ({hours(seconds)}): {len(accuracies)} random sub-networks reach "
        f"{show('accuracy', median(accuracies))} validation accuracy in the median "
        f"({show('accuracy', min(accuracies))} to {show('accuracy', max(accuracies))})"
    )
