"""What a point is worth: a cheap estimate for thousands of points, BoTorch's acquisition functions for the best."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

import torch
from botorch.acquisition import AcquisitionFunction
from botorch.acquisition.logei import qLogNoisyExpectedImprovement
from botorch.acquisition.multi_objective import logei
from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
from botorch.acquisition.multi_objective.objective import IdentityMCMultiOutputObjective
from botorch.acquisition.multi_objective.parego import qLogNParEGO
from botorch.acquisition.objective import GenericMCObjective
from botorch.models import ModelListGP
from botorch.sampling.normal import SobolQMCNormalSampler
from botorch.utils.multi_objective.box_decompositions.non_dominated import FastNondominatedPartitioning
from botorch.utils.multi_objective.pareto import is_non_dominated
from torch import Tensor

from nasopt.samplers.botorch.surrogate import Surrogate

REFERENCE = 1.1
"""Hypervolume is measured up to here, where 1 is the nadir of the front found so far, or of that which is in sight."""
PROMISING = 1e-3
"""What an extreme of the front must gain in expectation, as a share of the front's span, to be in sight."""
MOST_OBJECTIVES = 3
"""With more, boxes of the hypervolume are too many, and random scalarisations take its place [Knowles2006]."""
BASELINE = 40
"""At most so many trials compete with a new point in each draw from the posterior."""
DRAWS = 32
"""Of the cheap estimate of a scalarisation's improvement."""
EPSILON = 1e-30

logger = logging.getLogger("nasopt")
_told = threading.Event()


def stay_in_python() -> None:
    """Keep BoTorch from compiling its C++ kernel at first use.

    The compiler's lock file outlives a killed process, and then every later one waits for it for ever.
    """
    if getattr(logei, "_load_attempted", True):
        return
    logei._load_attempted = True
    if not _told.is_set():
        _told.set()
        logger.info("botorch: the Python version of qLogEHVI is used; its C++ kernel is not compiled")


