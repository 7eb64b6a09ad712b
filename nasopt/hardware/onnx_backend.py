"""Measuring graphs with ONNX Runtime on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnxruntime

from nasopt.errors import MeasurementError
from nasopt.hardware.energy import energy_of
from nasopt.hardware.graph_cost import graph_cost
from nasopt.hardware.host import fingerprint
from nasopt.hardware.memory import MemoryProbe
from nasopt.hardware.meters import meter_for
from nasopt.hardware.reference import NAME as REFERENCE_NAME
from nasopt.hardware.reference import reference_graph
from nasopt.hardware.timing import Reference, time_interleaved
from nasopt.records import ExportedModel, Latency, Measurement, Provenance, TimingProtocol
from nasopt.spec.device import DeviceProfile

_TYPES = {"tensor(float)": np.float32, "tensor(bool)": np.bool_, "tensor(int64)": np.int64}


class OnnxRuntimeBackend:
    """Latency, energy and memory of graphs under ONNX Runtime.

    Sessions run operators one after another on `protocol.threads` threads, one of them the caller's, without spinning
    (idle threads sleep). Inputs and outputs are bound once, so a run copies nothing. Denormals are not flushed to zero:
    ONNX Runtime would switch that for the calling thread for good, and training in this process would change.
    """

    name = "onnxruntime"
    provenance: Provenance = "measured"

    def __init__(self, profile: DeviceProfile) -> None:
        """Raises MeasurementError if the wanted provider is not installed or the meter cannot be read here."""
        self.profile = profile
        self._meter = meter_for(profile.meter)
        self._references: dict[int, Reference] = {}
        self._probe = MemoryProbe() if MemoryProbe.works() and self._on_cpu else None
        available = onnxruntime.get_available_providers()
        if profile.providers[0] not in available:
            raise MeasurementError(
                f"device {profile.name!r} wants {profile.providers[0]}; {_runtime()} here has {', '.join(available)}; "
                "install the build of onnxruntime that brings it"
            )

    @property
    def meter(self) -> str:
        """Name of the energy meter in use."""
        return self._meter.name

    @property
    def _on_cpu(self) -> bool:
        return self.profile.providers[0] == "CPUExecutionProvider"

    def signature(self) -> dict[str, Any]:
        """What a figure depends on beside graph and protocol."""
        return {
            "backend": self.name,
            "runtime": _runtime(),
            "providers": list(self.profile.providers),
            "precision": self.profile.precision,
            "device": self.profile.name,
            "host": fingerprint(),
            "meter": self._meter.name,
            "meter_details": self._meter.describe(),
            "memory": "resident" if self._probe else "liveness",
            "spinning": False,
            "reference": REFERENCE_NAME,
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
        runs = [self.runner(m, protocol.threads) for m in models]
        latencies = time_interleaved(runs, self._reference(protocol.threads), protocol, seed=len(models))
        measured = []
        for model, run, latency in zip(models, runs, latencies, strict=True):
            memory_mb, memory_provenance = self._memory(model, protocol.threads)
            measured.append(
                Measurement(
                    device=self.profile.name,
                    backend=self.name,
                    provider=self.profile.providers[0],
                    runtime=_runtime(),
                    latency=latency,
                    energy=self._energy(run, latency, protocol),
                    peak_memory_mb=memory_mb,
                    memory_provenance=memory_provenance,
                    seconds=(time.perf_counter() - start) / len(models),
                )
            )
        return measured

    def runner(self, model: ExportedModel, threads: int) -> Callable[[], object]:
        """A function without arguments that runs the graph once on fixed random inputs.

        Raises:
            MeasurementError: the file is missing or damaged, ONNX Runtime does not take it, or another provider than
                the wanted one runs it.
        """
        if not model.path.is_file():
            raise MeasurementError(f"no model at {model.path}; export it first")
        session = _session(str(model.path), threads, self.profile.providers)
        _refuse_fallback(session, self.profile.providers[0])
        return _bound(session, str(model.path))

    def _reference(self, threads: int) -> Reference:
        if threads not in self._references:
            session = _session(reference_graph(), threads, self.profile.providers)
            self._references[threads] = Reference(run=_bound(session, REFERENCE_NAME))
        return self._references[threads]

    def _memory(self, model: ExportedModel, threads: int) -> tuple[float, Provenance]:
        if self._probe is not None:
            return self._probe.peak_memory_mb(model, threads), "measured"
        return graph_cost(model.path).peak_memory_mb(4), "estimated"

    def _energy(self, run: Callable[[], object], latency: Latency, protocol: TimingProtocol) -> Any:
        return energy_of(run, latency, self._meter, protocol)


def _runtime() -> str:
    return f"onnxruntime {onnxruntime.__version__}"


def _session(model: str | bytes, threads: int, providers: Sequence[str]) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(model, options, providers=list(providers))
    except Exception as error:  # ONNX Runtime's exceptions share no base but this
        name = model if isinstance(model, str) else REFERENCE_NAME
        raise MeasurementError(f"{_runtime()} does not take {name}: {_first_line(error)}") from error


def _refuse_fallback(session: Any, wanted: str) -> None:
    used = session.get_providers()
    if not used or used[0] != wanted:
        raise MeasurementError(
            f"wanted {wanted}, ONNX Runtime fell back to {', '.join(used) or 'nothing'}; its log says why "
            "(usually a missing library of the accelerator)"
        )


def _bound(session: Any, name: str) -> Callable[[], object]:
    """One run with inputs and outputs bound beforehand."""
    binding = session.io_binding()
    draw = np.random.default_rng(0)
    for value in session.get_inputs():
        if any(not isinstance(d, int) or d < 1 for d in value.shape) or value.type != "tensor(float)":
            raise MeasurementError(
                f"{name}: input {value.name!r} is {value.type} of shape {value.shape}; expected float32 of fixed shape "
                "(export with fixed shapes)"
            )
        array = draw.standard_normal(value.shape).astype(np.float32)
        binding.bind_ortvalue_input(value.name, onnxruntime.OrtValue.ortvalue_from_numpy(array))
    for value in session.get_outputs():
        fixed = value.type in _TYPES and all(isinstance(d, int) for d in value.shape)
        if fixed:
            space = onnxruntime.OrtValue.ortvalue_from_shape_and_type(value.shape, _TYPES[value.type])
            binding.bind_ortvalue_output(value.name, space)
        else:
            binding.bind_output(value.name)

    def run() -> None:
        session.run_with_iobinding(binding)

    try:
        run()
    except Exception as error:
        raise MeasurementError(f"{name} does not run under {_runtime()}: {_first_line(error)}") from error
    return run


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
