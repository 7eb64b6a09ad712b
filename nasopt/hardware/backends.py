"""The seam between what is measured and where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from nasopt import plugins
from nasopt.records import ExportedModel, Measurement, TimingProtocol
from nasopt.spec.device import DeviceProfile


@runtime_checkable
class Backend(Protocol):
    """Takes the costs of exported graphs on one device. Built once for a study: it keeps baselines between graphs."""

    name: str

    def measure(self, model: ExportedModel, protocol: TimingProtocol) -> Measurement:
        """Latency, energy and memory of one run of a graph.

        Raises:
            MeasurementError: the graph does not run there, or a reading cannot be trusted.
            DeviceLostError: the device went away.
        """

    def signature(self) -> Mapping[str, Any]:
        """Everything beside the graph and the protocol that a measurement depends on, as JSON values."""


def backend_for(profile: DeviceProfile, *, meter: str | None = None) -> Backend:
    """The backend that a profile names; `meter` replaces the profile's.

    Raises:
        UnknownPluginError: the backend or meter is not installed.
        MeasurementError: the meter cannot be read here.
    """
    if meter is not None:
        profile = profile.model_copy(update={"meter": meter})
    backend: Backend = plugins.load("backends", profile.backend)(profile)
    return backend
