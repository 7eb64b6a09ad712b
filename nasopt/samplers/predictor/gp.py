"""A Gaussian process for a few hundred points whose features come in groups with a length scale each.

Covariance: an exponentiated squared distance over scaled groups, plus a linear part with a weight for each of the sums
(all names together, each number with its square). On one-hot choices the first is the exponentiated Hamming kernel with
relevance of each choice [Oh2019, COMBO; Ru2020, CoCaBO], which holds interactions of every order; the second makes
additive costs exact, and lets a number have its best value within its range after few trials. A Matern-5/2 kernel of
the same distances may take the first's place [Rasmussen2006 eq. 4.17]: it expects less smoothness. Hyperparameters
maximise the marginal likelihood with weak priors [Rasmussen2006 ch. 5]; gradients are in closed form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, lapack  # type: ignore[import-untyped]
from scipy.optimize import minimize  # type: ignore[import-untyped]

from nasopt.space.encoding import Array

_JITTER = 1e-6
_FAR = 1e10
_CHUNK = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """Fitted covariance for targets of unit variance."""

    weights: Array  # (width,) of squared differences
    smooth: float
    linear: Array  # (width,) of products
    noise: float
    centre: Array
    matern: bool = False

    def between(self, a: Array, b: Array) -> Array:
        """Covariance (n, k) of features a (n, width) and b (k, width), in the precision of a."""
        root, centre = np.sqrt(self.weights).astype(a.dtype), self.centre.astype(a.dtype)
        u, v = a * root, b * root
        ones = (np.ones((len(u), 1), dtype=a.dtype), np.ones((len(v), 1), dtype=a.dtype))
        peak = a.dtype.type(np.log(self.smooth))
        left = np.concatenate([2.0 * u, peak - (u * u).sum(axis=1)[:, None], -ones[0]], axis=1)
        right = np.concatenate([v, ones[1], (v * v).sum(axis=1)[:, None]], axis=1)
        covariance = left @ right.T  # log(smooth) less the squared distances, in one product
        np.minimum(covariance, peak, out=covariance)
        if self.matern:
            covariance = a.dtype.type(self.smooth) * _matern(peak - covariance)[0]
        else:
            np.exp(covariance, out=covariance)
        covariance += ((a - centre) * self.linear.astype(a.dtype)) @ (b - centre).T
        return covariance

    def variance(self, a: Array) -> Array:
        """Prior variance (n,) of features a (n, width), without noise."""
        return self.smooth + ((a - self.centre) ** 2) @ self.linear


@dataclass(frozen=True, slots=True, kw_only=True)
class Posterior:
    """A kernel conditioned on features (n, width) and standardised targets (n,)."""

    kernel: Kernel
    features: Array
    factor: Array  # lower Cholesky factor (n, n)
    weights: Array  # (n,)
    offset: float
    scale: float

    def predict(self, features: Array, *, rough: bool = False, noise: bool = True) -> tuple[Array, Array]:
        """Mean and standard deviation (k,) of new observations at features (k, width), with own noise or without.

        With `rough` in single precision, in half the time: to tell which of many points deserve a closer look.
        """
        kind: Any = np.float32 if rough else np.float64
        features, known, factor = (np.asarray(a, dtype=kind) for a in (features, self.features, self.factor))
        solve = lapack.strtrs if rough else lapack.dtrtrs
        mean, variance = np.empty(len(features)), np.empty(len(features))
        for begin in range(0, len(features), _CHUNK):  # the covariances of a chunk stay in the processor's cache
            part = slice(begin, begin + _CHUNK)
            cross = self.kernel.between(features[part], known)
            mean[part] = cross @ self.weights
            solved, _ = solve(factor, cross.T, lower=1, overwrite_b=1)
            variance[part] = self.kernel.variance(features[part]) - np.einsum("ij,ij->j", solved, solved)
        if noise:
            variance += self.kernel.noise
        return mean * self.scale + self.offset, np.sqrt(np.maximum(variance, 1e-8)) * self.scale

    def left_out(self) -> tuple[Array, Array]:
        """Mean and deviation (n,) of each observation given all the others [Rasmussen2006 eq. 5.12]."""
        inverse = _inverse(self.factor)
        own = np.diag(inverse)
        target = self.factor @ (self.factor.T @ self.weights)
        return (target - self.weights / own) * self.scale + self.offset, np.sqrt(1.0 / own) * self.scale


def _inverse(factor: Array) -> Array:
    inverse = lapack.dpotri(factor, lower=1)[0]
    return np.tril(inverse) + np.tril(inverse, -1).T


def condition(kernel: Kernel, features: Array, targets: Array) -> Posterior:
    """The posterior at fixed hyperparameters."""
    offset, scale = float(targets.mean()), float(targets.std()) or 1.0
    covariance = kernel.between(features, features)
    noise = kernel.noise + _JITTER
    for _ in range(6):
        factor, info = lapack.dpotrf(covariance + noise * np.eye(len(targets)), lower=1, clean=1)
        if info == 0:
            break
        noise *= 10.0
    weights = cho_solve((factor, True), (targets - offset) / scale, check_finite=False)
    return Posterior(kernel=kernel, features=features, factor=factor, weights=weights, offset=offset, scale=scale)


Groups: TypeAlias = Sequence[NDArray[np.intp]]


def _matern(distances: Array) -> tuple[Array, Array]:
    """Matern-5/2 correlation of half squared distances over length scales, and what it falls by at each."""
    root = np.sqrt(10.0 * distances, dtype=distances.dtype)
    decay = np.exp(-root)
    return (1.0 + root + root * root / 3.0) * decay, 5.0 / 3.0 * (1.0 + root) * decay


def fit(
    groups: Groups, sums: Groups, features: Array, targets: Array, *, matern: bool = False, steps: int = 40
) -> Kernel:
    """Hyperparameters that maximise the penalised marginal likelihood of targets (n,) at features (n, width).

    Each of the groups has a length scale, each of the sums a weight in the linear part.
    """
    z = (targets - targets.mean()) / (targets.std() or 1.0)
    n, g, a = len(z), len(groups), len(sums)
    distances = np.stack([_squared(features[:, group]) for group in groups]).reshape(g, -1)
    centre = features.mean(axis=0)
    inner = np.stack([(features - centre)[:, s] @ (features - centre)[:, s].T for s in sums])
    unit = np.trace(inner, axis1=1, axis2=2) / n
    unit[unit < 1e-12] = 1.0
    inner = (inner / unit[:, None, None]).reshape(a, -1)
    typical = distances.mean(axis=1)
    typical[typical < 1e-9] = 1.0
    middle = np.concatenate([np.log(0.5 / g / typical), [0.0], np.full(a, -1.0 - np.log(a)), [np.log(1e-3)]])
    spread = np.concatenate([np.full(g, 1.5), [1.5], np.full(a, 2.0), [3.0]])
    identity = np.eye(n)

    def objective(x: Array) -> tuple[float, Array]:
        theta, smooth, linear, noise = _split(x, g)
        scaled = (theta @ distances).reshape(n, n)
        near, fall = _matern(scaled) if matern else (np.exp(-scaled),) * 2
        first = smooth * near
        covariance = first + (linear @ inner).reshape(n, n) + (noise + _JITTER) * identity
        factor, info = lapack.dpotrf(covariance, lower=1, clean=1)
        if info != 0:
            return _FAR, np.zeros_like(x)
        alpha = cho_solve((factor, True), z, check_finite=False)
        slope = _inverse(factor) - np.outer(alpha, alpha)
        weighted = (slope * fall).ravel() * smooth
        gradient = np.empty_like(x)
        gradient[:g] = -0.5 * theta * (distances @ weighted)
        gradient[g] = 0.5 * (slope * first).sum()
        gradient[g + 1 : -1] = 0.5 * linear * (inner @ slope.ravel())
        gradient[-1] = 0.5 * noise * np.trace(slope)
        away = (x - middle) / spread
        value = 0.5 * z @ alpha + np.log(np.diag(factor)).sum() + 0.5 * away @ away
        return float(value), gradient + away / spread

    bounds = [(m - 6.0, m + 5.0) for m in middle[:g]] + [(-6.0, 5.0), *[(-8.0, 6.0)] * a, (np.log(1e-6), np.log(0.5))]
    begin = middle + np.concatenate([np.full(g, np.log(2.0)), [0.0], np.full(a, 1.0), [np.log(10.0)]])
    found = minimize(
        objective, begin, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": steps, "ftol": 1e-4}
    )
    theta, smooth, linear, noise = _split(found.x, g)
    weights, products = np.zeros(features.shape[1]), np.zeros(features.shape[1])
    for value, group in zip(theta, groups, strict=True):
        weights[group] += value
    for value, columns in zip(linear / unit, sums, strict=True):
        products[columns] = value
    return Kernel(weights=weights, smooth=smooth, linear=products, noise=noise, centre=centre, matern=matern)


def _split(x: Array, groups: int) -> tuple[Array, float, Array, float]:
    """Squared inverse length scales, amplitude, weights of the sums and noise of logarithms x."""
    values = np.exp(x)
    return values[:groups], float(values[groups]), values[groups + 1 : -1], float(values[-1])


def _squared(a: Array) -> Array:
    norms = (a * a).sum(axis=1)
    return np.maximum(norms[:, None] + norms[None] - 2.0 * (a @ a.T), 0.0)
