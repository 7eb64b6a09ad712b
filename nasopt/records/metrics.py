"""Every figure that may be an objective or a constraint, by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure that may be an objective or a constraint."""

    name: str
    direction: Literal["maximize", "minimize"]
    unit: str
    label: str
    costly: bool = True
    """True when it is known only after training or measuring."""


METRICS: dict[str, Metric] = {
    m.name: m
    for m in (
        Metric("accuracy", "maximize", "", "top-1 accuracy"),
        Metric("top5", "maximize", "", "top-5 accuracy"),
        Metric("ece", "minimize", "", "expected calibration error"),
        Metric("exit_rate", "maximize", "", "share of inputs that leave at the little head"),
        Metric("routing_accuracy", "maximize", "", "share of routing decisions equal to the optimal one"),
        Metric("latency_ms", "minimize", "ms", "expected latency"),
        Metric("latency_p90_ms", "minimize", "ms", "90th percentile of latency over inputs"),
        Metric("latency_worst_ms", "minimize", "ms", "worst latency over inputs"),
        Metric("throughput", "maximize", "images/s", "throughput at batch 32, hard inputs gathered"),
        Metric("energy_mj", "minimize", "mJ", "expected energy"),
        Metric("peak_memory_mb", "minimize", "MB", "peak memory of the runtime"),
        Metric("macs", "minimize", "", "expected multiply-accumulates"),
        Metric("macs_easy", "minimize", "", "multiply-accumulates of stem, little network and router", costly=False),
        Metric("macs_hard", "minimize", "", "multiply-accumulates when the big network runs too", costly=False),
        Metric("params", "minimize", "", "parameters of both networks and the router", costly=False),
        Metric("model_size_mb", "minimize", "MB", "size of the routed ONNX graph"),
    )
}
"""Every metric by name. Those of a device may carry `@device`."""

DEVICE_METRICS = frozenset(
    {"latency_ms", "latency_p90_ms", "latency_worst_ms", "throughput", "energy_mj", "peak_memory_mb"}
)


def split_metric(name: str) -> tuple[str, str | None]:
    """`latency_ms@raspberry_pi_4` -> (`latency_ms`, `raspberry_pi_4`); the device is None where none is named.

    Only figures of a device carry one: `AR@100`, which somebody else named, is a name as it stands.
    """
    base, _, device = name.partition("@")
    return (base, device) if device and base in DEVICE_METRICS else (name, None)
