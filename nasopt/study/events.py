"""What a running study tells whoever watches: plain records, sent in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from nasopt.records import Ended, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyOpened:
    """The database is open and the data loaded."""

    name: str
    storage: str
    """Without password."""
    finished: int
    trials: int
    notices: tuple[str, ...]
    """What the user should know before anything runs: other data than asked for, estimated costs."""
    objectives: tuple[str, ...] = ()
    """Names of their metrics."""
    data: str = ""
    """How many images of which classes were found; empty where no data set is loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContestOpened:
    """The studies of a contest are open and the data loaded."""

    name: str
    storage: str
    """Without password."""
    finished: Mapping[str, int]
    """Finished trials by study, as far as they are stored."""
    trials: int
    """Of each study."""
    notices: tuple[str, ...]
    objectives: tuple[str, ...]
    data: str = ""
    """How many images of which classes were found; empty where no data set is loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparationProgress:
    """A step of the work that all trials share; `step` is the problem's own record, such as `SupernetProgress`."""

    step: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialStarted:
    """A trial has been drawn, or adopted from an interrupted process."""

    study: str
    number: int
    adopted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialProgress:
    """A step within a trial; `step` is the problem's own record, such as `CotrainProgress`."""

    study: str
    number: int
    step: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialEnded:
    """A trial has been told to the database, or set aside where its device was lost."""

    study: str
    number: int
    ended: Ended
    reason: str | None
    outcome: Outcome | None
    finished: int
    """Finished trials of the study so far, this one included."""
    trials: int
    aside: bool = False
    """Whether it is set aside, to be taken up again."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """The point that was evaluated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialLost:
    """Another worker took this one for dead and has its trial; what this one found is dropped."""

    study: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingForOthers:
    """All trials that the study still needs are held by other workers; this one takes over those whose worker dies."""

    study: str
    finished: int
    trials: int
    holders: tuple[str, ...]
    """One line each: which trial, by which process on which host, since when."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompetitorOut:
    """A study of a contest cannot get to its end; the others go on."""

    study: str
    reason: str


Event: TypeAlias = (
    StudyOpened
    | ContestOpened
    | PreparationProgress
    | TrialStarted
    | TrialProgress
    | TrialEnded
    | TrialLost
    | WaitingForOthers
    | CompetitorOut
)
Listener: TypeAlias = Callable[[Event], None]


def ignore(_: Event) -> None:
    """The listener of a quiet run."""
