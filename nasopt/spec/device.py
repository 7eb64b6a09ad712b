"""Device profiles: what a device is, how it is measured, and what its datasheet says."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from nasopt.spec.base import Number, Section, Whole
from nasopt.spec.hardware import ProtocolSpec

Precision = Literal["fp32", "fp16", "int8"]


class Power(Section):
    """Electrical power of the whole device, in watts."""

    idle_w: Number = Field(ge=0)
    """Switched on and doing nothing."""
    active_w: Number = Field(gt=0)
    """Running a network without pause."""

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
        return peaks


class DeviceProfile(Section):
    """One device, as `hardware/NAME.yaml` describes it."""

    name: str
    """What studies and results call the device."""
    description: str
    processor: str
    backend: str
    """Plug-in that takes the costs: `onnxruntime`, `predicted`, ..."""
    meter: str = "none"
    """Energy meter: `rapl`, `codecarbon`, `none`, or `auto` for the best that works here."""
    precision: Precision = "fp32"
    memory_mb: Annotated[Whole, Field(gt=0)] | None = None
    """Memory of the device, in 10^6 bytes."""
    runtimes: list[str] = []
    """Runtimes that the device can run."""
    providers: list[str] = ["CPUExecutionProvider"]
    """Execution providers of ONNX Runtime, the wanted one first."""
    power: Power | None = None
    datasheet: Datasheet | None = None
    protocol: ProtocolSpec = ProtocolSpec()
    """Defaults of the timing protocol on this device; a study's own settings win."""
    verified: bool = False
    """Whether figures of this profile were ever compared with the device itself."""
    how_to_measure: str = ""
    """What to do for measured figures where this profile only estimates."""
    sources: list[str] = []
    """Where the datasheet figures come from."""

    @field_validator("name")
    @classmethod
    def _nameable(cls, name: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
            raise ValueError(f"expected letters, digits, '_', '-' and '.', not {name!r}")
        return name

    @model_validator(mode="after")
    def _complete(self) -> DeviceProfile:
        if not self.providers:
            raise ValueError("providers lists no execution provider; leave it out for the CPU")
        if self.backend == "predicted":
            if self.datasheet is None:
                raise ValueError("backend 'predicted' needs a section 'datasheet'")
            if self.precision not in self.datasheet.peak_gflops:
                known = ", ".join(self.datasheet.peak_gflops)
                raise ValueError(f"precision {self.precision!r} has no peak in datasheet.peak_gflops ({known})")
        return self
