"""One trial from the moment it is claimed to the moment the database knows how it ended."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from optuna import Trial
from optuna.artifacts import get_all_artifact_meta, upload_artifact
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState

from nasopt.database import redact
from nasopt.errors import (
    DatabaseError,
    DeviceLostError,
    DeviceRefusedError,
    DivergedError,
    EvaluationError,
    ExportError,
    LostTrialError,
    MeasurementError,
    NasoptError,
    PrunedError,
)
from nasopt.problems import Problem, Progress, TellsProgress
from nasopt.records import Ended, Outcome, TrialKeys
from nasopt.spec.study import StudySpec
from nasopt.study.attributes import known_figures, outcome_text, scalar_attributes, write_attributes
from nasopt.study.constraints import ConstraintSet
from nasopt.study.sampling import sampler_errors
from nasopt.study.store import Study

_ENDS: tuple[tuple[type[NasoptError], Ended], ...] = (
    (DivergedError, "diverged"),
    (DeviceLostError, "device lost"),
    (ExportError, "export failed"),
    (MeasurementError, "measurement failed"),
    (EvaluationError, "evaluation failed"),
    (PrunedError, "pruned"),
)
_PRUNED: frozenset[Ended] = frozenset({"infeasible", "diverged", "pruned"})
"""Ends without figures that are the network's own doing. They are told PRUNED, without values: samplers learn from the
first two, see `samplers.lost`. What is not the network's doing is told FAIL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How a trial ended, before it is told."""

    ended: Ended
    values: tuple[float, ...] | None
    constraints: dict[str, float]
    reason: str | None = None
    outcome: Outcome | None = None
    known: Mapping[str, float] = field(default_factory=dict)
    """Figures that are exact without an evaluation, such as MACs."""


def judge(
    spec: StudySpec,
    problem: Problem,
    constraints: ConstraintSet,
    trial: Trial,
    progress: Progress = lambda _: None,
) -> Verdict:
    """Evaluate a trial's parameters unless cheap constraints refuse them; its own faults become verdicts.

    `progress` hears how far an evaluation is, of problems that tell.

    Raises:
        NasoptError: what is not the trial's doing, such as a full disk or a device that lets nobody in; the trial stays
            open and is taken up again.
    """
    inspection = problem.inspect(trial.params)
    before, known = constraints.before(inspection), known_figures(inspection)
    if (reason := constraints.refusal(before)) is not None:
        reason = inspection.reason or reason
        return Verdict(ended="infeasible", values=None, constraints=before, reason=reason, known=known)
    try:
        if isinstance(problem, TellsProgress):
            outcome = problem.evaluate_watched(trial.params, progress)
        else:
            outcome = problem.evaluate(trial.params)
        _check(outcome)
        values = _objectives(spec, outcome)
        after = constraints.after(inspection, outcome)
    except DeviceRefusedError:
        raise
    except tuple(kind for kind, _ in _ENDS) as error:
        ended = next(end for kind, end in _ENDS if isinstance(error, kind))
        reason = redact(str(error).replace("\n", " "))
        return Verdict(ended=ended, values=None, constraints=before, reason=reason, known=known)
    return Verdict(ended="completed", values=values, constraints=after, outcome=outcome, known=known)


def tell(study: Study, trial: Trial, verdict: Verdict) -> None:
    """Store everything about a trial, its state last, so that a finished trial is a complete one.

    Raises:
        LostTrialError: another worker has ended it; its result stands.
        SamplerError: the sampler cannot take the result; the trial is stored.
        DatabaseError: its files cannot be stored.
    """
    try:
        _store(study, trial, verdict)
    except UpdateFinishedTrialError as error:
        raise LostTrialError(f"trial {trial.number} was ended by another worker") from error
    with sampler_errors(study.spec.sampler.name):  # Optuna stores the trial all the same
        if verdict.values is None:
            trial.study.tell(trial, state=TrialState.PRUNED if verdict.ended in _PRUNED else TrialState.FAIL)
        else:
            trial.study.tell(trial, list(verdict.values))


def _store(study: Study, trial: Trial, verdict: Verdict) -> None:
    if verdict.outcome is not None:
        try:
            _store_files(study, trial, verdict.outcome)
        except OSError as error:
            raise DatabaseError(
                f"cannot store the files of trial {trial.number} in {study.artifacts}: {error.strerror or error}; free "
                "some space there and run again: the trial is taken up where it is"
            ) from error
    write_attributes(trial.study._storage, trial._trial_id, _attributes(verdict))
    already = trial.constraints
    for key, value in verdict.constraints.items():
        if key not in already:  # an adopted trial may carry them; the first write stands
            trial.set_constraint(key, value)


def _attributes(verdict: Verdict) -> dict[str, Any]:
    attributes: dict[str, Any] = dict(scalar_attributes(verdict.known, verdict.outcome))
    if verdict.outcome is not None:
        attributes[TrialKeys.OUTCOME] = outcome_text(verdict.outcome)
    if verdict.reason is not None:
        attributes[TrialKeys.REASON] = verdict.reason
    return {**attributes, TrialKeys.ENDED: verdict.ended}


def _check(outcome: Outcome) -> None:
    """Refuse what cannot be stored as plain JSON, whose numbers are finite.

    Raises:
        EvaluationError: a figure is not finite, or the rest is no JSON.
    """
    figures = {**outcome.quality, **{name: cost.value for name, cost in outcome.costs.items()}}
    for name, value in figures.items():
        if not math.isfinite(value):
            raise EvaluationError(f"{name} came out as {value}; expected a finite number")
    try:
        json.dumps(outcome.to_json(), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise EvaluationError(f"the outcome cannot be stored as JSON with finite numbers: {error}") from error


def _objectives(spec: StudySpec, outcome: Outcome) -> tuple[float, ...]:
    values = []
    for objective in spec.objectives:
        value = outcome.value(objective.metric)
        if value is None:
            raise MeasurementError(
                f"the objective {objective.metric} was not measured; see the device's profile and meter"
            )
        values.append(value)
    return tuple(values)


def _store_files(study: Study, trial: Trial, outcome: Outcome) -> None:
    """Upload the outcome's files under their names; an adopted trial keeps those that it has whole."""
    present = stored_files(study, trial._trial_id)
    with TemporaryDirectory(prefix="nasopt-") as folder:
        for name, file in outcome.files.items():
            if name not in present:
                named = Path(shutil.copyfile(file, Path(folder) / name))  # an artifact is called what its file is
                upload_artifact(artifact_store=study.artifact_store, file_path=str(named), study_or_trial=trial)


def stored_files(study: Study, trial_id: int) -> dict[str, Path]:
    """Artifacts of a trial by file name, where they lie. Those cut short by a kill are left out."""
    trial = study.storage.get_trial(trial_id)
    metas = get_all_artifact_meta(trial, storage=study.storage)
    paths = {meta.filename: study.artifacts / meta.artifact_id for meta in metas}
    return {name: path for name, path in paths.items() if path.exists()}
