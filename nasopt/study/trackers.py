"""Mirrors of a study in other people's tools, for those who live there: TensorBoard and Weights & Biases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from nasopt.errors import UsageError
from nasopt.spec.contest import ContestSpec
from nasopt.spec.study import StudyFile
from nasopt.study.events import ContestOpened, Event, Listener, StudyOpened, TrialEnded
from nasopt.study.opening import file_name


class Tracker(Protocol):
    """Receives figures of finished trials."""

    def log(self, number: int, figures: dict[str, float]) -> None:
        """Record a trial's metrics."""

    def close(self) -> None:
        """Write what is pending."""


class TensorBoardTracker:
    """Scalars by trial number under `runs/STUDY`, through PyTorch's writer."""

    def __init__(self, study: str, spec: StudyFile) -> None:
        """Raises UsageError where tensorboard is not installed."""
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise UsageError("the tracker tensorboard is not installed; pip install 'nasopt[tensorboard]'") from error
        self._writer: Any = SummaryWriter(str(Path("runs") / file_name(study)))

    def log(self, number: int, figures: dict[str, float]) -> None:
        """Record a trial's metrics at step `number`."""
        for name, value in figures.items():
            self._writer.add_scalar(name.replace("@", "/"), value, number)

    def close(self) -> None:
        """Write what is pending."""
        self._writer.close()


class WandbTracker:
    """One run for the study, one step for each trial."""

    def __init__(self, study: str, spec: StudyFile) -> None:
        """Raises UsageError where wandb is not installed."""
        try:
            import wandb
        except ImportError as error:
            raise UsageError("the tracker wandb is not installed; pip install 'nasopt[wandb]'") from error
        self._run: Any = wandb.init(project="nasopt", name=study, config=spec.resolved())

    def log(self, number: int, figures: dict[str, float]) -> None:
        """Record a trial's metrics."""
        self._run.log({"trial": number, **figures})

    def close(self) -> None:
        """Write what is pending."""
        self._run.finish()


_TRACKERS: dict[str, Callable[[str, StudyFile], Tracker]] = {"tensorboard": TensorBoardTracker, "wandb": WandbTracker}


class Trackers:
    """All trackers of a run, opened once the study's name is known."""

    def __init__(self, names: Sequence[str], spec: StudyFile) -> None:
        """Raises UsageError for a name that is no tracker, or whose package is not installed."""
        if unknown := [n for n in names if n not in _TRACKERS]:
            raise UsageError(f"no tracker named {unknown[0]!r}; known: {', '.join(_TRACKERS)}")
        for name in names:  # before anything is created, not when the first trial ends
            if find_spec(name) is None:
                raise UsageError(f"the tracker {name} is not installed; pip install 'nasopt[{name}]'")
        if isinstance(spec, ContestSpec) and "wandb" in names:
            raise UsageError("the tracker wandb follows one study at a time; for a contest take tensorboard")
        self._names = tuple(names)
        self._spec = spec
        self._open: dict[str, list[Tracker]] = {}
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._exit.close()

    def beside(self, listener: Listener) -> Listener:
        """A listener that serves both the trackers and `listener`."""

        def both(event: Event) -> None:
            self._receive(event)
            listener(event)

        return both

    def _receive(self, event: Event) -> None:
        if isinstance(event, StudyOpened):
            self._follow(event.name)
        if isinstance(event, ContestOpened):
            for study in event.finished:
                self._follow(study)
        if isinstance(event, TrialEnded) and event.outcome is not None:
            figures = {**event.outcome.quality, **{n: c.value for n, c in event.outcome.costs.items()}}
            for tracker in self._open[event.study]:
                tracker.log(event.number, figures)

    def _follow(self, study: str) -> None:
        self._open[study] = []
        for name in self._names:
            tracker = _TRACKERS[name](study, self._spec)
            self._exit.callback(tracker.close)
            self._open[study].append(tracker)
