"""From observations to ranked proposals: fit, search the surrogate, and rank by expected hypervolume improvement."""

from __future__ import annotations

from dataclasses import dataclass

import moocore
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr  # type: ignore[import-untyped]

from nasopt.samplers.predictor import gp as process
from nasopt.samplers.predictor import surrogate
from nasopt.samplers.predictor.box_decomposition import expected_improvement, improvement, open_boxes
from nasopt.samplers.predictor.collapse import collapsed
from nasopt.samplers.predictor.features import Features, cardinality, cross, enumerate_points, mutate, neighbours, shift
from nasopt.samplers.predictor.observations import Observations, teachers
from nasopt.space.encoding import Array, Encoding

NEAR = 0.1
"""Observations matter by exp(-distance to the front / NEAR), the front spanning 0 to 1."""
PROMISING = 1e-4
"""An extreme of the front counts as reachable when its expected gain is at least so much of the front's span."""
MARGIN = 1.1
"""The reference point lies at so much of the front's worst corner."""
DARING, NUMERIC_DARING = (0.3, 0.1), (1.0, 0.3)
"""What deviations are multiplied by, in turns: uncertainty promises more than what is expected to be good already. In a
continuous space they are taken without noise, and on the whole of them fewer points end in a dent of the surrogate."""
WORTH = 0.1
"""The smaller deviations are used where the best gain under them is at least so much of that under the whole ones."""
FITTED, CONDITIONED = 250, 300
"""So many observations teach hyperparameters and posterior; of more, those near the front and some at random."""
CLOSE = 100
"""So many of the pool's best are ranked in double precision."""
PROBED = 300
"""So many of the pool, those that promised most when it was made, tell whether smaller deviations are worth it."""
REFINED = (0.0, 0.1, 0.03, 0.01)
"""Rounds in which the best points of a continuous space are refined: one or two parameters changed at random, then all
continuous ones by steps of so much of their range."""
GENERATIONS, CHILDREN, PARENTS = 8, 800, 200
WIDEST = {4: 60}
"""Points of the front that four objectives keep for improvements; more objectives keep FEWEST, fewer keep all."""
FEWEST = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """Surrogates of objectives and constraints, conditioned on observations."""

    features: Features
    objectives: tuple[surrogate.Surrogate, ...]
    constraints: tuple[process.Posterior, ...]

    def predict(self, codes: Array, *, leading: bool = False, rough: bool = False) -> tuple[Array, Array, Array]:
        """Mean and deviation (n, m) of the objectives at codes (n, d), and the probability (n,) that constraints hold.

        Objectives and constraints are taken as independent. See `Surrogate.predict` for what is quicker. Where a space
        is continuous, deviations are without noise, or a point next to a known one would promise something for ever.
        """
        x, noise = self.features(codes), not self.features.continuous
        parts = [s.predict(x, leading=leading, rough=rough, noise=noise) for s in self.objectives]
        chance = np.ones(len(codes))
        for posterior in self.constraints:
            mean, deviation = posterior.predict(x, rough=rough)
            chance *= ndtr(-mean / deviation)
        return np.stack([p[0] for p in parts], axis=1), np.stack([p[1] for p in parts], axis=1), chance


@dataclass(frozen=True, slots=True, kw_only=True)
class Fits:
    """Hyperparameters of all surrogates."""

    features: Features
    objectives: tuple[tuple[surrogate.View, ...], ...]
    constraints: tuple[process.Kernel, ...]
    collapse: process.Kernel | None
    """Where some trials collapsed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What stays for a few asks, since it takes longest: hyperparameters and the points worth ranking."""

    fits: Fits
    kept: NDArray[np.intp]  # rows of the observations that later posteriors rest on
    pool: Array  # (p, d)
    count: int


def learn(features: Features, observations: Observations, importance: Array) -> Fits:
    """Fit all surrogates; what the objectives' shares rest on counts by its importance (n,)."""
    x, layout = features(observations.codes), (features.groups, features.sums)
    continuous = features.continuous
    lost = collapsed(observations.losses, observations.front())
    useful = observations.losses[~lost]
    return Fits(
        features=features,
        objectives=tuple(
            surrogate.fit(*layout, x[~lost], values, importance[~lost], continuous=continuous) for values in useful.T
        ),
        constraints=tuple(process.fit(*layout, x, values, matern=continuous) for values in observations.constraints.T),
        collapse=process.fit(*layout, x, _signs(lost), matern=continuous) if lost.any() else None,
    )


