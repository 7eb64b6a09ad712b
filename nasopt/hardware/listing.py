"""Devices and measurements as tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.markup import escape
from rich.table import Table

from nasopt.records import Interval, Measurement
from nasopt.spec.device import DeviceProfile


def devices_table(profiles: Sequence[DeviceProfile]) -> Table:
    """One row for each profile: what it is, and whether its costs are measured or computed."""
    table = Table(box=box.SIMPLE_HEAD, title="Device profiles", title_justify="left", caption_justify="left")
    for column in ("device", "description", "backend", "meter", "verified on hardware"):
        table.add_column(column)
    for profile in profiles:
        verified = "yes" if profile.verified else "never"
        cells = (profile.name, profile.description, profile.backend, profile.meter, verified)
        table.add_row(*map(escape, cells))
    table.caption = "backend 'predicted' computes costs from a datasheet: they are estimated, not measured"
    return table


def measurement_table(measurement: Measurement) -> Table:
    """The figures of one measurement with their 95% intervals and origin."""
    latency, energy = measurement.latency, measurement.energy
    title = f"{measurement.device}: {measurement.runtime}, {measurement.provider}"
    table = Table(box=box.SIMPLE_HEAD, title=escape(title), title_justify="left", caption_justify="left")
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_column("95% interval", justify="right")
    table.add_column("origin")
    table.add_row("latency, median", f"{latency.median_ms:.4g} ms", _interval(latency.ci95_ms), latency.provenance)
    table.add_row("latency, 90th percentile", f"{latency.p90_ms:.4g} ms", "", latency.provenance)
    table.add_row("latency, minimum", f"{latency.min_ms:.4g} ms", "", latency.provenance)
    if energy is not None:
        origin = f"{energy.provenance}, {energy.meter}"
        table.add_row("energy, gross", f"{energy.gross_mj:.4g} mJ", _interval(energy.ci95_mj), origin)
    if measurement.peak_memory_mb is not None:
        table.add_row("peak memory", f"{measurement.peak_memory_mb:.4g} MB", "", measurement.memory_provenance)
    steady = "" if latency.valid else "; the machine was not steady: repeat it when it is quieter"
    table.caption = f"{latency.runs} runs{steady}"
    return table


def _interval(interval: Interval) -> str:
    return f"{interval[0]:.4g} to {interval[1]:.4g}"
