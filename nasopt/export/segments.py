"""Exporting a routed network: each path as a graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from nasopt.errors import ExportError
from nasopt.export.recording import record
from nasopt.export.translation import translate
from nasopt.graphs.model import save
from nasopt.records import ExportedModel


class Routed(Protocol):
    """What an exportable network offers; `nasopt.networks.RoutedNetwork` does."""

    def easy(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features (n, c, h, w), logits (n, classes) and score (n,) of images (n, channels, h, w)."""

    def hard(self, features: Tensor) -> Tensor:
        """Logits (n, classes) of the stem's features."""


def export_easy(network: nn.Module, shape: Sequence[int], path: Path) -> ExportedModel:
    """Export stem, little network and router.

    Input `image` (b, c, h, w); outputs `features` (b, c', h', w'), `logits` (b, classes), `score` (b,). The network is
    only read. `path` is written whole or not at all.

    Raises:
        ExportError: the network does not run on this shape or uses an operation without a translation.
    """
    return _export(network, _method(network, "easy"), shape, path, "image", ("features", "logits", "score"))


def export_hard(network: nn.Module, feature_shape: Sequence[int], path: Path) -> ExportedModel:
    """Export the big network: input `features` (b, c', h', w'), output `logits` (b, classes). See `export_easy`."""
    return _export(network, _method(network, "hard"), feature_shape, path, "features", ("logits",))


def _method(network: nn.Module, name: str) -> Callable[..., Any]:
    method = getattr(network, name, None)
    if not callable(method):
        raise ExportError(f"a {type(network).__name__} has no method {name!r}; expected a RoutedNetwork")
    return method


def _export(
    network: nn.Module,
    function: Callable[..., Any],
    shape: Sequence[int],
    path: Path,
    source: str,
    outputs: tuple[str, ...],
) -> ExportedModel:
    parameter = next(network.parameters(), None)
    device = parameter.device if parameter is not None else torch.device("cpu")
    example = torch.zeros(tuple(shape), device=device)
    recording = record(network, function, [example])
    if len(recording.outputs) != len(outputs):
        raise ExportError(f"expected outputs {', '.join(outputs)}, the network gives {len(recording.outputs)}")
    return save(translate(recording, network, [source], outputs), path)
