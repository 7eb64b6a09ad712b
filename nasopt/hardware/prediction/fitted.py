"""Costs of graphs on devices that are not at hand: by a calibration where there is one, else by the datasheet."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any

from nasopt.errors import MeasurementError
from nasopt.graphs.work import graph_cost
from nasopt.hardware.backends.base import Backend
from nasopt.hardware.devices.precision import refuse_precision
from nasopt.hardware.prediction.calibration import Calibration, load_calibration
from nasopt.hardware.prediction.kernels import Kernel, kernels
from nasopt.hardware.prediction.modelled import energy_at_power, modelled_latency
from nasopt.hardware.prediction.roofline import BYTES, RooflineBackend
from nasopt.records import Energy, ExportedModel, Latency, Measurement, Provenance, TimingProtocol
from nasopt.spec.device import DeviceProfile


def predicted_backend(profile: DeviceProfile) -> Backend:
    """The backend `predicted`: `predicted` by the profile's calibration, else `estimated` by its datasheet.

    Raises:
        SpecError: the calibration is missing, or is not one.
        MeasurementError: the profile has neither, or the calibration is of another precision.
    """
    return CalibratedBackend(profile) if profile.calibration is not None else RooflineBackend(profile)


class CalibratedBackend:
    """Sums of kernel costs that were fitted to measurements on the device. [see `prediction.model`]

    Intervals come from networks that the fit did not see, and are wider where a graph leaves what was measured.
    """

    name = "predicted"
    provenance: Provenance = "predicted"

    def __init__(self, profile: DeviceProfile) -> None:
        """Raises SpecError or MeasurementError where the profile's calibration cannot be used."""
        assert profile.calibration is not None
        self.profile = profile
        self._file = Path(profile.calibration)
        self._calibration: Calibration = load_calibration(self._file)
        if self._calibration.precision != profile.precision:
            raise MeasurementError(
                f"device {profile.name!r} runs {profile.precision}, its calibration {self._file} is of "
                f"{self._calibration.precision}; calibrate it again"
            )
        self.precisions = (profile.precision,)
        if "latency_ms" not in self._calibration.quantities:
            raise MeasurementError(f"the calibration {self._file} has no latency; calibrate {profile.name!r} again")
        modelled = "datasheet" if profile.power else "none"
        self.meter = "calibration" if "energy_mj" in self._calibration.quantities else modelled

    def signature(self) -> dict[str, Any]:
        """What a figure depends on beside graph and protocol."""
        return {
            "backend": self.name,
            "formula": 2,  # raised when the same calibration gives other figures
            "device": self.profile.name,
            "power": self.profile.power.model_dump(mode="json") if self.profile.power else None,
            "calibration": hashlib.sha256(self._calibration.model_dump_json().encode()).hexdigest()[:24],
        }

    def measure(self, model: ExportedModel, protocol: TimingProtocol) -> Measurement:
        """Predict the costs of one run; the protocol has no part in it.

        Raises:
            MeasurementError: the file cannot be read, a shape is not fixed, an operator's cost is not known, the graph
                is of another precision than the networks that the calibration was fitted to, or it is outside of the
                calibration or too small for it.
        """
        start = time.perf_counter()
        refuse_precision(self, self.profile.name, model.precision)
        if (threads := self._calibration.threads) not in (None, protocol.threads):
            raise MeasurementError(
                f"the calibration {self._file} is of {threads} threads, the protocol asks for {protocol.threads}; "
                "calibrate again, or change hardware.protocol.threads"
            )
        found = kernels(model.path)
        value, interval = self._calibration.predict("latency_ms", found)
        latency = modelled_latency(value, interval, "predicted")
        return Measurement(
            device=self.profile.name,
            backend=self.name,
            provider="calibration",
            runtime=self._calibration.runtime,
            latency=latency,
            energy=self._energy(found, latency),
            peak_memory_mb=graph_cost(model.path).peak_memory_mb(BYTES[self.profile.precision]),
            memory_provenance="estimated",
            seconds=time.perf_counter() - start,
            remarks=self._remarks(found),
        )

    def _energy(self, found: tuple[Kernel, ...], latency: Latency) -> Energy | None:
        """By the calibration, or estimated as the profile's active power for as long as the run takes."""
        if "energy_mj" not in self._calibration.quantities:
            return energy_at_power(self.profile.power, latency, latency.median_ms)
        value, interval = self._calibration.predict("energy_mj", found)
        return Energy(
            gross_mj=value, net_mj=None, ci95_mj=interval, windows=0, meter="calibration", provenance="predicted"
        )

    def _remarks(self, found: tuple[Kernel, ...]) -> tuple[str, ...]:
        said = [f"calibration: {self._calibration.description}"]
        quantities = self._calibration.quantities.items()
        said += [f"{name}: {p.held_out}" for name, p in quantities]
        if beyond := self._calibration.domain.outside(found):
            said.append(f"extrapolated: {'; '.join(beyond)}")
            said += [f"{name}, extrapolated: {e}" for name, p in quantities for e in p.outside]
        return tuple(said)
