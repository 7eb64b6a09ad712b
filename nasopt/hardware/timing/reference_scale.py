"""The calibrated latency: what a network takes undisturbed, relative to the reference network, on one scale.

The ratio to the interleaved reference takes out what slows both alike. To be read as milliseconds it is multiplied by
what the reference takes on this device, which is written down with the first steady measurement there and never changes
afterwards: all calibrated latencies of a device have one scale, whatever the machine's mood was later.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nasopt.cache import Cache, content_key
from nasopt.records import Energy, Interval, Latency, Measurement, TimingProtocol

if TYPE_CHECKING:
    from nasopt.hardware.backends.base import Backend

_NOT_OF_LATENCY = ("meter", "meter_details", "memory")


def calibrated(
    backend: Backend, taken: Sequence[Measurement], protocol: TimingProtocol, *, cache: Cache | None = None
) -> list[Measurement]:
    """The measurements with calibrated latencies; unchanged where no reference network ran.

    Args:
        backend: that took them.
        taken: with the reference's own time as it was seen (`latency.reference_ms`), and latencies on that scale.
        protocol: that they were taken by.
        cache: that keeps the reference's fixed times; the user's own if left out.

    Raises:
        CacheError: the fixed time cannot be written.
    """
    seen = [m.latency.reference_ms for m in taken if m.latency.valid and m.latency.reference_ms is not None]
    if not any(m.latency.calibrated_ms for m in taken):
        return list(taken)
    fixed = _fixed_ms(backend, protocol, min(seen, default=None), cache or Cache())
    return [_with(m, fixed if fixed is not None else m.latency.reference_ms) for m in taken]


def _fixed_ms(backend: Backend, protocol: TimingProtocol, seen_ms: float | None, cache: Cache) -> float | None:
    """The reference's time on this device: as kept, or else what was just seen; None if that was not steady."""
    signature = {k: v for k, v in backend.signature().items() if k not in _NOT_OF_LATENCY}
    file = cache.path("references", content_key(signature=signature, threads=protocol.threads), ".json")
    if (kept := _read(file)) is not None or seen_ms is None:
        return kept
    with cache.lock("references", file.stem):
        if (kept := _read(file)) is not None:  # another process was first
            return kept
        cache.write(file, lambda scratch: scratch.write_text(json.dumps({"reference_ms": seen_ms})))
    return seen_ms


def _read(file: Path) -> float | None:
    try:
        value = float(json.loads(file.read_text())["reference_ms"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    return value if value > 0 else None


def _with(measurement: Measurement, reference_ms: float | None) -> Measurement:
    latency = measurement.latency
    seen_ms, value, interval = latency.reference_ms, latency.calibrated_ms, latency.calibrated_ci95_ms
    if seen_ms is None or value is None or interval is None or reference_ms is None:
        return measurement
    scale = reference_ms / seen_ms
    scaled: Interval = (interval[0] * scale, interval[1] * scale)
    taken = replace(latency, reference_ms=reference_ms, calibrated_ms=value * scale, calibrated_ci95_ms=scaled)
    return replace(measurement, latency=taken, energy=_energy(measurement.energy, taken))


def _energy(energy: Energy | None, latency: Latency) -> Energy | None:
    """A load model's energy is a power times the latency, so it goes with the latency that counts."""
    if energy is None or energy.windows or energy.provenance == "measured":
        return energy
    factor = latency.figure_ms / latency.median_ms
    power_w = energy.gross_mj / latency.median_ms
    low, high = latency.figure_ci95_ms
    return replace(energy, gross_mj=factor * energy.gross_mj, ci95_mj=(power_w * low, power_w * high))
