"""A cost as a sum over kernels: physical rates that are never negative, and a smooth correction of each kernel.

A kernel costs `start + operations / throughput + values moved / bandwidth`: the roofline's quantities [Williams2009],
added rather than maximised, so that rates follow from linear least squares under w >= 0 [Lawson1974]. All matrix
products are charged like pointwise convolutions, all kernels that only move values alike, and each kind what it costs
beyond that; channels count as the device's vectors round them (see `quantities`). What remains is explained by a
factor `1 + d(kernel)`, where d is a Gaussian process over the logarithms of a kernel's shape (channels, side, window,
stride, batch) within its kind [Rasmussen2006, chapter 2], zero far from all data.
Both are fitted to the relative error, since a network is judged by the percentage that its prediction is off.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from scipy.optimize import nnls
from scipy.spatial.distance import cdist

from nasopt.errors import MeasurementError
from nasopt.hardware.prediction.kernels import Kernel
from nasopt.hardware.prediction.quantities import LANES, families, narrow, packed, quantities

Array: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]
Network: TypeAlias = Mapping[Kernel, int]
"""A network as how often each kernel runs."""

_ROUNDS = 8
"""Of reweighting by Huber's rule."""
_HUBER = 1.345
_FOLDS = 2
_CLEARLY = 0.97
"""Error of a wider vector, as a share of the error without vectors, below which it is believed."""
_OWN_ERROR = 0.03
"""Relative error of the model itself, against which the noise of a cost is weighed."""
_SHRINKAGE = 1e-3
"""Ridge on rates in units of typical relative cost, which only decides between quantities that always go together."""
_LENGTHS = (0.5, 1.0, 2.0)
_NOISE = (0.003, 0.01, 0.03, 0.1)
_SPREAD = (0.03, 0.1, 0.3)
_ALONE = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelModel:
    """Fitted rates and corrections; plain numbers only."""

    rates: Mapping[str, float]
    """Cost of a unit of each quantity, named `kind.quantity`; `network` is what each run costs beside its kernels."""
    anchors: tuple[tuple[Kernel, float], ...] = ()
    """Kernels that were seen, with their weights in the correction."""
    length: float = 1.0
    """Length scale of the correction, in units of ln(shape)."""
    lanes: int = 1
    """Channels that the device packs into a vector."""

    def costs(self, kernels: Sequence[Kernel]) -> Array:
        """Cost of each kernel, shape (n,).

        Raises:
            MeasurementError: a kind of kernel has no rates, since no network with one was measured.
        """
        physical = np.array([self._physical(k) for k in kernels])
        if not self.anchors or not len(kernels):
            return physical
        weights = np.array([w for _, w in self.anchors])
        near = _covariance(kernels, [k for k, _ in self.anchors], self.length, self.lanes)
        factor: Array = np.clip(1 + near @ weights, 0.2, 5.0)
        return physical * factor

    def predict(self, networks: Sequence[Network]) -> Array:
        """Cost of each network, shape (n,)."""
        kernels, counts = tabulate(networks)
        return self.rates.get("network", 0.0) + counts @ self.costs(kernels)

    def _physical(self, kernel: Kernel) -> float:
        """Cost by rates; of a kind that was never seen by the shared rates alone."""
        if f"{families(kernel, self.lanes)[0]}.starts" not in self.rates:
            known = ", ".join(sorted({name.partition(".")[0] for name in self.rates} - {"network", "narrow"}))
            raise MeasurementError(
                f"this calibration has never seen a kernel like {kernel.kind!r} (it knows {known}); calibrate with "
                "networks that hold one, or measure on the device"
            )
        return sum(self.rates.get(name, 0.0) * amount for name, amount in quantities(kernel, self.lanes).items())


def network(kernels: Sequence[Kernel]) -> Network:
    """How often each kernel occurs."""
    return Counter(kernels)


def tabulate(networks: Sequence[Network]) -> tuple[list[Kernel], Array]:
    """The kernels that occur in any network, shape (u,), and how often in each, shape (n, u)."""
    kernels = list(dict.fromkeys(k for net in networks for k in net))
    column = {k: i for i, k in enumerate(kernels)}
    counts = np.zeros((len(networks), len(kernels)))
    for row, net in zip(counts, networks, strict=True):
        for kernel, times in net.items():
            row[column[kernel]] = times
    return kernels, counts


def fit(
    networks: Sequence[Network], costs: Array, *, spread: Array | None = None, lanes: int | None = None
) -> KernelModel:
    """Fit rates and corrections to networks whose costs (n,) were measured, all positive and in one unit.

    Args:
        networks: as how often each kernel runs.
        costs: of one run of each.
        spread: standard error of each cost (n,) as a fraction of it; the less certain a cost, the less it counts.
        lanes: channels in a vector of the device; what explains the costs best if left out.

    Raises:
        ValueError: there are fewer than 5 networks, or a cost is not positive and finite.
    """
    costs = np.asarray(costs, dtype=np.float64)
    if len(networks) < 5 or len(costs) != len(networks) or not (np.isfinite(costs) & (costs > 0)).all():
        raise ValueError(f"expected at least 5 networks with a positive cost each, got {len(networks)} and {costs}")
    kernels, counts = tabulate(networks)
    weights = _certainty(spread, len(costs))
    lanes = lanes or _best_lanes(kernels, counts, costs, weights)
    rates, trust = _fit_rates(kernels, counts, costs, weights, lanes)
    plain = KernelModel(rates=rates, lanes=lanes)
    share = counts * plain.costs(kernels) / costs[:, None]
    residual = 1 - rates["network"] / costs - share.sum(1)
    correction, length = _fit_correction(kernels, share, residual, trust, lanes)
    kept = [(k, float(w)) for k, w in zip(kernels, correction, strict=True) if abs(w) > _ALONE]
    return KernelModel(rates=rates, anchors=tuple(kept), length=length, lanes=lanes)


