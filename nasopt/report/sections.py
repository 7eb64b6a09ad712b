"""What a report says, section by section."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import yaml
from matplotlib.figure import Figure

from nasopt.database import redact
from nasopt.errors import FigureError, UsageError
from nasopt.records.metrics import METRICS, split_metric
from nasopt.report.cost import hours, search_cost
from nasopt.report.figures import (
    history_figure,
    importance_figure,
    numbered,
    pareto_figure,
    proposers_figure,
    routing_figure,
)
from nasopt.report.hypervolume import hypervolume, reference_point
from nasopt.report.importance import importances
from nasopt.report.markup import Block, Code, Grid, Listing, Paragraph, Picture, Section
from nasopt.report.notation import (
    ARCHITECTURE_LEGEND,
    figure_text,
    heading,
    level,
    network_text,
    origin,
    params_text,
    short_name,
    show,
    significant,
    space_size,
    value_text,
)
from nasopt.report.portfolio import Proposer, proposers
from nasopt.report.recosted_tables import other_devices
from nasopt.report.regret import regret_of
from nasopt.report.streaming import stream_findings, stream_section
from nasopt.report.tables import (
    bound_text,
    columns,
    notes,
    origin_text,
    prior_line,
    problem_text,
    substituted,
    supernet_line,
    tally,
)
from nasopt.report.theme import DARK, LIGHT, Theme, encode
from nasopt.report.view import SHARES, StudyView, TrialView
from nasopt.report.yardstick import SCALED_REFERENCE
from nasopt.statistics.binomial import wilson

_TEST = ("accuracy", "top5", "ece", "exit_rate")
_REASONS = 20
"""Different reasons of failure listed; the rest are counted."""


def sections(view: StudyView) -> tuple[Section, ...]:
    """All sections of a study's report; a study that searches no networks has no routing and no test split."""
    members = proposers(view)
    networks = not view.problem
    parts = [
        ("Outcome", _outcome(view), True),
        ("Pareto front", _front(view), True),
        ("Networks of the front", _networks(view), networks),
        ("Points of the front", _points(view), not networks),
        ("Test split", _test(view), networks),
        ("The routed stream", stream_section(view), networks),
        ("Other devices", other_devices(view), bool(view.recosted)),
        ("What was searched", _searched(view), True),
        ("Hypervolume", _hypervolume(view), True),
        ("Who proposed what", _proposers(view, members), bool(members)),
        ("Parameter importance", _importance(view), True),
        ("Routing", _routing(view), networks),
        ("How trials ended", _endings(view), True),
        ("Cost of the search", _cost(view), True),
        ("How to reproduce it", _reproduce(view), True),
    ]
    return tuple(Section(title=title, blocks=tuple(blocks)) for title, blocks, wanted in parts if wanted)


def _picture(name: str, caption: str, draw: Callable[[Theme], Figure | None]) -> Iterator[Block]:
    light, dark = draw(LIGHT), draw(DARK)
    if light is not None and dark is not None:
        try:
            png, light_svg, dark_svg = encode(light, "png"), encode(light, "svg"), encode(dark, "svg")
        except FigureError as error:
            yield Paragraph(text=f"The figure is not drawn: {error}.", warning=True)
            return
        yield Picture(name=name, caption=caption, png=png, light=light_svg, dark=dark_svg)


def _outcome(view: StudyView) -> Iterator[Block]:
    yield Paragraph(text=tally(view) + ".")
    if view.finished() and (near := regret_of(view)) is not None:
        yield Paragraph(text=f"The front has {near}.")
    for note in notes(view):
        yield Paragraph(text=f"{note[0].upper()}{note[1:]}.", warning=True)
    for finding in stream_findings(view, named=len(view.devices) > 1):
        yield Paragraph(text=f"{finding[0].upper()}{finding[1:]}.", warning=True)
    if (line := supernet_line(view)) is not None:
        yield Paragraph(text=f"{line[0].upper()}{line[1:]}.")
    if (line := prior_line(view)) is not None:
        yield Paragraph(text=f"{line[0].upper()}{line[1:]}.")


