"""Devices and measurements as tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.markup import escape
from rich.table import Table

from nasopt.hardware.devices.checking import works_now
from nasopt.hardware.devices.findings import Diagnosis, State
from nasopt.records import Interval, Measurement
from nasopt.spec.device import DeviceProfile

_STYLES: dict[State, str] = {"ok": "green", "warning": "yellow", "failed": "red", "skipped": "dim"}


def devices_table(profiles: Sequence[DeviceProfile]) -> Table:
    """One row for each profile: what it is, how it is reached, what it can do from here and what that is worth."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title="Device profiles")
    table.title_justify = table.caption_justify = "left"
    table.add_column("device", no_wrap=True)
    table.add_column("description")
    table.add_column("reach")
    table.add_column("meter", no_wrap=True)
    table.add_column("works now", min_width=20)
    for profile in profiles:
        works = works_now(profile)
        now = f"no; devices check {profile.name} says why" if works.startswith("no:") else works
        now = now if profile.verified else f"{now}; never verified on hardware"
        cells = (profile.name, profile.description, profile.reach.way, profile.meter.name, now)
        table.add_row(*map(escape, cells))
    table.caption = (
        "What only estimates computes costs from a datasheet, without the meter; how to measure boards "
        "over ssh: docs/devices.md.\nMore: nasopt devices check NAME"
    )
    return table


def diagnosis_table(diagnosis: Diagnosis) -> Table:
    """One row for each thing that was looked at, with its remedy."""
    table = Table(box=box.SIMPLE_HEAD, title=escape(diagnosis.device), title_justify="left")
    for column in ("what", "state", "seen", "remedy"):
        table.add_column(column)
    for finding in diagnosis.findings:
        state = f"[{_STYLES[finding.state]}]{finding.state}[/]"
        table.add_row(escape(finding.subject), state, escape(finding.seen), escape(finding.remedy))
    return table


def measurement_table(measurement: Measurement) -> Table:
    """The figures of one measurement with their 95% intervals and origin."""
    latency, energy = measurement.latency, measurement.energy
    title = f"{measurement.device}: {measurement.precision} network, {measurement.runtime}, {measurement.provider}"
    table = Table(box=box.SIMPLE_HEAD, title=escape(title), title_justify="left", caption_justify="left")
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_column("95% interval", justify="right")
    table.add_column("origin")
    table.add_row("latency, median", f"{latency.median_ms:.4g} ms", _interval(latency.ci95_ms), latency.provenance)
    if latency.calibrated_ms is not None and latency.calibrated_ci95_ms is not None:
        interval = _interval(latency.calibrated_ci95_ms)
        table.add_row("latency, calibrated", f"{latency.calibrated_ms:.4g} ms", interval, latency.provenance)
    table.add_row("latency, 90th percentile", f"{latency.p90_ms:.4g} ms", "", latency.provenance)
    table.add_row("latency, minimum", f"{latency.min_ms:.4g} ms", "", latency.provenance)
    if energy is not None:
        origin = f"{energy.provenance}, {energy.meter}"
        table.add_row("energy, gross", f"{energy.gross_mj:.4g} mJ", _interval(energy.ci95_mj), origin)
        if energy.net_mj is not None and energy.net_ci95_mj is not None:
            table.add_row("energy, net of idle", f"{energy.net_mj:.4g} mJ", _interval(energy.net_ci95_mj), origin)
    if measurement.peak_memory_mb is not None:
        table.add_row("peak memory", f"{measurement.peak_memory_mb:.4g} MB", "", measurement.memory_provenance)
    steady = "" if latency.valid else "; the machine was not steady: repeat it when it is quieter"
    runs = f"{latency.runs} runs" if latency.runs else "nothing ran"
    table.caption = escape("\n".join([f"{runs}{steady}", *measurement.remarks]))
    return table


def _interval(interval: Interval) -> str:
    return f"{interval[0]:.4g} to {interval[1]:.4g}"
