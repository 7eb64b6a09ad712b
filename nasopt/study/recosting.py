"""What a study's networks cost on another device: taken once, kept with the study, never mixed with its own costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from nasopt.cache import content_key
from nasopt.errors import MeasurementError, UsageError
from nasopt.hardware import backend_for, load_profile
from nasopt.problems import Problem, RunsOnDevices
from nasopt.problems.opening import open_problem
from nasopt.records import StudyKeys
from nasopt.report import TrialView
from nasopt.report.notation import is_modelled
from nasopt.report.recosted import CHUNK, Recosted, recosted_key
from nasopt.spec.study import StudySpec
from nasopt.study.store import Study
from nasopt.study.streaming import on_device

Progress = Callable[[int, int], None]


def transfer(study: Study, device: str, *, everything: bool = False, progress: Progress | None = None) -> Recosted:
    """Take the costs of the front's networks, or of all finished trials, on another device.

    What has been taken there under the same conditions is not taken again. Nothing is trained: costs hang on no
    weights, and exit rates are known.

    Args:
        study: from `open_study`.
        device: name or path of a device profile.
        everything: all finished trials rather than the front.
        progress: called with (taken so far, to take).

    Raises:
        UsageError: the study searches no networks, has no finished trial, or has its costs from this device already.
        UnknownPluginError: no such device.
        MeasurementError: the device cannot be measured from here, or refused a reading.
        DeviceLostError: it went away; what was taken is kept.
    """
    _refuse_unfit(study)
    name = load_profile(device).name
    if name in {d["name"] for d in study.optuna.user_attrs.get(StudyKeys.DEVICES, [])}:
        raise UsageError(f"study {study.name!r} has its costs from {name}; name another device")
    view = study.view()
    trials = view.finished() if everything else view.front()
    return _recost(study, name, on_device(study.spec, device), trials, progress)


def confirm(study: Study, device: str, *, of: str | None = None, progress: Progress | None = None) -> Recosted:
    """Measure the front of a study whose costs are predicted or estimated, to set both beside each other.

    Args:
        study: from `open_study`.
        device: name or path of the profile that measures the device that the study's costs are about.
        of: the study's device, where several are modelled.
        progress: called with (taken so far, to take).

    Raises:
        UsageError: the study has no modelled device, has several and none is named, or `device` does not measure.
        MeasurementError: the device cannot be measured from here, or refused a reading.
    """
    _refuse_unfit(study)
    modelled = [d["name"] for d in study.optuna.user_attrs.get(StudyKeys.DEVICES, []) if is_modelled(d["provenance"])]
    if not modelled:
        raise UsageError(f"the costs of study {study.name!r} are measured: there is nothing to confirm")
    if of not in (*modelled, None) or (of is None and len(modelled) > 1):
        seen = f"none named {of!r}" if of else "none is named"
        raise UsageError(f"study {study.name!r} has modelled costs of {', '.join(modelled)}, and {seen}; set --of")
    backend = backend_for(load_profile(device), meter="none")
    if backend.provenance != "measured":
        raise UsageError(f"{device} gives {backend.provenance} costs; confirming takes a device that measures")
    name = load_profile(device).name
    key = f"{name}>{of or modelled[0]}"
    return _recost(study, key, on_device(study.spec, device), study.view().front(), progress, of=of or modelled[0])


def _refuse_unfit(study: Study) -> None:
    if not study.spec.of_networks:
        raise UsageError(
            f"study {study.name!r} is of kind {study.spec.problem.kind}: its points are no networks that another "
            "device could run"
        )
    if not study.view().front():
        raise UsageError(f"study {study.name!r} has no feasible finished trial yet; run it first")


def _recost(
    study: Study,
    name: str,
    spec: StudySpec,
    trials: Sequence[TrialView],
    progress: Progress | None,
    of: str | None = None,
) -> Recosted:
    conditions = _conditions(spec)
    with study.lock(f"recosted-{content_key(name=name)}"):
        known = study.view().recosted.get(name)
        fresh = known is None or known.conditions != conditions
        done = set() if fresh or known is None else set(known.costs)
        missing = [t for t in trials if t.number not in done]
        if missing:
            problem = open_problem(spec)
            assert isinstance(problem, RunsOnDevices)
            for taken, trial in enumerate(missing, start=1):
                record = _costs_of(problem, trial)
                if taken == 1:  # a device that refuses the first network leaves what there was
                    _begin(study, name, problem, conditions, fresh=fresh, of=of)
                _keep(study, name, trial.number, record)
                if progress is not None:
                    progress(taken, len(missing))
        found = study.view().recosted[name]
    wanted = {t.number for t in trials}
    return found.only(wanted)


def _conditions(spec: StudySpec) -> str:
    """A hash of everything but the networks that the costs depend on."""
    profile = load_profile(spec.hardware.device[0])
    protocol = spec.hardware.protocol.protocol(profile.protocol)
    return content_key(signature=dict(backend_for(profile).signature()), protocol=protocol)


def _costs_of(problem: RunsOnDevices, trial: TrialView) -> dict[str, Any]:
    assert trial.outcome is not None
    (taken,) = problem.recost(trial.params, exit_rate=trial.outcome.quality["exit_rate"]).values()
    if not taken.costs:
        raise MeasurementError(f"no cost of trial {trial.number} could be taken")
    details = {key: taken.details[key] for key in ("steady", "remarks") if key in taken.details}
    return {"costs": {metric: asdict(cost) for metric, cost in taken.costs.items()}, **details}


def _begin(study: Study, name: str, problem: Problem | Any, conditions: str, *, fresh: bool, of: str | None) -> None:
    if fresh:
        for key in [k for k in study.optuna.user_attrs if k.startswith(recosted_key(name, None))]:
            study.optuna.set_user_attr(key, {})
    (device,) = problem.facts()[StudyKeys.DEVICES]
    study.optuna.set_user_attr(recosted_key(name, None), {"device": device, "conditions": conditions, "confirms": of})


def _keep(study: Study, name: str, number: int, record: Mapping[str, Any]) -> None:
    key = recosted_key(name, number // CHUNK)
    study.optuna.set_user_attr(key, {**study.optuna.user_attrs.get(key, {}), str(number): dict(record)})
