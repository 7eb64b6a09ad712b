"""How figures, metrics and networks are written: with unit, interval and origin, and never longer than it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from nasopt.records import Architecture, Interval, Provenance
from nasopt.records.metrics import split_metric
from nasopt.report.view import SHARES, StudyView, TrialView, metric_of
from nasopt.spec.space import SpaceSpec

_SHORT = {
    "accuracy": "accuracy",
    "top5": "top-5 accuracy",
    "ece": "calibration error",
    "exit_rate": "exit rate",
    "routing_accuracy": "routing accuracy",
    "latency_ms": "latency",
    "latency_p90_ms": "p90 latency",
    "latency_worst_ms": "worst latency",
    "throughput": "throughput",
    "energy_mj": "energy",
    "peak_memory_mb": "peak memory",
    "macs": "MACs",
    "macs_easy": "MACs, easy path",
    "macs_hard": "MACs, hard path",
    "params": "parameters",
    "model_size_mb": "model size",
}
_PERCENT = SHARES | {"ece"}
COUNTED = frozenset({"macs", "macs_easy", "macs_hard", "params"})
"""Metrics that are counts, written with a prefix."""
_MODELLED: frozenset[str] = frozenset({"estimated", "predicted"})

ARCHITECTURE_LEGEND = (
    "Stages from the stem outwards, each as width/depth/kernel/expansion: the fraction of the stage's channels, "
    "its blocks, the side of the depthwise kernel, and the hidden channels as a multiple of a block's input. "
    "An input leaves at the little head when its router score is at least τ."
)


def short_name(metric: str) -> str:
    """`latency_ms@pi` -> `latency on pi`."""
    base, device = split_metric(metric)
    name = _SHORT.get(base, base)
    return f"{name} on {device}" if device else name


def is_share(metric: str, provenance: str = "") -> bool:
    """Whether a figure is a fraction that is written in percent.

    Only quality is, which nasopt found out itself and which has no provenance: a table may have its own percentages.
    """
    return split_metric(metric)[0] in _PERCENT and not provenance


def unit_of(metric: str, provenance: str = "") -> str:
    """The unit in which `show` writes a metric: %, ms, mJ; empty for counts."""
    return "%" if is_share(metric, provenance) else metric_of(metric).unit


def scaled(metric: str, value: float, provenance: str = "") -> float:
    """A value in the unit of `unit_of`: shares in percent."""
    return value * 100 if is_share(metric, provenance) else value


def origin(view: StudyView, metric: str) -> str:
    """`measured`, `estimated`, ... for a cost; all of them where a study mixes; empty for quality."""
    return " and ".join(view.provenances(metric))


def heading(view: StudyView, metric: str, *, device: bool = True) -> str:
    """A metric with device, unit and origin: `latency on jetson_nano (ms, estimated)`."""
    name = short_name(metric)
    taken_on = view.device_of(metric)
    if device and taken_on is not None and "@" not in metric:
        name += f" on {taken_on.name}"
    source = origin(view, metric)
    inside = ", ".join(part for part in (unit_of(metric, source), source) if part and part != "computed")
    return f"{name} ({inside})" if inside else name


def is_modelled(provenance: str) -> bool:
    """Whether a figure comes from a model rather than from a sensor, a clock or counting."""
    return provenance in _MODELLED


def show(
    metric: str,
    value: float,
    interval: Interval | None = None,
    provenance: Provenance | str = "",
    *,
    named: bool = True,
) -> str:
    """A figure with unit and 95% interval; `~` leads and the origin follows where it is modelled.

    `named=False` leaves the word to a heading and keeps the `~`.

    Shares are written in percent with the interval in points, costs with the interval relative to the figure.
    """
    base, _ = split_metric(metric)
    if is_share(metric, provenance):
        half = None if interval is None else max(interval[1] - value, value - interval[0]) * 100
        return f"{value * 100:.1f}%" if half is None else f"{value * 100:.1f}% ±{half:.1f}"
    unit = metric_of(metric).unit
    text = short_number(value) if base in COUNTED else significant(value)
    text += f" {unit}" if unit else ""
    if interval is not None and value:
        text += f" ±{relative(value, interval)}"
    if is_modelled(provenance):
        return f"~{text} ({provenance})" if named else f"~{text}"
    return text


def level(metric: str, value: float, provenance: str) -> str:
    """A bound or reference value of a metric whose figures have this provenance: with unit, no figure itself."""
    return show(metric, value, provenance="" if is_modelled(provenance) else provenance)


def figure_text(view: StudyView, trial: TrialView, metric: str, *, interval: bool = True, named: bool = True) -> str:
    """A trial's figure as `show` writes it; a dash where it has none."""
    found = view.figure(trial, metric)
    if found is None:
        return "–"
    cost = trial.cost(metric)
    return show(metric, found[0], found[1] if interval else None, cost.provenance if cost else "", named=named)