def _front(view: StudyView) -> Iterator[Block]:
    front = view.front()
    if not front:
        done = "evaluated" if view.problem else "trained and measured"
        yield Paragraph(text=f"No feasible trial has been {done} yet.")
        return
    names = columns(view, front)
    images = view.data.get("validation")
    on = f" on the {images} validation images" if images else " on the validation split"
    interval = (
        f"accuracies and rates{on}; ± is half of the 95% interval, in points for percentages and relative for costs"
    )
    yield Grid(
        caption=f"Non-dominated feasible trials, the best in {short_name(names[0])} first; "
        f"{origin_text(view) if view.problem else interval}.",
        header=("trial", *(heading(view, m) for m in names)),
        rows=tuple((str(t.number), *(figure_text(view, t, m) for m in names)) for t in front),
    )
    bars = "" if view.problem else "; bars are 95% intervals"
    caption = f"The Pareto front{bars}{'; numbers are trials' if numbered(view) else ''}."
    yield from _picture("front", caption, lambda theme: pareto_figure(view, theme))


def _points(view: StudyView) -> Iterator[Block]:
    front = view.front()
    if not front:
        yield Paragraph(text="There is no front yet.")
        return
    names = list(dict.fromkeys(n for t in front for n in t.params))
    yield Grid(
        caption="Parameters of the front's trials.",
        header=("trial", *names),
        rows=tuple((str(t.number), *(value_text(t.params.get(n, "–")) for n in names)) for t in front),
        text_columns=frozenset(range(len(names) + 1)),
    )


def _networks(view: StudyView) -> Iterator[Block]:
    front = view.front()
    if not front:
        yield Paragraph(text="There is no front yet.")
        return
    texts = [network_text(view, t) for t in front]
    if any(text is None for text in texts):
        rows = tuple((str(t.number), params_text(t.params)) for t in front)
        caption = "Searched parameters; this version cannot read the space of the study."
        yield Grid(caption=caption, header=("trial", "parameters"), rows=rows, text_columns=frozenset({0, 1}))
        return
    known = [text for text in texts if text is not None]
    fields = ["little", "big", "router"]
    shared = []
    for field, name in (("precision", "precision"), ("resolution", "resolution"), ("loss", "loss weights")):
        found = {getattr(text, field) for text in known}
        if len(found) > 1:
            fields.append(field)
        else:
            shared.append(f"{name} {found.pop()}")
    same = f" The same for all: {'; '.join(shared)}." if shared else ""
    yield Grid(
        caption=ARCHITECTURE_LEGEND + same,
        header=("trial", *("loss weights" if f == "loss" else f for f in fields)),
        rows=tuple((str(t.number), *(getattr(k, f) for f in fields)) for t, k in zip(front, known, strict=True)),
        text_columns=frozenset(range(len(fields) + 1)),
    )


def _test(view: StudyView) -> Iterator[Block]:
    front = view.front()
    scored = [t for t in front if t.number in view.test_scores]
    if not scored and view.data.get("untested"):
        yield Paragraph(text=f"Nothing can be scored on test: {view.data['untested']}.", warning=True)
        return
    if not scored:
        yield Paragraph(
            text="The front has not been scored on the test split yet. It is touched once, when a run has all of its "
            "trials or a report is made, never by the search."
        )
        return
    if missing := [str(t.number) for t in front if t.number not in view.test_scores]:
        yield Paragraph(text=f"Not scored on test yet: {', '.join(missing)}.", warning=True)
    header = ["trial", *(short_name(m) for m in _TEST), "accuracy on validation"]
    rows = [[str(t.number), *_test_cells(view.test_scores[t.number]), figure_text(view, t, "accuracy")] for t in scored]
    images = next((s["images"] for t in scored if (s := view.test_scores[t.number]).get("images")), None)
    yield Grid(
        caption=(f"On {images:.0f} test images" if images else "On the test split")
        + ", scored once from the stored weights; the search never saw them. ± is half of the 95% interval in points.",
        header=tuple(header),
        rows=tuple(tuple(r) for r in rows),
    )


