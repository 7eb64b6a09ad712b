"""The cost of one path on one device; independent of weights, so that an architecture is measured once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import torch

from nasopt.cache import Cache, content_key
from nasopt.evaluation.context import Device, EvaluationContext
from nasopt.export import export_easy, export_hard
from nasopt.hardware import device_lock, measure_all
from nasopt.models import build
from nasopt.records import Candidate, Energy, ExportedModel, Latency, Measurement, NetworkLayout

PathName = Literal["easy", "hard"]


@dataclass(frozen=True, slots=True)
class Graph:
    """One graph of a candidate: a path at a batch size."""

    path: PathName
    batch: int


@dataclass(frozen=True, slots=True)
class Obtained:
    """A measurement, and whether the cache had it."""

    measurement: Measurement
    cached: bool


def obtain_measurements(
    context: EvaluationContext, candidate: Candidate, device: Device, graphs: Sequence[Graph]
) -> dict[Graph, Obtained]:
    """The measurements of a candidate's graphs; those that no cache holds are taken in one interleaved run.

    A key holds what shapes the graph and how it is run, but no weights. A measurement whose reference drifted
    (`latency.valid` false) is used and marked, and never kept.

    Raises:
        MeasurementError: the backend refused its own reading.
    """
    files = {graph: _file(context, candidate, device, graph) for graph in graphs}
    found = {graph: Obtained(m, True) for graph in graphs if (m := _read(files[graph])) is not None}
    if len(found) == len(graphs):
        return found
    with TemporaryDirectory(prefix="nasopt-") as folder, device_lock(device.profile):
        # another process may have measured some of them while this one waited for the device
        found |= {g: Obtained(m, True) for g in graphs if g not in found and (m := _read(files[g])) is not None}
        missing = [g for g in graphs if g not in found]
        models = _export(context.layout, candidate, missing, Path(folder))
        taken = measure_all(device.backend, models, device.protocol) if models else []
    for graph, measured in zip(missing, taken, strict=True):
        found[graph] = Obtained(measured, False)
        if measured.latency.valid:
            _keep(context.cache, files[graph], measured)
    return found


def _file(context: EvaluationContext, candidate: Candidate, device: Device, graph: Graph) -> Path:
    key = content_key(
        graph=_graph_identity(context.layout, candidate, graph.path),
        batch=graph.batch,
        backend=device.backend.signature(),
        protocol=device.protocol,
    )
    return context.cache.path("measurements", key, ".json")


def _graph_identity(layout: NetworkLayout, candidate: Candidate, path: PathName) -> dict[str, Any]:
    frame = (layout.in_channels, layout.classes, layout.stem_channels, layout.stem_stride)
    own = {"little": candidate.little, "router": candidate.router} if path == "easy" else {"big": candidate.big}
    return {
        "frame": [*frame, layout.channels, layout.strides],
        "resolution": candidate.resolution,
        **{k: [asdict(s) for s in v] if isinstance(v, tuple) else v for k, v in own.items()},
    }


def _export(layout: NetworkLayout, candidate: Candidate, graphs: Sequence[Graph], folder: Path) -> list[ExportedModel]:
    """The graphs with fresh weights, which cost what trained ones cost; PyTorch's generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        network = build(layout, candidate)
    models = []
    for graph in graphs:
        file = folder / f"{graph.path}-{graph.batch}.onnx"
        shape = (graph.batch, layout.in_channels, candidate.resolution, candidate.resolution)
        if graph.path == "easy":
            models.append(export_easy(network, shape, file))
        else:
            with torch.inference_mode():
                features = network.stem(torch.zeros(shape))
            models.append(export_hard(network, tuple(features.shape), file))
    return models


def _keep(cache: Cache, file: Path, measured: Measurement) -> None:
    text = json.dumps(asdict(measured))
    cache.write(file, lambda scratch: scratch.write_text(text))


def _read(file: Path) -> Measurement | None:
    """A stored measurement; a damaged file counts as absent and is measured anew."""
    try:
        data = json.loads(file.read_text())
        latency, energy = data.pop("latency"), data.pop("energy")
        remarks = tuple(data.pop("remarks", ()))
        return Measurement(
            **data,
            remarks=remarks,
            latency=Latency(**latency | {"ci95_ms": tuple(latency["ci95_ms"])}),
            energy=None if energy is None else _energy(energy),
        )
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _energy(data: dict[str, Any]) -> Energy:
    intervals = {key: tuple(data[key]) for key in ("ci95_mj", "net_ci95_mj") if data.get(key) is not None}
    return Energy(**data | intervals)
