"""Graphs of samples, by the exporter that trials use, with random weights: costs do not depend on weights."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from nasopt.evaluation.calibration.design import Sample
from nasopt.export import export_easy, export_hard
from nasopt.networks import MBConv, build
from nasopt.networks.geometry import reduced
from nasopt.records import ExportedModel


class _Single(nn.Module):
    """One inverted residual behind the interface that the exporter takes."""

    def __init__(self, block: MBConv) -> None:
        super().__init__()
        self.block = block

    def hard(self, features: Tensor) -> Tensor:
        """Features (n, inputs, h, w) -> features (n, outputs, h', w')."""
        y: Tensor = self.block(features)
        return y


def export_sample(sample: Sample, path: Path) -> ExportedModel:
    """Write the graph of a sample; PyTorch's generator is left as it was.

    Raises:
        ExportError: the file cannot be written.
    """
    layout, side = sample.layout, sample.candidate.resolution
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        if sample.part == "block":
            (block,) = sample.blocks()
            single = _Single(MBConv(block)).eval()
            return export_hard(single, (sample.batch, block.inputs, block.side, block.side), path)
        network = build(layout, sample.candidate)
    if sample.part == "easy":
        return export_easy(network, (sample.batch, layout.in_channels, side, side), path)
    side = reduced(side, layout.stem_stride)
    return export_hard(network, (sample.batch, layout.stem_channels, side, side), path)
