"""What the sampler believes about an objective: Gaussian processes on several scales, weighed by how they predict.

Costs are skewed and useless architectures lie far off, so each objective is seen on scales that compress its bad end,
and as it is. No scale suits all: logarithms sharpen the good end, yet make a collapsed architecture look like a gamble.
So each is judged by its left-out predictions in the objective's own unit, in which hypervolume is counted too, mostly
of points near the front [Yao2018, stacking; Gneiting2007, scores]. In continuous spaces, where objectives may be smooth
or not, two kernels on each scale are judged in the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr  # type: ignore[import-untyped]

from nasopt.samplers.predictor import gp as process
from nasopt.space.encoding import Array

POWERS = (1.0, 0.5, 0.0)
SHARPNESS = 8.0
"""A scale whose error is twice another's has 2 ** -SHARPNESS of its share."""
SMALLEST_SHARE = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A Box-Cox scale above the best value seen: power 1 leaves distances, 0 is logarithmic [Box1964]."""

    best: float
    unit: float
    power: float
    margin: float = 0.1

    @classmethod
    def of(cls, values: Array, power: float) -> Scale:
        """The scale whose unit is the distance from the best of values (n,) to their median."""
        best = float(values.min())
        unit = float(np.median(values)) - best
        return cls(best=best, unit=unit if unit > 0.0 else float(np.ptp(values)) or 1.0, power=power)

    @property
    def _edge(self) -> float:
        return float(np.log(self.margin)) if self.power == 0.0 else (self.margin**self.power - 1.0) / self.power

    @property
    def _end(self) -> float:
        """Where the inverse is cut off, at exp(30) units on every scale: exponentials of more overflow."""
        return 30.0 if self.power == 0.0 else float(np.expm1(30.0 * self.power)) / self.power

    def forward(self, values: Array) -> Array:
        """Values on the scale; below the best one seen it goes on with its slope there."""
        s = (values - self.best) / self.unit + self.margin
        if self.power == 1.0:
            return s
        above = np.maximum(s, self.margin)
        bent = np.log(above) if self.power == 0.0 else (above**self.power - 1.0) / self.power
        return bent + np.minimum(s - self.margin, 0.0) * self.margin ** (self.power - 1.0)

    def backward(self, scaled: Array) -> Array:
        """The inverse of `forward`."""
        if self.power == 1.0:
            s = scaled
        else:
            above = np.minimum(np.maximum(scaled, self._edge), self._end)
            straight = np.exp(above) if self.power == 0.0 else (above * self.power + 1.0) ** (1.0 / self.power)
            s = straight + np.minimum(scaled - self._edge, 0.0) * self.margin ** (1.0 - self.power)
        return (s - self.margin) * self.unit + self.best


def outlook(scale: Scale, mean: Array, deviation: Array) -> tuple[Array, Array]:
    """Middle (n,) in the objective's unit of Gaussian predictions on a scale, and how far a deviation to the better is.

    Hypervolume only improves to the better side. The bad side of a compressed scale is long: mean and deviation of the
    whole would say more of how far an architecture might collapse than of what it may win.
    """
    middle = scale.backward(mean)
    return middle, np.maximum(middle - scale.backward(mean - deviation), 1e-9 * scale.unit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surrogate:
    """A mixture of scales, conditioned on observations."""

    scales: tuple[Scale, ...]
    posteriors: tuple[process.Posterior, ...]
    shares: tuple[float, ...]

    def predict(
        self, features: Array, *, leading: bool = False, rough: bool = False, noise: bool = True
    ) -> tuple[Array, Array]:
        """Middle and deviation (n,) in the objective's unit, see `outlook`.

        Quicker: with `leading` of the best scale alone, with `rough` in single precision.
        """
        used = [int(np.argmax(self.shares))] if leading else list(range(len(self.shares)))
        weights = np.array([self.shares[i] for i in used])
        parts = [outlook(self.scales[i], *self.posteriors[i].predict(features, rough=rough, noise=noise)) for i in used]
        means, deviations = np.stack([p[0] for p in parts]), np.stack([p[1] for p in parts])
        weights /= weights.sum()
        mean = weights @ means
        return mean, np.sqrt(weights @ (deviations**2 + (means - mean) ** 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One scale of an objective, the kernel fitted on it, and its share in the mixture."""

    power: float
    kernel: process.Kernel
    share: float


def fit(
    groups: process.Groups,
    sums: process.Groups,
    features: Array,
    values: Array,
    importance: Array,
    *,
    continuous: bool = False,
) -> tuple[View, ...]:
    """Views of values (n,) at features (n, width) that predict well what they are not told.

    Shares follow the left-out error, in which each point counts by its importance (n,); negligible views are dropped.
    In a continuous space Matern kernels compete, too.
    """
    kinds = [(power, matern) for power in POWERS for matern in ((False, True) if continuous else (False,))]
    kernels, errors = [], []
    for power, matern in kinds:
        scale = Scale.of(values, power)
        targets = scale.forward(values)
        kernels.append(process.fit(groups, sums, features, targets, matern=matern))
        left_out = process.condition(kernels[-1], features, targets).left_out()
        errors.append(max(float(score(values, *outlook(scale, *left_out)) @ importance), 1e-300))
    shares = (min(errors) / np.array(errors)) ** SHARPNESS
    shares /= shares.sum()
    kept = [i for i in range(len(kinds)) if shares[i] > SMALLEST_SHARE]
    return tuple(View(power=kinds[i][0], kernel=kernels[i], share=float(shares[i])) for i in kept)


def condition(views: Sequence[View], features: Array, values: Array) -> Surrogate:
    """Views conditioned on values (n,) at features (n, width)."""
    scales = tuple(Scale.of(values, view.power) for view in views)
    return Surrogate(
        scales=scales,
        posteriors=tuple(
            process.condition(view.kernel, features, scale.forward(values))
            for view, scale in zip(views, scales, strict=True)
        ),
        shares=tuple(view.share for view in views),
    )


def score(values: Array, mean: Array, deviation: Array) -> Array:
    """Continuous ranked probability score (n,) of Gaussian predictions, smaller is better [Gneiting2007 eq. 21]."""
    u = (values - mean) / deviation
    density = np.exp(-0.5 * u * u) / np.sqrt(2.0 * np.pi)
    return deviation * (u * (2.0 * ndtr(u) - 1.0) + 2.0 * density - 1.0 / np.sqrt(np.pi))
