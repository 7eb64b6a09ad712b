"""A graph on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nasopt.records.candidate import Precision


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedModel:
    """An ONNX graph on disk with fixed input shapes."""

    path: Path
    inputs: tuple[tuple[str, tuple[int, ...]], ...]
    """Name and shape of each input, batch first."""
    structure: str
    """Hash of all that a cost may depend on, weights not among it: see `graphs.structure_hash`."""
    size_bytes: int
    precision: Precision = "fp32"
    """In what the graph computes; its inputs and outputs are float32 all the same."""

    @property
    def batch(self) -> int:
        """Number of inputs that one run handles."""
        return next((shape[0] for _, shape in self.inputs if shape), 1)
