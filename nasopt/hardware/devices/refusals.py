"""What the measuring package refuses (`nasopt.hardware.agent`), as errors of nasopt."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from nasopt.errors import DeviceRefusedError, MeasurementError, SensorError, WindowError
from nasopt.hardware.agent.refusals import RefusedError


@contextmanager
def translated() -> Iterator[None]:
    """Raises MeasurementError, or the kind of it that fits, where what is inside refuses."""
    try:
        yield
    except RefusedError as refused:
        raise as_error(refused.kind, refused.seen, refused.remedy) from refused


def as_error(kind: str, seen: str, remedy: str) -> MeasurementError:
    """The error that a refusal of this kind is. A device that is busy or full says nothing about a network."""
    if kind in ("busy", "storage"):
        return DeviceRefusedError(f"{seen}; {remedy}")
    if kind in ("sensor", "window"):
        return (WindowError if kind == "window" else SensorError)(seen, remedy)
    return MeasurementError("; ".join(part for part in (seen, remedy) if part))
