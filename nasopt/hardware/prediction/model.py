"""A cost as a sum over kernels: physical rates that are never negative, and a smooth correction of each kernel.

A kernel costs `start + operations / throughput + values moved / bandwidth`: the roofline's quantities [Williams2009],
added rather than maximised, so that rates follow from linear least squares under w >= 0 [Lawson1974]. All matrix
products are charged like pointwise convolutions, all kernels that only move values alike, and each kind what it costs
beyond that. What remains is explained by a factor `1 + d(kernel)`, where d is a Gaussian process over the logarithms of
a kernel's shape (channels, side, window, stride) within its kind [Rasmussen2006, chapter 2], zero far from all data.
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

from nasopt.errors import MeasurementError
from nasopt.hardware.prediction.kernels import Kernel

Array: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]
Network: TypeAlias = Mapping[Kernel, int]
"""A network as how often each kernel runs."""

_PRODUCTS = frozenset({"convolution", "pointwise", "grouped", "dense"})
"""Kinds that runtimes compute as matrix products, as they do pointwise convolutions."""
_ROUNDS = 8
"""Of reweighting by Huber's rule."""
_HUBER = 1.345
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

    def costs(self, kernels: Sequence[Kernel]) -> Array:
        """Cost of each kernel, shape (n,).

        Raises:
            MeasurementError: a kind of kernel has no rates, since no network with one was measured.
        """
        physical = np.array([self._physical(k) for k in kernels])
        if not self.anchors or not len(kernels):
            return physical
        weights = np.array([w for _, w in self.anchors])
        near = _covariance(kernels, [k for k, _ in self.anchors], self.length)
        factor: Array = np.clip(1 + near @ weights, 0.2, 5.0)
        return physical * factor

    def predict(self, networks: Sequence[Network]) -> Array:
        """Cost of each network, shape (n,)."""
        kernels, counts = tabulate(networks)
        return self.rates.get("network", 0.0) + counts @ self.costs(kernels)

    def _physical(self, kernel: Kernel) -> float:
        """Cost by rates; of a kind that was never seen by the shared rates alone."""
        if f"{families(kernel)[0]}.starts" not in self.rates:
            known = ", ".join(sorted({name.partition(".")[0] for name in self.rates} - {"network"}))
            raise MeasurementError(
                f"this calibration has never seen a kernel like {kernel.kind!r} (it knows {known}); calibrate with "
                "networks that hold one, or measure on the device"
            )
        return sum(self.rates.get(name, 0.0) * amount for name, amount in quantities(kernel).items())


def quantities(kernel: Kernel) -> dict[str, float]:
    """What a kernel may cost: a start, millions of operations, and 10^4 values read, written and held as weights.

    The amounts count for the rates that a kernel shares with other kinds and for those of its own kind.
    """
    found = {"starts": 1.0}
    if kernel.kind in _PRODUCTS or kernel.kind == "depthwise":
        found |= {"mops": kernel.operations / 1e6, "read": kernel.read / 1e4, "written": kernel.written / 1e4}
        found |= {"weights": kernel.weights / 1e4}
    else:
        found |= {"moved": (kernel.read + kernel.written) / 1e4}
    return {f"{family}.{name}": amount for family in families(kernel) for name, amount in found.items()}


def families(kernel: Kernel) -> tuple[str, ...]:
    """Whose rates a kernel is charged: the ones that it shares, and what its kind costs beyond them."""
    if kernel.kind in ("depthwise", "pointwise"):
        return (kernel.kind,)
    return ("pointwise" if kernel.kind in _PRODUCTS else "movement", kernel.kind)


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


