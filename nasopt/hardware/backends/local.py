"""Measuring graphs on this machine, whatever the runtime."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from nasopt.graphs.work import graph_cost
from nasopt.hardware.agent import runtimes
from nasopt.hardware.agent.memory import MemoryProbe
from nasopt.hardware.backends.packing import agent_file
from nasopt.hardware.devices.host import fingerprint
from nasopt.hardware.devices.refusals import translated
from nasopt.hardware.meters import LoadModel, meter_for
from nasopt.hardware.timing.energy import energy_of
from nasopt.hardware.timing.reference import NAME as REFERENCE_NAME
from nasopt.hardware.timing.reference import reference_file
from nasopt.hardware.timing.stream import Images, RoutedGraphs, Stream, routed_stream, time_stream
from nasopt.hardware.timing.summary import Reference, time_interleaved
from nasopt.records import Energy, ExportedModel, Latency, Measurement, Provenance, TimingProtocol
from nasopt.records.stream import RoutedStream
from nasopt.spec.device import DeviceProfile

Run = Callable[[], object]


class LocalBackend:
    """Latency, energy and memory of graphs under one runtime of the measuring package.

    A subclass names the runtime and gives its options. The frozen reference network runs in the same runtime, with the
    same options, between the blocks of every measurement.
    """

    name: str
    """Of the runtime, too: `agent.runs_NAME`."""
    provenance: Provenance = "measured"
    settings: ClassVar[Mapping[str, Any]] = {}
    """What the runtime is told that is no option, for the signature."""
    bytes_per_activation: ClassVar[int] = 4

    def __init__(self, profile: DeviceProfile, options: Mapping[str, Any], *, on_cpu: bool) -> None:
        """Where not `on_cpu`, or where this system cannot tell, peak memory is estimated from the graph.

        Raises:
            MeasurementError: the runtime is not installed, or not with what the options ask for, or the meter cannot be
                read here.
        """
        self.profile = profile
        self._options = dict(options)
        self._meter = meter_for(profile.meter)
        self._references: dict[int, Reference] = {}
        with translated():
            facts = runtimes.describe(self.name, self._options)
        self._runtime: str = facts["runtime"]
        self.provider: str = facts["provider"]
        self._probe = self._memory_probe() if on_cpu and MemoryProbe.works() else None

    @property
    def meter(self) -> str:
        """Name of the energy meter in use."""
        return self._meter.name

    @property
    def reading(self) -> dict[str, Any]:
        """What energy is read from: options of the meter and what it says of itself, but for models of this host."""
        details = {} if isinstance(self._meter, LoadModel) else self._meter.describe()
        return {**self.profile.meter.options, **details}

    def signature(self) -> dict[str, Any]:
        """What a figure depends on beside graph and protocol."""
        return {
            "backend": self.name,
            "runtime": self._runtime,
            "precision": self.profile.precision,
            "device": self.profile.name,
            "host": fingerprint(),
            "meter": self._meter.name,
            "meter_details": self._meter.describe(),
            "memory": "resident" if self._probe else "liveness",
            "reference": REFERENCE_NAME,
            **self._options,
            **self.settings,
        }

    def measure(self, model: ExportedModel, protocol: TimingProtocol) -> Measurement:
        """Measure one graph; see `docs/measuring.md`.

        Raises:
            MeasurementError: the graph does not run here, or a reading cannot be trusted.
        """
        return self.measure_together([model], protocol)[0]

    def measure_together(self, models: Sequence[ExportedModel], protocol: TimingProtocol) -> list[Measurement]:
        """Measure several graphs in one interleaved run: comparable, and sharing the reference's time."""
        start = time.perf_counter()
        with self._conditions():
            opened = [self._open(m.path, protocol.threads) for m in models]
            runs = [run for run, _ in opened]
            latencies = time_interleaved(runs, self._reference(protocol.threads), protocol, seed=len(models))
            energies = [self._energy(run, taken, protocol) for run, taken in zip(runs, latencies, strict=True)]
        measured = []
        for model, (_, facts), latency, energy in zip(models, opened, latencies, energies, strict=True):
            memory_mb, memory_provenance = self._memory(model, protocol.threads)
            measured.append(
                Measurement(
                    device=self.profile.name,
                    backend=self.name,
                    provider=facts["provider"],
                    runtime=facts["runtime"],
                    latency=latency,
                    energy=energy,
                    peak_memory_mb=memory_mb,
                    memory_provenance=memory_provenance,
                    seconds=(time.perf_counter() - start) / len(models),
                )
            )
        return measured

    def runner(self, model: ExportedModel, threads: int) -> Run:
        """A function without arguments that runs the graph once on fixed random inputs.

        Raises:
            MeasurementError: the file is missing or damaged, the runtime does not take it, or something else than what
                was asked for runs it.
        """
        return self._open(model.path, threads)[0]

    def _time_stream(
        self, stream: Stream, graphs: RoutedGraphs, images: Images, protocol: TimingProtocol
    ) -> RoutedStream:
        """Time a routed network that is ready to run on images, and both its paths, in one interleaved run."""
        easy, hard = (self.runner(model, protocol.threads) for model in (graphs.easy, graphs.hard))
        times = time_stream(stream, len(images), easy, hard, self._reference(protocol.threads), protocol)
        return routed_stream(
            times,
            device=self.profile.name,
            backend=self.name,
            provider=self.provider,
            runtime=self._runtime,
            way=stream.way,
        )

    @contextmanager
    def _conditions(self) -> Iterator[None]:
        """What has to hold in this process while graphs run, put back afterwards."""
        yield

    def _reference(self, threads: int) -> Reference:
        if threads not in self._references:
            self._references[threads] = Reference(run=self._open(reference_file(), threads)[0])
        return self._references[threads]

    def _open(self, path: Path, threads: int) -> tuple[Run, dict[str, Any]]:
        with translated():
            return runtimes.open_run(self.name, str(path), threads, self._options)

    def _memory_probe(self) -> MemoryProbe:
        return MemoryProbe(str(agent_file()), self.name, self._options, str(self._reference_path()))

    def _reference_path(self) -> Path:
        """The reference network in a format that the runtime reads."""
        return reference_file()

    def _memory(self, model: ExportedModel, threads: int) -> tuple[float, Provenance]:
        if self._probe is not None:
            return self._probed_mb(model.path, threads), "measured"
        return graph_cost(model.path).peak_memory_mb(self.bytes_per_activation), "estimated"

    def _probed_mb(self, path: Path, threads: int) -> float:
        assert self._probe is not None
        with translated():
            return self._probe.peak_bytes(str(path), threads) / 1e6

    def _energy(self, run: Run, latency: Latency, protocol: TimingProtocol) -> Energy | None:
        return energy_of(run, latency, self._meter, protocol, most_w=self.profile.most_w)
