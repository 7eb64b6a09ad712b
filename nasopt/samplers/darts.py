"""The differentiable strategy as a sampler: choices from an architecture prior, then more and more from the data.

The prior p(choice | preference) is what the relaxation of a supernet has learned (`training.architecture`). Each
proposal draws a preference between the objectives, then every parameter by itself from the prior times the likelihood
of the choice among the good trials under that preference; of several such draws the one with the best ratio of good to
bad likelihood is proposed, as in TPE [Bergstra2011]. The prior's exponent falls with the trials [Hvarfner2022].
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler

from nasopt.errors import UsageError
from nasopt.records.prior import ArchitecturePrior, read_prior
from nasopt.samplers.history import History
from nasopt.samplers.stateless import BreedingSampler, check_integer, check_share, read_options
from nasopt.space.encoding import Array, Axis, Encoding

BINS = 8
"""Parts of a range that is continuous or has more values than `COUNTED`."""
COUNTED = 24
NEIGHBOUR = 0.5
"""What a number's neighbours get of an observation, as a share of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DartsOptions:
    """Options of the darts sampler."""

    control: Literal["none", "uniform", "shuffled"] = "none"
    """Replaces the prior to see what it is worth: by equal probabilities, or by its own dealt to the wrong choices."""
    uniform_share: float = 0.2
    """Share of the uniform distribution in each parameter's prior."""
    prior_trials: int = 20
    """So many trials halve the prior's exponent."""
    good_share: float = 0.2
    """Share of the trials that count as good under a preference."""
    draws: int = 24
    """Draws of which the best is proposed; one at first, and more as the prior's exponent falls."""

    def __post_init__(self) -> None:
        if self.control not in ("none", "uniform", "shuffled"):
            raise ValueError(f"control must be none, uniform or shuffled, got {self.control!r}")
        check_share("uniform_share", self.uniform_share)
        check_share("good_share", self.good_share)
        check_integer("prior_trials", self.prior_trials, 1)
        check_integer("draws", self.draws, 1)


class DartsSampler(BreedingSampler):
    """Draws from the prior and the trials; keeps nothing between two draws but its generator."""

    def __init__(
        self,
        options: DartsOptions,
        *,
        prior: ArchitecturePrior | None,
        seed: int | None = None,
        search_space: Mapping[str, BaseDistribution] | None = None,
    ) -> None:
        """Without a `prior` only the uniform control can draw."""
        super().__init__(population_size=0, seed=seed, search_space=search_space)
        self._options = options
        self._prior = prior if options.control != "shuffled" or prior is None else prior.shuffled()

    def offspring(self, history: History, encoding: Encoding, rng: np.random.Generator) -> Iterator[Array]:
        """Rows (d,) without end: the draws under one preference, best first, then those under another.

        Raises:
            UsageError: there is no prior.
        """
        axes = [_Bins(axis) for axis in encoding.axes]
        self._check_prior()
        count = history.losses.shape[1]
        codes = [bins.of(history.codes[:, i]) for i, bins in enumerate(axes)]
        exponent = 1 / (1 + len(history) / self._options.prior_trials)
        draws = 1 + round((1 - exponent) * (self._options.draws - 1))  # a few trials are no ground to pick on
        while True:
            preference = rng.dirichlet(np.ones(count))
            base = [self._base(bins, preference, rng) for bins in axes]
            good = self._good(history, preference)
            likely = [bins.density(c[good]) for bins, c in zip(axes, codes, strict=True)]
            unlikely = [bins.density(c[~good]) for bins, c in zip(axes, codes, strict=True)]
            drawn, scores = [], np.zeros(draws)
            for p, good_p, bad_p in zip(base, likely, unlikely, strict=True):
                p = p**exponent * good_p
                picked = rng.choice(len(p), size=draws, p=p / p.sum())
                scores += np.log(good_p[picked] / bad_p[picked])
                drawn.append(picked)
            for place in np.argsort(-scores, kind="stable"):  # the others count only where the best is known already
                yield np.array([bins.code(int(d[place]), rng) for bins, d in zip(axes, drawn, strict=True)])

    def _check_prior(self) -> None:
        if self._prior is None and self._options.control != "uniform":
            raise UsageError(
                "sampler darts draws from an architecture prior and has none: `nasopt run` trains one where the "
                "problem has a supernet; else give the option prior, the file of one, or set control to uniform"
            )

    def _base(self, bins: _Bins, preference: Array, rng: np.random.Generator) -> Array:
        """The prior of one parameter mixed with a uniform share, (bins,)."""
        prior, uniform = self._prior, np.full(bins.count, 1 / bins.count)
        if self._options.control == "uniform" or prior is None or bins.axis.name not in prior.choices or bins.wide:
            return uniform
        if len(prior.objectives) == len(preference):
            row = prior.nearest(preference.tolist())
        else:  # a study with other objectives: any of the tabulated preferences
            row = int(rng.integers(len(prior.preferences)))
        given = np.zeros(bins.count)
        for value, p in zip(prior.choices[bins.axis.name], prior.probabilities[bins.axis.name][row], strict=True):
            if (code := bins.axis.encode(value)) is not None:
                given[int(bins.of(np.array([code]))[0])] += p
        if not given.sum() > 0:
            return uniform
        mixed: Array = (1 - self._options.uniform_share) * given / given.sum() + self._options.uniform_share * uniform
        return mixed + 1e-9

    def _good(self, history: History, preference: Array) -> NDArray[np.bool_]:
        """Mask (n,) of the best trials under a preference: feasible ones first, then by the worst weighed loss."""
        n = len(history)
        mask = np.zeros(n, dtype=bool)
        if n < 2:
            return mask
        weighed = history.losses * preference
        loss = weighed.max(axis=1) + 0.05 * weighed.sum(axis=1)  # augmented Chebyshev [Knowles2006]
        loss = np.where(history.feasible, loss, loss.max() + 1 + history.violations)
        mask[np.argsort(loss, kind="stable")[: max(1, math.ceil(self._options.good_share * n))]] = True
        return mask


