"""Measuring graphs with TensorRT on this machine."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from nasopt.cache import Cache, content_key
from nasopt.graphs.describe import describe
from nasopt.hardware.backends.local import LocalBackend, Run
from nasopt.hardware.backends.tensorrt_graph import readable
from nasopt.hardware.backends.tensorrt_stream import HostRouter
from nasopt.hardware.devices.refusals import translated
from nasopt.hardware.timing.stream import Images, RoutedGraphs
from nasopt.records import ExportedModel, TimingProtocol
from nasopt.records.stream import RoutedStream
from nasopt.spec.device import DeviceProfile


class TensorRtBackend(LocalBackend):
    """Latency and energy of graphs under TensorRT 10 or 11 on an NVIDIA GPU.

    Each graph becomes an engine, in the types that the graph has and without TF32; building it, some seconds to
    minutes, is no part of the figures. Engines are kept in the cache by the graph's structure, TensorRT's version, GPU
    and precision. Inputs lie on the GPU, and a run ends when the GPU has ended it. Peak memory is a lower bound from
    the graph. Never verified on hardware.
    """

    name = "tensorrt"
    settings: ClassVar[Mapping[str, Any]] = {"tf32": False, "strongly_typed": True}

    activations = ("int8",)
    """Of quantised graphs."""

    def __init__(self, profile: DeviceProfile, *, device: int = 0) -> None:
        """`device` counts GPUs from 0. Raises MeasurementError where TensorRT or the GPU is not there."""
        super().__init__(profile, {"device": device}, on_cpu=False)
        self._cache = Cache()
        self._folder = tempfile.TemporaryDirectory(prefix="nasopt-tensorrt-")

    def signature(self) -> dict[str, Any]:
        """What a figure depends on beside graph and protocol."""
        return {**super().signature(), "provider": self.provider}

    def time_stream(self, graphs: RoutedGraphs, images: Images, protocol: TimingProtocol) -> RoutedStream:
        """Time the two engines with a router on the host between them, and both paths, in one interleaved run.

        Raises:
            MeasurementError: a graph does not run here, or a reading cannot be trusted.
        """
        with translated():
            stream = HostRouter(self._session(graphs.easy.path), self._session(graphs.hard.path), images, graphs.tau)
        return self._time_stream(stream, graphs, images, protocol)

    def _open(self, path: Path, threads: int) -> tuple[Run, dict[str, Any]]:
        from nasopt.hardware.agent import runtimes

        read = readable(path, Path(self._folder.name))
        options = {**self._options, "engine": str(self._engine_of(describe(read)))}
        with translated():
            return runtimes.open_run(self.name, str(read), threads, options)

    def _session(self, path: Path) -> Any:
        """With the graph's own weights: what a router decides hangs on them, and a kept engine may have others."""
        from nasopt.hardware.agent.runs_tensorrt import Session

        read = readable(path, Path(self._folder.name))
        return Session(str(read), {**self._options, "engine": str(Path(self._folder.name) / f"{read.stem}.engine")})

    def _engine_of(self, model: ExportedModel) -> Path:
        key = content_key(
            structure=model.structure,
            precision=model.precision,
            runtime=self._runtime,
            gpu=self.provider,
            settings=dict(self.settings),
        )
        return self._cache.path("engines", key, ".engine")
