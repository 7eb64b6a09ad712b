"""The routed networks of a front over a stream of real inputs: timed once, where their costs were, and kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nasopt.errors import CacheError, MeasurementError, StudyNotFoundError, UsageError
from nasopt.hardware import fingerprint, load_profile
from nasopt.problems import Problem, RunsOnDevices
from nasopt.problems.opening import open_problem
from nasopt.records import ArtifactNames, StudyKeys
from nasopt.records.stream import RoutedStream
from nasopt.report import TrialView
from nasopt.spec.study import ObjectiveSpec, StudySpec
from nasopt.study.store import Study
from nasopt.study.trials import stored_files

Progress = Callable[[int, int], None]


def stream_front(
    study: Study, *, problem: Problem | None = None, progress: Progress | None = None
) -> dict[int, dict[str, RoutedStream]]:
    """Time the front's networks that have not been timed over a stream yet; all streams so far, by trial and device.

    Devices on which nothing runs have none, and a study that searches no networks has none at all.

    Args:
        study: from `open_study`.
        problem: the study's problem, if it is loaded already.
        progress: called with (timed so far, to time).

    Raises:
        CacheError: a trial's weights are gone.
        DataError: the data set cannot be loaded here.
        MeasurementError: a reading cannot be trusted, or this is not the machine that took the study's costs.
    """
    devices = {d["name"] for d in study.optuna.user_attrs.get(StudyKeys.DEVICES, []) if d["provenance"] == "measured"}
    if not study.spec.of_networks or not devices:
        return {}
    with study.lock("streams"):
        view = study.view()
        missing = [t for t in view.front() if t.number not in view.streams]
        if missing:
            _refuse_other_host(study)
            problem = problem or open_problem(study.spec)
        for done, trial in enumerate(missing, start=1):
            assert problem is not None
            _keep(study, trial.number, _streams(study, problem, trial)[0])
            if progress is not None:
                progress(done, len(missing))
    return {number: dict(streams) for number, streams in study.view().streams.items()}


def stream_trial(study: Study, number: int, *, device: str | None = None) -> tuple[RoutedStream, ...]:
    """Time a finished trial's network over a stream now; what is kept for the study's own devices is replaced.

    Args:
        study: from `open_study`.
        number: of the trial.
        device: name or path of a device profile; the study's own devices if left out.

    Raises:
        UsageError: the study searches no networks.
        StudyNotFoundError: no finished trial of that number.
        MeasurementError: no network runs on the device, or a reading cannot be trusted.
    """
    trial = finished_trial(study, number)
    problem = open_problem(study.spec if device is None else on_device(study.spec, device))
    streams, refused = _streams(study, problem, trial)
    if not streams:
        raise MeasurementError(f"{'; '.join(refused.values())}; name a device that runs networks with --device")
    if device is None and not _other_host(study):
        with study.lock("streams"):
            _keep(study, number, streams)
    return tuple(streams.values())


def finished_trial(study: Study, number: int) -> TrialView:
    """The finished trial of this number.

    Raises:
        UsageError: the study searches no networks.
        StudyNotFoundError: there is none; the message lists those that there are.
    """
    if not study.spec.of_networks:
        raise UsageError(
            f"study {study.name!r} is of kind {study.spec.problem.kind}: its trials have no network to measure"
        )
    view = study.view()
    for trial in view.finished():
        if trial.number == number and trial.outcome is not None:
            return trial
    known = ", ".join(str(n) for n in sorted(t.number for t in view.finished())) or "none"
    raise StudyNotFoundError(f"study {study.name!r} has no finished trial {number}; finished: {known}")


def on_device(spec: StudySpec, device: str) -> StudySpec:
    """The study's file for another device, with that one's own meter and nothing asked of it but its costs.

    The networks stay in their precision, whatever the other device would run in by itself.
    """
    hardware = spec.hardware.model_copy(update={"device": [device], "meter": None})
    objectives = [ObjectiveSpec(metric="accuracy")]
    precision = spec.space.precision or load_profile(spec.hardware.device[0]).precision
    space = spec.space.model_copy(update={"precision": precision})
    return spec.model_copy(update={"hardware": hardware, "space": space, "objectives": objectives, "constraints": []})


def _streams(study: Study, problem: Problem, trial: TrialView) -> tuple[Mapping[str, RoutedStream], Mapping[str, str]]:
    stored = study.optuna.get_trials(deepcopy=False)[trial.number]
    files = stored_files(study, stored._trial_id)
    if ArtifactNames.WEIGHTS not in files:
        raise CacheError(
            f"the weights of trial {trial.number} are not in {study.artifacts}; bring the folder back, or report "
            "without timing the routed networks (--no-stream)"
        )
    assert isinstance(problem, RunsOnDevices)
    return problem.time_streams(trial.params, files)


def _keep(study: Study, number: int, streams: Mapping[str, RoutedStream]) -> None:
    key = f"{StudyKeys.STREAM}{number}"
    record: dict[str, Any] = {name: stream.to_json() for name, stream in streams.items()}
    study.optuna.set_user_attr(key, {**study.optuna.user_attrs.get(key, {}), **record})


def _other_host(study: Study) -> str:
    """What distinguishes this host from the one that took the study's costs; empty where nothing does."""
    stored, here = study.optuna.user_attrs.get(StudyKeys.HOST, {}), fingerprint()
    different = sorted(k for k in stored.keys() | here.keys() if stored.get(k) != here.get(k))
    return ", ".join(f"{k}: {stored.get(k)!r} there, {here.get(k)!r} here" for k in different)


def _refuse_other_host(study: Study) -> None:
    if different := _other_host(study):
        raise MeasurementError(
            f"the costs of study {study.name!r} were measured on other hardware ({different}); report there, or "
            "without timing the routed networks (--no-stream)"
        )