class _Bins:
    """One axis cut into bins: one for each value where there are few, else equal parts of its range."""

    def __init__(self, axis: Axis) -> None:
        self.axis = axis
        self.wide = axis.levels is None or axis.levels > COUNTED or (axis.kind == "real" and axis.levels is not None)
        self.count = BINS if self.wide else (axis.levels or 1)

    def of(self, codes: Array) -> Array:
        """Bin (n,) of each code (n,), -1 where it is NaN."""
        known = ~np.isnan(codes)
        place = np.where(known, codes, 0.0)
        scaled = place / self.axis.top * self.count if self.wide else np.round(place)
        return np.where(known, np.clip(scaled, 0, self.count - 1).astype(int), -1)

    def density(self, bins: Array) -> Array:
        """Probabilities (bins,) after these observations, with one in all of the uniform's; numbers are smoothed."""
        counts = np.bincount(bins[bins >= 0].astype(int), minlength=self.count).astype(float)
        if self.axis.kind != "choice" and self.count > 2:
            total = counts.sum()
            counts[1:-1], counts[0], counts[-1] = (
                counts[1:-1] + NEIGHBOUR * (counts[:-2] + counts[2:]),
                counts[0] + NEIGHBOUR * counts[1],
                counts[-1] + NEIGHBOUR * counts[-2],
            )
            counts *= total / max(counts.sum(), 1e-12)
        density: Array = (counts + 1 / self.count) / (counts.sum() + 1)
        return density

    def code(self, index: int, rng: np.random.Generator) -> float:
        """A code in this bin."""
        if not self.wide:
            return float(index)
        return float((index + rng.random()) / self.count * self.axis.top)


def darts(
    *,
    seed: int | None = None,
    search_space: Mapping[str, BaseDistribution] | None = None,
    prior: ArchitecturePrior | Mapping[str, Any] | str | None = None,
    **options: Any,
) -> BaseSampler:
    """Choices from an architecture prior, then more and more from the trials; its options are those of DartsOptions.

    Args:
        seed: of its draws.
        search_space: the distributions; what all COMPLETE trials have in common if left out.
        prior: the record, its JSON, or the path of a file with it. A study that trains a supernet provides it.
        **options: see DartsOptions.

    Raises:
        UsageError: an option that it does not take, a value that it refuses, or a prior that cannot be read.
    """
    read = read_options("darts", DartsOptions, options)
    return DartsSampler(read, prior=_record(prior), seed=seed, search_space=search_space)


def _record(prior: ArchitecturePrior | Mapping[str, Any] | str | None) -> ArchitecturePrior | None:
    if prior is None or isinstance(prior, ArchitecturePrior):
        return prior
    if isinstance(prior, str):
        return read_prior(Path(prior).expanduser())
    try:
        return ArchitecturePrior.from_json(prior)
    except (ValueError, AttributeError) as error:
        raise UsageError(f"sampler darts: {error}") from error


def requires(options: Mapping[str, Any]) -> frozenset[str]:
    """A trained prior, unless the options bring one or do without."""
    return frozenset() if "prior" in options or options.get("control") == "uniform" else frozenset({"prior"})


darts.requires = requires  # type: ignore[attr-defined]
