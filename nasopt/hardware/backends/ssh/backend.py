"""Measuring graphs on a device over SSH."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nasopt.errors import MeasurementError
from nasopt.graphs.work import graph_cost
from nasopt.hardware.agent.loop import Block
from nasopt.hardware.backends.ssh.address import Address
from nasopt.hardware.backends.ssh.board import Board, whoami
from nasopt.hardware.timing.energy import energy_of_windows
from nasopt.hardware.timing.reference import NAME as REFERENCE_NAME
from nasopt.hardware.timing.reference import reference_graph
from nasopt.hardware.timing.summary import summarised
from nasopt.records import Energy, ExportedModel, Measurement, Provenance, TimingProtocol
from nasopt.spec.device import DeviceProfile

_LEASE_S = 600.0
_BYTES = {"fp32": 4, "fp16": 2, "int8": 1}


class SshBackend:
    """Latency, energy and memory of graphs on a device that SSH reaches.

    The same loop, runtime modules and sensors as on this machine run there, on the device's own clock; raw times and
    windows come back. The package (one file) and each graph are copied once, by their content. The connection lasts
    over measurements; where it breaks, the measurement is taken again once the device is back.
    """

    name = "ssh"
    provenance: Provenance = "measured"

    def __init__(
        self,
        profile: DeviceProfile,
        runtime: str = "onnxruntime",
        runtime_options: dict[str, Any] | None = None,
        python: str = "python3",
        known_hosts: Path | None = None,
        folder: str = "~/.cache/nasopt",
        store_mb: int = 512,
        patience_s: float = 60.0,
    ) -> None:
        """Nothing is tried yet.

        Args:
            profile: names the device and its address.
            runtime: what runs the graphs there.
            runtime_options: options of it beside the profile's execution providers.
            python: command of the device's Python, 3.6 or later with numpy and the runtime.
            known_hosts: keys of the hosts that may be entered; ~/.ssh/known_hosts if left out.
            folder: where the device keeps the package and the graphs.
            store_mb: graphs beyond so many 10^6 bytes are removed there, those used least lately first.
            patience_s: for how long to look for a device that went away.

        Raises:
            DeviceRefusedError: no host is named, or the private key does not exist.
        """
        self.profile = profile
        self.runtime = runtime
        self.board = Board(Address.of(profile, known_hosts), python=python, folder=folder, patience_s=patience_s)
        providers = {"providers": list(profile.providers)} if runtime == "onnxruntime" else {}
        self._options = {**providers, **(runtime_options or {})}
        self._store_bytes = store_mb * 1_000_000
        self._signature: dict[str, Any] | None = None

    @property
    def meter(self) -> str:
        """Name of the energy meter in use."""
        return self.profile.meter.name

    @property
    def reading(self) -> dict[str, Any]:
        """Options of the meter; what it says of itself only the device knows."""
        return dict(self.profile.meter.options)

    def signature(self) -> dict[str, Any]:
        """What a figure depends on beside graph and protocol; asks the device, the first time.

        Raises:
            DeviceLostError: the device is not there, or does not let itself be used.
            MeasurementError: the runtime or the meter does not work there.
        """
        if self._signature is None:
            self._signature = self.board.persistently(self._signed)
        return dict(self._signature)

    def _signed(self) -> dict[str, Any]:
        facts = self.describe()
        meter = self.board.ask("meter", name=self.sensor[0], options=self.sensor[1])
        return {
            "backend": self.name,
            "runtime": facts["runtime"],
            "provider": facts["provider"],
            "options": self._options,
            "precision": self.profile.precision,
            "device": self.profile.name,
            "host": self.board.facts["machine"],
            "meter": self.meter,
            "meter_details": None if meter is None else meter["details"],
            "memory": "resident" if self._on_cpu else "liveness",
            "spinning": False,
            "reference": REFERENCE_NAME,
        }

    def describe(self) -> dict[str, Any]:
        """What the runtime is there, see `agent.runtimes.describe`.

        Raises:
            MeasurementError: it is not installed, or not with what the options ask for.
        """
        facts: dict[str, Any] = self.board.ask("describe", runtime=self.runtime, options=self._options)
        return facts

    @property
    def sensor(self) -> tuple[str, dict[str, Any]]:
        """Name and options of the sensor that is read there."""
        choice = self.profile.meter
        # what auto finds on this machine without a counter is a model of this machine's processor
        return ("rapl" if choice.name == "auto" else choice.name), choice.options

    @property
    def _on_cpu(self) -> bool:
        return self.profile.providers[0] == "CPUExecutionProvider"

    def measure(self, model: ExportedModel, protocol: TimingProtocol) -> Measurement:
        """Measure one graph; see `docs/measuring.md`.

        Raises:
            MeasurementError: the graph does not run there, or a reading cannot be trusted.
            DeviceLostError: the device went away and did not come back, or lets nobody in.
        """
        return self.measure_together([model], protocol)[0]

    def measure_together(self, models: Sequence[ExportedModel], protocol: TimingProtocol) -> list[Measurement]:
        """Measure several graphs in one interleaved run: comparable, and sharing the reference's time."""
        start = time.perf_counter()
        if absent := [model.path for model in models if not model.path.is_file()]:
            raise MeasurementError(f"no model at {absent[0]}; export it first")
        taken = self.board.persistently(lambda: self._taken(models, protocol))
        seconds = (time.perf_counter() - start) / len(models)
        return [self._measurement(i, model, taken, protocol, seconds) for i, model in enumerate(models)]

    def _taken(self, models: Sequence[ExportedModel], protocol: TimingProtocol) -> dict[str, Any]:
        files: list[Path | bytes] = [reference_graph(), *(model.path for model in models)]
        reference, *names = self.board.upload(files, most_bytes=self._store_bytes)
        taken: dict[str, Any] = self.board.ask(
            "measure",
            limit_s=_LEASE_S + _longest_s(len(models), protocol),
            models=names,
            reference=reference,
            runtime=self.runtime,
            options=self._options,
            protocol=asdict(protocol),
            meter=self.sensor,
            memory=self._on_cpu,
            who=whoami(),
            wait_s=_LEASE_S,
        )
        return taken

    def _measurement(
        self, index: int, model: ExportedModel, taken: Mapping[str, Any], protocol: TimingProtocol, seconds: float
    ) -> Measurement:
        latency = summarised([Block(**block) for block in taken["blocks"][index]], protocol)
        peak = taken["peak_bytes"][index]
        estimated_mb = None if peak else graph_cost(model.path).peak_memory_mb(_BYTES[self.profile.precision])
        return Measurement(
            device=self.profile.name,
            backend=self.name,
            provider=taken["facts"]["provider"],
            runtime=taken["facts"]["runtime"],
            latency=latency,
            energy=_energy(taken["windows"][index], taken["meter"], self.profile.most_w),
            peak_memory_mb=peak / 1e6 if peak else estimated_mb,
            memory_provenance="measured" if peak else "estimated",
            seconds=seconds,
        )


def _energy(
    windows: Sequence[Mapping[str, float]] | None, meter: Mapping[str, Any] | None, most_w: float
) -> Energy | None:
    if windows is None or meter is None:
        return None
    return energy_of_windows(windows, meter["name"], meter["provenance"], most_w)


def _longest_s(models: int, protocol: TimingProtocol) -> float:
    """Time after which a measuring process hangs, sensors that need long windows and gaps included."""
    windows = 4 * (max(2, protocol.energy_windows) + 1) * max(protocol.energy_window_s, 60.0)
    return 300.0 + models * (3 * math.ceil(protocol.max_s) + protocol.warmup_s + windows)
