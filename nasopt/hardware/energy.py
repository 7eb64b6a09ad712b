"""Energy of one run, from windows of a meter around many runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nasopt.errors import MeasurementError, SensorError
from nasopt.hardware.meters import EnergyMeter, LoadModel, NoMeter, Paced, Window
from nasopt.hardware.meters.base import FULL_WINDOW_UPDATES
from nasopt.hardware.throttling import ThrottleWatch
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


def metered_energy(
    run: Callable[[], object],
    latency: Latency,
    meter: EnergyMeter,
    protocol: TimingProtocol,
    *,
    watch: ThrottleWatch | None = None,
) -> Energy:
    """Gross energy E/N of a run over at least two windows, and net (E - P_idle T)/N with idle around each.

    A window lasts `energy_window_s`, or 50 updates of the sensor if that is longer. Intervals are percentile
    bootstraps over windows. `watch` sees throttling; this machine's own if left out.

    Raises:
        MeasurementError: a window of the meter failed, its figure is not positive and finite, the machine throttled,
            or net energy is not above twice its own standard error: then the meter does not see the network's work.
    """
    batch = max(1, round(5.0 / latency.median_ms))  # look at the clock every 5 ms or so
    busy_s, idle_s = _lengths(meter, protocol)
    watch = watch or ThrottleWatch()
    gross, net = [], []
    idle_w = _idle_power(meter, idle_s)
    for _ in range(max(2, protocol.energy_windows)):
        count = 0
        before = watch.look()
        with meter.window() as window:
            deadline = time.perf_counter() + busy_s
            while time.perf_counter() < deadline:
                for _ in range(batch):
                    run()
                count += batch
        watch.refuse(before)
        _refuse_nonsense(meter, window)
        after_w = _idle_power(meter, idle_s)
        gross.append(window.energy_mj / count)
        net.append((window.energy_mj - (idle_w + after_w) / 2 * window.seconds * 1e3) / count)
        idle_w = after_w
    _refuse_noise(meter, net)
    return Energy(
        gross_mj=float(np.mean(gross)),
        net_mj=float(np.mean(net)),
        ci95_mj=_bootstrap(np.asarray(gross)),
        net_ci95_mj=_bootstrap(np.asarray(net)),
        windows=len(gross),
        meter=meter.name,
        provenance=meter.provenance,
    )


def _lengths(meter: EnergyMeter, protocol: TimingProtocol) -> tuple[float, float]:
    """Seconds of a busy window and of an idle one."""
    update_s, shortest_s = (meter.update_s, meter.shortest_s) if isinstance(meter, Paced) else (0.0, 0.0)
    busy_s = max(protocol.energy_window_s, FULL_WINDOW_UPDATES * update_s, shortest_s)
    return busy_s, max(_IDLE_SHARE * busy_s, shortest_s)


def _refuse_nonsense(meter: EnergyMeter, window: Window) -> None:
    if not (np.isfinite(window.energy_mj) and window.energy_mj > 0):
        raise MeasurementError(
            f"the meter {meter.name} gave {window.energy_mj} mJ for a window of {window.seconds:.2f} s; "
            "expected a positive figure"
        )


def _refuse_noise(meter: EnergyMeter, net: Sequence[float]) -> None:
    mean, error = float(np.mean(net)), float(np.std(net, ddof=1) / np.sqrt(len(net)))
    if mean <= 2 * error:
        raise SensorError(
            f"{meter.name}: net energy {mean:.4g} mJ a run is not above twice its standard error of {error:.4g} mJ "
            f"over {len(net)} windows: the network's work cannot be told from idling",
            "keep the machine quieter, take more or longer windows (hardware.protocol.energy_windows, "
            "energy_window_s), or check which rail is read",
        )


def _idle_power(meter: EnergyMeter, seconds: float) -> float:
    """Power in watts while this process sleeps."""
    with meter.window() as window:
        # a little more than asked: the meter may start its clock after, and stop it before, this one
        time.sleep(1.01 * seconds)
    _refuse_nonsense(meter, window)
    return window.energy_mj / 1e3 / window.seconds


def _bootstrap(values: np.ndarray[Any, np.dtype[np.float64]]) -> tuple[float, float]:
    draw = np.random.default_rng(0)
    means = values[draw.integers(len(values), size=(_RESAMPLES, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)
