"""Energy of one run, from windows of a meter around many runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from scipy.special import stdtrit

from nasopt.errors import SensorError, WindowError
from nasopt.hardware.agent.energy import take_windows
from nasopt.hardware.agent.throttling import ThrottleWatch
from nasopt.hardware.devices.refusals import translated
from nasopt.hardware.meters import EnergyMeter, LoadModel, NoMeter
from nasopt.records import Energy, Interval, Latency, Provenance, TimingProtocol
from nasopt.statistics.intervals import percentile_interval, resamples

_RESAMPLES = 2000


def energy_of(
    run: Callable[[], object],
    latency: Latency,
    meter: EnergyMeter,
    protocol: TimingProtocol,
    *,
    most_w: float = math.inf,
) -> Energy | None:
    """Energy of one call of `run`, by whatever this meter can do; None with the meter `none`.

    A sensor that shows more than `most_w` is refused, see `DeviceProfile.most_w`.

    Raises:
        MeasurementError: a reading failed or cannot be trusted.
    """
    if isinstance(meter, NoMeter):
        return None
    if isinstance(meter, LoadModel):
        return modelled_energy(meter.load_power_w(protocol.threads), latency, meter)
    return metered_energy(run, latency, meter, protocol, most_w=most_w)


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
    most_w: float = math.inf,
) -> Energy:
    """Gross energy E/N of a run over at least two windows, and net (E - P_idle T)/N with idle around each.

    A window lasts `energy_window_s`, or 50 updates of the sensor if that is longer; one with gaps (WindowError) is
    taken again, at most as often as there are windows. Intervals are percentile bootstraps over windows. `watch` sees
    throttling; this machine's own if left out.

    Raises:
        MeasurementError: a window of the meter failed, its figure is not positive and finite, the machine throttled,
            or net energy is not above its own uncertainty: then the meter does not see the network's work.
    """
    with translated():
        windows = take_windows(run, latency.median_ms, meter, asdict(protocol), watch or ThrottleWatch(), WindowError)
    return energy_of_windows(windows, meter.name, meter.provenance, most_w)


def energy_of_windows(
    windows: Sequence[Mapping[str, float]], meter: str, provenance: Provenance, most_w: float = math.inf
) -> Energy:
    """What windows amount to: {energy_mj, seconds, runs, idle_w} of each, see `agent.energy.take_windows`.

    Raises:
        SensorError: the power is beyond `most_w`, or net energy is not above its own uncertainty: the meter does not
            see the network's work.
    """
    for w in windows:
        refuse_power(meter, w["energy_mj"] / 1e3 / w["seconds"], most_w)
    gross = [w["energy_mj"] / w["runs"] for w in windows]
    net = [(w["energy_mj"] - w["idle_w"] * w["seconds"] * 1e3) / w["runs"] for w in windows]
    _refuse_noise(meter, net)
    return Energy(
        gross_mj=float(np.mean(gross)),
        net_mj=float(np.mean(net)),
        ci95_mj=_interval(np.asarray(gross)),
        net_ci95_mj=_interval(np.asarray(net)),
        windows=len(gross),
        meter=meter,
        provenance=provenance,
    )


def refuse_power(meter: str, watts: float, most_w: float) -> None:
    """Refuse a mean power that a device cannot draw.

    Raises:
        SensorError: it is beyond `most_w`, or not finite.
    """
    if not watts <= most_w:
        raise SensorError(
            f"{meter}: {watts:.3g} W, more than the {most_w:.4g} W that this device can draw by its profile",
            "check the unit (such as mW read as W, or two counters of one chip), or set power_budget_w in the profile",
        )


def _refuse_noise(meter: str, net: Sequence[float]) -> None:
    # twice the standard error with many windows, more with few: of three, pure noise passes twice its error often
    spread = float(np.std(net, ddof=1) / np.sqrt(len(net))) * max(2.0, float(stdtrit(len(net) - 1, 0.975)))
    mean = float(np.mean(net))
    if mean <= spread:
        raise SensorError(
            f"{meter}: net energy {mean:.4g} mJ a run is not above its uncertainty of {spread:.4g} mJ (95%) "
            f"over {len(net)} windows: the network's work cannot be told from idling",
            "keep the machine quieter, take more or longer windows (hardware.protocol.energy_windows, "
            "energy_window_s), or check which rail is read",
        )


def _interval(values: np.ndarray[Any, np.dtype[np.float64]]) -> Interval:
    (rows,) = resamples(len(values), times=_RESAMPLES)
    return percentile_interval(values[rows].mean(axis=1))
