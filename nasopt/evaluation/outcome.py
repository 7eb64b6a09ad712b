"""Candidate -> Outcome: the one place where training, routing, export and measurement meet."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nasopt.cache import content_key
from nasopt.evaluation.context import CostContext, Device, EvaluationContext
from nasopt.evaluation.conversion import ScoredPair, obtain_scored
from nasopt.evaluation.measuring import Graph, obtain_measurements
from nasopt.evaluation.pairs import obtain_pair
from nasopt.networks import count
from nasopt.records import ArtifactNames, Candidate, Cost, Inspection, Interval, Measurement, NetworkLayout, Outcome
from nasopt.routing import costs as routed_costs
from nasopt.routing.costs import PathCosts
from nasopt.routing.decisions import decide, route
from nasopt.routing.statistics import class_table, routed_quality
from nasopt.training import CotrainProgress, Predictions

THROUGHPUT_BATCH = 32
GATHERED_BATCHES = (1, 8, 32)
"""Batches at which the big network is timed; between them its time is interpolated."""

BYTES = {"fp32": 4, "fp16": 2, "int8": 1}
"""Of a weight."""
LITTLE_LIGHTER = "little_lighter_than_big"


def inspect(layout: NetworkLayout, candidate: Candidate) -> Inspection:
    """What is known before training: exact counts, and bounds of what depends on the exit rate. Microseconds."""
    counts = count(layout, candidate)
    weight_mb = BYTES[candidate.precision] * counts.params / 1e6
    return Inspection(
        bounds={
            "macs_easy": (counts.macs_easy, counts.macs_easy),
            "macs_hard": (counts.macs_hard, counts.macs_hard),
            "macs": (counts.macs_easy, counts.macs_hard),
            "params": (counts.params, counts.params),
            "model_size_mb": (
                0.8 * weight_mb,
                np.inf,
            ),  # BatchNorm folds into the convolutions, never a fifth of it all
        },
        structural={LITTLE_LIGHTER: counts.macs_little / counts.macs_big - 1.0},
    )


def evaluate(
    context: EvaluationContext, candidate: Candidate, progress: Callable[[CotrainProgress], None] = lambda _: None
) -> Outcome:
    """Train or recall the pair, route its validation logits, measure its paths, and add it all up.

    `progress` hears of each epoch of co-training.

    Raises:
        DivergedError, ExportError, MeasurementError: the trial's own end; nothing is half-stored.
    """
    pair = obtain_pair(context, candidate, progress)
    scored = obtain_scored(context, candidate, pair)
    labels = context.data.validation.labels.numpy()
    quality = _quality(scored.predictions, labels, candidate.tau)
    stream = _Stream(exit_rate=quality["exit_rate"], inputs=len(labels))
    costs = _counted(context.layout, candidate, scored, stream)
    seconds = dict(pair.facts["seconds"])
    cached = ["train", "evaluate", "export"] if pair.cached else []
    details: dict[str, Any] = {"parity": pair.facts["parity"], "validation_images": len(labels), "devices": {}}
    details["precision"] = candidate.precision
    if scored.facts:
        details["conversion"] = {**scored.facts, "fp32": _quality(pair.predictions, labels, candidate.tau)}
        seconds["convert"] = scored.seconds
        cached += ["convert"] if scored.cached else []
    measured = [_measure(context, candidate, device) for device in context.devices]
    for device, paths in zip(context.devices, measured, strict=True):
        suffix = f"@{device.name}" if len(context.devices) > 1 else ""
        costs |= {f"{name}{suffix}": cost for name, cost in _device_costs(paths, stream).items()}
        details["devices"][device.name] = _describe(paths)
    seconds["measure"] = sum(p.seconds for p in measured)
    if all(p.cached for p in measured):
        cached.append("measure")
    table = _class_file(context, candidate, scored.predictions, labels)
    files = {ArtifactNames.WEIGHTS: pair.weights, ArtifactNames.CLASSES: table, **scored.files}
    return Outcome(quality=quality, costs=costs, seconds=seconds, cached=tuple(cached), details=details, files=files)


def _quality(predicted: Predictions, labels: np.ndarray, tau: float) -> dict[str, float]:
    return routed_quality(predicted.little, predicted.big, predicted.scores, labels, tau)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCosts:
    """What a candidate costs on one device."""

    costs: Mapping[str, Cost]
    """By metric, without the device's name."""
    details: Mapping[str, Any]
    """JSON values: who ran it, how long, how steady, what to know about the figures."""
    seconds: float
    """What measuring took; of the original where the cache answered."""
    cached: bool


def device_costs(
    context: CostContext, candidate: Candidate, device: Device, *, exit_rate: float, inputs: int
) -> DeviceCosts:
    """Costs of a candidate on a device, at an exit rate that was seen on so many inputs; nothing is trained.

    Raises:
        MeasurementError: the backend refused a graph or its own reading.
        DeviceLostError: the device went away.
    """
    paths = _measure(context, candidate, device)
    return DeviceCosts(
        costs=_device_costs(paths, _Stream(exit_rate=exit_rate, inputs=inputs)),
        details=_describe(paths),
        seconds=paths.seconds,
        cached=paths.cached,
    )