def _test_cells(score: Mapping[str, float]) -> Iterator[str]:
    images = int(score.get("images") or 0)
    for metric in _TEST:
        if metric not in score:
            yield "–"
        else:
            interval = wilson(score[metric], images) if images and metric in SHARES else None
            yield show(metric, score[metric], interval)


def _searched(view: StudyView) -> Iterator[Block]:
    data = view.data
    items = [("objectives", ", ".join(f"{o.direction} {o.metric} ({_meaning(o.metric)})" for o in view.objectives))]
    items += [("constraints", "; ".join(bound_text(view, c) for c in view.constraints) or "none")]
    if view.problem:
        items += [("problem", problem_text(view)), ("space", f"{view.problem['points']} points")]
    elif size := space_size(view):
        family = (view.spec.get("space") or {}).get("family") or "big-little"
        items.append(("space", f"{family}, {size}"))
    if sampler := view.spec.get("sampler"):
        options = ", ".join(f"{k}={v}" for k, v in (sampler.get("options") or {}).items())
        items.append(("sampler", f"{sampler.get('name')}{f' ({options})' if options else ''}"))
    if data.get("name"):
        sizes = ", ".join(f"{data[k]} {k}" for k in ("train", "validation", "test") if data.get(k) is not None)
        asked = f"; {requested} was asked for" if (requested := substituted(view)) else ""
        items.append(("data", f"{data['name']}: {sizes} images, {data.get('classes', '?')} classes{asked}"))
        if data.get("found"):
            items.append(("images found", data["found"].removeprefix(f"{data['name']}: ")))
        items += [("note on the data", notice) for notice in data.get("notices", [])]
    for d in view.devices:
        meter = f", energy by {d.meter}" if d.meter and d.meter != "none" else ""
        described = f" ({d.description})" if d.description else ""
        items.append((f"device {d.name}", f"costs {d.provenance} through {d.backend}{meter}{described}"))
    yield Listing(items=tuple(items))


def _meaning(metric: str) -> str:
    known = METRICS.get(split_metric(metric)[0])
    return known.label if known else "by its own name"


def _hypervolume(view: StudyView) -> Iterator[Block]:
    try:
        reference = reference_point([view])
    except UsageError:
        yield Paragraph(text="There is no front yet, so nothing is dominated.")
        return
    value = hypervolume(view.losses(view.front()), reference)
    point = ", ".join(
        f"{o.metric} {level(o.metric, o.sign * r, origin(view, o.metric))}"
        for o, r in zip(view.objectives, reference, strict=True)
    )
    if (near := regret_of(view)) is not None:
        yield Paragraph(
            text=f"The front has {near}. Each objective is scaled by ideal and nadir of the true front, "
            f"and the reference point lies at {SCALED_REFERENCE:g}: {point}."
        )
        caption = "Hypervolume as a share of the true front's."
        yield from _picture("hypervolume", caption, lambda theme: history_figure(view, reference, theme))
        return
    yield Paragraph(
        text=f"The front dominates a hypervolume of {significant(value)} (product of the objectives' units) up to the "
        f"reference point {point}: the worst of each objective on the front and a tenth of its range beyond. It "
        "depends on that point; nasopt compare sets studies against each other with one point for all."
    )
    caption = "Hypervolume by trials and by what they cost, as if no cache had answered."
    yield from _picture("hypervolume", caption, lambda theme: history_figure(view, reference, theme))


def _proposers(view: StudyView, found: Sequence[Proposer]) -> Iterator[Block]:
    yield Grid(
        caption="Members of the portfolio. Hypervolume added: what a member's trials dominated and nothing before "
        "them did, as a share of the final front's; the first trials add most, whoever proposes them.",
        header=("member", "trials", "completed", "on the front", "hypervolume added"),
        rows=tuple((p.name, str(p.trials), str(p.finished), str(p.front), f"{p.gained:.1%}") for p in found),
    )
    caption = "Who proposed the trials, and what the members' trials added to the hypervolume."
    yield from _picture("proposers", caption, lambda theme: proposers_figure(view, theme))


