"""Measuring graphs with PyTorch on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, Literal

from nasopt.hardware.backends.local import LocalBackend
from nasopt.spec.device import DeviceProfile


class TorchBackend(LocalBackend):
    """Latency and energy of graphs under PyTorch, in inference mode: eager, compiled, or as one CUDA graph.

    The ONNX graph becomes a module of plain torch calls first, and compiling is no part of the figures. What runs on a
    GPU is waited for at the end of each run. Peak memory is a lower bound from the graph: much of what is resident
    belongs to torch itself and to the translation.
    """

    name = "torch"
    precisions = ("fp32", "fp16")
    """Quantised graphs would be rounded in float32."""
    settings: ClassVar[Mapping[str, Any]] = {"tf32": False}

    def __init__(
        self,
        profile: DeviceProfile,
        *,
        mode: Literal["eager", "compiled", "cuda-graphs"] = "eager",
        device: Literal["cpu", "cuda"] = "cpu",
    ) -> None:
        """Raises MeasurementError where torch sees no such device."""
        super().__init__(profile, {"mode": mode, "device": device}, on_cpu=False)

    @contextmanager
    def _conditions(self) -> Iterator[None]:
        """Threads and TF32 are the process's: training may want others."""
        import torch

        threads = torch.get_num_threads()
        matmul, cudnn = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = matmul, cudnn
