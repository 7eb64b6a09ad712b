"""A pair as it is deployed: below fp32 its graphs are converted, and a trial is scored on what these answer."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnxruntime
import torch

from nasopt.cache import content_key
from nasopt.data import ImageData
from nasopt.errors import CacheError, ExportError
from nasopt.evaluation.context import EvaluationContext
from nasopt.evaluation.pairs import PARITY_IMAGES, TrainedPair, load_network
from nasopt.export import (
    Runner,
    check_assembled,
    compose_routed,
    describe,
    export_easy,
    export_hard,
    observe_ranges,
    to_fp16,
    to_int8,
)
from nasopt.networks import RoutedNetwork
from nasopt.records import ArtifactNames, Candidate, ExportedModel
from nasopt.training import Predictions
from nasopt.training.checkpoint import load_state, save_state

RECIPE = 1
"""Raised whenever this module converts differently from the same settings."""
KIND = "converted"
"""Folder of the cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredPair:
    """What a trial's quality and size are taken from."""

    predictions: Predictions
    """Of the deployed graphs, on the validation split."""
    size_bytes: int
    """Of the routed graph."""
    files: Mapping[str, Path] = field(default_factory=dict)
    """The converted graphs by artifact name; none at fp32, where the weights say it all."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """How it was converted; empty at fp32."""
    seconds: float = 0.0
    cached: bool = True


def obtain_scored(context: EvaluationContext, candidate: Candidate, pair: TrainedPair) -> ScoredPair:
    """The pair in the candidate's precision: at fp32 as it was checked against PyTorch, else converted and run.

    Conversions are kept by weights, precision and settings; no threshold converts anew.

    Raises:
        ExportError: the pair does not convert, or its logits are not finite any more.
    """
    if candidate.precision == "fp32":
        return ScoredPair(predictions=pair.predictions, size_bytes=pair.facts["size_bytes"])
    key = _key(context, candidate, pair)
    files = {name: context.cache.path(KIND, key, f".{name}") for name in (ArtifactNames.EASY, ArtifactNames.HARD)}
    answers = context.cache.path(KIND, key, ".predictions.safetensors")
    with context.cache.lock(KIND, key):
        if (found := _read(answers, files)) is not None:
            return found
        started = time.perf_counter()
        with TemporaryDirectory(prefix="nasopt-") as folder:
            easy, hard, size = _convert(context, candidate, pair, Path(folder))
            predicted = predict_graphs(easy, hard, context.data.validation.images, context.data)
            _check_finite(predicted, candidate)
            for name, model in ((ArtifactNames.EASY, easy), (ArtifactNames.HARD, hard)):
                data = model.path.read_bytes()
                context.cache.write(files[name], lambda p, data=data: p.write_bytes(data))  # type: ignore[misc]
        facts = _settings(context, candidate) | {
            "size_bytes": size,
            "seconds": time.perf_counter() - started,
            "agreement": _agreement(predicted, pair.predictions),
            "checksums": _checksums(files),
        }
        tensors = {name: torch.from_numpy(getattr(predicted, name)) for name in ("little", "big", "scores")}
        save_state(context.cache, answers, tensors, facts)
    return _scored(predicted, files, facts, cached=False)


def predict_graphs(
    easy: ExportedModel, hard: ExportedModel, images: torch.Tensor, data: ImageData, *, optimized: bool = True
) -> Predictions:
    """Run both paths' graphs on uint8 images (n, c, h, w), resized and normalised as `data` is.

    Without `optimized` the runtime computes node by node what the graphs say.

    The graphs are of batch 1, as they are deployed. Batches are no faster, since their activations leave the cache: an
    image of 32x32 took a big path 0.14 ms at batch 1 and 0.40 ms at batch 16 on one core.
    """
    first, second = Runner(easy, optimized=optimized), Runner(hard, optimized=optimized)
    parts = []
    for batch in data.batches(images, easy.inputs[0][1][-1]):
        features, little, scores = first(np.ascontiguousarray(batch.numpy()))
        parts.append((little, second(features)[0], scores))
    little, big, scores = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Predictions(little=little, big=big, scores=scores)


def stored_graphs(
    files: Mapping[str, Path], candidate: Candidate, shape: tuple[int, ...], folder: Path
) -> tuple[ExportedModel, ExportedModel]:
    """Both paths of a stored network as they were scored: below fp32 the stored graphs, else exported into `folder`.

    Args:
        files: the artifacts of the trial, by name.
        candidate: the trial's.
        shape: of the input, batch first.
        folder: for what is exported.

    Raises:
        CacheError: weights or graphs are missing or cannot be restored.
    """
    if candidate.precision == "fp32":
        network, _ = load_network(_present(files, ArtifactNames.WEIGHTS, candidate))
        return _export(network, shape, folder)
    return (
        describe(_present(files, ArtifactNames.EASY, candidate)),
        describe(_present(files, ArtifactNames.HARD, candidate)),
    )


def _present(files: Mapping[str, Path], name: str, candidate: Candidate) -> Path:
    if name not in files:
        raise CacheError(f"{name} of a network in {candidate.precision} is missing; bring the artifacts back")
    return files[name]


def _key(context: EvaluationContext, candidate: Candidate, pair: TrainedPair) -> str:
    return content_key(recipe=RECIPE, pair=pair.weights.stem, settings=_settings(context, candidate))


def _settings(context: EvaluationContext, candidate: Candidate) -> dict[str, Any]:
    """What a conversion depends on beside the weights, as JSON values."""
    options = context.training.quantization
    acting = {"seed": context.seed, **options.model_dump()} if candidate.precision == "int8" else {}
    return {"precision": candidate.precision, "runtime": f"onnxruntime {onnxruntime.__version__}", **acting}


def _convert(
    context: EvaluationContext, candidate: Candidate, pair: TrainedPair, folder: Path
) -> tuple[ExportedModel, ExportedModel, int]:
    """Both paths at batch 1 in the candidate's precision, and the size in bytes of the graph that routes them."""
    network, _ = load_network(pair.weights)
    images = _calibration_images(context, candidate)
    easy, hard = _export(network, tuple(images[:1].shape), folder)
    options = context.training.quantization
    if candidate.precision == "fp16":
        converted = to_fp16(easy, folder / ArtifactNames.EASY), to_fp16(hard, folder / ArtifactNames.HARD)
    else:
        features = Runner(easy)(images)[0]
        converted = (
            to_int8(easy, observe_ranges(easy, images, options), folder / ArtifactNames.EASY, options),
            to_int8(hard, observe_ranges(hard, features, options), folder / ArtifactNames.HARD, options),
        )
    routed = compose_routed(*converted, folder / "routed.onnx", candidate.tau)
    seen = context.data.prepare(context.data.validation.images[:PARITY_IMAGES], candidate.resolution)
    check_assembled(*converted, routed, np.ascontiguousarray(seen.numpy()))
    return *converted, routed.size_bytes


