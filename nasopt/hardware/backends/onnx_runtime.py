"""Measuring graphs with ONNX Runtime on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from nasopt.hardware.backends.local import LocalBackend
from nasopt.hardware.backends.onnx_stream import IfStream
from nasopt.hardware.timing.stream import Images, RoutedGraphs
from nasopt.records import TimingProtocol
from nasopt.records.stream import RoutedStream
from nasopt.spec.device import DeviceProfile


class OnnxRuntimeBackend(LocalBackend):
    """Latency, energy and memory of graphs under ONNX Runtime.

    Sessions run operators one after another on `protocol.threads` threads, one of them the caller's, without spinning
    (idle threads sleep). Inputs and outputs are bound once, so a run copies nothing. Denormals are not flushed to zero:
    ONNX Runtime would switch that for the calling thread for good, and training in this process would change.
    """

    name = "onnxruntime"
    settings: ClassVar[Mapping[str, Any]] = {"spinning": False}

    def __init__(self, profile: DeviceProfile) -> None:
        """Raises MeasurementError if the wanted provider is not installed or the meter cannot be read here."""
        providers = list(profile.providers)
        super().__init__(profile, {"providers": providers}, on_cpu=providers[0] == "CPUExecutionProvider")

    def time_stream(self, graphs: RoutedGraphs, images: Images, protocol: TimingProtocol) -> RoutedStream:
        """Time the routed graph on images one after another, and both paths, in one interleaved run.

        Raises:
            MeasurementError: a graph does not run here, or a reading cannot be trusted.
        """
        stream = IfStream(graphs.routed.path, images, protocol.threads, self._options)
        return self._time_stream(stream, graphs, images, protocol)
