"""Energy of one run, from windows of a meter around many runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from nasopt.errors import MeasurementError
from nasopt.hardware.meters import EnergyMeter, LoadModel, NoMeter
from nasopt.records import Energy, Latency, TimingProtocol

_IDLE_SHARE = 0.2
"""Length of an idle window as a share of a busy one."""
_RESAMPLES = 2000


def energy_of(
    run: Callable[[], object], latency: Latency, meter: EnergyMeter, protocol: TimingProtocol
) -> Energy | None:
    """Energy of one call of `run`, by whatever this meter can do; None with the meter `none`.

    Raises:
        MeasurementError: a reading failed or cannot be trusted.
    """
    if isinstance(meter, NoMeter):
        return None
    if isinstance(meter, LoadModel):
        return modelled_energy(meter.load_power_w(protocol.threads), latency, meter)
    return metered_energy(run, latency, meter, protocol)


def modelled_energy(power_w: float, latency: Latency, meter: EnergyMeter) -> Energy:
    """A constant power times the latency; the interval is the latency's and says nothing about the power model."""
    low, high = latency.ci95_ms
    return Energy(
        gross_mj=power_w * latency.median_ms,
        net_mj=None,
        ci95_mj=(power_w * low, power_w * high),
        windows=0,
        meter=meter.name,
        provenance=meter.provenance,
    )


def metered_energy(run: Callable[[], object], latency: Latency, meter: EnergyMeter, protocol: TimingProtocol) -> Energy:
    """Gross energy E/N of a run over at least two windows, and net (E - P_idle T)/N with idle around each.

    The interval is a percentile bootstrap over windows, of the gross figure. Net is None where it is not above twice
    its own standard error: such a figure is noise.

    Raises:
        MeasurementError: a window of the meter failed, or its figure is not positive and finite.
    """
    batch = max(1, round(5.0 / latency.median_ms))  # look at the clock every 5 ms or so
    gross, net = [], []
    idle_w = _idle_power(meter, protocol)
    for _ in range(max(2, protocol.energy_windows)):
        count = 0
        with meter.window() as window:
            deadline = time.perf_counter() + protocol.energy_window_s
            while time.perf_counter() < deadline:
                for _ in range(batch):
                    run()
                count += batch
        if not (np.isfinite(window.energy_mj) and window.energy_mj > 0):
            raise MeasurementError(
                f"the meter {meter.name} gave {window.energy_mj} mJ for a window of {window.seconds:.2f} s; "
                "expected a positive figure"
            )
        after_w = _idle_power(meter, protocol)
        gross.append(window.energy_mj / count)
        net.append((window.energy_mj - (idle_w + after_w) / 2 * window.seconds * 1e3) / count)
        idle_w = after_w
    error = float(np.std(net, ddof=1) / np.sqrt(len(net)))
    mean_net = float(np.mean(net))
    return Energy(
        gross_mj=float(np.mean(gross)),
        net_mj=mean_net if mean_net > 2 * error else None,
        ci95_mj=_bootstrap(np.asarray(gross)),
        windows=len(gross),
        meter=meter.name,
        provenance=meter.provenance,
    )


def _idle_power(meter: EnergyMeter, protocol: TimingProtocol) -> float:
    """Power in watts while this process sleeps."""
    with meter.window() as window:
        time.sleep(_IDLE_SHARE * protocol.energy_window_s)
    return window.energy_mj / 1e3 / window.seconds


def _bootstrap(values: np.ndarray[Any, np.dtype[np.float64]]) -> tuple[float, float]:
    draw = np.random.default_rng(0)
    means = values[draw.integers(len(values), size=(_RESAMPLES, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)
