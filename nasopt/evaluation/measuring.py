"""The cost of one path on one device; independent of weights, so that an architecture is measured once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import torch

from nasopt.cache import Cache, content_key
from nasopt.evaluation.context import CostContext, Device
from nasopt.export import export_easy, export_hard, observe_ranges, to_fp16, to_int8
from nasopt.hardware import device_lock, measure_all
from nasopt.networks import RoutedNetwork, build, plan
from nasopt.networks.geometry import stem_side
from nasopt.records import Candidate, Energy, ExportedModel, Latency, Measurement, NetworkLayout
from nasopt.spec.training import QuantizationSpec

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
    context: CostContext, candidate: Candidate, device: Device, graphs: Sequence[Graph]
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
        models = _export(context, candidate, missing, Path(folder))
        taken = measure_all(device.backend, models, device.protocol) if models else []
    for graph, measured in zip(missing, taken, strict=True):
        found[graph] = Obtained(measured, False)
        if measured.latency.valid:
            _keep(context.cache, files[graph], measured)
    return found


def _file(context: CostContext, candidate: Candidate, device: Device, graph: Graph) -> Path:
    key = content_key(
        graph=_graph_identity(context, candidate, graph.path),
        batch=graph.batch,
        backend=device.backend.signature(),
        protocol=device.protocol,
        figures="calibrated",  # what older versions kept has none
    )
    return context.cache.path("measurements", key, ".json")


def _graph_identity(context: CostContext, candidate: Candidate, path: PathName) -> dict[str, Any]:
    layout, quantization = context.layout, context.training.quantization
    architecture = candidate.little if path == "easy" else candidate.big
    blocks = plan(layout, architecture, stem_side(layout, candidate.resolution))
    return {
        "path": path,
        "frame": [layout.in_channels, layout.classes, layout.stem_channels, layout.stem_stride],
        "resolution": candidate.resolution,
        "blocks": [[b.inputs, b.hidden, b.outputs, b.kernel, b.stride, b.residual] for b in blocks],
        "router": candidate.router if path == "easy" else None,
        **_numbers(candidate, quantization),
    }


def _numbers(candidate: Candidate, options: QuantizationSpec) -> dict[str, Any]:
    """The precision below fp32, and what of its settings shapes a graph: ranges are values, and cost nothing."""
    if candidate.precision != "int8":
        return {} if candidate.precision == "fp32" else {"precision": candidate.precision}
    return {"precision": "int8", "activations": options.activations, "per_channel": options.per_channel}


def _export(context: CostContext, candidate: Candidate, graphs: Sequence[Graph], folder: Path) -> list[ExportedModel]:
    """The graphs with fresh weights, which cost what trained ones cost; PyTorch's generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        network = build(context.layout, candidate)
    made = {graph: _export_path(network, context.layout, candidate, graph, folder) for graph in graphs}
    if candidate.precision == "fp16":
        return [to_fp16(m, m.path.with_suffix(".fp16.onnx")) for m in made.values()]
    if candidate.precision == "int8":
        return _quantized(made, context.training.quantization)
    return list(made.values())


def _export_path(
    network: RoutedNetwork, layout: NetworkLayout, candidate: Candidate, graph: Graph, folder: Path
) -> ExportedModel:
    file = folder / f"{graph.path}-{graph.batch}.onnx"
    shape = (graph.batch, layout.in_channels, candidate.resolution, candidate.resolution)
    if graph.path == "easy":
        return export_easy(network, shape, file)
    with torch.inference_mode():
        features = network.stem(torch.zeros(shape))
    return export_hard(network, tuple(features.shape), file)


def _quantized(made: Mapping[Graph, ExportedModel], options: QuantizationSpec) -> list[ExportedModel]:
    """In int8, over the ranges that one batch of noise brings about: a path's are the same at every batch size."""
    noise, ranges, converted = np.random.default_rng(0), {}, []
    for graph, model in sorted(made.items(), key=lambda item: item[0].batch):
        if graph.path not in ranges:
            images = noise.standard_normal(model.inputs[0][1]).astype(np.float32)
            ranges[graph.path] = observe_ranges(model, images, options)
    for graph, model in made.items():
        converted.append(to_int8(model, ranges[graph.path], model.path.with_suffix(".int8.onnx"), options))
    return converted


def _keep(cache: Cache, file: Path, measured: Measurement) -> None:
    text = json.dumps(asdict(measured))
    cache.write(file, lambda scratch: scratch.write_text(text))


def _read(file: Path) -> Measurement | None:
    """A stored measurement; a damaged file counts as absent and is measured anew."""
    try:
        return restored(json.loads(file.read_text()))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


_LATENCY_INTERVALS = ("ci95_ms", "ratio_ci95", "processor_ratio_ci95", "calibrated_ci95_ms")


def restored(data: dict[str, Any]) -> Measurement:
    """A measurement from its JSON values, as `dataclasses.asdict` gives them.

    Raises:
        KeyError, TypeError: they are no measurement of this version.
    """
    latency, energy = data["latency"], data["energy"]
    return Measurement(
        **data
        | {
            "remarks": tuple(data.get("remarks", ())),
            "latency": Latency(**latency | _intervals(latency, *_LATENCY_INTERVALS)),
            "energy": None if energy is None else Energy(**energy | _intervals(energy, "ci95_mj", "net_ci95_mj")),
        }
    )


def _intervals(data: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: tuple(data[key]) for key in keys if data.get(key) is not None}
