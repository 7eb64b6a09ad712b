"""Measuring graphs with LiteRT on this machine."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Any, Literal

from nasopt.graphs.describe import describe
from nasopt.hardware.backends.litert_graph import convert
from nasopt.hardware.backends.local import LocalBackend, Run
from nasopt.records import ExportedModel, Provenance
from nasopt.spec.device import DeviceProfile


class LiteRtBackend(LocalBackend):
    """Latency, energy and memory of graphs under LiteRT, on XNNPACK with `protocol.threads` threads.

    Runs `NAME.tflite` where there is one beside `NAME.onnx`; otherwise the graph is converted, where its operators
    allow. The Edge TPU takes files that were quantised and compiled for it; the reference network runs on the CPU's
    kernels inside the same interpreter then.
    """

    name = "litert"

    def __init__(
        self, profile: DeviceProfile, *, delegate: Literal["none", "edgetpu"] = "none", delegate_library: str = ""
    ) -> None:
        """Raises MeasurementError where LiteRT is not installed, or the delegate cannot be loaded."""
        self._folder = tempfile.TemporaryDirectory(prefix="nasopt-litert-")
        options = {"delegate": delegate, "delegate_library": delegate_library}
        super().__init__(profile, options, on_cpu=delegate == "none")

    def _open(self, path: Path, threads: int) -> tuple[Run, dict[str, Any]]:
        return super()._open(self._converted(path), threads)

    def _memory(self, model: ExportedModel, threads: int) -> tuple[float, Provenance]:
        if self._probe is None:
            return super()._memory(model, threads)
        return self._probed_mb(self._converted(model.path), threads), "measured"

    def _reference_path(self) -> Path:
        return self._converted(super()._reference_path())

    def _converted(self, path: Path) -> Path:
        """The LiteRT file of a graph: the one beside it, or a converted one."""
        if (own := path.with_suffix(".tflite")).is_file():
            return own
        describe(path)  # says what is wrong with a file before anything is converted
        target = Path(self._folder.name) / f"{hashlib.sha256(path.read_bytes()).hexdigest()[:24]}.tflite"
        if not target.is_file():
            convert(path, target)
        return target