def believe(fits: Fits, observations: Observations) -> Belief:
    """Condition what was fitted on observations."""
    x = fits.features(observations.codes)
    pairs = list(zip(fits.constraints, observations.constraints.T, strict=True))
    lost = np.zeros(len(x), dtype=bool)
    if fits.collapse is not None:
        lost = collapsed(observations.losses, observations.front())
        if lost.any():
            pairs.append((fits.collapse, _signs(lost)))
    useful = observations.losses[~lost]
    return Belief(
        features=fits.features,
        objectives=tuple(
            surrogate.condition(v, x[~lost], values) for v, values in zip(fits.objectives, useful.T, strict=True)
        ),
        constraints=tuple(process.condition(kernel, x, values) for kernel, values in pairs),
    )


def _signs(mask: NDArray[np.bool_]) -> Array:
    """A constraint (n,) that holds, at -1, where the mask is false."""
    return np.where(mask, 1.0, -1.0)


def prepare(
    encoding: Encoding, observations: Observations, *, pool: int, whole: int, rng: np.random.Generator
) -> Stage:
    """Fit the surrogates and search them for the points that may improve the front.

    A space of at most `whole` points is searched completely, a larger one by evolution on the surrogates.
    """
    features = Features(encoding)
    sample = teachers(observations, FITTED, rng)
    importance = np.exp(-observations.distances()[sample] / NEAR) + 1e-6
    fits = learn(features, observations.take(sample), importance)
    kept = teachers(observations, CONDITIONED, rng)
    belief = believe(fits, observations.take(kept))
    front = observations.front()
    if cardinality(encoding) <= whole:
        points = enumerate_points(encoding)
        values, _ = _optimism(belief, points, front, observations)
    else:
        points, values = _evolve(encoding, belief, observations, rng)
    best = np.argsort(-values, kind="stable")[:pool]
    return Stage(
        fits=fits,
        kept=kept,
        pool=points[best],
        count=len(observations),
    )


def _corner(mean: Array, deviation: Array, front: Array) -> Array:
    """The worst corner (m,) that the front would have with the extremes that are still promising.

    The front's own corner hides what is better than the best in one objective and worse than the worst in another.
    """
    corner = np.ones(mean.shape[1])
    if not len(front):
        return np.maximum(corner, np.quantile(mean, 0.9, axis=0))
    for k in range(mean.shape[1]):
        gap = front[:, k].min() - mean[:, k]
        u = gap / deviation[:, k]
        gain = gap * ndtr(u) + deviation[:, k] * np.exp(-0.5 * u * u) / np.sqrt(2.0 * np.pi)
        best = int(np.argmax(gain))
        if gain[best] > PROMISING:
            others = np.arange(mean.shape[1]) != k
            corner[others] = np.maximum(corner[others], mean[best][others])
    return corner


def boxes(front: Array, corner: Array) -> tuple[Array, Array]:
    """What a front (f, m) leaves open below MARGIN times the corner (m,), thinned where objectives are many."""
    reference = MARGIN * corner
    m = len(corner)
    inside = front[(front < reference).all(axis=1)] if len(front) else np.empty((0, m))
    limit = len(inside) if m <= 3 else WIDEST.get(m, FEWEST)
    if len(inside) > limit:
        chosen = [int(inside.sum(axis=1).argmin())]
        apart = np.abs(inside - inside[chosen[0]]).max(axis=1)
        while len(chosen) < limit:
            chosen.append(int(apart.argmax()))
            apart = np.minimum(apart, np.abs(inside - inside[chosen[-1]]).max(axis=1))
        inside = inside[chosen]
    return open_boxes(inside, reference)


def _optimism(
    belief: Belief, codes: Array, front: Array, observations: Observations, corner: Array | None = None
) -> tuple[Array, Array]:
    """How much points (n, d) would improve the front a deviation better than expected (n,), and the corner used."""
    mean, deviation, chance = belief.predict(codes, leading=True, rough=True)
    if corner is None:
        unseen = ~_among(codes, observations.codes)
        corner = _corner(mean[unseen], deviation[unseen], front) if unseen.any() else np.ones(mean.shape[1])
    lower, upper = boxes(front, corner)
    values = improvement(mean - deviation, lower, upper) + 1e-3 * improvement(mean - 2.0 * deviation, lower, upper)
    values *= chance
    values[_among(codes, observations.codes)] = -1.0
    return values, corner


