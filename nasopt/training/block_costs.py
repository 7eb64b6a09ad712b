"""What the blocks of a supernet cost on a device, in tables, so that an expected cost has a gradient."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nasopt.graphs.work import GraphCost, NodeCost
from nasopt.networks.counts import count_block
from nasopt.networks.elastic import Head
from nasopt.networks.geometry import BlockPlan, cropped, reduced, stem_side
from nasopt.records import NetworkLayout
from nasopt.training.relaxation import Mixture, RoleChoices, stage_channels

Predictor = Callable[[GraphCost], Mapping[str, float]]
"""Figures by name (`latency_ms`, `energy_mj`) of a graph that is only counted."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StageTable:
    """Costs of the blocks of one stage of one role."""

    first: Tensor
    """(input channels, width, kernel, expansion) of the first block."""
    later: Tensor
    """(width, kernel, expansion) of every other block."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RoleTable:
    """Costs of one role behind the stem, for one figure."""

    stages: tuple[StageTable, ...]
    head: Tensor
    """(width of the last stage,) of pooling and classifier."""
    depths: tuple[int, ...]

    def expected(self, mixture: Mixture) -> Tensor:
        """E[cost] (scalar) where every stage and axis is drawn by itself: exact, and linear in each of its weights.

        Computed on the CPU, wherever the mixture is.
        """
        mixture = {axis: weights.cpu() for axis, weights in mixture.items()}
        before = torch.ones(1)
        total = torch.zeros(())
        for number, table in enumerate(self.stages):
            width, kernel, expansion, depth = (
                mixture[axis][number] for axis in ("width", "kernel", "expansion", "depth")
            )
            total = total + torch.einsum("iwke,i,w,k,e->", table.first, before, width, kernel, expansion)
            extra = torch.tensor([d - 1.0 for d in self.depths]) @ depth
            total = total + extra * torch.einsum("wke,w,k,e->", table.later, width, kernel, expansion)
            before = width
        return total + self.head @ before


def block_nodes(block: BlockPlan) -> tuple[NodeCost, ...]:
    """The three convolutions that a block is exported to, BatchNorm and activations folded in."""
    side, after = block.side, reduced(block.side, block.stride)
    return (
        _convolution(block.inputs, block.hidden, 1, side, side, 1),
        _convolution(block.hidden, block.hidden, block.kernel, side, after, block.hidden),
        _convolution(block.hidden, block.outputs, 1, after, after, 1),
    )


def head_nodes(features: int, classes: int, side: int) -> tuple[NodeCost, ...]:
    """Global average pooling and the linear classifier."""
    pixels = features * side**2
    return (
        NodeCost(op="GlobalAveragePool", operations=float(pixels), elements=float(pixels + features)),
        NodeCost(
            op="Gemm",
            operations=2.0 * features * classes,
            elements=float(features + features * classes + 2 * classes),
        ),
    )


def _convolution(inputs: int, outputs: int, kernel: int, side: int, after: int, groups: int) -> NodeCost:
    weights = outputs * (inputs // groups) * kernel**2
    return NodeCost(
        op="Conv",
        operations=2.0 * weights * after**2,
        elements=float(inputs * side**2 + weights + outputs + outputs * after**2),
    )


def tabulate(
    layout: NetworkLayout, choices: Mapping[Head, RoleChoices], resolution: int, predictor: Predictor | None
) -> dict[str, dict[Head, RoleTable]]:
    """Tables of every figure by role: `macs` and `params` always, and what the device's predictor says of a block.

    The predictor is asked for each block by itself; what it says of an empty graph is taken off.
    """

    def figures(nodes: Sequence[NodeCost], macs: float, params: float) -> dict[str, float]:
        found = {"macs": macs, "params": params}
        if predictor is not None:
            empty = predictor(GraphCost(nodes=(), weights=0, peak_activations=0))
            whole = predictor(GraphCost(nodes=tuple(nodes), weights=0, peak_activations=0))
            found |= {name: whole[name] - empty[name] for name in whole}
        return found

    tables: dict[str, dict[Head, RoleTable]] = {}
    for role, offered in choices.items():
        for name, table in _role_tables(layout, offered, resolution, figures).items():
            tables.setdefault(name, {})[role] = table
    return tables


_Figures = Callable[[Sequence[NodeCost], float, float], dict[str, float]]


def _role_tables(
    layout: NetworkLayout, offered: RoleChoices, resolution: int, figures: _Figures
) -> dict[str, RoleTable]:
    side = stem_side(layout, resolution)
    before: tuple[int, ...] = (layout.stem_channels,)
    stages: list[tuple[dict[str, Tensor], dict[str, Tensor]]] = []
    for stage, stride in enumerate(layout.strides):
        outputs = stage_channels(layout, offered, stage)
        after = reduced(side, stride)

        def cost(inputs: int, output: int, kernel: int, expansion: int, at: int, step: int) -> dict[str, float]:
            hidden, runs = inputs * expansion, cropped(kernel, at)
            block = BlockPlan(0, 0, inputs, hidden, output, runs, step, side=at, chosen=kernel)
            return figures(block_nodes(block), *count_block(block))

        first = [
            cost(i, o, k, e, side, stride)
            for i, o, k, e in itertools.product(before, outputs, offered.kernel, offered.expansion)
        ]
        later = [
            cost(o, o, k, e, after, 1) for o, k, e in itertools.product(outputs, offered.kernel, offered.expansion)
        ]
        shape = (len(outputs), len(offered.kernel), len(offered.expansion))
        stages.append((_tensors(first, (len(before), *shape)), _tensors(later, shape)))
        before, side = outputs, after
    heads = [figures(head_nodes(c, layout.classes, side), c * layout.classes, (c + 1) * layout.classes) for c in before]
    head = _tensors(heads, (len(before),))
    return {
        name: RoleTable(
            stages=tuple(StageTable(first=f[name], later=x[name]) for f, x in stages),
            head=head[name],
            depths=offered.depth,
        )
        for name in head
    }


def _tensors(entries: Sequence[Mapping[str, float]], shape: tuple[int, ...]) -> dict[str, Tensor]:
    return {n: torch.tensor([e[n] for e in entries], dtype=torch.float32).view(shape) for n in entries[0]}
