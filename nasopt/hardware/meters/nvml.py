"""Total energy counter of an NVIDIA GPU through NVML."""

from __future__ import annotations

from nasopt.hardware.meters.sensor import SensorMeter


class NvmlMeter(SensorMeter):
    """Energy of a whole GPU, whoever uses it, see `agent.sensor_nvml`."""

    name = "nvml"

    def __init__(self, index: int = 0) -> None:
        """`index` counts GPUs as nvidia-smi does, which is not always CUDA's order.

        Raises:
            SensorError: no NVIDIA driver, no such GPU, or a GPU without the counter.
        """
        super().__init__(index=index)