def best_lanes(networks: Sequence[Network], costs: Array, *, spread: Array | None = None) -> int:
    """Channels in a vector of the device, by what explains the costs (n,) of networks best."""
    return _best_lanes(*tabulate(networks), np.asarray(costs, dtype=np.float64), _certainty(spread, len(costs)))


def _certainty(spread: Array | None, number: int) -> Array:
    """Weights (number,) in (0, 1], 1 for a cost without noise, by inverse variance above the model's own error."""
    if spread is None:
        return np.ones(number)
    weights: Array = _OWN_ERROR**2 / (_OWN_ERROR**2 + np.asarray(spread, dtype=np.float64) ** 2)
    return weights


def _best_lanes(kernels: Sequence[Kernel], counts: Array, costs: Array, weights: Array) -> int:
    """The width of vectors whose rates predict networks best that they were not fitted to."""
    folds = [np.arange(len(costs)) % _FOLDS == k for k in range(_FOLDS)]

    def error(lanes: int) -> float:
        off = np.empty(len(costs))
        for left_out in folds:
            fitted = _fit_rates(kernels, counts[~left_out], costs[~left_out], weights[~left_out], lanes)[0]
            model = KernelModel(rates=fitted, lanes=lanes)
            off[left_out] = (fitted["network"] + counts[left_out] @ model.costs(kernels)) / costs[left_out] - 1
        return float(np.mean(weights * np.abs(off)))

    plain, *wider = [(error(lanes), lanes) for lanes in LANES]
    best = min(wider)
    return best[1] if best[0] < _CLEARLY * plain[0] else 1


def _fit_rates(
    kernels: Sequence[Kernel], counts: Array, costs: Array, weights: Array, lanes: int
) -> tuple[dict[str, float], Array]:
    """Rates by name, and how far each network is trusted (n,), in (0, 1]."""
    per_kernel = [quantities(k, lanes) for k in kernels]
    names = list(dict.fromkeys(name for found in per_kernel for name in found))
    table = np.array([[found.get(name, 0.0) for name in names] for found in per_kernel])
    relative = np.column_stack([counts @ table, np.ones(len(costs))]) / costs[:, None]
    scale = np.sqrt((relative**2).mean(axis=0))
    scale[scale == 0] = 1.0  # of a quantity that no network has
    scaled = relative / scale
    ridge = _SHRINKAGE * np.sqrt(len(costs)) * np.eye(len(scale))
    trust = weights
    solution = np.zeros(len(scale))
    for _ in range(_ROUNDS):
        root = np.sqrt(trust)
        design = np.vstack([scaled * root[:, None], ridge])
        solution = nnls(design, np.concatenate([root, np.zeros(len(scale))]), maxiter=100 * len(scale))[0]
        trust = weights * _huber(scaled @ solution - 1)
    rates = dict(zip([*names, "network"], (float(r) for r in solution / scale), strict=True))
    return rates, trust


def _huber(residuals: Array) -> Array:
    spread = max(1.4826 * float(np.median(np.abs(residuals))), 1e-4)
    trust: Array = np.minimum(1.0, _HUBER * spread / np.maximum(np.abs(residuals), _ALONE))
    return trust


def _fit_correction(
    kernels: Sequence[Kernel], share: Array, residual: Array, trust: Array, lanes: int
) -> tuple[Array, float]:
    """Weights of the correction (u,) and its length scale: what predicts each network best from the others."""
    best = (float(np.mean(trust * np.abs(residual))), np.zeros(len(kernels)), 1.0)
    for length in _LENGTHS:
        spread = share @ _covariance(kernels, kernels, length, lanes) @ share.T
        for noise in _NOISE:
            for deviation in _SPREAD:
                inverse = np.linalg.inv(deviation**2 * spread + np.diag(noise**2 / trust))
                solved = inverse @ residual
                left_out = solved / np.diag(inverse)  # error at each network of the fit to all others
                error = float(np.mean(trust * np.abs(left_out)))
                if error < best[0]:
                    best = (error, deviation**2 * (share.T @ solved), length)
    return best[1], best[2]


def _covariance(left: Sequence[Kernel], right: Sequence[Kernel], length: float, lanes: int) -> Array:
    """Correlation (n, m) of the corrections of kernels; 0 between kinds."""
    a, b = _coordinates(left, lanes), _coordinates(right, lanes)
    distance = cdist(a, b, "sqeuclidean")
    near: Array = np.exp(-0.5 * distance / length**2) * (_kinds(left, lanes)[:, None] == _kinds(right, lanes)[None, :])
    return near


def _kinds(kernels: Sequence[Kernel], lanes: int) -> np.ndarray[Any, Any]:
    return np.array([f"{k.kind} narrow" if narrow(k, lanes) else k.kind for k in kernels])


def _coordinates(kernels: Sequence[Kernel], lanes: int) -> Array:
    return np.array(
        [[math.log(v) for v in (*packed(k, lanes), k.side, k.size, k.stride, k.batch)] for k in kernels],
        dtype=np.float64,
    ).reshape(len(kernels), 6)
