"""How far predictions are off, on networks that the fit did not see."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from pydantic import Field
from scipy.stats import spearmanr

from nasopt.hardware.prediction.model import Array, Network, best_lanes, fit
from nasopt.spec.base import Section

_FOLDS = 5
_COVERAGE = 0.95


class Errors(Section):
    """Errors of a predictor on networks that it was not fitted to."""

    networks: int = Field(ge=1)
    within_10: float = Field(ge=0, le=1)
    """Share of networks whose prediction lies within 10% of the truth."""
    median: float = Field(ge=0)
    """Median absolute error as a fraction of the truth."""
    worst: float = Field(ge=0)
    spearman: float | None = Field(default=None, ge=-1, le=1)
    """Rank correlation; None for fewer than 3 networks."""
    coverage: float = Field(ge=0, le=1)
    """Share of networks whose truth lies in the 95% interval."""
    how: str
    """Which networks these were."""

    def __str__(self) -> str:
        rank = "" if self.spearman is None else f", Spearman {self.spearman:.3f}"
        share = f"{self.within_10:.1%} of {self.networks} {self.how} within 10%"
        return f"{share}{rank}, 95% interval holds {self.coverage:.0%}"


def errors(predicted: Array, truth: Array, factor: float, how: str) -> Errors:
    """Compare predictions with the truth, both (n,); intervals are predictions divided and multiplied by `factor`."""
    relative = np.abs(predicted / truth - 1)
    inside = np.abs(np.log(predicted / truth)) <= math.log(factor) + 1e-12
    rank = float(spearmanr(predicted, truth)[0]) if len(truth) > 2 else math.nan
    return Errors(
        networks=len(truth),
        within_10=float(np.mean(relative <= 0.1)),
        median=float(np.median(relative)),
        worst=float(relative.max()),
        spearman=rank if math.isfinite(rank) else None,
        coverage=float(np.mean(inside)),
        how=how,
    )


def interval_factor(predicted: Array, truth: Array) -> float:
    """Factor whose interval around a prediction holds 95% of new networks [Vovk2005, split conformal prediction].

    It is the smallest that holds ceil(.95 (n + 1)) of these n networks, or all where n is below 19: then coverage is
    n / (n + 1) only.
    """
    scores = np.sort(np.abs(np.log(predicted / truth)))
    rank = min(len(scores), math.ceil(_COVERAGE * (len(scores) + 1)))
    return float(np.exp(scores[rank - 1]))


def cross_validated(networks: Sequence[Network], costs: Array, *, spread: Array | None = None, seed: int = 0) -> Array:
    """Prediction of each network (n,) by a fit to the folds that it is not in; `spread` as in `model.fit`."""
    spread = np.zeros(len(networks)) if spread is None else spread
    lanes = best_lanes(networks, costs, spread=spread)
    predicted = np.empty(len(networks))
    folds = np.array_split(np.random.default_rng(seed).permutation(len(networks)), min(_FOLDS, len(networks)))
    for fold in folds:
        rest = np.setdiff1d(np.arange(len(networks)), fold)
        fitted = fit([networks[i] for i in rest], costs[rest], spread=spread[rest], lanes=lanes)
        predicted[fold] = fitted.predict([networks[i] for i in fold])
    return predicted


def predicted_beyond(networks: Sequence[Network], costs: Array, *, spread: Array | None = None) -> tuple[Array, Array]:
    """Predictions of the dearest fifth of the networks by a fit to the others, and their true costs."""
    spread = np.zeros(len(networks)) if spread is None else spread
    order = np.argsort(costs, kind="stable")
    cheap, dear = np.split(order, [len(order) - max(1, len(order) // 5)])
    model = fit([networks[i] for i in cheap], costs[cheap], spread=spread[cheap])
    return model.predict([networks[i] for i in dear]), costs[dear]
