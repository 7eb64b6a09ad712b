"""Total energy counter of an NVIDIA GPU through NVML."""

from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, Union

from .counters import counted_window
from .refusals import SensorRefusedError
from .windows import Window

_SLOWDOWNS = {"HwSlowdown": 0x8, "SwThermalSlowdown": 0x20, "HwThermalSlowdown": 0x40, "HwPowerBrakeSlowdown": 0x80}
"""Clock event reasons that mean throttling; reaching the board's own power limit (`SwPowerCap`) is no fault."""


class Sensor:
    """Energy of a whole GPU, whoever uses it, since its driver was loaded. Volta or later; not on Jetson boards.

    The counter is updated about every 100 ms, so windows below 2 s are refused. A window in which the GPU was slowed
    down for its temperature or by the hardware is refused as well.
    """

    name = "nvml"
    provenance = "measured"
    update_s = 0.1
    shortest_s = 2.0

    def __init__(self, index: int = 0) -> None:
        """`index` counts GPUs as nvidia-smi does, which is not always CUDA's order.

        Raises:
            SensorRefusedError: no NVIDIA driver, no such GPU, or a GPU without the counter.
        """
        self._nvml = _library()
        with _explained(self._nvml, "cannot open NVML", "check that the NVIDIA driver runs: nvidia-smi"):
            self._nvml.nvmlInit()
            count = self._nvml.nvmlDeviceGetCount()
        if not 0 <= index < count:
            raise SensorRefusedError(
                f"no GPU {index}; NVML sees {count}", "set the option index; nvidia-smi lists them"
            )
        self._index = index
        with _explained(self._nvml, f"cannot open GPU {index}", "check that the NVIDIA driver runs: nvidia-smi"):
            self._gpu = self._nvml.nvmlDeviceGetHandleByIndex(index)
            self._facts: Dict[str, Any] = {
                "gpu": _text(self._nvml.nvmlDeviceGetName(self._gpu)),
                "index": index,
            }
            self._facts["uuid"] = _text(self._nvml.nvmlDeviceGetUUID(self._gpu))
        self._read()

    def describe(self) -> Dict[str, Any]:
        """Which GPU."""
        return dict(self._facts)

    @contextmanager
    def window(self) -> Iterator[Window]:
        """Energy between entering and leaving.

        Raises:
            SensorRefusedError: the counter cannot be read or did not move, or the GPU throttled.
        """
        with counted_window(self._read, sensor=self._sensor, shortest_s=self.shortest_s) as window:
            before_ns = self._thermal_ns()
            yield window
            after_ns, slowed = self._thermal_ns(), self._slowdowns()
        if after_ns > before_ns or slowed:
            spent = f" for {(after_ns - before_ns) / 1e6:.0f} ms" if after_ns > before_ns else ""
            raise SensorRefusedError(
                f"{self._sensor}: the GPU throttled{spent} ({', '.join(slowed) or 'thermal limit'})",
                "cool it, or lower its clocks to what it can keep up (nvidia-smi -lgc), and measure again",
            )

    @property
    def _sensor(self) -> str:
        return f"nvml (GPU {self._index}, {self._facts['gpu']})"

    def _read(self) -> Dict[str, int]:
        remedy = "the counter needs a Volta GPU or later; Jetson boards have the meter ina3221 instead"
        with _explained(self._nvml, f"{self._sensor}: no total energy counter", remedy):
            return {"the GPU": int(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._gpu)) * 1000}  # from mJ

    def _thermal_ns(self) -> int:
        """Time that the GPU has spent below its clocks for its temperature; 0 where it does not tell."""
        try:
            status = self._nvml.nvmlDeviceGetViolationStatus(self._gpu, self._nvml.NVML_PERF_POLICY_THERMAL)
        except self._nvml.NVMLError:
            return 0
        return int(status.violationTime)

    def _slowdowns(self) -> List[str]:
        try:
            active = int(self._nvml.nvmlDeviceGetCurrentClocksThrottleReasons(self._gpu))
        except self._nvml.NVMLError:
            return []
        return [name for name, bit in _SLOWDOWNS.items() if active & bit]


def _library() -> Any:
    try:
        import pynvml
    except ImportError:
        raise SensorRefusedError("NVML's Python binding is not installed", "pip install nvidia-ml-py")
    return pynvml


@contextmanager
def _explained(nvml: Any, what: str, remedy: str) -> Iterator[None]:
    try:
        yield
    except nvml.NVMLError as error:
        raise SensorRefusedError(f"{what}: {error}", remedy)


def _text(value: Union[str, bytes]) -> str:
    return value.decode() if isinstance(value, bytes) else value
