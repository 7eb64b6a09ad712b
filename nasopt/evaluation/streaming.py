"""A stored network over a stream of real inputs, on the devices of a study."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from nasopt.data import ImageData
from nasopt.evaluation.context import Device
from nasopt.evaluation.conversion import stored_graphs
from nasopt.export import compose_routed
from nasopt.hardware import RoutedGraphs, TimesStreams, device_lock
from nasopt.records import Candidate
from nasopt.records.stream import RoutedStream

_IMAGES = 1000
_PIXELS = 32_000_000
"""Most values of all images together (128 MB as float32)."""


def time_streams(
    files: Mapping[str, Path], data: ImageData, devices: Iterable[Device], candidate: Candidate
) -> tuple[dict[str, RoutedStream], dict[str, str]]:
    """Time a network on validation images in their order; by device, the streams, and why the others have none.

    Args:
        files: the artifacts of the trial, by name.
        data: of the study.
        devices: where to time it.
        candidate: the trial's; its threshold may be another than the pair was trained for.

    Raises:
        CacheError: weights or graphs are missing or cannot be restored.
        MeasurementError: a graph does not run on a device, or a reading cannot be trusted.
    """
    refused = {d.name: why for d in devices if (why := why_no_stream(d)) is not None}
    able = [d for d in devices if d.name not in refused]
    if not able:
        return {}, refused
    count = max(2, min(_IMAGES, _PIXELS // (data.channels * candidate.resolution**2)))
    images = data.prepare(data.validation.images[:count], candidate.resolution)
    streams = {}
    with TemporaryDirectory(prefix="nasopt-") as folder:
        easy, hard = stored_graphs(files, candidate, tuple(images[:1].shape), Path(folder))
        routed = compose_routed(easy, hard, Path(folder) / "routed.onnx", candidate.tau)
        graphs = RoutedGraphs(easy=easy, hard=hard, routed=routed, tau=candidate.tau)
        for device in able:
            assert isinstance(device.backend, TimesStreams)
            batch = np.ascontiguousarray(images.numpy(), dtype=np.float32)
            with device_lock(device.profile):
                streams[device.name] = device.backend.time_stream(graphs, batch, device.protocol)
    return streams, refused


def why_no_stream(device: Device) -> str | None:
    """Why a routed network cannot be timed on a device; None where it can."""
    if device.backend.provenance != "measured":
        return f"costs of {device.name} are {device.backend.provenance}: no network runs there"
    if not isinstance(device.backend, TimesStreams):
        return f"the backend {device.backend.name} of {device.name} runs one graph at a time and cannot route"
    return None
