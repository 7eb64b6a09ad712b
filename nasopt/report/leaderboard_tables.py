"""The leaderboard for the terminal, as rich renderables."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from nasopt.report.compare import FRACTIONS, Comparison
from nasopt.report.hypervolume import Budget
from nasopt.report.leaderboard import Leaderboard, PairTest, Spread
from nasopt.report.notation import duration, level
from nasopt.report.tables import bare_table

BUDGET_NAMES: dict[Budget, str] = {
    "trials": "trials",
    "seconds": "device-seconds, charged as if no cache had answered",
    "wall": "the clock",
}
_FEW_RUNS = 5
"""With fewer, quartiles are no more than the runs themselves."""
_MOST_TESTS = 12
"""Pairs listed; with more, those of the leader."""


def leaderboard_tables(comparison: Comparison) -> Iterator[RenderableType]:
    """Standings by trials, charged seconds and the clock, and the tests of the first."""
    board = comparison.leaderboard
    if board is None:
        return
    for by in dict.fromkeys(h.by for h in comparison.hypervolume):
        yield _standings(comparison, board, by)
    if board.tests:
        yield _tests(board)
    yield Text(verdict(board))


def _standings(comparison: Comparison, board: Leaderboard, by: Budget) -> Table:
    point = ", ".join(
        f"{o.metric} {level(o.metric, v, comparison.origins[o.metric])}"
        for o, v in zip(comparison.objectives, comparison.reference, strict=True)
    )
    of = f" of {comparison.contest}" if comparison.contest else ""
    title = f"Leaderboard{of} by {BUDGET_NAMES[by]}" if by == "trials" else f"By {BUDGET_NAMES[by]}"
    captions: dict[Budget, str] = {
        "trials": f"hypervolume in % of {comparison.whole}, median {spread_name(board)}, up to {point}",
        "seconds": "preparation that all share, such as the supernet, comes first; 25% is of what follows it",
        "wall": "the studies' own trials by the clock; who evaluates a point first pays for those who find it cached",
    }
    table = bare_table(title, captions[by])
    table.add_column("sampler")
    table.add_column("runs", justify="right")
    for fraction in FRACTIONS:
        budget = next(h.budget for h in comparison.hypervolume if h.by == by and h.fraction == fraction)
        table.add_column(f"{fraction:.0%}: {budget_text(by, budget)}", justify="right", no_wrap=True)
    table.add_column("mean\nrank", justify="right")
    best = {f: max(s.spread(by, f).median for s in board.standings) for f in FRACTIONS}
    for standing in board.standings:
        cells = []
        for fraction in FRACTIONS:
            spread = standing.spread(by, fraction)
            text = spread_text(spread, standing.runs)
            cells.append(f"[bold]{text}[/bold]" if spread.median == best[fraction] > 0 else text)
        rank = standing.spread(by, 1.0).rank
        table.add_row(escape(standing.method), str(standing.runs), *cells, "–" if rank is None else f"{rank:.2f}")
    return table


def budget_text(by: Budget, budget: float) -> str:
    """`50 trials`, or a time."""
    return f"{budget:.0f} trials" if by == "trials" else duration(budget)


def spread_name(board: Leaderboard) -> str:
    """What stands in brackets behind a median."""
    return "(smallest to largest)" if _few(board) else "(quartiles)"


def spread_text(spread: Spread, runs: int) -> str:
    """`93.1 (91.0–94.2)`, in percent."""
    low, high = spread.extremes if runs < _FEW_RUNS else spread.quartiles
    middle = f"{100 * spread.median:.1f}"
    return f"{middle} ({100 * low:.1f}–{100 * high:.1f})" if runs > 1 else middle


def _few(board: Leaderboard) -> bool:
    return min(s.runs for s in board.standings) < _FEW_RUNS


def listed_tests(board: Leaderboard) -> list[PairTest]:
    """Tests at the whole budget in trials, worth a row: all, or those of the leader where there are many."""
    final = [t for t in board.tests if t.by == "trials" and t.fraction == 1.0]
    if len(final) <= _MOST_TESTS:
        return final
    leader = board.standings[0].method
    return [t for t in final if leader in (t.first, t.second)]


def _tests(board: Leaderboard) -> Table:
    shown = listed_tests(board)
    count = sum(t.by == "trials" and t.fraction == 1.0 for t in board.tests)
    caption = f"difference: median over the seeds, in points; p corrected for {count} tests"
    if len(shown) < count:
        caption += f", of which those of {board.standings[0].method} are listed"
    table = bare_table("Wilcoxon's signed-rank test at the whole budget in trials, paired by seed", caption)
    for name in ("pair", "difference", "seeds", "p", "p (Holm)"):
        table.add_column(name, justify="left" if name == "pair" else "right")
    for test in shown:
        cells = [f"{100 * test.difference:+.2f}", str(test.pairs), f"{test.p:.3g}", f"{test.p_holm:.3g}"]
        strong = "bold" if test.p_holm <= board.level else None
        table.add_row(escape(f"{test.first} – {test.second}"), *cells, style=strong)
    return table


def verdict(board: Leaderboard) -> str:
    """What the tests allow to say, in a sentence."""
    if len(board.standings) < 2:
        return "One competitor alone: there is nothing to test it against."
    if not board.tests:
        return "No two methods ran with the same seeds, so that nothing can be tested."
    final = [t for t in board.tests if t.by == "trials" and t.fraction == 1.0]
    if not board.can_tell:
        many = f", {board.smallest_p_holm:.3g} after correction for {len(final)} tests" if len(final) > 1 else ""
        return (
            f"With {max(t.pairs for t in final)} seeds no difference can be significant: the least p possible is "
            f"{board.smallest_p:.3g}{many}. Run at least {board.seeds_needed} seeds to be able to tell."
        )
    found = [t for t in final if t.p_holm <= board.level]
    if not found:
        return f"No difference is significant at {board.level:g} after Holm's correction."
    texts = []
    for test in found:
        better, worse = (test.first, test.second) if test.difference >= 0 else (test.second, test.first)
        texts.append(f"{better} beats {worse}")
    return f"Significant at {board.level:g} after Holm's correction: {', '.join(texts)}."
