"""Calibrating a device: measure a design and held-out networks, fit, write a calibration and a profile that uses it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import yaml

from nasopt.data import load_data
from nasopt.errors import CacheError, UsageError
from nasopt.evaluation.calibration.design import Draw, Frame, broad_frame, design, held_out
from nasopt.evaluation.calibration.fitting import calibration
from nasopt.evaluation.calibration.journal import Journal
from nasopt.evaluation.calibration.taking import Listener, Taken, bounded, take
from nasopt.evaluation.context import Device
from nasopt.hardware import backend_for, load_profile
from nasopt.hardware.prediction.calibration import Calibration
from nasopt.space import BigLittleSpace
from nasopt.space.encoding import Encoding
from nasopt.spec.device import DeviceProfile
from nasopt.spec.study import load_spec

FEWEST_SAMPLES = 12
FEWEST_HELD_OUT = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrated:
    """A calibration and where it lies."""

    calibration: Calibration
    file: Path
    profile: Path
    """A device profile that predicts with it."""
    measurements: Path
    designed: tuple[Taken, ...]
    held_out: tuple[Taken, ...]


def calibrate(
    device: str | Path = "local",
    *,
    study: str | Path | None = None,
    samples: int = 100,
    holdout: int = 40,
    seconds: float = 1.5,
    again: int = 2,
    seed: int = 0,
    folder: str | Path = ".",
    force: bool = False,
    meter: str | None = None,
    listener: Listener = lambda _: None,
) -> Calibrated:
    """Measure networks and blocks on a device and fit the predictor of its costs.

    Every measurement is kept in `DEVICE.measurements.jsonl` as soon as it is taken: the same call goes on where an
    earlier one was interrupted, and takes over what a smaller one has measured.

    Args:
        device: name of a profile, or path of one, whose backend measures.
        study: study file whose space the networks come from; a broad one of inverted residuals if left out.
        samples: networks and single blocks that the fit learns from.
        holdout: further networks that it is judged by.
        seconds: counted time of each measurement, at most.
        again: how often a measurement is repeated, at most, that others on the machine disturbed; see `taking.take`.
        seed: of the design.
        folder: where to write `DEVICE.json`, `DEVICE-predicted.yaml` and the measurements.
        force: replace the calibration of an earlier call.
        meter: energy meter; the profile's own if left out.
        listener: told after each measurement.

    Raises:
        UsageError: too few samples, a device that is not measured, a study without networks, or existing files.
        DeviceLostError: the device went away; what was measured is kept.
        MeasurementError: the device refuses the networks.
    """
    _refuse_few(samples, holdout, seconds, again)
    profile = load_profile(device)
    folder = Path(folder)
    file, written = folder / f"{profile.name}.json", folder / f"{profile.name}-predicted.yaml"
    if not force and (there := [p for p in (file, written) if p.exists()]):
        raise UsageError(f"{there[0]} exists; --force replaces it and keeps the measurements, --to writes elsewhere")
    ready = _ready(profile, seconds, meter)
    frames = broad_frame if study is None else _frames_of(study)
    chosen = design(frames, samples, seed=seed)
    judging = held_out(frames, holdout, seed=seed, beside=chosen)
    journal = Journal(folder / f"{profile.name}.measurements.jsonl")
    taken = take([*chosen, *judging], ready, journal, listener, again=again)
    known = {s.identity for s in chosen}
    designed = tuple(t for t in taken if t.sample.identity in known)
    rest = tuple(t for t in taken if t.sample.identity not in known)
    fitted = calibration(ready, designed, rest)
    _write(fitted, file, profile, written)
    return Calibrated(
        calibration=fitted,
        file=file,
        profile=written,
        measurements=journal.path,
        designed=designed,
        held_out=rest,
    )


def _refuse_few(samples: int, holdout: int, seconds: float, again: int) -> None:
    if samples < FEWEST_SAMPLES:
        raise UsageError(f"{samples} samples are too few to fit anything; take {FEWEST_SAMPLES} or more, 100 for good")
    if holdout < FEWEST_HELD_OUT:
        raise UsageError(f"{holdout} held-out networks judge nothing; take {FEWEST_HELD_OUT} or more, 40 for good")
    if seconds <= 0:
        raise UsageError(f"seconds is the time of each measurement, above 0, not {seconds}")
    if again < 0:
        raise UsageError(f"again is how often a measurement is repeated, 0 or more, not {again}")


def _ready(profile: DeviceProfile, seconds: float, meter: str | None) -> Device:
    """The device with its backend.

    Raises:
        UsageError: nothing is measured on it.
    """
    backend = backend_for(profile, meter=meter)
    if backend.provenance != "measured":
        raise UsageError(
            f"the costs of device {profile.name!r} are {backend.provenance}, by its backend {backend.name!r}; "
            "calibrate with a profile whose backend measures on the device itself, see nasopt devices"
        )
    protocol = bounded(profile.protocol.protocol(), seconds)
    return Device(name=profile.name, profile=profile, backend=backend, protocol=protocol)


def _frames_of(study: str | Path) -> Draw:
    """The space of a study; its data are loaded to know their size and classes.

    Raises:
        UsageError: the study searches no networks, or nothing about them.
    """
    spec = load_spec(study)
    if not spec.of_networks:
        raise UsageError(f"{study} searches no networks (its problem is {spec.problem_name!r}); name another study")
    data = load_data(spec.data, seed=spec.study.seed)
    space = BigLittleSpace(spec.space, native_resolution=max(data.size, 8))
    if not Encoding(space.distributions).axes:
        raise UsageError(f"{study} fixes every choice of its networks; there is nothing to spread samples over")
    frame = Frame(space=space, in_channels=data.channels, classes=len(data.classes))
    return lambda _: frame


def _write(fitted: Calibration, file: Path, profile: DeviceProfile, written: Path) -> None:
    """Both files, each whole or not at all.

    Raises:
        CacheError: the disk is full or read-only.
    """
    for path, writer in ((file, fitted.save), (written, lambda p: p.write_text(_profile_text(profile, file.name)))):
        scratch = path.with_name(f".{path.name}.{uuid4().hex[:8]}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            writer(scratch)
            os.replace(scratch, path)
        except OSError as error:
            raise CacheError(f"cannot write {path}: {error.strerror or error}; the measurements are kept") from error
        finally:
            scratch.unlink(missing_ok=True)


def _profile_text(profile: DeviceProfile, calibrated: str) -> str:
    """A profile that predicts what this one measures."""
    kept = profile.model_dump(mode="json", exclude_defaults=True)
    kept = {key: kept[key] for key in ("memory_mb", "runtimes", "power_budget_w", "power", "precision") if key in kept}
    text = {
        "name": f"{profile.name}-predicted",
        "description": f"{profile.description}, predicted from measurements",
        "processor": profile.processor,
        "backend": "predicted",
        "calibration": calibrated,
        **kept,
        "protocol": {"threads": profile.protocol.protocol().threads},
        "verified": True,
    }
    head = f"# What {profile.name} costs, predicted by the calibration beside this file; see docs/calibrating.md.\n"
    return head + yaml.safe_dump(text, sort_keys=False, allow_unicode=True, width=100)
