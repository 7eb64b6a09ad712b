"""What a study searches: a space, and an evaluation of its points."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from optuna.distributions import BaseDistribution

from nasopt.records import Inspection, Outcome
from nasopt.records.prior import ArchitecturePrior
from nasopt.records.stream import RoutedStream

if TYPE_CHECKING:
    from nasopt.evaluation import DeviceCosts

Progress = Callable[[Any], None]
"""Receives progress records of long work, such as `training.SupernetProgress` and `training.CotrainProgress`."""


class Problem(Protocol):
    """The plug-in point `nasopt.problems`: a callable `(spec: StudySpec, cache: Cache) -> Problem`."""

    distributions: Mapping[str, BaseDistribution]
    """The search space, static."""
    structural: tuple[str, ...]
    """Names of the constraints that the space itself demands, in a fixed order."""
    suffix: str
    """Appended to the study's name so that unlike results never mix, such as `@digits`; usually empty."""

    def prepare(self, progress: Progress) -> None:
        """Do the work that all evaluations share; called once before the first evaluation."""

    def facts(self) -> Mapping[str, Any]:
        """What to store with the study, by `records.StudyKeys`; may grow once prepared."""

    def inspect(self, params: Mapping[str, Any]) -> Inspection:
        """What is known of a point before it is evaluated; must be cheap."""

    def evaluate(self, params: Mapping[str, Any]) -> Outcome:
        """Evaluate one point. Raises the errors of `nasopt.errors` that name the trial's end."""

    def score_test(self, params: Mapping[str, Any], files: Mapping[str, Path]) -> Mapping[str, float]:
        """Score a stored result on the test split; `files` are its outcome's, where they lie now."""


@runtime_checkable
class TellsProgress(Protocol):
    """What a problem offers besides, where one evaluation may take minutes."""

    def evaluate_watched(self, params: Mapping[str, Any], progress: Progress) -> Outcome:
        """As `evaluate`; `progress` receives records with `task`, `epoch`, `epochs`, `loss` (or None before the first
        epoch), `seconds` and `resumed`, at the beginning and after each epoch."""


@runtime_checkable
class GivesPrior(Protocol):
    """What a problem offers besides, where it can train the architecture prior that some samplers require."""

    def architecture_prior(self, progress: Progress) -> ArchitecturePrior:
        """Train the prior for the study's objectives, or recall it; called after `prepare`, once for a run."""


@runtime_checkable
class RunsOnDevices(Protocol):
    """What a problem offers besides, where its points are networks that run on the devices of its study."""

    def recost(self, params: Mapping[str, Any], *, exit_rate: float) -> Mapping[str, DeviceCosts]:
        """Costs of a point by device, at an exit rate that is known; nothing is trained."""

    def time_streams(
        self, params: Mapping[str, Any], files: Mapping[str, Path]
    ) -> tuple[Mapping[str, RoutedStream], Mapping[str, str]]:
        """A stored network over real inputs in their order, by device; and by device, why it cannot be timed there."""
