"""Costs computed from a datasheet, for devices that are not at hand."""

from __future__ import annotations

import time
from typing import Any

from nasopt.errors import MeasurementError
from nasopt.graphs.work import GraphCost, graph_cost
from nasopt.hardware.devices.precision import refuse_precision
from nasopt.hardware.prediction.modelled import energy_at_power, gross_and_net_mj, modelled_latency
from nasopt.records import ExportedModel, Measurement, Precision, Provenance, TimingProtocol
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
        self.precisions = tuple(profile.datasheet.peak_gflops)
        self._sheet: Datasheet = profile.datasheet
        self.meter = "datasheet" if profile.power else "none"

    def signature(self) -> dict[str, Any]:
        """What a figure depends on beside graph and protocol."""
        return {
            "backend": self.name,
            "formula": 4,  # raised when the same datasheet gives other figures
            "device": self.profile.name,
            "datasheet": self._sheet.model_dump(mode="json"),
            "power": self.profile.power.model_dump(mode="json") if self.profile.power else None,
        }

    def measure(self, model: ExportedModel, protocol: TimingProtocol) -> Measurement:
        """Predict the costs of one run; the protocol has no part in it.

        Raises:
            MeasurementError: the file cannot be read, a shape is not fixed, or its precision has no peak.
        """
        start = time.perf_counter()
        refuse_precision(self, self.profile.name, model.precision)
        cost = graph_cost(model.path)
        milliseconds = self.predict(cost, model.precision)["latency_ms"]
        factor = self._sheet.uncertainty
        interval = (milliseconds / factor, milliseconds * factor)
        latency = modelled_latency(milliseconds, interval, "estimated")
        return Measurement(
            device=self.profile.name,
            backend=self.name,
            provider="roofline",
            runtime=f"datasheet roofline, {model.precision}",
            latency=latency,
            energy=energy_at_power(self.profile.power, latency, self._busy_ms(cost, model.precision)),
            peak_memory_mb=cost.peak_memory_mb(BYTES[model.precision]),
            memory_provenance="estimated",
            seconds=time.perf_counter() - start,
        )

    def predict(self, cost: GraphCost, precision: Precision | None = None) -> dict[str, float]:
        """Figures of one run of a graph that is only counted: latency_ms, and energy_mj where power is stated.

        In the profile's precision if none is given.

        The sum over the nodes and a constant for the run, so parts of a graph can be predicted one by one.
        """
        busy_ms = self._busy_ms(cost, precision or self.profile.precision)
        milliseconds = busy_ms + self._overhead_ms(cost)
        figures = {"latency_ms": milliseconds}
        if (power := self.profile.power) is not None:
            figures["energy_mj"], _ = gross_and_net_mj(power, milliseconds, busy_ms)
        return figures

    def _busy_ms(self, cost: GraphCost, precision: Precision) -> float:
        """Time in which the processor computes or moves data."""
        sheet, size = self._sheet, BYTES[precision]
        peak = sheet.peak_gflops[precision] * 1e6  # operations in a millisecond
        bandwidth = sheet.bandwidth_gb_s * 1e6  # bytes in a millisecond
        return sum(max(n.operations / peak, n.elements * size / bandwidth) for n in cost.nodes)

    def _overhead_ms(self, cost: GraphCost) -> float:
        return (len(cost.nodes) * self._sheet.node_overhead_us + self._sheet.run_overhead_us) / 1e3
