"""Device profiles: what a device is, how it is reached and measured, and what its datasheet says."""

from __future__ import annotations

import os
import re
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from nasopt.records import Precision
from nasopt.spec.base import Number, Section, Whole
from nasopt.spec.hardware import Plugin, PluginSpec, ProtocolSpec

LOCAL_RUNTIMES = ("onnxruntime", "openvino", "torch", "litert", "tensorrt")
"""Backends that run a network on the machine that nasopt runs on."""

_LEAST_GFLOPS, _MOST_GB_S, _LEAST_MB, _MOST_W = 0.5, 20_000.0, 16, 5_000.0
"""Beyond these a figure is in another unit than its key says."""

_MARGIN, _MOST_UNTOLD_W = 3.0, 1_500.0


def _unit(value: float, ok: bool, unit: str, other: str) -> float:
    if not ok:
        raise ValueError(f"{value:g} is in {unit}, which no such device has; was it {other}?")
    return value


class Power(Section):
    """Electrical power of the whole device, in watts."""

    idle_w: Number = Field(ge=0)
    """Switched on and doing nothing."""
    active_w: Number = Field(gt=0)
    """Running a network without pause."""

    @field_validator("idle_w", "active_w")
    @classmethod
    def _watts(cls, watts: float) -> float:
        return _unit(watts, watts <= _MOST_W, "watts", "milliwatts")

    @model_validator(mode="after")
    def _ordered(self) -> Power:
        if self.active_w < self.idle_w:
            raise ValueError(f"active_w {self.active_w} is below idle_w {self.idle_w}")
        return self


class Datasheet(Section):
    """Figures that the `predicted` backend computes with. Units are in the names."""

    peak_gflops: dict[Precision, Number] = Field(min_length=1)
    """Peak arithmetic throughput by precision, in 10^9 operations a second; a multiply-accumulate is two operations."""
    bandwidth_gb_s: Number = Field(gt=0)
    """Peak memory bandwidth, in 10^9 bytes a second."""
    node_overhead_us: Number = Field(default=0.0, ge=0)
    """Time that each operator costs beside its work, such as a kernel launch."""
    run_overhead_us: Number = Field(default=0.0, ge=0)
    """Time that each run costs beside its operators."""
    uncertainty: Number = Field(default=2.0, ge=1)
    """The true time is expected between the predicted one divided and multiplied by this."""

    @field_validator("peak_gflops")
    @classmethod
    def _positive(cls, peaks: dict[Precision, float]) -> dict[Precision, float]:
        for precision, peak in peaks.items():
            if peak <= 0:
                raise ValueError(f"peak throughput of {precision} is above 0 Gflop/s, not {peak}")
            _unit(peak, peak >= _LEAST_GFLOPS, "Gflop/s", "Tflop/s")
        return peaks

    @field_validator("bandwidth_gb_s")
    @classmethod
    def _gigabytes(cls, bandwidth: float) -> float:
        return _unit(bandwidth, bandwidth <= _MOST_GB_S, "GB/s", "MB/s")


