"""A live view of a run for a terminal; a line a minute where there is none."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import TimeRemainingColumn as Remaining
from rich.progress_bar import ProgressBar
from rich.table import Column

from nasopt.records.metrics import split_metric
from nasopt.study.events import (
    CompetitorOut,
    ContestOpened,
    Event,
    PreparationProgress,
    StudyOpened,
    TrialEnded,
    TrialLost,
    TrialProgress,
    TrialStarted,
    WaitingForOthers,
)
from nasopt.text.printable import printable

_USUAL = ("accuracy", "exit_rate", "latency_ms", "energy_mj", "macs")
"""Figures that are shown of a trial beside its objectives."""
PULSE_S = 60.0
"""Without a terminal, a line tells at most so often how far the run is."""
_WIDEST_BAR, _NARROWEST_BAR = 40, 8
_BESIDE_BAR = 72
"""Cells that name, count, times and half a note take; the bar has the rest."""
_PACE_S = 6 * 3600.0
"""Time to go follows the trials of so long; of rich's own 30 seconds most trials see no second one."""


class _Bar(ProgressColumn):
    """A bar that gives way on a narrow terminal, before the figures beside it do."""

    def __init__(self, console: Console) -> None:
        super().__init__(Column(no_wrap=True))
        self._console = console

    def render(self, task: Task) -> ProgressBar:
        width = min(max(self._console.width - _BESIDE_BAR, _NARROWEST_BAR), _WIDEST_BAR)
        pulse = not task.started
        return ProgressBar(total=task.total, completed=task.completed, width=width, pulse=pulse)


def _draws_widgets(console: Console) -> bool:
    """Whether this is a notebook in which rich can redraw; without ipywidgets it would print every state anew."""
    return console.is_jupyter and find_spec("ipywidgets") is not None


def _columns(console: Console) -> tuple[ProgressColumn, ...]:
    """Name, bar, count and times in full at any width; the note takes what is left and is cut."""

    def whole() -> Column:
        return Column(no_wrap=True)

    return (
        TextColumn("{task.description:<10}", markup=False, table_column=whole()),
        _Bar(console),
        MofNCompleteColumn(table_column=whole()),
        TimeElapsedColumn(table_column=whole()),
        Remaining(table_column=whole()),
        TextColumn(
            "{task.fields[note]}", markup=False, table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")
        ),
    )