def _importance(view: StudyView) -> Iterator[Block]:
    found = importances(view)
    for importance in found:
        if importance.reason:
            yield Paragraph(text=f"{importance.metric}: {importance.reason}.")
    told = [f for f in found if f.shares]
    if told:
        few = "; with fewer than 50 trials the order is rough" if len(view.finished()) < 50 else ""
        caption = f"Which parameters set the best trials apart, by PED-ANOVA{few}."
        yield from _picture("importance", caption, lambda theme: importance_figure(view, told, theme))


def _routing(view: StudyView) -> Iterator[Block]:
    caption = "Accuracy over the share of inputs that leave early; bars are 95% intervals."
    drawn = list(_picture("routing", caption, lambda theme: routing_figure(view, theme)))
    yield from drawn or [Paragraph(text="No finished trial has an exit rate.")]


def _endings(view: StudyView) -> Iterator[Block]:
    counts = view.counts()
    if not counts:
        yield Paragraph(text="There are no trials yet.")
        return
    broke = sum(not t.feasible for t in view.finished())
    also = f" {broke} of the completed ones break a constraint that only evaluating shows." if broke else ""
    yield Grid(
        caption=f"Infeasible trials were refused before their evaluation, by constraints that are known early.{also}",
        header=("ended", "trials"),
        rows=tuple((ending, str(n)) for ending, n in counts.items()),
    )
    reasons: dict[tuple[str, str], list[TrialView]] = {}
    for trial in view.trials:
        if trial.reason:
            reasons.setdefault((trial.ended, trial.reason), []).append(trial)
    if not reasons:
        return
    ranked = sorted(reasons.items(), key=lambda item: -len(item[1]))
    more = f" The {len(ranked) - _REASONS} rarest are left out." if len(ranked) > _REASONS else ""
    yield Grid(
        caption=f"Reasons, most frequent first.{more}",
        header=("ended", "reason", "trials", "such as"),
        rows=tuple((e, r, str(len(ts)), str(ts[0].number)) for (e, r), ts in ranked[:_REASONS]),
        text_columns=frozenset({0, 1}),
    )


def _cost(view: StudyView) -> Iterator[Block]:
    cost = search_cost(view)
    yield Paragraph(text=f"{str(cost)[0].upper()}{str(cost)[1:]}.")
    if cost.sessions:
        yield Grid(
            caption="Sessions of the search; energy and CO2 are of the machine that searched, by the method named.",
            header=("started", "host", "hardware", "time", "trials", "energy (kWh)", "CO2 (kg)", "method"),
            rows=tuple(
                (
                    s.started,
                    s.host,
                    s.hardware,
                    hours(s.seconds),
                    str(s.trials),
                    "–" if s.energy_kwh is None else f"{s.energy_kwh:.4g}",
                    "–" if s.co2_kg is None else f"{s.co2_kg:.4g}",
                    s.method or "–",
                )
                for s in view.sessions
            ),
            text_columns=frozenset({0, 1, 2, 7}),
        )


def _reproduce(view: StudyView) -> Iterator[Block]:
    items = [("seed", "not recorded" if view.seed is None else str(view.seed))]
    items.append(("git revision", view.git or "not recorded"))
    items += [(f"host {k}", str(v)) for k, v in view.host.items()]
    items += [(f"version of {k}", str(v)) for k, v in view.versions.items()]
    yield Listing(items=tuple(items))
    yield Paragraph(text="Save this as a study file and give it to nasopt run; passwords of the storage are left out.")
    yield Code(text=spec_yaml(view), language="yaml")


def spec_yaml(view: StudyView) -> str:
    """The resolved study file, without passwords."""
    return yaml.safe_dump(_redacted(dict(view.spec)), sort_keys=False, allow_unicode=True, width=100)


def _redacted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _redacted(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_redacted(v) for v in value]
    return redact(value) if isinstance(value, str) and "://" in value else value
