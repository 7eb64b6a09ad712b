"""The NVML meter: refused without a driver, measured on a GPU where there is one, and its logic on a stand-in."""

from __future__ import annotations

import sys
import time
from types import SimpleNamespace
from typing import Any

import pytest

from nasopt.errors import SensorError
from nasopt.hardware.meters import EnergyMeter, NvmlMeter
from nasopt.testing import MeterSuite


def gpus() -> int:
    pynvml = pytest.importorskip("pynvml")
    try:
        pynvml.nvmlInit()
        return int(pynvml.nvmlDeviceGetCount())
    except pynvml.NVMLError:
        return 0


class TestOnAGpu(MeterSuite):
    window_s = 2.2

    @pytest.fixture
    def meter(self) -> EnergyMeter:
        if not gpus():
            pytest.skip("no NVIDIA GPU here")
        return NvmlMeter()


def test_without_a_driver_it_says_so() -> None:
    if gpus():
        pytest.skip("there is an NVIDIA GPU here")
    with pytest.raises(SensorError, match=r"cannot open NVML: .*; check that the NVIDIA driver runs: nvidia-smi"):
        NvmlMeter()


def test_without_its_package_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(SensorError, match="pip install nvidia-ml-py"):
        NvmlMeter()


class StandIn:
    """NVML with one GPU of 100 W. It shows what the meter makes of NVML's answers, not that NVML gives them."""

    class NVMLError(Exception):
        pass

    NVML_PERF_POLICY_THERMAL = 1

    def __init__(self) -> None:
        self.thermal_ns, self.reasons, self.has_counter, self.watts = 0, 0, True, 100.0

    def nvmlInit(self) -> None: ...  # noqa: N802

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return 1

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        return index

    def nvmlDeviceGetName(self, gpu: int) -> bytes:  # noqa: N802
        return b"NVIDIA stand-in"

    def nvmlDeviceGetUUID(self, gpu: int) -> str:  # noqa: N802
        return "GPU-0"

    def nvmlDeviceGetTotalEnergyConsumption(self, gpu: int) -> int:  # noqa: N802
        if not self.has_counter:
            raise self.NVMLError("Not Supported")
        return int(1e3 * self.watts * (int(time.monotonic() / 0.1) * 0.1))  # updated every 100 ms

    def nvmlDeviceGetViolationStatus(self, gpu: int, policy: int) -> Any:  # noqa: N802
        return SimpleNamespace(violationTime=self.thermal_ns)

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, gpu: int) -> int:  # noqa: N802
        return self.reasons


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    library = StandIn()
    monkeypatch.setitem(sys.modules, "pynvml", library)
    return library


def test_energy_is_the_counters_difference(nvml: StandIn) -> None:
    meter = NvmlMeter()
    with meter.window() as window:
        time.sleep(2.05)
    assert window.energy_mj == pytest.approx(1e3 * 100 * window.seconds, rel=0.06)  # one update at each end
    assert meter.describe() == {"gpu": "NVIDIA stand-in", "index": 0, "uuid": "GPU-0"}


def test_short_windows_are_noise(nvml: StandIn) -> None:
    with pytest.raises(SensorError, match=r"0\.2\d* s is too short, expected at least 2 s"), NvmlMeter().window():
        time.sleep(0.2)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"thermal_ns": 5_000_000}, r"throttled for 5 ms \(thermal limit\)"), ({"reasons": 0x44}, "HwThermalSlowdown")],
)
def test_a_gpu_that_throttles_is_refused(nvml: StandIn, change: dict[str, int], message: str) -> None:
    meter = NvmlMeter()
    meter.sensor.shortest_s = 0.0

    def throttle() -> None:
        time.sleep(0.15)
        vars(nvml).update(change)

    with pytest.raises(SensorError, match=message), meter.window():
        throttle()


def test_reaching_the_power_limit_is_no_fault(nvml: StandIn) -> None:
    meter = NvmlMeter()
    meter.sensor.shortest_s = 0.0
    nvml.reasons = 0x4
    with meter.window() as window:
        time.sleep(0.15)
    assert window.energy_mj > 0


def test_refusals(nvml: StandIn) -> None:
    with pytest.raises(SensorError, match=r"no GPU 1; NVML sees 1; set the option index"):
        NvmlMeter(index=1)
    nvml.has_counter = False
    with pytest.raises(SensorError, match=r"no total energy counter: Not Supported; .*Volta .*ina3221"):
        NvmlMeter()
    nvml.has_counter, nvml.watts = True, 0.0
    with pytest.raises(SensorError, match="counter of the GPU did not move"), NvmlMeter().window():
        time.sleep(0.01)
