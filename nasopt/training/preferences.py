"""A study's objectives as terms that have a gradient in the architecture, weighed by a preference."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from nasopt.networks.elastic import Head
from nasopt.records.metrics import METRICS, split_metric
from nasopt.training.block_costs import RoleTable
from nasopt.training.relaxation import Mixture

Paths: TypeAlias = Literal["expected", "easy", "both"]

_COSTS: dict[str, tuple[str, Paths]] = {
    "latency_ms": ("latency_ms", "expected"),
    "latency_p90_ms": ("latency_ms", "both"),
    "latency_worst_ms": ("latency_ms", "both"),
    "throughput": ("latency_ms", "expected"),
    "energy_mj": ("energy_mj", "expected"),
    "macs": ("macs", "expected"),
    "macs_easy": ("macs", "easy"),
    "macs_hard": ("macs", "both"),
    "params": ("params", "both"),
    "model_size_mb": ("params", "both"),
    "peak_memory_mb": ("params", "both"),
}
"""Figure of the blocks that stands for a metric, and the paths that it is summed over."""
_PLAIN = {"latency_ms", "latency_worst_ms", "energy_mj", "macs", "macs_easy", "macs_hard", "params"}
EXIT_WIDTH = 0.03
"""Softness of the comparison of a score with a threshold, in score."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaxedObjective:
    """How the relaxation sees one objective."""

    metric: str
    figure: str | None
    """Figure of the blocks; None for the loss or the exit rate."""
    paths: Paths = "expected"
    stand_in: str | None = None
    """What stands for the metric, where it is not the metric itself."""


def relaxed_objective(metric: str, figures: Sequence[str]) -> RelaxedObjective:
    """The objective as the relaxation sees it, given the figures that the device's predictor offers for a block."""
    base, _ = split_metric(metric)
    if base not in _COSTS:
        said = None if base == "exit_rate" else "cross-entropy of the routed prediction"
        return RelaxedObjective(metric=metric, figure=None, stand_in=said)
    figure, paths = _COSTS[base]
    said = None if base in _PLAIN else f"{paths} {figure}"
    if figure not in figures:
        figure = "macs"
        said = f"{paths} multiply-accumulates: this device has no predictor that needs no measurement"
    return RelaxedObjective(metric=metric, figure=figure, paths=paths, stand_in=said)


def preferences(objectives: int, divisions: int) -> tuple[tuple[float, ...], ...]:
    """A lattice of preferences inside the simplex: no weight is 0. Rows sum to 1.

    The simplex lattice of so many divisions [Das1998], shrunk towards its centre: (k + 1/m) / (divisions + 1).
    """
    rows = [k for k in itertools.product(range(divisions + 1), repeat=objectives) if sum(k) == divisions]
    return tuple(tuple((k + 1 / objectives) / (divisions + 1) for k in row) for row in sorted(rows, reverse=True))


def exit_shares(little: Tensor, taus: Tensor) -> Tensor:
    """Probability (n,) that each input leaves at the little network of logits (n, classes), tau drawn from `taus`.

    The score is the little network's confidence, also where the space has other routers.
    """
    confidence = little.softmax(1).amax(1)
    return torch.sigmoid((confidence[:, None] - taus[None, :]) / EXIT_WIDTH).mean(1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairTerms:
    """The objectives of a relaxed pair, all to be minimised."""

    objectives: tuple[RelaxedObjective, ...]
    tables: Mapping[str, Mapping[Head, RoleTable]]
    """By figure and role."""
    taus: tuple[float, ...]
    """Thresholds that the space may draw; the expectation is over them."""

    def of(self, logits: Mapping[Head, Tensor], labels: Tensor, mixtures: Mapping[Head, Mixture]) -> Tensor:
        """Terms (objectives,) from both roles' logits (n, classes), labels (n,) and the mixtures that costs are of."""
        little = logits["little"]
        exits = exit_shares(little, torch.tensor(self.taus, device=little.device))
        rate = exits.mean()
        losses = [functional.cross_entropy(logits[role], labels, reduction="none") for role in ("little", "big")]
        loss = (exits * losses[0] + (1 - exits) * losses[1]).mean()
        return torch.stack([self._term(o, loss, rate, mixtures).to(loss.device) for o in self.objectives])

    def _term(
        self, objective: RelaxedObjective, loss: Tensor, rate: Tensor, mixtures: Mapping[Head, Mixture]
    ) -> Tensor:
        if objective.figure is None:
            return -rate if split_metric(objective.metric)[0] == "exit_rate" else loss
        table = self.tables[objective.figure]
        easy = table["little"].expected(mixtures["little"])
        if objective.paths == "easy":
            return easy
        hard = table["big"].expected(mixtures["big"])
        return easy + hard * (1.0 if objective.paths == "both" else 1 - rate.cpu())


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Ranges that bring all terms to 0 for the better and 1 for the worse of the smallest and the largest pair."""

    low: tuple[float, ...]
    span: tuple[float, ...]

    @classmethod
    def between(cls, first: Tensor, second: Tensor) -> Scale:
        """From the terms (objectives,) of two pairs; a term that both share keeps its unit."""
        low, high = torch.minimum(first, second), torch.maximum(first, second)
        span = torch.where(high - low > 1e-6, high - low, torch.ones_like(low))
        return cls(low=tuple(low.tolist()), span=tuple(span.tolist()))

    def weigh(self, terms: Tensor, preference: Tensor) -> Tensor:
        """The preference's (objectives,) weighted sum of the scaled terms."""
        low, span = terms.new_tensor(self.low), terms.new_tensor(self.span)
        return (preference.to(terms.device) * (terms - low) / span).sum()


def against_nature(metric: str, direction: str) -> bool:
    """Whether a study optimises this metric in the direction that the relaxation does not."""
    return METRICS[split_metric(metric)[0]].direction != direction
