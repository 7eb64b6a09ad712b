"""A candidate's pair: trained, exported and checked once, then found again for every other threshold."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from nasopt.cache import Cache
from nasopt.errors import CacheError, DivergedError
from nasopt.evaluation.context import EvaluationContext
from nasopt.export import Parity, check_parity, compose_routed, export_easy, export_hard
from nasopt.networks import RoutedNetwork, build
from nasopt.networks.elastic import centre
from nasopt.records import Candidate, NetworkLayout
from nasopt.training import CotrainProgress, Predictions, cotrain, pair_key, predict
from nasopt.training.checkpoint import Checkpoint, checksum, load_state, save_state

PARITY_IMAGES = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedPair:
    """What stays of a pair after training and export."""

    weights: Path
    """Weights of the routed network; the metadata holds candidate and layout."""
    predictions: Predictions
    """On the validation split."""
    facts: Mapping[str, Any]
    """Seconds by phase, size of the routed graph in bytes, parity."""
    cached: bool


def obtain_pair(
    context: EvaluationContext, candidate: Candidate, progress: Callable[[CotrainProgress], None] = lambda _: None
) -> TrainedPair:
    """The candidate's pair from the cache, or trained, exported, checked and put there.

    A co-training that was killed goes on from its checkpoint, which lies beside the pair until that is stored.

    Raises:
        DivergedError: training met a loss that is not finite.
        ParityError: the exported graph computes something else.
    """
    key = pair_key(context.trained.key, candidate, context.training, context.seed)
    weights = context.cache.path("pairs", key, ".safetensors")
    predictions = context.cache.path("pairs", key, ".predictions.safetensors")
    with context.cache.lock("pairs", key):
        found = _read(weights, predictions)
        if found is not None:
            return found
        checkpoint = Checkpoint(cache=context.cache, path=context.cache.path("pairs", key, ".partial.safetensors"))
        network, facts = _make(context, candidate, checkpoint, progress)
        started = time.perf_counter()
        predicted = predict(network, context.data.validation.images, context.data, candidate.resolution)
        facts["seconds"]["evaluate"] = time.perf_counter() - started
        save_network(context.cache, weights, network, candidate, context.layout)
        tensors = {name: torch.from_numpy(getattr(predicted, name)) for name in ("little", "big", "scores")}
        save_state(context.cache, predictions, tensors, facts)
        checkpoint.remove()
    return TrainedPair(weights=weights, predictions=predicted, facts=facts, cached=False)


def save_network(cache: Cache, path: Path, network: RoutedNetwork, candidate: Candidate, layout: NetworkLayout) -> None:
    """Write a network so that `load_network` can rebuild it from the file alone."""
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    metadata = {
        "candidate": json.dumps(asdict(candidate)),
        "layout": json.dumps(asdict(layout)),
        "checksum": str(checksum(state)),
    }
    cache.write(path, lambda p: save_file(state, p, metadata=metadata))


def load_network(path: Path) -> tuple[RoutedNetwork, Candidate]:
    """Rebuild a routed network, in evaluation mode, from a file that `save_network` wrote.

    Raises:
        CacheError: the file is missing, damaged or of another make.
    """
    try:
        metadata, state = _read_weights(path)
        candidate = Candidate.from_json(json.loads(metadata["candidate"]))
        network = build(NetworkLayout.from_json(json.loads(metadata["layout"])), candidate)
        network.load_state_dict(_cropped(state, network))
    except (OSError, SafetensorError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise CacheError(
            f"cannot restore a network from {path}: {str(error).splitlines()[0]}; bring back a whole copy, or run the "
            "study under another name"
        ) from error
    return network.eval(), candidate


def _cropped(state: Mapping[str, Tensor], network: RoutedNetwork) -> dict[str, Tensor]:
    """The state with kernels as wide as the network's: earlier versions stored whole kernels, whose rim never acts."""
    sides = {name: t.shape[-1] for name, t in network.state_dict().items() if name.endswith("depthwise.weight")}
    return {
        name: centre(t, sides[name]).contiguous() if name in sides and t.shape[-1] > sides[name] else t
        for name, t in state.items()
    }


def _read(weights: Path, predictions: Path) -> TrainedPair | None:
    """A complete pair of files; damaged ones count as absent and are written anew."""
    loaded = load_state(predictions)
    if loaded is None or not _readable(weights):
        return None
    tensors, facts = loaded
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    return TrainedPair(weights=weights, predictions=Predictions(**arrays), facts=facts, cached=True)


def _readable(weights: Path) -> bool:
    try:
        _read_weights(weights)
    except (OSError, SafetensorError, ValueError):
        return False
    return True


def _read_weights(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
    state = load_file(path)
    if "checksum" in metadata and int(metadata["checksum"]) != checksum(state):
        raise ValueError("its checksum does not match")
    return metadata, state


def _make(
    context: EvaluationContext,
    candidate: Candidate,
    checkpoint: Checkpoint,
    progress: Callable[[CotrainProgress], None],
) -> tuple[RoutedNetwork, dict[str, Any]]:
    started = time.perf_counter()
    try:
        network = cotrain(
            context.trained,
            candidate,
            context.data,
            context.training,
            seed=context.seed,
            checkpoint=checkpoint,
            progress=progress,
        )
    except DivergedError:
        checkpoint.remove()
        raise
    trained = time.perf_counter()
    with TemporaryDirectory(prefix="nasopt-") as folder:
        size, parity = _export(context, candidate, network, Path(folder))
    exported = time.perf_counter()
    facts = {
        "seconds": {"train": checkpoint.spent_s + trained - started, "export": exported - trained},
        "size_bytes": size,
        "parity": asdict(parity),
    }
    return network, facts


def _export(
    context: EvaluationContext, candidate: Candidate, network: RoutedNetwork, folder: Path
) -> tuple[int, Parity]:
    """Export all three graphs at batch 1 and hold them against PyTorch on validation images."""
    side = candidate.resolution
    images = context.data.prepare(context.data.validation.images[:PARITY_IMAGES], side)
    with torch.inference_mode():
        features, _, _ = network.easy(images[:1])
    easy = export_easy(network, tuple(images[:1].shape), folder / "easy.onnx")
    hard = export_hard(network, tuple(features.shape), folder / "hard.onnx")
    routed = compose_routed(easy, hard, folder / "routed.onnx", candidate.tau)
    parity = check_parity(network, easy, hard, routed, images)
    return routed.size_bytes, parity
