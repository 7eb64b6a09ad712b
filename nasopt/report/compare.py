"""Studies against each other at equal cost: hypervolume, attainment, best values, coverage."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from nasopt.cache import content_key
from nasopt.records import Interval
from nasopt.report.comparability import check, settled
from nasopt.report.hypervolume import Budget, at, history, hypervolume, preparation, reference_point, spent, true_front
from nasopt.report.leaderboard import Leaderboard, leaderboard
from nasopt.report.view import Array, Objective, StudyView, TrialView

FRACTIONS = (0.25, 0.5, 1.0)
"""Shares of the common budget at which studies are set against each other; what all prepared alike comes on top."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyLine:
    """One study of a comparison."""

    name: str
    group: str
    """Studies that differ in nothing but name, seed and budget are runs of one method, and share a group."""
    seed: int | None
    trials: int
    """Trained and measured."""
    front: int
    seconds: float
    """Charged to it: supernet, prior and all trials, as if no cache had answered."""
    hypervolume: float
    """At its own end, whatever that cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HypervolumeAt:
    """Hypervolumes once all studies have used up the same budget."""

    by: Budget
    fraction: float
    """Of the smallest budget that all of them had, not counting what the one with the least preparation prepared."""
    budget: float
    """Preparation included."""
    values: dict[str, float]
    """By study."""
    shares: dict[str, float]
    """Of the hypervolume `Comparison.together`."""
    groups: dict[str, tuple[float, float, float]]
    """Smallest, median and largest of a group's shares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BestAt:
    """The best feasible value of one objective at equal cost."""

    by: Budget
    budget: float
    metric: str
    values: dict[str, float | None]
    trials: dict[str, int | None]
    intervals: dict[str, Interval | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attainment:
    """What a group attains in at least a share of its runs; each point one value an objective. [Fonseca2011]"""

    group: str
    percent: float
    """0 is what its best runs attain together, 50 what half of them attain, 100 what every one attains."""
    points: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Studies set against each other; values are in the directions of the objectives."""

    contest: str | None
    """The contest that all studies belong to; None where they do not belong to one."""
    objectives: tuple[Objective, ...]
    origins: dict[str, str]
    """Provenance of each objective's figures, the same in all studies; empty for quality."""
    reference: tuple[float, ...]
    """The point up to which hypervolume counts, the same for all."""
    whole: str
    """What shares of hypervolume are shares of."""
    together: float
    """Its hypervolume."""
    studies: tuple[StudyLine, ...]
    hypervolume: tuple[HypervolumeAt, ...]
    best: tuple[BestAt, ...]
    coverage: dict[str, dict[str, float]]
    """`coverage[a][b]`: share of b's front that some member of a's front weakly dominates. [Zitzler1999]"""
    attainment: tuple[Attainment, ...]
    leaderboard: Leaderboard | None
    """None where no method ran more than once."""
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return dataclasses.asdict(self)


def compare_views(views: Sequence[StudyView], *, reference: Sequence[float] | None = None) -> Comparison:
    """Compare studies with the same objectives.

    Args:
        views: two studies or more.
        reference: the point up to which hypervolume counts, in the directions of the objectives; by default the worst
            of the fronts' union and a tenth of its range beyond.

    Raises:
        UsageError: their figures mean different things, see `comparability.check`.
    """
    views, unsettled = settled(views)
    warnings = (*check(views), *unsettled)
    fixed, known = reference or fixed_reference(views), true_front(views)
    if known is not None and fixed is None:
        point, together = known
    else:
        point, known = reference_point(views, fixed=fixed), None
        together = hypervolume(np.concatenate([v.losses(v.front()) for v in views]), point)
    groups = group_names(views)
    hypervolumes = tuple(_hypervolumes(views, groups, point, together))
    signs = np.array([o.sign for o in views[0].objectives])
    contests = {v.contest.contest if v.contest else None for v in views}
    return Comparison(
        contest=contests.pop() if len(contests) == 1 else None,
        objectives=views[0].objectives,
        origins={o.metric: " and ".join(views[0].provenances(o.metric)) for o in views[0].objectives},
        reference=tuple(float(v) for v in point * signs),
        whole="all studies' together" if known is None else "the true front's",
        together=together,
        studies=tuple(_line(v, groups[v.name], point) for v in views),
        hypervolume=hypervolumes,
        best=tuple(_bests(views)),
        coverage={
            a.name: {b.name: coverage(a.losses(a.front()), b.losses(b.front())) for b in views if b is not a}
            for a in views
        },
        attainment=tuple(_attainments(views, groups)),
        leaderboard=leaderboard(views, groups, hypervolumes) if len(set(groups.values())) < len(views) else None,
        warnings=(*warnings, *_reference_warnings(views, point)),
    )


def group_names(views: Sequence[StudyView]) -> dict[str, str]:
    """The group of each study by name: runs that differ in name, seed, budget and places only share one.

    A group is called after its label in a contest, after its sampler where samplers tell the groups apart, else after
    its first study.
    """
    contests = {v.contest.contest if v.contest else None for v in views}
    if None not in contests:
        several = len(contests) > 1
        members = {v.name: v.contest for v in views if v.contest}
        return {n: f"{m.contest}: {m.label}" if several else m.label for n, m in members.items()}
    keys = {v.name: content_key(**{k: s for k, s in v.spec.items() if k != "study"}) for v in views}
    samplers = {v.name: str((v.spec.get("sampler") or {}).get("name") or "") for v in views}
    by_sampler = {(keys[n], samplers[n]) for n in keys}
    distinct = len({s for _, s in by_sampler}) == len(by_sampler) and all(s for _, s in by_sampler)
    first = {key: next(n for n in keys if keys[n] == key) for key in keys.values()}
    several = len(by_sampler) > 1
    return {n: samplers[n] if distinct and several else first[keys[n]] for n in keys}


def fixed_reference(views: Sequence[StudyView]) -> tuple[float, ...] | None:
    """The reference point that the file of all studies' contest fixes; None where it does not, or they differ."""
    fixed = {v.contest.reference if v.contest else None for v in views}
    return fixed.pop() if len(fixed) == 1 else None


def total_seconds(view: StudyView) -> float:
    """Seconds charged to a study: its supernet, its sampler's prior and every trial, as if no cache had answered."""
    return view.preparation_seconds + sum(t.seconds for t in view.trials)


def common_budget(views: Sequence[StudyView], by: Budget) -> float:
    """The largest budget that every study has used up."""
    return min(float(spent(v, by=by)[-1]) for v in views)


def coverage(first: Array, second: Array) -> float:
    """Share of `second` (n, objectives) that some row of `first` weakly dominates; 0 for an empty one. [Zitzler1999]"""
    if len(first) == 0 or len(second) == 0:
        return 0.0
    covered = (first[:, None, :] <= second[None, :, :]).all(axis=2).any(axis=0)
    return float(covered.mean())


def within(view: StudyView, by: Budget, limit: float) -> list[TrialView]:
    """Feasible finished trials that were done once `limit` of the budget was used."""
    used = spent(view, by=by)
    return [t for t, u in zip(view.finished(), used, strict=True) if u <= limit * (1 + 1e-12) and t.feasible]


def _line(view: StudyView, group: str, point: Array) -> StudyLine:
    front = view.front()
    return StudyLine(
        name=view.name,
        group=group,
        seed=view.seed,
        trials=len(view.finished()),
        front=len(front),
        seconds=total_seconds(view),
        hypervolume=hypervolume(view.losses(front), point),
    )


def _hypervolumes(
    views: Sequence[StudyView], groups: dict[str, str], point: Array, together: float
) -> list[HypervolumeAt]:
    found = []
    for by in _BUDGETS:
        limit = common_budget(views, by)
        alike = min(preparation(v, by=by) for v in views)
        if limit <= alike:  # nothing was charged, as where a table answers
            continue
        histories = {v.name: history(v, point, by=by) for v in views}
        for fraction in FRACTIONS:
            budget = alike + fraction * (limit - alike)
            if by == "trials":
                budget = float(max(1, round(budget)))
            values = {name: at(*h, budget) for name, h in histories.items()}
            shares = {n: v / together if together else 0.0 for n, v in values.items()}
            by_group = {g: [shares[n] for n in shares if groups[n] == g] for g in dict.fromkeys(groups.values())}
            found.append(
                HypervolumeAt(
                    by=by,
                    fraction=fraction,
                    budget=budget,
                    values=values,
                    shares=shares,
                    groups={g: (min(s), median(s), max(s)) for g, s in by_group.items()},
                )
            )
    return found


_BUDGETS: tuple[Budget, ...] = ("trials", "seconds", "wall")


def _bests(views: Sequence[StudyView]) -> list[BestAt]:
    found = []
    for by in _BUDGETS[:2]:
        limit = common_budget(views, by)
        able = {v.name: within(v, by, limit) for v in views}
        for index, objective in enumerate(views[0].objectives):
            chosen: dict[str, TrialView | None] = {}
            for view in views:
                losses = view.losses(able[view.name])[:, index]
                chosen[view.name] = able[view.name][int(losses.argmin())] if len(losses) else None
            figures = {
                v.name: v.figure(t, objective.metric) if (t := chosen[v.name]) is not None else None for v in views
            }
            found.append(
                BestAt(
                    by=by,
                    budget=limit,
                    metric=objective.metric,
                    values={n: None if t is None or t.values is None else t.values[index] for n, t in chosen.items()},
                    trials={n: None if t is None else t.number for n, t in chosen.items()},
                    intervals={n: None if f is None else f[1] for n, f in figures.items()},
                )
            )
    return found


def _attainments(views: Sequence[StudyView], groups: dict[str, str]) -> list[Attainment]:
    """Attainment surfaces of each group at the common number of trials; two or three objectives only."""
    from moocore import eaf

    if len(views[0].objectives) not in (2, 3):
        return []
    limit = common_budget(views, "trials")
    signs = np.array([o.sign for o in views[0].objectives])
    found = []
    for group in dict.fromkeys(groups.values()):
        runs = [v.losses(within(v, "trials", limit)) for v in views if groups[v.name] == group]
        runs = [r for r in runs if len(r)]
        if not runs:
            continue
        sets = np.concatenate([np.full(len(r), i) for i, r in enumerate(runs, start=1)])
        percentiles = [0.0, 50.0, 100.0] if len(runs) > 1 else [100.0]
        surface = eaf(np.concatenate(runs), sets, percentiles=percentiles)
        for percent in percentiles:
            points = surface[surface[:, -1] == percent, :-1] * signs
            found.append(
                Attainment(group=group, percent=percent, points=tuple(tuple(float(x) for x in p) for p in points))
            )
    return found


def _reference_warnings(views: Sequence[StudyView], point: Array) -> list[str]:
    outside = {v.name: int((~(v.losses(v.front()) < point).all(axis=1)).sum()) for v in views}
    return [
        f"{count} members of the front of {name!r} lie beyond the reference point and count nothing"
        for name, count in outside.items()
        if count
    ]