def _evolve(
    encoding: Encoding, belief: Belief, observations: Observations, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Points (n, d) that an evolution on the surrogates came by, and their optimistic values (n,)."""
    front = observations.front()
    near = np.nan_to_num(observations.codes[np.argsort(observations.distances(), kind="stable")[:40]])
    start = np.concatenate([encoding.draw(rng, CHILDREN), neighbours(encoding, near, rng)])
    points = np.unique(start, axis=0)
    values, corner = _optimism(belief, points, front, observations)
    for _ in range(GENERATIONS):
        parents = np.concatenate([points[np.argsort(-values, kind="stable")[:PARENTS]], near])
        first, second = rng.integers(len(parents), size=(2, CHILDREN))
        bred = cross(parents[first], parents[second], rng)
        bred[: CHILDREN // 2] = parents[first[: CHILDREN // 2]]
        children = mutate(encoding, bred, rng.integers(0, 4, size=CHILDREN), rng)
        children = np.unique(children, axis=0)
        children = children[~_among(children, points)]
        if not len(children):
            break
        new, _ = _optimism(belief, children, front, observations, corner)
        points, values = np.concatenate([points, children]), np.concatenate([values, new])
    return points, values


def _among(codes: Array, others: Array) -> NDArray[np.bool_]:
    """Mask (n,) of codes (n, d) that are rows of others (k, d)."""
    if not len(others) or not len(codes):
        return np.zeros(len(codes), dtype=bool)
    whole = np.dtype((np.void, codes.dtype.itemsize * codes.shape[1]))
    return np.isin(
        np.ascontiguousarray(codes + 0.0).view(whole).ravel(), np.ascontiguousarray(others + 0.0).view(whole).ravel()
    )


def rank(stage: Stage, encoding: Encoding, observations: Observations, taken: Array, rng: np.random.Generator) -> Array:
    """The pool's points (n, d) that are not `taken` (k, d), by expected hypervolume improvement, best first.

    Taken points without an outcome yet count as if they came out as expected, so that workers spread.
    """
    rows = np.concatenate([stage.kept, np.arange(stage.count, len(observations))])
    belief = believe(stage.fits, observations.take(rows))
    front = observations.front()
    pending = taken[~_among(taken, observations.codes)]
    if len(pending):
        expected, _, chance = belief.predict(pending)
        likely = chance > 0.5
        front = np.unique(np.concatenate([front, expected[likely]]), axis=0)
        front = front[moocore.is_nondominated(front)] if len(front) else front
    recent = np.nan_to_num(observations.codes[stage.count :])
    pool = np.concatenate([stage.pool, neighbours(encoding, recent, rng)]) if len(recent) else stage.pool
    pool = pool[np.sort(np.unique(pool, axis=0, return_index=True)[1])]
    pool = pool[~_among(pool, taken)]
    if not len(pool):
        return pool
    mean, deviation, chance = belief.predict(pool, rough=True)
    lower, upper = boxes(front, _corner(mean, deviation, front))
    turns = NUMERIC_DARING if belief.features.continuous else DARING
    daring = _affordable(turns[len(taken) % len(turns)], mean, deviation, lower, upper)

    def closely(codes: Array) -> Array:
        mean, deviation, chance = belief.predict(codes)
        return _value(mean, deviation, lower, upper, daring) * chance

    pool = pool[np.argsort(-_value(mean, deviation, lower, upper, daring) * chance, kind="stable")]
    close, others = pool[:CLOSE], pool[CLOSE:]  # what single precision ranks first is looked at closely
    values = closely(close)
    for step in REFINED if belief.features.continuous else ():  # what a pool of points can only come near to
        best = np.repeat(close[np.argsort(-values, kind="stable")[:10]], 30, axis=0)
        changes = rng.integers(1, 3, size=len(best))
        finer = shift(encoding, best, step, rng) if step else mutate(encoding, best, changes, rng)
        close, values = np.concatenate([close, finer]), np.concatenate([values, closely(finer)])
    return np.concatenate([close[np.argsort(-values, kind="stable")], others])


def _affordable(daring: float, mean: Array, deviation: Array, lower: Array, upper: Array) -> float:
    """The factor for deviations (n, m), or 1 where next to nothing is expected of predictions (n, m) under it."""
    sober = expected_improvement(mean[:PROBED], daring * deviation[:PROBED], lower, upper).max()
    whole = expected_improvement(mean[:PROBED], deviation[:PROBED], lower, upper).max()
    return daring if sober > WORTH * whole else 1.0


def _value(mean: Array, deviation: Array, lower: Array, upper: Array, daring: float) -> Array:
    """Expected improvement (n,) of predictions mean and deviation (n, m); hopes break ties."""
    hopeful = 1e-9 * improvement(mean - 2.0 * deviation, lower, upper)
    return expected_improvement(mean, daring * deviation, lower, upper) + hopeful
