"""Measuring graphs with OpenVINO on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from nasopt.hardware.backends.local import LocalBackend
from nasopt.spec.device import DeviceProfile


class OpenVinoBackend(LocalBackend):
    """Latency, energy and memory of graphs under OpenVINO.

    One stream on `protocol.threads` threads that are not tied to cores, optimised for latency, inputs bound once. The
    precision is f32 unless asked for otherwise: left alone, OpenVINO computes in bfloat16 where the processor can. What
    the compiled network says of device, precision and threads is held against what was asked for.
    """

    name = "openvino"
    settings: ClassVar[Mapping[str, Any]] = {"streams": 1, "pinned": False}

    def __init__(
        self,
        profile: DeviceProfile,
        *,
        device: str = "CPU",
        inference_precision: Literal["f32", "bf16", "f16"] = "f32",
    ) -> None:
        """`device` as OpenVINO calls it: CPU, GPU, NPU, GPU.1. Raises MeasurementError where it is not there."""
        options = {"device": device, "inference_precision": inference_precision}
        super().__init__(profile, options, on_cpu=device == "CPU")
