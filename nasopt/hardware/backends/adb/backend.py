"""Measuring graphs on an Android phone."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from nasopt.errors import DeviceRefusedError, MeasurementError
from nasopt.graphs.work import graph_cost
from nasopt.hardware.backends.adb.perf_test import PerfTest
from nasopt.hardware.backends.adb.phone import Phone
from nasopt.hardware.timing.reference import NAME as REFERENCE_NAME
from nasopt.hardware.timing.reference import reference_file
from nasopt.hardware.timing.summary import Reference, time_interleaved
from nasopt.records import ExportedModel, Latency, Measurement, Provenance, TimingProtocol
from nasopt.spec.device import DeviceProfile

Provider = Literal["cpu", "xnnpack", "nnapi", "qnn"]

_BYTES = {"fp32": 4, "fp16": 2, "int8": 1}
_FACTS = ("ro.product.model", "ro.board.platform", "ro.build.fingerprint")


class AdbBackend:
    """Latency of graphs on a phone, by ONNX Runtime's benchmark binary and the phone's own clock.

    The binary and each graph are copied once, by their content. Every block of runs is a process on the phone, between
    blocks of the frozen reference network, so a measurement takes some ten seconds. Peak memory is a lower bound from
    the graph. Energy is not read.
    """

    name = "adb"
    provenance: Provenance = "measured"
    meter = "none"

    def __init__(
        self,
        profile: DeviceProfile,
        benchmark: Path,
        *,
        provider: Provider = "cpu",
        cores: str = "",
        folder: str = "/data/local/tmp/nasopt",
    ) -> None:
        """Nothing is tried yet.

        Args:
            profile: names the device and its serial number.
            benchmark: `onnxruntime_perf_test` built for the phone, with the shared libraries that it needs beside it.
            provider: execution provider; operators that it does not take are an error.
            cores: hexadecimal mask of the cores to run on, as `taskset` takes it; all if left out.
            folder: where the phone keeps binary and graphs.

        Raises:
            DeviceRefusedError: there is no such binary, `cores` or `folder` is none, or the profile names a meter.
        """
        self.profile = profile
        self._binary = benchmark.expanduser()
        if not self._binary.is_file():
            raise DeviceRefusedError(
                f"no benchmark binary {self._binary}; build onnxruntime_perf_test for Android (the build option "
                "--android with tests) and name it in the option benchmark"
            )
        if not re.fullmatch(r"[0-9a-fA-F]*", cores):
            raise DeviceRefusedError(f"option cores: expected a hexadecimal mask such as f0, not {cores!r}")
        if not re.fullmatch(r"/[A-Za-z0-9_./-]+", folder):
            raise DeviceRefusedError(f"option folder: expected an absolute path of plain characters, not {folder!r}")
        if profile.meter.name != "none":
            raise DeviceRefusedError(
                f"the backend adb reads no energy, and the profile's meter is {profile.meter.name}; set meter: none"
            )
        self._phone = Phone(profile.reach.resolved(profile.name).serial)
        self._provider, self._cores, self._folder = provider, cores, folder
        self._references: dict[int, Reference] = {}
        self._facts: dict[str, str] = {}
        self._held: set[str] = set()

    @property
    def runtime(self) -> str:
        """The benchmark binary tells no version, so its content stands for it."""
        return f"onnxruntime_perf_test {_digest(self._binary)[:12]}"

    @property
    def provider(self) -> str:
        """The execution provider and the cores."""
        return f"{self._provider}{f' on cores {self._cores}' if self._cores else ''}"

    def signature(self) -> dict[str, Any]:
        """What a figure depends on beside graph and protocol; asks the phone, the first time.

        Raises:
            DeviceLostError: the phone is not there, or does not let itself be used.
        """
        if not self._facts:
            self._phone.find()
            self._facts = {name: self._phone.shell(["getprop", name]).strip() for name in _FACTS}
        return {
            "backend": self.name,
            "runtime": self.runtime,
            "provider": self.provider,
            "precision": self.profile.precision,
            "device": self.profile.name,
            "host": dict(self._facts),
            "meter": self.meter,
            "memory": "liveness",
            "spinning": False,
            "reference": REFERENCE_NAME,
        }

    def measure(self, model: ExportedModel, protocol: TimingProtocol) -> Measurement:
        """Measure one graph; see `docs/measuring.md`.

        Raises:
            MeasurementError: the graph does not run there, or a reading cannot be trusted.
            DeviceLostError: the phone went away, or does not let itself be used.
        """
        return self.measure_together([model], protocol)[0]

    def measure_together(self, models: Sequence[ExportedModel], protocol: TimingProtocol) -> list[Measurement]:
        """Measure several graphs in one interleaved run: comparable, and sharing the reference's time."""
        start = time.perf_counter()
        estimated_mb = [graph_cost(m.path).peak_memory_mb(_BYTES[self.profile.precision]) for m in models]
        self._phone.find()
        runs = [self._runs(m.path, protocol.threads) for m in models]
        latencies = time_interleaved(runs, self._reference(protocol.threads), protocol, seed=len(models))
        seconds = (time.perf_counter() - start) / len(models)
        return [self._measurement(taken, mb, seconds) for taken, mb in zip(latencies, estimated_mb, strict=True)]

    def _measurement(self, latency: Latency, estimated_mb: float, seconds: float) -> Measurement:
        return Measurement(
            device=self.profile.name,
            backend=self.name,
            provider=self.provider,
            runtime=self.runtime,
            latency=latency,
            energy=None,
            peak_memory_mb=estimated_mb,
            memory_provenance="estimated",
            seconds=seconds,
        )

    def _reference(self, threads: int) -> Reference:
        if threads not in self._references:
            self._references[threads] = Reference(run=self._runs(reference_file(), threads))
        return self._references[threads]

    def _runs(self, path: Path, threads: int) -> PerfTest:
        if not path.is_file():
            raise MeasurementError(f"no model at {path}; export it first")
        for library in sorted(self._binary.parent.glob("*.so*")):
            self._sent(library, library.name)
        binary = self._sent(self._binary, f"perf_test-{_digest(self._binary)[:16]}", program=True)
        model = self._sent(path, f"{_digest(path)[:24]}.onnx")
        return PerfTest(
            self._phone, self._folder, binary, model, threads=threads, provider=self._provider, cores=self._cores
        )

    def _sent(self, source: Path, name: str, *, program: bool = False) -> str:
        """The name under which the phone has a file, copied if it has none of this size."""
        if name in self._held:
            return name
        size = self._phone.script(f"mkdir -p {self._folder} && wc -c < {self._folder}/{name} || true").split()
        if not size or size[-1] != str(source.stat().st_size):
            self._phone.push(source, f"{self._folder}/{name}")
        if program:
            self._phone.shell(["chmod", "755", f"{self._folder}/{name}"])
        self._held.add(name)
        return name


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
