"""The seam between what is measured and where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from pydantic import ValidationError

from nasopt import plugins
from nasopt.errors import MeasurementError, UsageError
from nasopt.hardware.backends.options import build
from nasopt.hardware.devices.host import device_lock
from nasopt.hardware.devices.profiles import load_profile
from nasopt.hardware.timing.reference_scale import calibrated
from nasopt.records import ExportedModel, Measurement, Provenance, TimingProtocol
from nasopt.records.stream import RoutedStream
from nasopt.spec.device import DeviceProfile
from nasopt.spec.hardware import PluginSpec

if TYPE_CHECKING:
    from nasopt.hardware.timing.stream import Images, RoutedGraphs


@runtime_checkable
class Backend(Protocol):
    """Takes the costs of exported graphs on one device. Built once for a study: it keeps baselines between graphs."""

    name: str
    provenance: Provenance
    """Of the latencies it gives."""
    meter: str
    """Energy meter in use; `none` where it gives no energy."""

    def measure(self, model: ExportedModel, protocol: TimingProtocol) -> Measurement:
        """Latency, energy and memory of one run of a graph.

        Raises:
            MeasurementError: the graph does not run there, or a reading cannot be trusted.
            DeviceLostError: the device went away.
        """

    def signature(self) -> Mapping[str, Any]:
        """Everything beside the graph and the protocol that a measurement depends on, as JSON values."""


@runtime_checkable
class TimesStreams(Protocol):
    """What a backend offers besides, where it can run a routed network on one image after another."""

    def time_stream(self, graphs: RoutedGraphs, images: Images, protocol: TimingProtocol) -> RoutedStream:
        """Time images in their order, at batch 1, and both paths, in one interleaved run.

        Raises:
            MeasurementError: a graph does not run there, or a reading cannot be trusted.
            DeviceLostError: the device went away.
        """


def profile_with(profile: DeviceProfile, backend: PluginSpec | None) -> DeviceProfile:
    """A profile with another backend than its own, if one is given.

    Raises:
        UsageError: that backend does not go with how the device is reached.
    """
    if backend is None:
        return profile
    content = profile.model_dump(exclude_unset=True) | {"backend": backend}
    try:
        return DeviceProfile.model_validate(content)
    except ValidationError as error:
        raise UsageError(f"hardware.backend: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from error


def backend_for(profile: DeviceProfile, *, meter: str | PluginSpec | None = None) -> Backend:
    """The backend that a profile names, with its options; `meter` replaces the profile's.

    Raises:
        UnknownPluginError: the backend or meter is not installed.
        UsageError: it has no such option, or is no backend.
        MeasurementError: the meter cannot be read here.
    """
    if meter is not None:
        profile = profile.model_copy(update={"meter": PluginSpec.model_validate(meter)})
    backend: Backend = build("backend", profile.backend, profile)
    plugins.require("backend", profile.backend.name, backend, ("name", "provenance", "meter", "signature", "measure"))
    return backend


def measure_all(backend: Backend, models: Sequence[ExportedModel], protocol: TimingProtocol) -> list[Measurement]:
    """Measure several graphs: in one interleaved run where the backend offers `measure_together`, else in turn.

    Latencies are calibrated where a reference network ran, see `hardware.timing.reference_scale`.
    """
    together = getattr(backend, "measure_together", None)
    if together is not None:
        measured: list[Measurement] = together(models, protocol)
    else:
        measured = [backend.measure(model, protocol) for model in models]
    named = [replace(m, precision=model.precision) for m, model in zip(measured, models, strict=True)]
    return calibrated(backend, named, protocol)


def measure(
    model: str | Path,
    device: str | Path = "local",
    *,
    protocol: TimingProtocol | None = None,
    meter: str | PluginSpec | None = None,
    shapes: Mapping[str, Sequence[int]] | None = None,
    values: Mapping[str, float] | None = None,
    largest_mb: float | None = None,
) -> Measurement:
    """Take the cost of any ONNX graph whose inputs are tensors of numbers.

    Floating-point inputs are standard normal draws, 8-bit ones random; wider integers are 1, or 0 where the graph does
    not run on 1. An open first dimension is a batch of 1, which the measurement remarks.

    Args:
        model: path of the ONNX file.
        device: name of a device profile, or path of one.
        protocol: how to time it; the profile's own if left out.
        meter: energy meter; the profile's own if left out.
        shapes: sizes of inputs by name, or (one number) of an open dimension by its name.
        values: what inputs that hold a single number are set to, by name.
        largest_mb: bound of one tensor in 10^6 bytes; 1024 if left out.

    Raises:
        UnknownPluginError: no such device, backend or meter.
        SpecError: the profile is not valid.
        UsageError: an input or dimension that is named does not exist, or does not fit.
        MeasurementError: the graph does not run there, is too large, or a reading cannot be trusted.
    """
    # these import onnx, which a command that measures nothing can do without
    from nasopt.graphs.describe import LARGEST_MB
    from nasopt.graphs.preparing import prepared, refuse_large

    profile, path = load_profile(device), Path(model)
    bound = LARGEST_MB if largest_mb is None else largest_mb
    with prepared(path, shapes=shapes, values=values, largest_mb=bound) as found:
        backend = backend_for(profile, meter=meter)
        if backend.provenance == "measured":
            refuse_large(found, path, bound)
        with device_lock(profile):
            try:
                taken = measure_all(backend, [found.model], protocol or profile.protocol.protocol())[0]
            except MeasurementError as error:
                raise _renamed(error, found.model.path, path) from error
    return replace(taken, remarks=(*found.remarks, *taken.remarks))


def _renamed(error: MeasurementError, copy: Path, path: Path) -> MeasurementError:
    """The same error under the name of the file that the user gave, where a copy of it was measured."""
    if type(error) is MeasurementError and str(copy) in str(error):
        return MeasurementError(str(error).replace(str(copy), str(path)))
    return error