@dataclass(frozen=True, slots=True)
class _Stream:
    """The inputs that expectations are taken over."""

    exit_rate: float
    inputs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _MeasuredPaths:
    easy: Measurement
    """Batch 1."""
    easy_batched: Measurement
    """Batch `THROUGHPUT_BATCH`."""
    hard: Mapping[int, Measurement]
    """By batch size, batch 1 included."""
    cached: bool

    @property
    def all(self) -> tuple[Measurement, ...]:
        return (self.easy, self.easy_batched, *self.hard.values())

    @property
    def seconds(self) -> float:
        return sum(m.seconds for m in self.all)


def _measure(context: CostContext, candidate: Candidate, device: Device) -> _MeasuredPaths:
    easy, batched = Graph("easy", 1), Graph("easy", THROUGHPUT_BATCH)
    hard = [Graph("hard", batch) for batch in GATHERED_BATCHES]
    obtained = obtain_measurements(context, candidate, device, [easy, batched, *hard])
    return _MeasuredPaths(
        easy=obtained[easy].measurement,
        easy_batched=obtained[batched].measurement,
        hard={graph.batch: obtained[graph].measurement for graph in hard},
        cached=all(o.cached for o in obtained.values()),
    )


def _counted(layout: NetworkLayout, candidate: Candidate, scored: ScoredPair, stream: _Stream) -> dict[str, Cost]:
    counts = count(layout, candidate)
    paths = PathCosts(easy=_exact(counts.macs_easy), big=_exact(counts.macs_hard - counts.macs_easy))
    return {
        "macs": routed_costs.expected(paths, exit_rate=stream.exit_rate, inputs=stream.inputs),
        "macs_easy": _exact(counts.macs_easy),
        "macs_hard": _exact(counts.macs_hard),
        "params": _exact(counts.params),
        "model_size_mb": _exact(scored.size_bytes / 1e6),
    }


def _exact(value: float) -> Cost:
    return Cost(value=float(value), ci95=(float(value), float(value)), provenance="computed")


def _device_costs(measured: _MeasuredPaths, stream: _Stream) -> dict[str, Cost]:
    hard = measured.hard[1]
    latency = PathCosts(easy=_latency(measured.easy), big=_latency(hard))
    batch_ms = routed_costs.batched_latency(
        _latency(measured.easy_batched),
        {b: _latency(m) for b, m in measured.hard.items()},
        batch=THROUGHPUT_BATCH,
        exit_rate=stream.exit_rate,
        inputs=stream.inputs,
    )
    costs = {
        "latency_ms": routed_costs.expected(latency, exit_rate=stream.exit_rate, inputs=stream.inputs),
        "latency_p90_ms": routed_costs.quantile(latency, exit_rate=stream.exit_rate, q=0.9),
        "latency_worst_ms": routed_costs.worst(latency, exit_rate=stream.exit_rate),
        "throughput": _per_second(batch_ms),
    }
    if measured.easy.energy is not None and hard.energy is not None:
        energy = PathCosts(easy=_energy(measured.easy), big=_energy(hard))
        costs["energy_mj"] = routed_costs.expected(energy, exit_rate=stream.exit_rate, inputs=stream.inputs)
    if measured.easy.peak_memory_mb is not None and hard.peak_memory_mb is not None:
        both = measured.easy.peak_memory_mb + hard.peak_memory_mb  # a routed graph holds the weights of both
        costs["peak_memory_mb"] = Cost(value=both, ci95=(both, both), provenance=measured.easy.memory_provenance)
    return costs


def _latency(measurement: Measurement) -> Cost:
    latency = measurement.latency
    return Cost(value=latency.figure_ms, ci95=latency.figure_ci95_ms, provenance=latency.provenance)


def _energy(measurement: Measurement) -> Cost:
    assert measurement.energy is not None
    energy = measurement.energy
    return Cost(value=energy.gross_mj, ci95=energy.ci95_mj, provenance=energy.provenance)


def _per_second(batch_ms: Cost) -> Cost:
    images = 1000.0 * THROUGHPUT_BATCH
    interval: Interval = (images / batch_ms.ci95[1], images / max(batch_ms.ci95[0], 1e-9))
    return Cost(value=images / batch_ms.value, ci95=interval, provenance=batch_ms.provenance)


def _describe(measured: _MeasuredPaths) -> dict[str, Any]:
    """What a reader needs to judge the figures: who ran it, how long, how steady."""
    first = measured.easy
    return {
        "backend": first.backend,
        "provider": first.provider,
        "runtime": first.runtime,
        "meter": None if first.energy is None else first.energy.meter,
        "easy_ms": first.latency.figure_ms,
        "hard_ms": measured.hard[1].latency.figure_ms,
        "runs": [m.latency.runs for m in measured.all],
        "steady": all(m.latency.valid for m in measured.all),
    }


def _class_file(context: EvaluationContext, candidate: Candidate, predicted: Predictions, labels: np.ndarray) -> Path:
    exited = decide(predicted.scores, candidate.tau)
    rows = class_table(route(predicted.little, predicted.big, exited), exited, labels, context.data.classes)
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=["class", "images", "accuracy", "exit_rate"])
    writer.writeheader()
    writer.writerows(rows)
    file = context.cache.path("classes", content_key(table=text.getvalue()), ".csv")
    if not file.exists():
        context.cache.write(file, lambda p: p.write_text(text.getvalue()))
    return file
