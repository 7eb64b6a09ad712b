"""Section `hardware`: the devices that a trial's costs are taken on, and how."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from nasopt.records import TimingProtocol
from nasopt.spec.base import Number, Section, Whole


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
