"""Section `hardware`: the devices that a trial's costs are taken on, and how."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, field_validator

from nasopt import plugins, shipped
from nasopt.records import TimingProtocol
from nasopt.spec.base import Number, Section, Whole, one_of


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


class ProtocolSpec(Section):
    """Overrides of the timing protocol; what is left out keeps the default of `TimingProtocol`."""

    warmup_runs: Whole | None = Field(default=None, ge=0)
    warmup_s: Number | None = Field(default=None, ge=0)
    min_runs: Whole | None = Field(default=None, ge=5)
    min_s: Number | None = Field(default=None, ge=0)
    max_s: Number | None = Field(default=None, gt=0)
    blocks: Whole | None = Field(default=None, ge=2)
    drift_limit: Number | None = Field(default=None, gt=0)
    threads: Whole | None = Field(default=None, ge=1)
    energy_windows: Whole | None = Field(default=None, ge=1)
    energy_window_s: Number | None = Field(default=None, gt=0)

    def protocol(self, defaults: ProtocolSpec | None = None) -> TimingProtocol:
        """The protocol with these overrides, over those of `defaults` (a device profile's), if given."""
        base = {} if defaults is None else defaults.model_dump(exclude_none=True)
        return TimingProtocol(**base | self.model_dump(exclude_none=True))


class HardwareSpec(Section):
    """One or more device profiles, by name or path of a YAML file."""

    device: Annotated[list[str], BeforeValidator(_listed), Field(min_length=1)] = ["local"]
    meter: str | None = None
    """Energy meter; the profile's own if left out."""
    protocol: ProtocolSpec = ProtocolSpec()

    @field_validator("device")
    @classmethod
    def _known_devices(cls, devices: list[str]) -> list[str]:
        names = [Path(d).stem if d.endswith((".yaml", ".yml")) else d for d in devices]
        if twice := [n for n in names if names.count(n) > 1]:
            raise ValueError(f"the device {twice[0]} stands twice")
        for name in devices:
            if not name.endswith((".yaml", ".yml")):
                one_of("device", name, shipped.listed("hardware"), "; or give a path ending in .yaml")
        return devices

    @field_validator("meter")
    @classmethod
    def _known_meter(cls, meter: str | None) -> str | None:
        return None if meter is None else one_of("meter", meter, ["auto", *plugins.names("meters")])
