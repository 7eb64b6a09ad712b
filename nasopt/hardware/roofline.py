"""Costs computed from a datasheet, for devices that are not at hand."""

from __future__ import annotations

import time
from typing import Any

from nasopt.errors import MeasurementError
from nasopt.hardware.graph_cost import GraphCost, graph_cost
from nasopt.records import Energy, ExportedModel, Latency, Measurement, Provenance, TimingProtocol
from nasopt.spec.device import Datasheet, DeviceProfile

BYTES = {"fp32": 4, "fp16": 2, "int8": 1}


class RooflineBackend:
    """For each node the larger of compute and memory time at the datasheet's peaks, plus an overhead. [Williams2009]

    Everything it says is `estimated`. The interval is the profile's own uncertainty factor in both directions, a
    statement about the model and not about any measurement.
    """

    name = "predicted"
    provenance: Provenance = "estimated"

    def __init__(self, profile: DeviceProfile) -> None:
        """Raises MeasurementError if the profile has no datasheet figures for its precision."""
        if profile.datasheet is None or profile.precision not in profile.datasheet.peak_gflops:
            raise MeasurementError(
                f"device {profile.name!r} has no datasheet figures for {profile.precision}; add them to its profile"
            )
        self.profile = profile
        self._sheet: Datasheet = profile.datasheet
        self.meter = "datasheet" if profile.power else "none"

    def signature(self) -> dict[str, Any]:
        """What a figure depends on beside graph and protocol."""
        return {
            "backend": self.name,
            "formula": 3,  # raised when the same datasheet gives other figures
            "device": self.profile.name,
            "precision": self.profile.precision,
            "datasheet": self._sheet.model_dump(mode="json"),
            "power": self.profile.power.model_dump(mode="json") if self.profile.power else None,
        }

    def measure(self, model: ExportedModel, protocol: TimingProtocol) -> Measurement:
        """Predict the costs of one run; the protocol has no part in it.

        Raises:
            MeasurementError: the file cannot be read or a shape is not fixed.
        """
        start = time.perf_counter()
        cost = graph_cost(model.path)
        busy_ms = self._busy_ms(cost)
        milliseconds = self.predict(cost)["latency_ms"]
        factor = self._sheet.uncertainty
        interval = (milliseconds / factor, milliseconds * factor)
        latency = Latency(
            median_ms=milliseconds,
            p90_ms=milliseconds,
            min_ms=milliseconds,
            mad_ms=0.0,
            ci95_ms=interval,
            runs=0,
            provenance="estimated",
        )
        return Measurement(
            device=self.profile.name,
            backend=self.name,
            provider="roofline",
            runtime=f"datasheet roofline, {self.profile.precision}",
            latency=latency,
            energy=self._energy(latency, busy_ms),
            peak_memory_mb=cost.peak_memory_mb(BYTES[self.profile.precision]),
            memory_provenance="estimated",
            seconds=time.perf_counter() - start,
        )

    def predict(self, cost: GraphCost) -> dict[str, float]:
        """Figures of one run of a graph that is only counted: latency_ms, and energy_mj where power is stated.

        The sum over the nodes and a constant for the run, so parts of a graph can be predicted one by one.
        """
        milliseconds = self._busy_ms(cost) + self._overhead_ms(cost)
        figures = {"latency_ms": milliseconds}
        if (power := self.profile.power) is not None:
            net = (power.active_w - power.idle_w) * self._busy_ms(cost)
            figures["energy_mj"] = power.idle_w * milliseconds + net
        return figures

    def _busy_ms(self, cost: GraphCost) -> float:
        """Time in which the processor computes or moves data."""
        sheet, size = self._sheet, BYTES[self.profile.precision]
        peak = sheet.peak_gflops[self.profile.precision] * 1e6  # operations in a millisecond
        bandwidth = sheet.bandwidth_gb_s * 1e6  # bytes in a millisecond
        return sum(max(n.operations / peak, n.elements * size / bandwidth) for n in cost.nodes)

    def _overhead_ms(self, cost: GraphCost) -> float:
        return (len(cost.nodes) * self._sheet.node_overhead_us + self._sheet.run_overhead_us) / 1e3

    def _energy(self, latency: Latency, busy_ms: float) -> Energy | None:
        """Idle power all the time, and what active power adds while busy; None where the profile states no power."""
        power = self.profile.power
        if power is None:
            return None
        net = (power.active_w - power.idle_w) * busy_ms
        gross = power.idle_w * latency.median_ms + net
        return Energy(
            gross_mj=gross,
            net_mj=net,
            ci95_mj=(gross / self._sheet.uncertainty, gross * self._sheet.uncertainty),
            windows=0,
            meter="datasheet power",
            provenance="estimated",
        )
