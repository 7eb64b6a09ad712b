"""Records of costs that no clock and no sensor took: one figure, an interval around it, nothing that ran."""

from __future__ import annotations

from nasopt.records import Energy, Interval, Latency, Provenance
from nasopt.spec.device import Power


def modelled_latency(milliseconds: float, interval: Interval, provenance: Provenance) -> Latency:
    """A latency that is known by a single figure and its 95% interval."""
    return Latency(
        median_ms=milliseconds,
        p90_ms=milliseconds,
        min_ms=milliseconds,
        mad_ms=0.0,
        ci95_ms=interval,
        runs=0,
        provenance=provenance,
    )


def gross_and_net_mj(power: Power, milliseconds: float, busy_ms: float) -> tuple[float, float]:
    """Idle power all the time, and what active power adds while busy."""
    net = (power.active_w - power.idle_w) * busy_ms
    return power.idle_w * milliseconds + net, net


def energy_at_power(power: Power | None, latency: Latency, busy_ms: float) -> Energy | None:
    """Energy of a run by a profile's stated power, as uncertain as its latency; None where none is stated."""
    if power is None:
        return None
    gross, net = gross_and_net_mj(power, latency.median_ms, busy_ms)
    low, high = (gross * end / latency.median_ms for end in latency.ci95_ms)
    return Energy(
        gross_mj=gross,
        net_mj=net or None,
        ci95_mj=(low, high),
        windows=0,
        meter="datasheet power",
        provenance="estimated",
    )