class Reach(Section):
    """How a device is reached. Its way alone will do: `local`, `ssh`, `adb`.

    What ssh and adb leave out here is taken from the environment: `NASOPT_JETSON_NANO_HOST`, `_USER`, `_KEY` and
    `_SERIAL` for the profile `jetson_nano`.
    """

    way: Literal["local", "ssh", "adb"] = "local"
    host: str | None = None
    user: str | None = None
    key: str | None = None
    """Path of a private key; what the SSH agent holds if left out."""
    port: Annotated[Whole, Field(gt=0, lt=65536)] = 22
    serial: str | None = None
    """Serial number that `adb devices` shows; the only one attached if left out."""

    @model_validator(mode="before")
    @classmethod
    def _from_way(cls, value: Any) -> Any:
        return {"way": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _fitting(self) -> Reach:
        own = {"ssh": {"host", "user", "key", "port"}, "adb": {"serial"}, "local": set()}[self.way]
        if foreign := sorted(self.model_fields_set - own - {"way"}):
            raise ValueError(f"{foreign[0]} has no meaning where way is {self.way!r}")
        return self

    def resolved(self, device: str) -> Reach:
        """With what the environment says of this device filled in."""
        names = {"ssh": ("host", "user", "key"), "adb": ("serial",), "local": ()}[self.way]
        found = {name: os.environ.get(self.variable(device, name)) for name in names if getattr(self, name) is None}
        return self.model_copy(update={name: value for name, value in found.items() if value})

    @staticmethod
    def variable(device: str, what: str) -> str:
        """Name of the environment variable that tells a part of a device's address."""
        return f"NASOPT_{re.sub(r'[^A-Za-z0-9]', '_', device)}_{what}".upper()


class DeviceProfile(Section):
    """One device, as `hardware/NAME.yaml` describes it."""

    name: str
    """What studies and results call the device."""
    description: str
    processor: str
    reach: Reach = Reach()
    """Where the device is: `local`, or `ssh` or `adb` with an address."""
    backend: Plugin
    """Plug-in that takes the costs: `onnxruntime`, `predicted`, ...; with options of its own where it has any."""
    meter: Plugin = PluginSpec(name="none")
    """Energy meter of the device, or `auto`: `rapl` or else `codecarbon`. A backend that computes does without."""
    precision: Precision = "fp32"
    """What networks run in on the device, where a study's space does not say."""
    memory_mb: Annotated[Whole, Field(gt=0)] | None = None
    """Memory of the device, in 10^6 bytes."""
    runtimes: list[str] = []
    """Runtimes that the device can run."""
    providers: list[str] = ["CPUExecutionProvider"]
    """Execution providers of ONNX Runtime, the wanted one first."""
    power_budget_w: Annotated[Number, Field(gt=0)] | None = None
    """What the device, or its supply, is made for, in watts."""
    power: Power | None = None
    datasheet: Datasheet | None = None
    calibration: str | None = None
    """Calibration file of the backend `predicted`, relative to the profile; it comes before the datasheet."""
    protocol: ProtocolSpec = ProtocolSpec()
    """Defaults of the timing protocol on this device; a study's own settings win."""
    verified: bool = False
    """Whether figures of this profile were ever compared with the device itself."""
    how_to_measure: str = ""
    """What to do for measured figures where this profile only estimates."""
    sources: list[str] = []
    """Where the datasheet figures come from."""

    @property
    def most_w(self) -> float:
        """Mean power, in watts, beyond which a reading is in another unit or not of this device.

        Three times what the device or its supply is made for, else of its power at work; 1,500 W where neither is told.
        """
        if self.power_budget_w is None and self.power is None:
            return _MOST_UNTOLD_W
        return _MARGIN * max(self.power_budget_w or 0.0, self.power.active_w if self.power else 0.0)

    @field_validator("name")
    @classmethod
    def _nameable(cls, name: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
            raise ValueError(f"expected letters, digits, '_', '-' and '.', not {name!r}")
        return name

    @field_validator("memory_mb")
    @classmethod
    def _megabytes(cls, memory: int | None) -> int | None:
        return None if memory is None else int(_unit(memory, memory >= _LEAST_MB, "10^6 bytes", "gigabytes"))

    @field_validator("power_budget_w")
    @classmethod
    def _watts(cls, watts: float | None) -> float | None:
        return None if watts is None else _unit(watts, watts <= _MOST_W, "watts", "milliwatts")

    @model_validator(mode="after")
    def _complete(self) -> DeviceProfile:
        if not self.providers:
            raise ValueError("providers lists no execution provider; leave it out for the CPU")
        if self.backend.name == "predicted" and self.calibration is None:
            if self.datasheet is None:
                raise ValueError("backend 'predicted' needs a section 'datasheet' or a 'calibration'")
            if self.precision not in self.datasheet.peak_gflops:
                known = ", ".join(self.datasheet.peak_gflops)
                raise ValueError(f"precision {self.precision!r} has no peak in datasheet.peak_gflops ({known})")
        if self.backend.name in LOCAL_RUNTIMES and self.reach.way != "local":
            raise ValueError(
                f"backend {self.backend.name!r} runs on this machine, and reach is {self.reach.way!r}; use backend "
                "'ssh' to measure there, or 'predicted', or run the study on the device itself with reach: local"
            )
        if self.backend.name == "ssh" and self.reach.way != "ssh":
            raise ValueError(
                f"backend 'ssh' measures on a device that ssh reaches, and reach is {self.reach.way!r}; use reach: "
                "ssh, or the backend of the runtime itself on this machine"
            )
        if self.backend.name == "adb" and self.reach.way != "adb":
            raise ValueError(f"backend 'adb' measures on a phone, and reach is {self.reach.way!r}; use reach: adb")
        if self.power and self.power_budget_w and self.power.active_w > self.power_budget_w:
            raise ValueError(f"power.active_w {self.power.active_w} is above power_budget_w {self.power_budget_w}")
        return self