def fit(networks: Sequence[Network], costs: Array) -> KernelModel:
    """Fit rates and corrections to networks whose costs (n,) were measured, all positive and in one unit.

    Raises:
        ValueError: there are fewer than 5 networks, or a cost is not positive and finite.
    """
    costs = np.asarray(costs, dtype=np.float64)
    if len(networks) < 5 or len(costs) != len(networks) or not (np.isfinite(costs) & (costs > 0)).all():
        raise ValueError(f"expected at least 5 networks with a positive cost each, got {len(networks)} and {costs}")
    kernels, counts = tabulate(networks)
    rates, trust = _fit_rates(kernels, counts, costs)
    plain = KernelModel(rates=rates)
    share = counts * plain.costs(kernels) / costs[:, None]
    residual = 1 - rates["network"] / costs - share.sum(1)
    weights, length = _fit_correction(kernels, share, residual, trust)
    kept = [(k, float(w)) for k, w in zip(kernels, weights, strict=True) if abs(w) > _ALONE]
    return KernelModel(rates=rates, anchors=tuple(kept), length=length)


def _fit_rates(kernels: Sequence[Kernel], counts: Array, costs: Array) -> tuple[dict[str, float], Array]:
    """Rates by name, and how far each network is trusted (n,), in (0, 1]."""
    per_kernel = [quantities(k) for k in kernels]
    names = list(dict.fromkeys(name for found in per_kernel for name in found))
    table = np.array([[found.get(name, 0.0) for name in names] for found in per_kernel])
    relative = np.column_stack([counts @ table, np.ones(len(costs))]) / costs[:, None]
    scale = np.sqrt((relative**2).mean(axis=0))
    scaled = relative / scale
    ridge = _SHRINKAGE * np.sqrt(len(costs)) * np.eye(len(scale))
    trust = np.ones(len(costs))
    solution = np.zeros(len(scale))
    for _ in range(_ROUNDS):
        root = np.sqrt(trust)
        design = np.vstack([scaled * root[:, None], ridge])
        solution = nnls(design, np.concatenate([root, np.zeros(len(scale))]), maxiter=100 * len(scale))[0]
        trust = _huber(scaled @ solution - 1)
    rates = dict(zip([*names, "network"], (float(r) for r in solution / scale), strict=True))
    return rates, trust


def _huber(residuals: Array) -> Array:
    spread = max(1.4826 * float(np.median(np.abs(residuals))), 1e-4)
    trust: Array = np.minimum(1.0, _HUBER * spread / np.maximum(np.abs(residuals), _ALONE))
    return trust


def _fit_correction(kernels: Sequence[Kernel], share: Array, residual: Array, trust: Array) -> tuple[Array, float]:
    """Weights of the correction (u,) and its length scale: what predicts each network best from the others."""
    best = (float(np.mean(trust * np.abs(residual))), np.zeros(len(kernels)), 1.0)
    for length in _LENGTHS:
        spread = share @ _covariance(kernels, kernels, length) @ share.T
        for noise in _NOISE:
            for deviation in _SPREAD:
                inverse = np.linalg.inv(deviation**2 * spread + np.diag(noise**2 / trust))
                solved = inverse @ residual
                left_out = solved / np.diag(inverse)  # error at each network of the fit to all others
                error = float(np.mean(trust * np.abs(left_out)))
                if error < best[0]:
                    best = (error, deviation**2 * (share.T @ solved), length)
    return best[1], best[2]


def _covariance(left: Sequence[Kernel], right: Sequence[Kernel], length: float) -> Array:
    """Correlation (n, m) of the corrections of kernels; 0 between kinds."""
    a, b = _coordinates(left), _coordinates(right)
    distance = ((a[:, None, :] - b[None, :, :]) ** 2).sum(-1)
    same = np.array([k.kind for k in left])[:, None] == np.array([k.kind for k in right])[None, :]
    near: Array = np.exp(-0.5 * distance / length**2) * same
    return near


def _coordinates(kernels: Sequence[Kernel]) -> Array:
    return np.array(
        [[math.log(v) for v in (*k.channels, k.side, k.size, k.stride)] for k in kernels], dtype=np.float64
    ).reshape(len(kernels), 5)
