"""The cost of one path on one device; independent of weights, so that an architecture is measured once."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import torch

from nasopt.cache import content_key
from nasopt.evaluation.context import Device, EvaluationContext
from nasopt.export import export_easy, export_hard
from nasopt.hardware import device_lock
from nasopt.models import build
from nasopt.records import Candidate, Energy, ExportedModel, Latency, Measurement, NetworkLayout

PathName = Literal["easy", "hard"]


def obtain_measurement(
    context: EvaluationContext, candidate: Candidate, device: Device, path: PathName, *, batch: int
) -> tuple[Measurement, bool]:
    """The measurement of a path at a batch size, and whether the cache had it.

    The key holds what shapes the graph and how it is run, but no weights; a measurement whose reference drifted
    (`latency.valid` false) is used and marked, and never kept.

    Raises:
        MeasurementError: the backend refused its own reading.
    """
    key = content_key(
        graph=_graph_identity(context.layout, candidate, path),
        batch=batch,
        backend=device.backend.signature(),
        protocol=device.protocol,
    )
    file = context.cache.path("measurements", key, ".json")
    with context.cache.lock("measurements", key):
        if (stored := _read(file)) is not None:
            return stored, True
        with TemporaryDirectory(prefix="nasopt-") as folder, device_lock(device.profile):
            model = _export(context.layout, candidate, path, batch, Path(folder))
            measured = device.backend.measure(model, device.protocol)
        if measured.latency.valid:
            text = json.dumps(asdict(measured))
            context.cache.write(file, lambda p: p.write_text(text))
    return measured, False


def _graph_identity(layout: NetworkLayout, candidate: Candidate, path: PathName) -> dict[str, Any]:
    frame = (layout.in_channels, layout.classes, layout.stem_channels, layout.stem_stride)
    own = {"little": candidate.little, "router": candidate.router} if path == "easy" else {"big": candidate.big}
    return {
        "frame": [*frame, layout.channels, layout.strides],
        "resolution": candidate.resolution,
        **{k: [asdict(s) for s in v] if isinstance(v, tuple) else v for k, v in own.items()},
    }


def _export(layout: NetworkLayout, candidate: Candidate, path: PathName, batch: int, folder: Path) -> ExportedModel:
    network = build(layout, candidate)
    shape = (batch, layout.in_channels, candidate.resolution, candidate.resolution)
    if path == "easy":
        return export_easy(network, shape, folder / "easy.onnx")
    with torch.inference_mode():
        features = network.stem(torch.zeros(shape))
    return export_hard(network, tuple(features.shape), folder / "hard.onnx")


def _read(file: Path) -> Measurement | None:
    """A stored measurement; a damaged file counts as absent and is measured anew."""
    try:
        data = json.loads(file.read_text())
        latency, energy = data.pop("latency"), data.pop("energy")
        return Measurement(
            **data,
            latency=Latency(**latency | {"ci95_ms": tuple(latency["ci95_ms"])}),
            energy=None if energy is None else Energy(**energy | {"ci95_mj": tuple(energy["ci95_mj"])}),
        )
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
