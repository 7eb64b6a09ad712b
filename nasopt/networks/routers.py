"""Routers: (logits (n, classes), pooled features (n, d)) of the little network -> score (n,) in [0, 1].

A score is the router's belief that the big network would not help; an input leaves when it is at least tau.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nasopt.records import RouterKind

LEARNED_HIDDEN = 16
DIFFICULTY_HIDDEN = 8
STATISTICS = 8
"""Number of statistics that the difficulty router reads."""


class ConfidenceRouter(nn.Module):
    """The largest softmax probability; has no parameters."""

    def forward(self, logits: Tensor, pooled: Tensor) -> Tensor:
        """Logits (n, classes) -> score (n,); the pooled features are not read."""
        return logits.softmax(1).amax(1)


class FittedRouter(nn.Module):
    """A two-layer perceptron over standardised inputs; the part that learned and difficulty routers share."""

    mean: Tensor
    scale: Tensor

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("scale", torch.ones(inputs))
        self.layers = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def describe(self, logits: Tensor, pooled: Tensor) -> Tensor:
        """Raw inputs (n, inputs) of the perceptron."""
        raise NotImplementedError

    def decide(self, logits: Tensor, pooled: Tensor) -> Tensor:
        """Log-odds (n,) that the input may leave."""
        return self.layers((self.describe(logits, pooled) - self.mean) * self.scale).squeeze(1)

    def forward(self, logits: Tensor, pooled: Tensor) -> Tensor:
        """Logits (n, classes) and pooled features (n, d) -> score (n,)."""
        return self.decide(logits, pooled).sigmoid()

    @torch.no_grad()
    def standardise(self, logits: Tensor, pooled: Tensor) -> None:
        """Take mean and scale of the inputs from these examples."""
        raw = self.describe(logits, pooled)
        self.get_buffer("mean").copy_(raw.mean(0))
        self.get_buffer("scale").copy_(1.0 / raw.std(0, correction=0).clamp_min(1e-3))


class LearnedRouter(FittedRouter):
    """Reads the little network's pooled features."""

    def __init__(self, features: int) -> None:
        super().__init__(features, LEARNED_HIDDEN)

    def describe(self, logits: Tensor, pooled: Tensor) -> Tensor:
        """The pooled features (n, d) themselves."""
        return pooled


class DifficultyRouter(FittedRouter):
    """Reads statistics that tell how hard an input is: of the prediction and of the features behind it."""

    def __init__(self) -> None:
        super().__init__(STATISTICS, DIFFICULTY_HIDDEN)

    def describe(self, logits: Tensor, pooled: Tensor) -> Tensor:
        """Statistics (n, 8).

        Largest probability, its lead over the second, entropy in nats, the logits' lead, log-sum-exp and standard
        deviation, and mean and standard deviation over the pooled features.
        """
        probability = logits.softmax(1)
        top, top_logits = probability.topk(2, dim=1).values, logits.topk(2, dim=1).values
        entropy = -(probability * probability.clamp_min(1e-8).log()).sum(1)
        spread = _deviation(logits)
        energy = logits.logsumexp(1)
        return torch.stack(
            [
                top[:, 0],
                top[:, 0] - top[:, 1],
                entropy,
                top_logits[:, 0] - top_logits[:, 1],
                energy,
                spread,
                pooled.mean(1),
                _deviation(pooled),
            ],
            dim=1,
        )


def _deviation(x: Tensor) -> Tensor:
    centred = x - x.mean(1, keepdim=True)
    return (centred * centred).mean(1).add(1e-8).sqrt()


def make_router(kind: RouterKind, features: int) -> nn.Module:
    """A fresh router of this kind for a little network with `features` pooled features."""
    if kind == "confidence":
        return ConfidenceRouter()
    if kind == "learned":
        return LearnedRouter(features)
    return DifficultyRouter()