class Worth:
    """Values new points by the posteriors of objectives and constraints.

    Up to three objectives it is the expected hypervolume improvement, above the expected improvement of a Chebyshev
    scalarisation with weights that are drawn anew each time, both weighted by the probability of keeping all
    constraints. While nothing is feasible it is that probability alone.
    """

    def __init__(
        self,
        objectives: Sequence[Surrogate],
        constraints: Sequence[Surrogate],
        *,
        feasible: Tensor,
        pending: Tensor | None,
        samples: int,
        generator: torch.Generator,
        scouts: Tensor | None = None,
    ) -> None:
        """`feasible` (n, d) are the feasible trials, `pending` (p, d) those that are being evaluated.

        `scouts` (s, d) are points from all over the space, that show where the front may end.
        """
        self._objectives = tuple(objectives)
        self._constraints = tuple(constraints)
        self._pending = pending if pending is not None and len(pending) else None
        self._samples = samples
        self._seed = int(torch.randint(2**31, (1,), generator=generator))
        self._weights: Tensor | None = None
        if len(self._objectives) > MOST_OBJECTIVES:
            drawn = torch.rand(len(self._objectives), generator=generator, dtype=torch.double)
            self._weights = -drawn.log() / -drawn.log().sum()
        self._baseline = self._pruned(feasible) if self._objectives and len(feasible) else None
        self._reference = self._worst_corner(scouts)

    @property
    def improves(self) -> bool:
        """Whether there is a feasible trial to improve on."""
        return self._baseline is not None

    def estimate(self, rows: Tensor) -> Tensor:
        """Logarithm (N,) of the worth of rows (N, d), by the marginal posteriors alone."""
        with torch.no_grad():
            kept = self._log_feasible(rows)
            if self._baseline is None:
                return kept
            mean, deviation = self._predict(rows)
            return self._improvement(mean, deviation).clamp_min(EPSILON).log() + kept

    def _predict(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Means and standard deviations (N, m)."""
        marginals = [s.predict(rows) for s in self._objectives]
        return torch.stack([m for m, _ in marginals], dim=1), torch.stack([s for _, s in marginals], dim=1)

    def _worst_corner(self, scouts: Tensor | None) -> Tensor:
        """Reference point (m,) beyond the nadir that the front would have with the extremes that are in sight.

        The front's own nadir hides what is better than the best in one objective and worse than the worst in another.
        """
        corner = torch.full((len(self._objectives),), -1.0, dtype=torch.double)
        if self._baseline is None or scouts is None or len(corner) < 2:
            return REFERENCE * corner
        with torch.no_grad():
            best = self._predict(self._baseline)[0].max(0).values
            mean, deviation = self._predict(scouts)
            gains = _partial(best, mean, deviation)
        for k, place in enumerate(gains.argmax(0).tolist()):
            if gains[place, k] > PROMISING:
                others = torch.arange(len(corner)) != k
                corner[others] = torch.minimum(corner[others], mean[place][others])
        return REFERENCE * corner

    def _log_feasible(self, rows: Tensor) -> Tensor:
        total = torch.zeros(len(rows), dtype=torch.double)
        for surrogate in self._constraints:
            mean, deviation = surrogate.predict(rows)
            total += torch.special.log_ndtr(-mean / deviation)
        return total

    def _improvement(self, mean: Tensor, deviation: Tensor) -> Tensor:
        """(N,) expected over independent normal values (N, m); what is pending counts with its mean."""
        assert self._baseline is not None
        known = self._baseline if self._pending is None else torch.cat([self._baseline, self._pending])
        front, _ = self._predict(known)
        if self._weights is None and mean.shape[1] > 1:
            return _expected_hypervolume(front, mean, deviation, self._reference)
        utility = self._utility(front)
        base = _normal(DRAWS, mean.shape[1], self._seed)
        best = utility(front).max()
        draws = utility(mean + deviation * base[:, None, :])
        return (draws - best).clamp_min(0.0).mean(0)

    def _utility(self, front: Tensor) -> Callable[[Tensor], Tensor]:
        """What is maximised with one objective or more than three: itself, or a Chebyshev scalarisation."""
        if self._weights is None:
            return lambda values: values[..., 0]
        weights, low = self._weights, front.min(0).values
        span = (front.max(0).values - low).clamp_min(1e-9)

        def scalarised(values: Tensor) -> Tensor:
            weighted = weights * (values - low - span) / span
            return weighted.min(-1).values + 0.05 * weighted.sum(-1)

        return scalarised

    def _pruned(self, rows: Tensor) -> Tensor:
        """Those of the rows that may be on the front: nothing is better by more than both deviations."""
        with torch.no_grad():
            mean, deviation = self._predict(rows)
            likely = is_non_dominated(mean)
            hoped = mean + deviation
            feared = (mean - deviation)[likely]
            beaten = (feared[None] >= hoped[:, None]).all(-1).any(1)
            kept = likely | ~beaten
            if int(kept.sum()) > BASELINE:  # the nearest to the front stay
                gap = (mean[likely][None] - mean[:, None]).min(-1).values.max(1).values
                gap[likely] = -torch.inf
                kept = torch.zeros_like(kept)
                kept[torch.argsort(gap, stable=True)[: max(BASELINE, int(likely.sum()))]] = True
            return rows[kept]

    def function(self) -> AcquisitionFunction:
        """BoTorch's acquisition function of the joint posterior, where there is something to improve on."""
        assert self._baseline is not None
        stay_in_python()
        count = len(self._objectives)
        model = ModelListGP(*(s.model() for s in (*self._objectives, *self._constraints)))
        limits = [_limit(count + i) for i in range(len(self._constraints))] or None
        shared = {
            "model": model,
            "X_baseline": self._baseline,
            "sampler": SobolQMCNormalSampler(torch.Size([self._samples]), seed=self._seed),
            "constraints": limits,
            "X_pending": self._pending,
            "prune_baseline": False,  # done above
        }
        every = IdentityMCMultiOutputObjective(outcomes=list(range(count))) if count > 1 else None
        if count == 1:
            return qLogNoisyExpectedImprovement(**shared, objective=GenericMCObjective(_first))
        if self._weights is not None:
            return qLogNParEGO(**shared, objective=every, scalarization_weights=self._weights)
        return qLogNoisyExpectedHypervolumeImprovement(**shared, objective=every, ref_point=self._reference)


def _expected_hypervolume(front: Tensor, mean: Tensor, deviation: Tensor, reference: Tensor) -> Tensor:
    """(N,) analytic, over the hypervolume of a front (n, m) up to a reference point (m,) [Yang2019]."""
    inside = front[(front > reference).all(1)]
    boxes = FastNondominatedPartitioning(ref_point=reference, Y=inside)
    lower, upper = boxes.get_hypercell_bounds()
    scale = deviation[:, None]
    total = _partial(lower, mean[:, None], scale) - _partial(upper.clamp_max(1e8), mean[:, None], scale)
    return total.prod(-1).sum(-1)


def _partial(edge: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """E max(Y - edge, 0) for normal Y."""
    z = (mean - edge) / deviation
    density = (-0.5 * z.square()).exp() * 0.3989422804014327
    return deviation * (density + z * torch.special.ndtr(z))


def _normal(count: int, dimension: int, seed: int) -> Tensor:
    """Draws (count, dimension) of standard normal numbers, evenly spread."""
    uniform = torch.quasirandom.SobolEngine(dimension, scramble=True, seed=seed).draw(count, dtype=torch.double)
    return torch.special.ndtri(uniform.clamp(1e-6, 1 - 1e-6))


def _first(values: Tensor, X: Tensor | None = None) -> Tensor:  # noqa: N803  BoTorch's name
    return values[..., 0]


def _limit(index: int) -> Callable[[Tensor], Tensor]:
    return lambda values: values[..., index]
