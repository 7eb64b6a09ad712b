"""Section `hardware`: the devices that a trial's costs are taken on, and how."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from nasopt import plugins
from nasopt.records import TimingProtocol
from nasopt.spec import shipped
from nasopt.spec.base import Number, Section, Whole, one_of


class PluginSpec(Section):
    """A plug-in by the name that it is installed under, with options of its own. Its name alone will do."""

    name: str
    options: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @model_serializer(mode="wrap")
    def _as_given(self, handler: SerializerFunctionWrapHandler) -> Any:
        return handler(self) if self.options else self.name


Plugin = Annotated[PluginSpec, BeforeValidator(lambda value: value, json_schema_input_type=str | PluginSpec)]
"""A key of a YAML file that takes `name`, or `{name: ..., options: {...}}`."""


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


class ProtocolSpec(Section):
    """Overrides of the timing protocol; what is left out keeps the default of `TimingProtocol`."""

    warmup_runs: Annotated[Whole, Field(ge=0)] | None = None
    warmup_s: Annotated[Number, Field(ge=0)] | None = None
    min_runs: Annotated[Whole, Field(ge=5)] | None = None
    min_s: Annotated[Number, Field(ge=0)] | None = None
    max_s: Annotated[Number, Field(gt=0)] | None = None
    blocks: Annotated[Whole, Field(ge=2)] | None = None
    drift_limit: Annotated[Number, Field(gt=0)] | None = None
    tight_enough: Annotated[Number, Field(gt=0)] | None = None
    threads: Annotated[Whole, Field(ge=1)] | None = None
    energy_windows: Annotated[Whole, Field(ge=1)] | None = None
    energy_window_s: Annotated[Number, Field(gt=0)] | None = None

    def protocol(self, defaults: ProtocolSpec | None = None) -> TimingProtocol:
        """The protocol with these overrides, over those of `defaults` (a device profile's), if given."""
        base = {} if defaults is None else defaults.model_dump(exclude_none=True)
        return TimingProtocol(**base | self.model_dump(exclude_none=True))


class HardwareSpec(Section):
    """One or more device profiles, by name or path of a YAML file."""

    device: Annotated[
        list[str], BeforeValidator(_listed, json_schema_input_type=str | list[str]), Field(min_length=1)
    ] = ["local"]
    backend: Plugin | None = None
    """What takes the costs, with its options, such as `ssh` where a profile only predicts; the profile's own if left
    out."""
    meter: Plugin | None = None
    """Energy meter, with its options; the profile's own if left out."""
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

    @field_validator("backend")
    @classmethod
    def _known_backend(cls, backend: PluginSpec | None) -> PluginSpec | None:
        if backend is not None:
            one_of("backend", backend.name, plugins.names("backends"))
        return backend

    @field_validator("meter")
    @classmethod
    def _known_meter(cls, meter: PluginSpec | None) -> PluginSpec | None:
        if meter is not None:
            one_of("meter", meter.name, ["auto", *plugins.names("meters")])
        return meter
