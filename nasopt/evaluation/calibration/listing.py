"""A calibration on the terminal: its progress, and what came of it."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Table

from nasopt.evaluation.calibration.calibrating import Calibrated
from nasopt.evaluation.calibration.taking import Progress

_LINES = 10
"""So many lines tell of the progress where there is no terminal."""


class Watcher:
    """Draws a bar with the time that is left; where there is no terminal, prints a line now and then."""

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self._console = console
        self._quiet = quiet
        columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.fields[note]}"))
        self._bar = Bar(*columns, console=console, disable=quiet or not console.is_terminal)
        self._task = self._bar.add_task("measuring", total=None, note="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()

    def __call__(self, progress: Progress) -> None:
        """Told after each measurement."""
        note = f"{_left(progress)}, {progress.what}"
        self._bar.update(self._task, completed=progress.done, total=progress.total, note=note)
        if not self._quiet and not self._console.is_terminal and progress.done % -(-progress.total // _LINES) == 0:
            self._console.print(f"{progress.done} of {progress.total} measured, {_left(progress)}")


def _left(progress: Progress) -> str:
    if not progress.measured:
        return "kept from an earlier run"
    seconds = progress.seconds / progress.measured * (progress.total - progress.done)
    return f"{seconds / 60:.0f} minutes left" if seconds > 90 else f"{seconds:.0f} s left"


def calibration_table(found: Calibrated) -> Table:
    """What the calibration is worth, and how it is used."""
    table = Table(box=box.SIMPLE_HEAD, title=escape(found.calibration.description), title_justify="left")
    for column in ("predicted", "held out", "within 10%", "Spearman", "median error", "worst", "95% interval holds"):
        table.add_column(column, justify="left" if column == "predicted" else "right")
    for name, predictor in found.calibration.quantities.items():
        held = predictor.held_out
        rank = "" if held.spearman is None else f"{held.spearman:.3f}"
        shares = (f"{held.within_10:.1%}", rank, f"{held.median:.1%}", f"{held.worst:.0%}", f"{held.coverage:.0%}")
        table.add_row(name, str(held.networks), *shares)
    table.caption_justify = "left"
    table.caption = escape(
        f"wrote {found.file} and {found.profile}\nIn a study file, this predicts with it:\n"
        f"  hardware:\n    device: {found.profile}"
    )
    return table


def calibration_json(found: Calibrated) -> dict[str, Any]:
    """The errors and files of a calibration, as JSON values."""
    whole = found.calibration.model_dump(mode="json", exclude={"quantities", "domain"})
    errors = {n: p.held_out.model_dump(mode="json") for n, p in found.calibration.quantities.items()}
    files = {"file": found.file, "profile": found.profile, "measurements": found.measurements}
    return {**whole, "held_out": errors, **{name: str(path) for name, path in files.items()}}
