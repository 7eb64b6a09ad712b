"""Covariance of architectures: what each choice adds by itself, and how choices act together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from gpytorch.kernels import Kernel
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelParameters:
    """Hyperparameters of `ArchitectureKernel`; tensors of positive doubles."""

    scales: Tensor
    """Length-scales (d,)."""
    shares: Tensor
    """Weights (d,) of the parameters in the sum."""
    outer: Tensor
    """(2,): variance of the sum, variance of what acts together."""


class Features:
    """Rows (..., d) of choices' indices and numbers in 0..1 as one-hot and numeric features (..., D)."""

    def __init__(self, levels: Sequence[int | None]) -> None:
        """`levels` holds the number of names of each choice, None for a number."""
        self.levels = tuple(levels)
        owner = [i for i, count in enumerate(self.levels) for _ in range(count or 1)]
        self.owner = torch.tensor(owner)
        self.number = torch.tensor([self.levels[i] is None for i in owner])
        # squared distances of one-hot features are 2 where names differ
        self._unit = torch.where(self.number, 1.0, 2.0**-0.5).double()
        self._names = torch.cat([torch.arange(count or 1) for count in self.levels]).double()

    def of(self, rows: Tensor) -> Tensor:
        """Features (..., D)."""
        spread = rows[..., self.owner]
        return torch.where(self.number, spread, (spread == self._names).to(rows))

    def covariance(self, f1: Tensor, f2: Tensor, p: KernelParameters) -> Tensor:
        """(..., n, n') of features (..., n, D) and (..., n', D)."""
        weights = (1 / p.scales)[self.owner] * self._unit
        square = _square_distance(f1 * weights, f2 * weights)
        return p.outer[0] * (self._sum(f1, p) @ self._sum(f2, p).mT) + p.outer[1] * _matern(square)

    def variance(self, f: Tensor, p: KernelParameters) -> Tensor:
        """Diagonal (..., n) of the covariance of features with themselves."""
        return p.outer[0] * self._sum(f, p).square().sum(-1) + p.outer[1]

    def _sum(self, f: Tensor, p: KernelParameters) -> Tensor:
        """What the sum multiplies: one-hot features, and first and second power of centred numbers."""
        shares = (p.shares / len(self.levels)).sqrt()[self.owner]
        if not self.number.any():
            return f * shares
        centred = torch.where(self.number, 2 * f - 1, f)
        bent = torch.where(self.number, centred.square() - 1 / 3, 0.0)
        return torch.cat([centred * shares, bent * shares], dim=-1)


class ArchitectureKernel(Kernel):
    """k(x, x') = a Σ_i v_i k_i(x_i, x'_i) + b g(r), over rows of codes (..., n, d).

    A choice enters as one-hot features: any two of its names are at distance 1 (Hamming), and in the sum each has a
    share of its own. A number enters the distance as it is and the sum by its first two powers. r² is the sum of
    squared distances over squared length-scales, g is Matern-5/2. Costs such as MACs are sums over layers: the first
    part learns them from about as many trials as there are names, the second what the sum cannot say.
    """

    has_lengthscale = False

    def __init__(self, features: Features, parameters: KernelParameters) -> None:
        super().__init__()
        self._features = features
        self._hyperparameters = parameters

    def forward(self, x1: Tensor, x2: Tensor, diag: bool = False, **_: Any) -> Tensor:
        """Covariances (..., n, n'), or their diagonal (..., n)."""
        f1 = self._features.of(x1)
        if diag and torch.equal(x1, x2):
            return self._features.variance(f1, self._hyperparameters)
        f2 = self._features.of(x2)
        if diag:
            pairs = self._features.covariance(f1.unsqueeze(-2), f2.unsqueeze(-2), self._hyperparameters)
            return pairs.squeeze(-1).squeeze(-1)
        return self._features.covariance(f1, f2, self._hyperparameters)


def _square_distance(a: Tensor, b: Tensor) -> Tensor:
    square = a.square().sum(-1, keepdim=True) + b.square().sum(-1, keepdim=True).mT - 2 * a @ b.mT
    return square.clamp_min(0.0)


def _matern(square: Tensor) -> Tensor:
    r = (5.0 * square + 1e-12).sqrt()  # the root has no gradient at 0
    return (1 + r + 5.0 / 3.0 * square) * (-r).exp()
