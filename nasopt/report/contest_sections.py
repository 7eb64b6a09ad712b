"""What the report of a contest says, section by section."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from matplotlib.figure import Figure

from nasopt.report.compare import FRACTIONS, Comparison, compare_views
from nasopt.report.contest_figures import medians_figure, methods_figure
from nasopt.report.contests import pooled_front
from nasopt.report.cost import hours
from nasopt.report.hypervolume import Budget
from nasopt.report.leaderboard import Leaderboard
from nasopt.report.leaderboard_tables import BUDGET_NAMES, budget_text, spread_name, spread_text, verdict
from nasopt.report.markup import Block, Grid, Listing, Paragraph, Picture, Section
from nasopt.report.notation import figure_text, heading, level, show
from nasopt.report.tables import notes
from nasopt.report.theme import DARK, LIGHT, Theme, encode
from nasopt.report.view import StudyView, TrialView
from nasopt.statistics.binomial import wilson


def contest_sections(views: Sequence[StudyView]) -> tuple[Section, ...]:
    """All sections of a contest's report.

    Raises:
        UsageError: nothing can be compared yet, see `compare_views`.
    """
    found = compare_views(views)
    compared = [v for v in views if v.name in {s.name for s in found.studies}]
    board = found.leaderboard
    parts: list[tuple[str, Iterator[Block]]] = [("Outcome", _outcome(views, found))]
    if board is not None:
        parts += [
            ("Leaderboard", _leaderboard(compared, found, board)),
            ("Tests", _tests(board)),
            ("What half of the runs attain", _attainment(compared, found, board)),
        ]
    parts += [("The front of all runs together", _front(compared)), ("Runs", _runs(views, found))]
    return tuple(Section(title=title, blocks=tuple(blocks)) for title, blocks in parts)


def _outcome(views: Sequence[StudyView], found: Comparison) -> Iterator[Block]:
    trials = sum(len(v.finished()) for v in views)
    yield Paragraph(text=f"{len(views)} studies with {trials} trained and measured trials.")
    if found.leaderboard is not None:
        yield Paragraph(text=verdict(found.leaderboard))
    for note in dict.fromkeys([*found.warnings, *notes(views[0])]):
        yield Paragraph(text=f"{note[0].upper()}{note[1:]}.", warning=True)


def _leaderboard(views: Sequence[StudyView], found: Comparison, board: Leaderboard) -> Iterator[Block]:
    point = ", ".join(
        f"{o.metric} {level(o.metric, v, found.origins[o.metric])}"
        for o, v in zip(found.objectives, found.reference, strict=True)
    )
    for by in dict.fromkeys(h.by for h in found.hypervolume):
        budgets = [next(h.budget for h in found.hypervolume if (h.by, h.fraction) == (by, f)) for f in FRACTIONS]
        yield Grid(
            caption=f"By {BUDGET_NAMES[by]}: hypervolume in % of {found.whole}, up to {point}; the median of the runs "
            f"{spread_name(board)}.",
            header=("sampler", "runs", *_headings(by, budgets), "mean rank"),
            rows=tuple(
                (
                    s.method,
                    str(s.runs),
                    *(spread_text(s.spread(by, f), s.runs) for f in FRACTIONS),
                    "–" if (rank := s.spread(by, 1.0).rank) is None else f"{rank:.2f}",
                )
                for s in board.standings
            ),
        )
    caption = "Hypervolume as the budget is used up: the median of the runs, and their quartiles as a band."
    yield from _picture("histories", caption, lambda theme: methods_figure(views, found, board, theme))


def _headings(by: Budget, budgets: Sequence[float]) -> Iterator[str]:
    for fraction, budget in zip(FRACTIONS, budgets, strict=True):
        yield f"{fraction:.0%}: {budget_text(by, budget)}"


def _tests(board: Leaderboard) -> Iterator[Block]:
    final = [t for t in board.tests if t.by == "trials" and t.fraction == 1.0]
    if not final:
        yield Paragraph(text=verdict(board))
        return
    yield Grid(
        caption="Wilcoxon's signed-rank test at the whole budget in trials, paired by seed; the difference is the "
        f"median over the seeds, in points; p is corrected for {len(final)} tests by Holm's method.",
        header=("first", "second", "difference", "seeds", "p", "p (Holm)"),
        rows=tuple(
            (t.first, t.second, f"{100 * t.difference:+.2f}", str(t.pairs), f"{t.p:.3g}", f"{t.p_holm:.3g}")
            for t in final
        ),
        text_columns=frozenset({0, 1}),
    )
    yield Paragraph(text="The spread is that of the samplers: splits and training are the same for all seeds.")


def _attainment(views: Sequence[StudyView], found: Comparison, board: Leaderboard) -> Iterator[Block]:
    caption = "Median attainment surfaces at the common number of trials."
    if len(found.objectives) > 2:
        caption += " Each panel leaves the other objectives out of account."
    yield from _picture("attainment", caption, lambda theme: medians_figure(views, found, board, theme))


def _picture(name: str, caption: str, draw: Callable[[Theme], Figure | None]) -> Iterator[Block]:
    light, dark = draw(LIGHT), draw(DARK)
    if light is not None and dark is not None:
        png, light_svg, dark_svg = encode(light, "png"), encode(light, "svg"), encode(dark, "svg")
        yield Picture(name=name, caption=caption, png=png, light=light_svg, dark=dark_svg)


def _front(views: Sequence[StudyView]) -> Iterator[Block]:
    front = pooled_front(views)
    metrics = [o.metric for o in views[0].objectives]
    tested = any(trial.number in view.test_scores for view, trial in front)
    yield Grid(
        caption="Which study found it, and as which trial; the study's own report says more: nasopt report STUDY."
        + (" The test split was scored once, from the stored weights; the search never saw it." if tested else ""),
        header=("study", "trial", *(heading(views[0], m) for m in metrics), *(["accuracy on test"] if tested else [])),
        rows=tuple(
            (v.name, str(t.number), *(figure_text(v, t, m) for m in metrics), *([_on_test(v, t)] if tested else []))
            for v, t in front
        ),
    )


def _on_test(view: StudyView, trial: TrialView) -> str:
    score = view.test_scores.get(trial.number) or {}
    if "accuracy" not in score:
        return "–"
    images = int(score.get("images") or 0)
    return show("accuracy", score["accuracy"], wilson(score["accuracy"], images) if images else None)


def _runs(views: Sequence[StudyView], found: Comparison) -> Iterator[Block]:
    yield Grid(
        caption="All studies; charged is as if no cache had answered, the clock counts a study's own trials.",
        header=("study", "trials", "front", "charged", "by the clock"),
        rows=tuple(
            (
                v.name,
                str(len(v.finished())),
                str(len(v.front())),
                hours(v.preparation_seconds + sum(t.seconds for t in v.trials)),
                hours(sum(t.wall_s for t in v.trials)),
            )
            for v in views
        ),
    )
    samplers = {v.contest.label: v.spec.get("sampler") or {} for v in views if v.contest}
    yield Listing(
        items=tuple((label, f"{s.get('name')} {s.get('options') or ''}".strip()) for label, s in samplers.items())
    )