def relative(value: float, interval: Interval) -> str:
    """Half width of an interval as a percentage of the figure."""
    half = 100 * max(interval[1] - value, value - interval[0]) / abs(value)
    return f"{half:.0f}%" if half >= 1.95 else f"{half:.1f}%" if half >= 0.05 else "<0.1%"


def significant(value: float) -> str:
    """Three significant digits, without an exponent between 0.001 and 1e12."""
    size = abs(value)
    if size == 0 or not size < float("inf"):
        return f"{value:g}"
    if size >= 1e12:
        return f"{value:.2e}"
    if size >= 999.5:
        return f"{value:,.0f}"
    return f"{value:#.3g}".rstrip(".") if size >= 0.001 else f"{value:.2e}"


def short_number(value: float) -> str:
    """A count with the prefix that fits: 17.3 M, 86.0 k, 512; one that is given in millions has its own digits."""
    if abs(value) >= 1e15:
        return significant(value)
    for limit, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= 0.9995 * limit:
            return f"{value / limit:.3g} {prefix}"
    return f"{value:.0f}" if value == round(value) or abs(value) >= 100 else significant(value)


def duration(seconds: float) -> str:
    """Seconds as a reader says them: 42 s, 3 min 5 s, 2 h 10 min."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkText:
    """A candidate in words that fit a table."""

    little: str
    big: str
    router: str
    resolution: str
    precision: str
    loss: str


def network_text(view: StudyView, trial: TrialView) -> NetworkText | None:
    """The networks that a trial's parameters stand for; None where the study's space cannot be read."""
    from nasopt.space.big_little import BigLittleSpace

    details: Mapping[str, Any] = {} if trial.outcome is None else trial.outcome.details
    try:
        spec = SpaceSpec.model_validate(view.spec.get("space") or {})
        candidate = BigLittleSpace(spec, native_resolution=0, native_precision=details.get("precision", "fp32")).decode(
            trial.params
        )
    except (ValidationError, KeyError, ValueError):
        return None
    loss = candidate.loss
    return NetworkText(
        little=architecture_text(candidate.little),
        big=architecture_text(candidate.big),
        router=f"{candidate.router}, τ {candidate.tau:.3f}",
        resolution=f"{candidate.resolution} px" if candidate.resolution else "the data's own",
        precision=candidate.precision,
        loss=f"α {loss.alpha:.3g}, β {loss.beta:.3g}, γ {loss.gamma:.3g}, λ {loss.lambda_:.3g}, "
        f"T {loss.temperature:.3g}, η {loss.eta:.3g}",
    )


def architecture_text(architecture: Architecture) -> str:
    """Stages as width/depth/kernel/expansion: `0.5/2/3/4 · 1/4/7/6`."""
    return " · ".join(f"{s.width:g}/{s.depth}/{s.kernel}/{s.expansion}" for s in architecture)


def params_text(params: Mapping[str, Any]) -> str:
    """Parameters as `name value`, for spaces that this version cannot decode."""
    return ", ".join(f"{name} {value_text(value)}" for name, value in params.items())


def value_text(value: Any) -> str:
    """A parameter's value, real numbers with four digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def space_size(view: StudyView) -> str:
    """The exact cardinality of the searched space; empty where the study's space cannot be read."""
    from nasopt.space.big_little import BigLittleSpace

    if "space" not in view.spec:
        return ""
    try:
        spec = SpaceSpec.model_validate(view.spec["space"])
    except ValidationError:
        return ""
    return str(BigLittleSpace(spec, native_resolution=0).cardinality())
