"""Mirrors of a study in other people's tools, for those who live there: TensorBoard and Weights & Biases."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from nasopt.database import expand, redact, sqlite_file
from nasopt.errors import UsageError
from nasopt.samplers.factory import first_line
from nasopt.spec.contest import ContestSpec
from nasopt.spec.study import StudyFile
from nasopt.study.events import ContestOpened, Event, Listener, StudyOpened, TrialEnded
from nasopt.study.store import file_name


class Tracker(Protocol):
    """Receives figures of finished trials."""

    def log(self, number: int, params: Mapping[str, Any], figures: Mapping[str, float]) -> None:
        """Record a trial's parameters and metrics."""

    def close(self) -> None:
        """Write what is pending."""


class TensorBoardTracker:
    """Scalars by trial number, and parameters beside metrics in its table HPARAMS, under `runs/STUDY-DATABASE`."""

    def __init__(self, study: str, spec: StudyFile) -> None:
        """Raises UsageError where tensorboard is not installed."""
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise UsageError("the tracker tensorboard is not installed; pip install 'nasopt[tensorboard]'") from error
        folder = Path("runs") / f"{file_name(study)}-{_database(spec)}"
        try:
            self._writer: Any = SummaryWriter(str(folder))
        except OSError as error:
            raise UsageError(f"the tracker tensorboard cannot write to {folder}: {error.strerror}") from error

    def log(self, number: int, params: Mapping[str, Any], figures: Mapping[str, float]) -> None:
        """Record a trial's metrics at step `number`, and its parameters as the run `trial-NUMBER`."""
        named = {name.replace("@", "/"): value for name, value in figures.items()}
        for name, value in named.items():
            self._writer.add_scalar(name, value, number)
        plain = {n: v if isinstance(v, (bool, int, float, str)) else str(v) for n, v in params.items()}
        self._writer.add_hparams(plain, named, run_name=f"trial-{number}", global_step=number)

    def close(self) -> None:
        """Write what is pending."""
        self._writer.close()


class WandbTracker:
    """One run for the study over all of its resumptions, one step for each trial."""

    def __init__(self, study: str, spec: StudyFile) -> None:
        """Raises UsageError where wandb is not installed, or cannot begin a run."""
        try:
            import wandb
        except ImportError as error:
            raise UsageError("the tracker wandb is not installed; pip install 'nasopt[wandb]'") from error
        key = hashlib.sha256(f"{study} {_database(spec)}".encode()).hexdigest()[:16]
        try:
            self._run: Any = wandb.init(project="nasopt", name=study, id=key, resume="allow", config=spec.resolved())
        except Exception as error:  # its errors share no base with those of the network below it
            raise UsageError(f"wandb cannot begin a run: {first_line(error)}; {_WANDB_ADVICE}") from error
        self._run.define_metric("*", step_metric="trial")

    def log(self, number: int, params: Mapping[str, Any], figures: Mapping[str, float]) -> None:
        """Record a trial's parameters, as `params/NAME`, and metrics."""
        self._run.log({"trial": number, **{f"params/{n}": v for n, v in params.items()}, **figures})

    def close(self) -> None:
        """Write what is pending."""
        self._run.finish()


_WANDB_ADVICE = "log in with `wandb login`, or set WANDB_MODE=offline to keep the run on this disk"


def _check_wandb() -> None:
    """Refuse to begin without a login, before anything is created.

    Raises:
        UsageError: with what to do.
    """
    if os.environ.get("WANDB_MODE", "online") not in ("online", "shared"):
        return
    import wandb

    try:
        known = wandb.login(prompt=False)
    except TypeError:  # an older one, which can only ask; it says so when the run begins
        return
    except Exception as error:
        raise UsageError(f"wandb does not take this login: {first_line(error)}; {_WANDB_ADVICE}") from error
    if not known:
        raise UsageError(f"the tracker wandb has no login; {_WANDB_ADVICE}")


def _database(spec: StudyFile) -> str:
    """What tells the study's database from others that hold one of its name, in 8 hex digits."""
    url = expand(spec.study.storage)
    file = sqlite_file(url)
    return hashlib.sha256((str(file.resolve()) if file is not None else redact(url)).encode()).hexdigest()[:8]


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
        if "wandb" in names:
            _check_wandb()
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
                tracker.log(event.number, event.params, figures)

    def _follow(self, study: str) -> None:
        self._open[study] = []
        for name in self._names:
            tracker = _TRACKERS[name](study, self._spec)
            self._exit.callback(tracker.close)
            self._open[study].append(tracker)
