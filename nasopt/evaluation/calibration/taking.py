"""Measuring the samples of a calibration one by one, so that it can be interrupted at any moment and goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import numpy as np

from nasopt.cache import content_key
from nasopt.errors import DeviceLostError, MeasurementError
from nasopt.evaluation.calibration.design import Sample
from nasopt.evaluation.calibration.journal import Journal
from nasopt.evaluation.calibration.networks import export_sample
from nasopt.evaluation.context import Device
from nasopt.hardware import device_lock
from nasopt.hardware.prediction.kernels import Kernel, kernels
from nasopt.records import ExportedModel, Latency, Measurement, TimingProtocol

_FAILURES = 3
"""Refused measurements in a row, from which on it is not the networks' fault."""
CALM = 0.02
"""Disturbance from which on a figure is not believed at once."""
_QUIET = 0.1
"""Quantile of the reference's times that stands for quiet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A sample, its kernels and what it costs."""

    sample: Sample
    kernels: tuple[Kernel, ...]
    measurement: Measurement
    seconds: float
    """What all measurements of it took."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the measuring is."""

    done: int
    total: int
    measured: int
    """So many of them in this run; the others were kept from an earlier one."""
    seconds: float
    """Since this run began."""
    what: str


Listener: TypeAlias = Callable[[Progress], None]


def bounded(protocol: TimingProtocol, seconds: float) -> TimingProtocol:
    """The protocol in at most so many seconds of counted time a network."""
    return replace(
        protocol,
        warmup_runs=min(protocol.warmup_runs, 5),
        warmup_s=min(protocol.warmup_s, 0.1 * seconds),
        min_runs=min(protocol.min_runs, 10),
        min_s=min(protocol.min_s, 0.5 * seconds),
        max_s=min(protocol.max_s, seconds),
    )


def take(
    samples: Sequence[Sample], device: Device, journal: Journal, listener: Listener, *, again: int = 0
) -> list[Taken]:
    """Measure the samples that the journal lacks, and return all; those that the device refuses are left out.

    Then those that others disturbed are measured anew, at most `again` times, and the least disturbed figure counts.
    They wait until all else is measured: what disturbs (a program on the other thread of the core, or in its caches)
    stays for a while. Which ones they are, the reference network and the interval tell, see `disturbance`.

    Raises:
        DeviceLostError: the device went away; what was measured is kept.
        MeasurementError: it refuses one network after the other.
    """
    found: dict[int, _Tried] = {}
    start, measured, refused = time.perf_counter(), 0, 0

    def pass_over(numbers: Sequence[int], done: int) -> None:
        nonlocal measured, refused
        for step, number in enumerate(numbers, done + 1):
            sample, model = samples[number], export_sample(samples[number], folder / f"{number}.onnx")
            key = _key(model, device)
            if number in found or not journal.get(key):
                try:
                    with device_lock(device.profile):
                        taken = device.backend.measure(model, device.protocol)
                except DeviceLostError as error:
                    raise DeviceLostError(_lost(error, device, journal, step - 1, done + len(numbers))) from error
                except MeasurementError:
                    refused += 1
                    if refused >= _FAILURES:
                        raise
                    continue
                refused, measured = 0, measured + 1
                journal.add(key, str(sample), taken)
            found[number] = _Tried(sample, kernels(model.path), key)
            model.path.unlink()
            seconds, total = time.perf_counter() - start, done + len(numbers)
            listener(Progress(done=step, total=total, measured=measured, seconds=seconds, what=str(sample)))

    with TemporaryDirectory(prefix="nasopt-") as name:
        folder, done = Path(name), len(samples)
        pass_over(range(len(samples)), 0)
        for tries in range(1, again + 1):
            due = _disturbed(found, journal, tries)
            pass_over(due, done)
            done += len(due)
    quiet_ms = _quiet_ms(found.values(), journal)
    return [_best(found[number], journal, quiet_ms) for number in sorted(found)]


def disturbance(latency: Latency, quiet_ms: float | None) -> float:
    """How far others may have shifted a figure, as a fraction of it.

    The larger of how much slower the reference was than in quiet (`quiet_ms`), since not all networks slow down alike,
    and half the interval's width.
    """
    low, high = latency.figure_ci95_ms
    width = (high - low) / 2 / latency.figure_ms
    reference_ms = _reference_ms(latency)
    slower = reference_ms / quiet_ms - 1 if reference_ms and quiet_ms else 0.0
    return max(width, slower)


def _reference_ms(latency: Latency) -> float | None:
    """What the reference took while this was measured; None where none ran."""
    return latency.median_ms / latency.reference_ratio if latency.reference_ratio else None


@dataclass(frozen=True, slots=True)
class _Tried:
    """A sample and where the journal keeps its measurements."""

    sample: Sample
    kernels: tuple[Kernel, ...]
    key: str


def _key(model: ExportedModel, device: Device) -> str:
    return content_key(
        structure=model.structure, inputs=model.inputs, backend=device.backend.signature(), protocol=device.protocol
    )


def _quiet_ms(tried: Iterable[_Tried], journal: Journal) -> float | None:
    """What the reference takes when nobody disturbs it; None where none ran."""
    seen = [_reference_ms(m.latency) for t in tried for m in journal.get(t.key)]
    known = [ms for ms in seen if ms is not None]
    return float(np.quantile(known, _QUIET)) if known else None


def _best(tried: _Tried, journal: Journal, quiet_ms: float | None) -> Taken:
    tries = journal.get(tried.key)
    best = min(tries, key=lambda m: disturbance(m.latency, quiet_ms))
    return Taken(sample=tried.sample, kernels=tried.kernels, measurement=best, seconds=sum(m.seconds for m in tries))


def _disturbed(found: Mapping[int, _Tried], journal: Journal, tries: int) -> list[int]:
    """Which samples to measure again, of those measured at most `tries` times; one of each graph."""
    quiet_ms = _quiet_ms(found.values(), journal)
    due: dict[str, int] = {}
    for number, tried in found.items():
        best = _best(tried, journal, quiet_ms).measurement.latency
        if len(journal.get(tried.key)) <= tries and disturbance(best, quiet_ms) > CALM:
            due.setdefault(tried.key, number)
    return sorted(due.values())


def _lost(error: DeviceLostError, device: Device, journal: Journal, done: int, total: int) -> str:
    return (
        f"{error}; {done} of {total} networks are measured and kept in {journal.path}: bring {device.name} back and "
        "run the same command again"
    )
