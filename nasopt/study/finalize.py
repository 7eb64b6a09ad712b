"""What a final report needs besides the trials: the front on the test split, and over a stream of real inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from nasopt.database.reading import is_read_only
from nasopt.errors import CacheError, DataError, MeasurementError
from nasopt.problems.opening import open_problem
from nasopt.report import compare_views
from nasopt.report.contests import pooled_front
from nasopt.study.scoring import score_front
from nasopt.study.store import Study
from nasopt.study.streaming import stream_front

Waiting = Callable[[str], AbstractContextManager[Any]]


def _silent(_: str) -> AbstractContextManager[Any]:
    return nullcontext()


def complete_front(
    study: Study, *, test: bool = True, stream: bool = True, waiting: Waiting = _silent
) -> Iterator[str]:
    """Score and time the front's networks where that has not been done; yields what could not be had, and why.

    Args:
        study: from `open_study`.
        test: score on the test split.
        stream: time over a stream of validation images, where networks run.
        waiting: called with what is being done, a context while it lasts.
    """
    if is_read_only(study.storage):
        if _lacks(study, test=test, stream=stream):
            yield "late results (scores on the test split, streams): the database can only be read here, not written"
        return
    if test:
        try:
            with waiting("scoring the front on the test split"):
                score_front(study)
        except (CacheError, DataError) as error:  # the rest of the report needs neither weights nor images
            yield f"scores on the test split: {error}"
    if stream:
        try:
            with waiting("timing the front's networks over a stream of inputs"):
                stream_front(study)
        except (CacheError, DataError, MeasurementError) as error:
            yield f"times over a stream of inputs: {error}"


def _lacks(study: Study, *, test: bool, stream: bool) -> bool:
    """Whether results of the front are missing that are taken after the search."""
    view = study.view()
    if view.problem:
        return False
    measured = any(device.provenance == "measured" for device in view.devices)
    late = [known for wanted, known in ((test, view.test_scores), (stream and measured, view.streams)) if wanted]
    return any(trial.number not in known for trial in view.front() for known in late)


def complete_contest(studies: Sequence[Study], *, waiting: Waiting = _silent) -> Iterator[str]:
    """Score the front that a contest's report shows on the test split, where that has not been done.

    Yields what could not be had, and why. What is on the front of a study only, not of all together, stays unscored.

    Args:
        studies: of one contest, from `open_contest`.
        waiting: called with what is being done, a context while it lasts.

    Raises:
        UsageError: nothing can be compared yet, so that there is nothing to report.
    """
    views = [study.view() for study in studies]
    compared = {study.name for study in compare_views(views).studies}
    wanted: dict[str, set[int]] = {}
    for view, trial in pooled_front([view for view in views if view.name in compared]):
        if not view.problem and trial.number not in view.test_scores:
            wanted.setdefault(view.name, set()).add(trial.number)
    if not wanted:
        return
    if is_read_only(studies[0].storage):
        yield "scores on the test split: the database can only be read here, not written"
        return
    try:
        with waiting("scoring the front on the test split"):
            problem = open_problem(studies[0].spec)  # the same for all, so its data are loaded once
            for study in studies:
                if study.name in wanted:
                    score_front(study, problem=problem, only=wanted[study.name])
    except (CacheError, DataError) as error:  # the rest of the report needs neither weights nor images
        yield f"scores on the test split: {error}"