def _lasting(seconds: float) -> str:
    """A time to go in its own unit: 40 s, 7 min, 2 h 5 min."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


class Watcher:
    """A listener that draws progress bars where there is a terminal, and prints what needs saying."""

    def __init__(self, console: Console, *, verbosity: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        """`verbosity` -1 prints warnings only, 0 adds progress, 1 lines for epochs and trials."""
        self._console = console
        self._clock = clock
        self._said_at = clock()
        self._verbosity = verbosity
        self._live = verbosity >= 0 and (console.is_terminal or _draws_widgets(console))
        self._progress = Progress(
            *_columns(console), console=console, disable=not self._live, expand=True, speed_estimate_period=_PACE_S
        )
        self._tasks: dict[str, TaskID] = {}
        self._trials: TaskID | None = None
        self._within: TaskID | None = None
        self._contest = ""
        self._finished: dict[str, int] = {}
        self._asked = 0
        self._objectives: tuple[str, ...] = ()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._live:
            self._progress.refresh()  # in a notebook, rich leaves out the last state
        self._progress.stop()

    def __call__(self, event: Event) -> None:
        """Receive one event of a run."""
        match event:
            case StudyOpened():
                self._open(event)
            case PreparationProgress():
                self._prepare(event.step)
            case ContestOpened():
                self._open_contest(event)
            case TrialStarted():
                self._start(event)
            case TrialProgress():
                self._go_on(event)
            case TrialEnded():
                self._end(event)
            case TrialLost():
                self._warn(f"{self._name(event)} was taken up by another worker while this one was silent")
            case WaitingForOthers():
                self._wait(event)
            case CompetitorOut():
                self._warn(f"{event.study} is given up, the others go on: {event.reason}")

    def _wait(self, event: WaitingForOthers) -> None:
        held = f"{len(event.holders)} trials are" if len(event.holders) > 1 else "one trial is"
        self._warn(
            f"{self._competitor(event.study)}{event.finished} of {event.trials} trials are finished, and {held} held "
            f"by others, for whom this process waits: {'; '.join(event.holders)}"
        )

    def _open(self, event: StudyOpened) -> None:
        self._finished, self._asked = {event.name: event.finished}, event.trials
        self._objectives = event.objectives
        for notice in event.notices:
            self._warn(notice)
        if event.data:
            self._say(f"data {event.data}")
        state = f"{event.finished} of {event.trials} trials finished"
        self._say(f"study {event.name} in {event.storage}: {state}")

    def _open_contest(self, event: ContestOpened) -> None:
        self._contest = event.name
        self._finished, self._asked = dict(event.finished), event.trials * len(event.finished)
        self._objectives = event.objectives
        for notice in event.notices:
            self._warn(notice)
        if event.data:
            self._say(f"data {event.data}")
        state = f"{sum(event.finished.values())} of {self._asked} trials finished"
        self._say(f"contest {event.name} in {event.storage}: {len(event.finished)} studies, {state}")

    def _prepare(self, step: Any) -> None:
        epoch, epochs = step.epoch, step.epochs
        task = getattr(step, "task", "supernet")
        if task not in self._tasks:
            if step.resumed:
                self._say(f"{task}: resumed after epoch {step.resumed}")
            self._tasks[task] = self._progress.add_task(task, total=epochs, note="")
        self._progress.update(self._tasks[task], completed=epoch, note=f"loss {step.loss:.3f}")
        line = f"{task}: epoch {epoch} of {epochs}, loss {step.loss:.3f}, {step.seconds:.0f} s"
        if self._verbosity > 0 and (epoch == epochs or epoch % max(epochs // 5, 1) == 0):
            self._say(line)
        else:
            self._pulse(line)

    def _start(self, event: TrialStarted) -> None:
        if event.adopted:
            self._say(f"{self._name(event)} was interrupted or set aside; it runs again with the same parameters")
        if self._trials is None:
            done = sum(self._finished.values())
            self._trials = self._progress.add_task(
                "trials", total=self._asked, completed=done, note="the first is under way"
            )

    def _go_on(self, event: TrialProgress) -> None:
        """A bar for a trial of several epochs, as long as it runs; one epoch is soon over, or tells nothing."""
        step = event.step
        if step.epochs < 2:
            return
        if self._within is None:
            if step.resumed:
                self._say(f"{self._name(event)}: {step.task} resumed after epoch {step.resumed}")
            self._within = self._progress.add_task(f"trial {event.number}", total=step.epochs, note=step.task)
        loss = "" if step.loss is None else f", loss {step.loss:.3f}"
        self._progress.update(self._within, completed=step.epoch, note=f"{step.task}{loss}")
        if step.epoch:
            left = step.seconds / step.epoch * (step.epochs - step.epoch)
            self._pulse(
                f"{self._name(event)}: {step.task}, epoch {step.epoch} of {step.epochs}{loss}, {step.seconds:.0f} s, "
                f"about {_lasting(left)} to go"
            )

    def _end(self, event: TrialEnded) -> None:
        if self._within is not None:
            self._progress.remove_task(self._within)
            self._within = None
        self._finished[event.study] = event.finished
        if self._trials is not None:
            note = f"{self._competitor(event.study)}{self._line(event)}"
            self._progress.update(self._trials, completed=sum(self._finished.values()), note=note)
        if event.ended not in ("completed", "infeasible"):
            later = "; it is set aside for later" if event.aside else ""
            self._warn(f"{self._name(event)} {event.ended}: {event.reason}{later}")
            return
        line = f"{self._name(event)} ({event.finished} of {event.trials}): {self._line(event)}"
        if self._verbosity > 0:
            self._say(line)
        else:
            self._pulse(line)

    def _name(self, event: TrialStarted | TrialProgress | TrialEnded | TrialLost) -> str:
        return f"{self._competitor(event.study)}trial {event.number}"

    def _competitor(self, study: str) -> str:
        """Which study of a contest it is, as `label/seed: `; empty outside a contest."""
        return f"{study.removeprefix(self._contest.partition('@')[0] + '/')}: " if self._contest else ""

    def _warn(self, line: str) -> None:
        self._console.print(f"! {printable(line)}", style="yellow", markup=False, highlight=False)

    def _pulse(self, line: str) -> None:
        """Say it where no bar moves and nothing was said for a while."""
        if not self._live and self._clock() - self._said_at >= PULSE_S:
            self._say(line)

    def _say(self, line: str) -> None:
        self._said_at = self._clock()
        if self._verbosity >= 0:
            self._console.print(printable(line), markup=False, highlight=False, soft_wrap=True)

    def _line(self, event: TrialEnded) -> str:
        if event.outcome is None:
            return f"{event.ended}: {event.reason}"
        names = (*event.outcome.quality, *event.outcome.costs)
        usual = [n for n in names if n not in self._objectives and split_metric(n)[0] in _USUAL]
        shown = [*(n for n in self._objectives if n in names), *usual]  # a cut note keeps what the study is about
        return ", ".join(f"{name} {event.outcome.value(name):.4g}" for name in shown)
