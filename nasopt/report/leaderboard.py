"""Methods in order of what they reach at equal cost, over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from nasopt.report.hypervolume import Budget
from nasopt.report.view import StudyView
from nasopt.statistics.significance import average_ranks, holm, paired_p, pairs_needed, smallest_p

if TYPE_CHECKING:
    from nasopt.report.compare import HypervolumeAt

LEVEL = 0.05
"""Of significance, after Holm's correction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Hypervolumes of a method's runs at one budget, as shares of the whole."""

    by: Budget
    fraction: float
    budget: float
    median: float
    quartiles: tuple[float, float]
    extremes: tuple[float, float]
    """Smallest and largest."""
    rank: float | None
    """Mean over the seeds that all methods ran, 1 is best; None without such seeds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A method of the leaderboard."""

    method: str
    runs: int
    at: tuple[Spread, ...]

    def spread(self, by: Budget, fraction: float) -> Spread:
        """At one budget."""
        return next(s for s in self.at if s.by == by and s.fraction == fraction)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairTest:
    """Two methods at one budget, paired by seed."""

    by: Budget
    fraction: float
    first: str
    second: str
    pairs: int
    difference: float
    """Median over the seeds of first minus second, in shares of the whole."""
    p: float
    """Wilcoxon's signed-rank test, two-sided."""
    p_holm: float
    """Corrected for all tests at this budget."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaderboard:
    """Methods set against each other over seeds, the best first."""

    seeds: tuple[int, ...]
    """Those that every method ran, by which runs are paired."""
    control: str | None
    """The method that the others are tested against; None where every pair is."""
    standings: tuple[Standing, ...]
    tests: tuple[PairTest, ...]
    level: float
    smallest_p: float
    """That a test with so many seeds can give, before and after correction."""
    smallest_p_holm: float
    seeds_needed: int
    """With which a test of as many methods could be significant."""

    @property
    def can_tell(self) -> bool:
        """Whether any difference could be significant, however large."""
        return bool(self.tests) and self.smallest_p_holm <= self.level


def leaderboard(
    views: Sequence[StudyView], groups: Mapping[str, str], hypervolumes: Sequence[HypervolumeAt]
) -> Leaderboard:
    """Standings and tests of the methods of `groups` (by study) at the budgets of `hypervolumes`."""
    methods = list(dict.fromkeys(groups.values()))
    control = _control(views, methods)
    by_seed = {m: _by_seed(views, groups, m) for m in methods}
    seeds = tuple(sorted(set.intersection(*(set(runs) for runs in by_seed.values()))))
    ranks = {(h.by, h.fraction): _ranks(h, by_seed, seeds) for h in hypervolumes}
    standings = [
        Standing(
            method=method,
            runs=sum(g == method for g in groups.values()),
            at=tuple(
                _spread(h, [h.shares[n] for n, g in groups.items() if g == method], ranks[h.by, h.fraction].get(method))
                for h in hypervolumes
            ),
        )
        for method in methods
    ]
    pairs = [(control, m) for m in methods if m != control] if control else list(combinations(methods, 2))
    tests = [t for h in hypervolumes for t in _tests(h, by_seed, pairs)]
    family = max(1, len({(t.first, t.second) for t in tests}))
    least = smallest_p(max((t.pairs for t in tests), default=0))
    return Leaderboard(
        seeds=seeds,
        control=control,
        standings=tuple(sorted(standings, key=_place)),
        tests=tuple(tests),
        level=LEVEL,
        smallest_p=least,
        smallest_p_holm=min(1.0, family * least),
        seeds_needed=pairs_needed(max(1, len(pairs)), LEVEL),
    )


def _control(views: Sequence[StudyView], methods: Sequence[str]) -> str | None:
    named = {v.contest.control if v.contest else None for v in views}
    control = named.pop() if len(named) == 1 else None
    return control if control in methods else None


def _by_seed(views: Sequence[StudyView], groups: Mapping[str, str], method: str) -> dict[int, str]:
    """The first study of a method with each seed."""
    found: dict[int, str] = {}
    for view in views:
        if groups[view.name] == method and view.seed is not None:
            found.setdefault(view.seed, view.name)
    return found


def _ranks(h: HypervolumeAt, by_seed: Mapping[str, Mapping[int, str]], seeds: Sequence[int]) -> dict[str, float]:
    if not seeds:
        return {}
    scores = np.array([[h.shares[runs[seed]] for runs in by_seed.values()] for seed in seeds])
    return dict(zip(by_seed, map(float, average_ranks(scores)), strict=True))


def _spread(h: HypervolumeAt, shares: Sequence[float], rank: float | None) -> Spread:
    low, middle, high = (float(q) for q in np.quantile(shares, (0.25, 0.5, 0.75)))
    return Spread(
        by=h.by,
        fraction=h.fraction,
        budget=h.budget,
        median=middle,
        quartiles=(low, high),
        extremes=(min(shares), max(shares)),
        rank=rank,
    )


def _tests(
    h: HypervolumeAt, by_seed: Mapping[str, Mapping[int, str]], pairs: Sequence[tuple[str, str]]
) -> list[PairTest]:
    """All tests at one budget, corrected together; pairs of methods with fewer than two common seeds are left out."""
    raw = []
    for first, second in pairs:
        common = sorted(by_seed[first].keys() & by_seed[second].keys())
        if len(common) < 2:
            continue
        ours, theirs = ([h.shares[by_seed[m][s]] for s in common] for m in (first, second))
        difference = float(np.median(np.subtract(ours, theirs)))
        raw.append((first, second, len(common), difference, paired_p(ours, theirs)))
    adjusted = holm([p for *_, p in raw])
    return [
        PairTest(
            by=h.by,
            fraction=h.fraction,
            first=first,
            second=second,
            pairs=count,
            difference=difference,
            p=p,
            p_holm=corrected,
        )
        for (first, second, count, difference, p), corrected in zip(raw, adjusted, strict=True)
    ]


def _place(standing: Standing) -> tuple[float, float]:
    """Best first: by mean rank at the end of the budget in trials, then by the median."""
    last = standing.spread("trials", 1.0)
    return (last.rank if last.rank is not None else 0.0, -last.median)
