"""Exact Gaussian processes, one for each objective and constraint; hyperparameters are fitted now and then."""

from __future__ import annotations

import hashlib
import math
import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from botorch.models import SingleTaskGP
from botorch.models.transforms import Standardize
from botorch.settings import validate_input_scaling
from gpytorch.means import ConstantMean
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

from nasopt.samplers.botorch.kernel import ArchitectureKernel, Features, KernelParameters
from nasopt.space.encoding import Array

REFIT = 1.2
"""Hyperparameters are fitted when the trials have grown by this factor, so that most asks go without."""
LEAST_NOISE = 1e-6
"""Smallest variance of the noise, as a share of the variance of the data."""
REMEMBERED = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """Hyperparameters of one Gaussian process on standardised values."""

    kernel: KernelParameters
    mean: float
    noise: float
    """Variance of the noise where it is not known."""


class Surrogate:
    """The posterior of one output, given rows (n, d) and values (n,) of which larger ones may be better."""

    def __init__(self, features: Features, rows: Array, values: Array, variances: Array | None, steps: int) -> None:
        """`variances` (n,) of the values' noise where it was observed; `steps` of L-BFGS."""
        self._features = features
        self._rows = torch.from_numpy(np.ascontiguousarray(rows))
        self._values = torch.from_numpy(np.ascontiguousarray(values))
        count = fitted_on(len(rows))
        known = None if variances is None else variances[:count]
        self.fitted = _remembered(features, rows[:count], values[:count], known, steps)
        self._centre = float(self._values.mean())
        self._spread = _spread(self._values)
        noise = (
            torch.full_like(self._values, self.fitted.noise)
            if variances is None
            else torch.from_numpy(variances / self._spread**2)
        )
        self._noise = noise.clamp_min(LEAST_NOISE)

    @cached_property
    def _solved(self) -> tuple[Tensor, Tensor, Tensor]:
        """Features of the rows, Cholesky factor of their covariance, and the solution for the centred values."""
        f = self._features.of(self._rows)
        covariance = self._features.covariance(f, f, self.fitted.kernel) + torch.diag(self._noise)
        factor = _factor(covariance)
        target = (self._values - self._centre) / self._spread - self.fitted.mean
        return f, factor, torch.cholesky_solve(target[:, None], factor)

    def predict(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation (N,) of the value without noise at rows (N, d)."""
        f, factor, weights = self._solved
        other = self._features.of(rows)
        cross = self._features.covariance(f, other, self.fitted.kernel)
        mean = (cross.mT @ weights)[:, 0] + self.fitted.mean
        explained = torch.linalg.solve_triangular(factor, cross, upper=False).square().sum(0)
        variance = (self._features.variance(other, self.fitted.kernel) - explained).clamp_min(1e-10)
        return mean * self._spread + self._centre, variance.sqrt() * self._spread

    def model(self) -> SingleTaskGP:
        """The same posterior as a BoTorch model."""
        mean = ConstantMean()
        mean.initialize(constant=torch.tensor(self.fitted.mean, dtype=torch.double))
        with validate_input_scaling(False):  # choices are indices
            model = SingleTaskGP(
                self._rows,
                self._values[:, None],
                train_Yvar=(self._noise * self._spread**2)[:, None],
                covar_module=ArchitectureKernel(self._features, self.fitted.kernel),
                mean_module=mean,
                outcome_transform=Standardize(m=1),
            )
        return model.eval()  # type: ignore[no-any-return]


def fitted_on(count: int) -> int:
    """Of `count` trials, how many were there when hyperparameters were last to be fitted.

    A function of the count alone, and the fit one of those trials: a worker that starts anew comes to the same.
    """
    milestone = 4.0
    while (following := max(milestone + 1, math.floor(milestone * REFIT))) <= count:
        milestone = following
    return min(count, int(milestone))


_memory: OrderedDict[bytes, Fitted] = OrderedDict()
_lock = threading.Lock()


def _remembered(features: Features, rows: Array, values: Array, variances: Array | None, steps: int) -> Fitted:
    """The fit to these data, from memory where this process has made it before."""
    digest = hashlib.sha256(repr((features.levels, steps, variances is None)).encode())
    for part in (rows, values, variances):
        if part is not None:
            digest.update(np.ascontiguousarray(part).tobytes())
    key = digest.digest()
    with _lock:
        if key in _memory:
            _memory.move_to_end(key)
            return _memory[key]
    made = fit(features, rows, values, variances, steps)
    with _lock:
        _memory[key] = made
        while len(_memory) > REMEMBERED:
            _memory.popitem(last=False)
    return made


def fit(features: Features, rows: Array, values: Array, variances: Array | None, steps: int) -> Fitted:
    """Most likely hyperparameters a posteriori; the constant mean is solved for.

    The prior over length-scales grows with the root of the dimension [Hvarfner2024].
    """
    y = torch.from_numpy(values)
    spread = _spread(y)
    y = (y - y.mean()) / spread
    known = None if variances is None else torch.from_numpy(variances / spread**2).clamp_min(LEAST_NOISE)
    loss = _Posterior(features, features.of(torch.from_numpy(rows)), y, known)
    start = loss.start()
    best: tuple[float, NDArray[np.float64]] = (math.inf, start)

    def evaluate(at: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        nonlocal best
        theta = torch.from_numpy(at.copy()).requires_grad_()
        try:
            value = loss(theta)
            (gradient,) = torch.autograd.grad(value, theta)
        except RuntimeError:  # not positive definite
            return 1e10, np.zeros_like(at)
        if float(value) < best[0]:
            best = (float(value), at.copy())
        return float(value), gradient.numpy()

    minimize(evaluate, start, jac=True, method="L-BFGS-B", bounds=loss.bounds(), options={"maxiter": steps})
    with torch.no_grad():
        theta = torch.from_numpy(best[1])
        try:
            mean = float(loss.mean(theta))
        except RuntimeError:  # not positive definite
            mean = 0.0
        return Fitted(kernel=loss.kernel(theta), mean=mean, noise=float(loss.noise(theta).max()))


class _Posterior:
    """Negative logarithm of the posterior density of hyperparameters, a number for each trial."""

    def __init__(self, features: Features, f: Tensor, y: Tensor, known: Tensor | None) -> None:
        self._features, self._f, self._y, self._known = features, f, y, known
        self._d = len(features.levels)
        self._eye = torch.eye(len(y), dtype=torch.double)

    def start(self) -> NDArray[np.float64]:
        scales = np.full(self._d, 0.5 * math.log(self._d))
        return np.concatenate([scales, np.zeros(self._d), np.log([0.7, 0.7]), [math.log(1e-2)]])

    def bounds(self) -> list[tuple[float, float]]:
        return [(-3.0, 7.0)] * self._d + [(-9.0, 3.0)] * (self._d + 2) + [(math.log(LEAST_NOISE), 0.0)]

    def kernel(self, theta: Tensor) -> KernelParameters:
        d = self._d
        return KernelParameters(scales=theta[:d].exp(), shares=theta[d : 2 * d].exp(), outer=theta[2 * d : -1].exp())

    def noise(self, theta: Tensor) -> Tensor:
        return theta[-1:].exp().expand(len(self._y)) if self._known is None else self._known

    def mean(self, theta: Tensor) -> Tensor:
        return self._solve(theta)[1]

    def _solve(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        covariance = self._features.covariance(self._f, self._f, self.kernel(theta))
        factor = torch.linalg.cholesky(covariance + torch.diag(self.noise(theta)) + 1e-8 * self._eye)
        both = torch.stack([self._y, torch.ones_like(self._y)], dim=1)
        solved = torch.linalg.solve_triangular(factor, both, upper=False)
        mean = (solved[:, 0] @ solved[:, 1]) / (solved[:, 1] @ solved[:, 1])
        self._residual = solved[:, 0] - mean * solved[:, 1]
        return factor, mean

    def __call__(self, theta: Tensor) -> Tensor:
        factor, _ = self._solve(theta)
        likelihood = -0.5 * self._residual.square().sum() - factor.diagonal().log().sum()
        return -(likelihood + self._prior(theta)) / len(self._y)

    def _prior(self, theta: Tensor) -> Tensor:
        """Log density over the logarithms: length-scales and noise log-normal, variances gamma(2, 2)."""
        d = self._d
        at = math.sqrt(2.0) + 0.5 * math.log(d)
        scales = -0.5 * ((theta[:d] - at) ** 2 / 3.0).sum()
        weights = theta[d:-1]
        sizes = (weights - 2.0 * weights.exp()).sum()
        noise = -0.5 * (theta[-1] + 4.0) ** 2 if self._known is None else torch.zeros(())
        return scales + sizes + noise


def _spread(values: Tensor) -> float:
    """Standard deviation as BoTorch's Standardize takes it: 1 where all values agree."""
    spread = float(values.std()) if len(values) > 1 else 0.0
    return spread if spread > 1e-8 else 1.0


def _factor(covariance: Tensor) -> Tensor:
    """Cholesky factor (n, n), with as little jitter as it takes."""
    jitter = 1e-8
    while True:
        factor, failed = torch.linalg.cholesky_ex(covariance + jitter * torch.eye(len(covariance)).to(covariance))
        if not int(failed) or jitter > 1:
            return factor
        jitter *= 10
