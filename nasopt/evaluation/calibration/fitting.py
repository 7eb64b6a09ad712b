"""From measurements to a calibration: what to learn from, how far it is to be trusted, and how far off it is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nasopt.errors import MeasurementError
from nasopt.evaluation.calibration.taking import Taken
from nasopt.evaluation.context import Device
from nasopt.hardware.prediction.calibration import Calibration, Origin, Predictor, Quantity, Yardstick
from nasopt.hardware.prediction.domain import Domain
from nasopt.hardware.prediction.model import Array, fit, network
from nasopt.hardware.prediction.validation import cross_validated, errors, interval_factor, predicted_beyond
from nasopt.records import Interval, Latency
from nasopt.statistics.binomial import Z95


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is learnt of each measurement."""

    costs: Array
    """(n,)"""
    spread: Array
    """Standard errors (n,) as a fraction of the costs."""


def calibration(device: Device, designed: Sequence[Taken], held_out: Sequence[Taken]) -> Calibration:
    """Fit a device's costs to what was designed, and judge the fit on networks that were held out.

    Raises:
        MeasurementError: too few networks could be measured.
    """
    if len(designed) < 5 or len(held_out) < 1:
        raise MeasurementError(
            f"only {len(designed)} networks for the fit and {len(held_out)} to judge it could be measured; the device "
            "refused the others, or the space has no more"
        )
    everything = [t.measurement for t in (*designed, *held_out)]
    by, baseline_ms = yardstick([m.latency for m in everything])
    targets: dict[Quantity, tuple[Target, Target]] = {
        "latency_ms": (latencies_of(designed, by, baseline_ms), latencies_of(held_out, by, baseline_ms))
    }
    if all(m.energy is not None and m.energy.provenance == "measured" for m in everything):
        targets["energy_mj"] = (_energies(designed), _energies(held_out))
    first = everything[0]
    return Calibration(
        device=device.name,
        description=f"{len(designed)} networks and blocks measured on {device.name}: {device.profile.description}",
        runtime=first.runtime,
        precision=device.profile.precision,
        threads=device.protocol.threads,
        networks=len(designed),
        domain=Domain.of([t.kernels for t in designed]),
        quantities={name: _predictor(designed, held_out, *pair) for name, pair in targets.items()},
        origin=Origin(
            backend=first.backend,
            provider=first.provider,
            taken=dt.datetime.now(dt.UTC).date(),
            by=by,
            reference_ms=baseline_ms,
            seconds=sum(t.seconds for t in (*designed, *held_out)),
            steady=float(np.mean([m.latency.valid for m in everything])),
        ),
    )


def _predictor(designed: Sequence[Taken], held_out: Sequence[Taken], fitted: Target, judged: Target) -> Predictor:
    networks = [network(t.kernels) for t in designed]
    inner = cross_validated(networks, fitted.costs, spread=fitted.spread)
    factor = interval_factor(inner, fitted.costs)
    beyond = interval_factor(*predicted_beyond(networks, fitted.costs, spread=fitted.spread))
    model = fit(networks, fitted.costs, spread=fitted.spread)
    predicted = model.predict([network(t.kernels) for t in held_out])
    held = errors(predicted, judged.costs, factor, "held-out networks measured on the device")
    return Predictor.of(model, factor=factor, factor_outside=beyond, held_out=held, outside=[])


def yardstick(latencies: Sequence[Latency]) -> tuple[Yardstick, float | None]:
    """What all latencies can be told by, the best first, and what the reference took (ms), its drift divided out."""
    if not all(latency.reference_ratio for latency in latencies):
        return "median", None
    reference_ms = float(np.median([latency.median_ms / (latency.reference_ratio or 1.0) for latency in latencies]))
    if all(latency.processor_ratio for latency in latencies):
        return "processor time", reference_ms
    return "ratio", reference_ms


def latencies_of(taken: Sequence[Taken], by: Yardstick, reference_ms: float | None) -> Target:
    """Milliseconds of each network while the reference takes `reference_ms`."""

    def told(latency: Latency) -> tuple[float, Interval]:
        if by == "processor time":
            return latency.processor_ratio or 0.0, latency.processor_ratio_ci95 or (0.0, 0.0)
        if by == "ratio":
            return latency.reference_ratio or 0.0, latency.ratio_ci95 or latency.ci95_ms
        return latency.median_ms, latency.ci95_ms

    return _target([told(t.measurement.latency) for t in taken], reference_ms or 1.0)


def _energies(taken: Sequence[Taken]) -> Target:
    """Gross millijoules."""
    known = [t.measurement.energy for t in taken]
    return _target([(e.gross_mj, e.ci95_mj) for e in known if e is not None], 1.0)


def _target(figures: Sequence[tuple[float, Interval]], unit: float) -> Target:
    values = np.array([value for value, _ in figures])
    widths = np.array([high - low for _, (low, high) in figures])
    return Target(costs=values * unit, spread=widths / (2 * Z95) / values)