def _export(network: RoutedNetwork, shape: tuple[int, ...], folder: Path) -> tuple[ExportedModel, ExportedModel]:
    with torch.inference_mode():
        features = network.stem(torch.zeros(shape))
    easy = export_easy(network, shape, folder / "easy-fp32.onnx")
    return easy, export_hard(network, tuple(features.shape), folder / "hard-fp32.onnx")


def _calibration_images(context: EvaluationContext, candidate: Candidate) -> np.ndarray:
    """Training images (n, c, h, w), prepared and not distorted: no other split may shape the network."""
    held, wanted = len(context.data.train), context.training.quantization.images
    draw = np.random.default_rng([context.seed, 11])
    index = np.sort(draw.choice(held, size=min(wanted, held), replace=False))
    chosen = context.data.train.images[torch.from_numpy(index)]
    return np.ascontiguousarray(context.data.prepare(chosen, candidate.resolution).numpy())


def _check_finite(predicted: Predictions, candidate: Candidate) -> None:
    for name in ("little", "big", "scores"):
        if not np.isfinite(getattr(predicted, name)).all():
            raise ExportError(
                f"in {candidate.precision} the network's {name} values are not finite on validation images: its "
                "activations leave the range of the numbers; search it in another precision"
            )


def _agreement(converted: Predictions, original: Predictions) -> dict[str, float]:
    """Share of validation images on which each head names the class that it named in fp32."""
    return {
        name: float((getattr(converted, name).argmax(1) == getattr(original, name).argmax(1)).mean())
        for name in ("little", "big")
    }


def _checksums(files: Mapping[str, Path]) -> dict[str, str]:
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}


def _read(answers: Path, files: Mapping[str, Path]) -> ScoredPair | None:
    """A complete conversion; one with a damaged file counts as absent and is made anew."""
    loaded = load_state(answers)
    if loaded is None:
        return None
    tensors, facts = loaded
    try:
        if _checksums(files) != facts["checksums"]:
            return None
    except OSError:
        return None
    predicted = Predictions(**{name: tensor.numpy() for name, tensor in tensors.items()})
    return _scored(predicted, files, facts, cached=True)


def _scored(predicted: Predictions, files: Mapping[str, Path], facts: Mapping[str, Any], *, cached: bool) -> ScoredPair:
    kept = {k: v for k, v in facts.items() if k not in ("checksums", "seconds", "size_bytes")}
    return ScoredPair(
        predictions=predicted,
        size_bytes=facts["size_bytes"],
        files=files,
        facts=kept,
        seconds=facts["seconds"],
        cached=cached,
    )
