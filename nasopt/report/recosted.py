"""Costs of a study's networks on other devices, as stored, and what they say: ranks, the front, errors of a model."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nasopt.errors import UsageError
from nasopt.records import Cost, Interval, StudyKeys
from nasopt.records.metrics import DEVICE_METRICS, split_metric
from nasopt.statistics.intervals import holding, percentile_interval, resamples

if TYPE_CHECKING:
    from nasopt.report.view import StudyView, TrialView

CHUNK = 50
"""Trials in one attribute of the database."""
FEWEST = 5
"""Trials below which a rank correlation has no interval worth the name."""
_RESAMPLES = 1000
_COMPARED = ("latency_ms", "energy_mj")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recosted:
    """Costs of trials on a device that the study was not run on."""

    device: str
    description: str
    backend: str
    provenance: str
    """Of its latencies; every cost carries its own."""
    conditions: str
    """Hash of what else they depend on."""
    confirms: str
    """The study's modelled device that this one measures; empty where it is another device."""
    costs: Mapping[int, Mapping[str, Cost]]
    """By trial and metric, without the device's name."""
    unsteady: frozenset[int] = frozenset()
    """Trials in whose measurement the machine drifted."""

    def only(self, numbers: Iterable[int]) -> Recosted:
        """Those of these trials alone."""
        kept = set(numbers)
        return replace(self, costs={n: c for n, c in self.costs.items() if n in kept}, unsteady=self.unsteady & kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """How well a cost on one device ranks networks by their cost on another."""

    metric: str
    """Of the study."""
    trials: int
    spearman: float | None
    """None where a cost does not vary."""
    spearman_ci95: Interval | None
    """By bootstrap over trials; None below `FEWEST`."""
    kendall: float | None
    """Tau-b."""
    kendall_ci95: Interval | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """A study's networks on another device."""

    recosted: Recosted
    correlations: tuple[Correlation, ...]
    stays: tuple[int, ...]
    """Members of the front that are on the front with the other device's costs, too."""
    leaves: tuple[int, ...]
    joins: tuple[int, ...]
    replaced: tuple[str, ...]
    """Objectives whose figures were those of the other device for this."""
    kept: tuple[str, ...]
    """Objectives on a device that the other one has no figure for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """Modelled figures of one metric beside measured ones."""

    metric: str
    trials: tuple[int, ...]
    modelled: tuple[Cost, ...]
    measured: tuple[Cost, ...]

    @property
    def errors(self) -> tuple[float, ...]:
        """Modelled over measured, less 1."""
        return tuple(m.value / r.value - 1 for m, r in zip(self.modelled, self.measured, strict=True))

    @property
    def held(self) -> tuple[bool, ...]:
        """Whether the measured figure lies in the modelled one's interval."""
        pairs = zip(self.modelled, self.measured, strict=True)
        return tuple(m.ci95[0] <= r.value <= m.ci95[1] for m, r in pairs)


def recosted_key(name: str, chunk: int | None) -> str:
    """Name of the study attribute with what is known of the device (`chunk` None), or with a chunk's costs."""
    return f"{StudyKeys.RECOSTED}{name}:" + ("" if chunk is None else str(chunk))


def stored_recosted(attrs: Mapping[str, Any]) -> dict[str, Recosted]:
    """All devices on which costs were taken later, from a study's user attributes."""
    found = {}
    for key, about in attrs.items():
        if not key.startswith(StudyKeys.RECOSTED) or not key.endswith(":") or not about:
            continue
        trials: dict[int, Any] = {}
        for chunk, stored in attrs.items():
            if chunk.startswith(key) and chunk != key:
                trials |= {int(number): record for number, record in stored.items()}
        device = about["device"]
        found[key.removeprefix(StudyKeys.RECOSTED).removesuffix(":")] = Recosted(
            device=device["name"],
            description=device["description"],
            backend=device["backend"],
            provenance=device["provenance"],
            conditions=about["conditions"],
            confirms=about.get("confirms") or "",
            costs={n: {m: _cost(c) for m, c in trials[n]["costs"].items()} for n in sorted(trials)},
            unsteady=frozenset(n for n, record in trials.items() if not record.get("steady", True)),
        )
    return found


def _cost(data: Mapping[str, Any]) -> Cost:
    return Cost(value=data["value"], ci95=(data["ci95"][0], data["ci95"][1]), provenance=data["provenance"])


def transfer_of(view: StudyView, recosted: Recosted) -> Transfer:
    """Rank correlations, and the front with the other device's costs in place of the study's.

    Raises:
        UsageError: no cost of the study's trials can be compared.
    """
    trials = [t for t in view.finished() if t.number in recosted.costs]
    metrics = compared_metrics(view, trials, recosted)
    if not metrics:
        raise UsageError(f"study {view.name!r} and {recosted.device} have no cost in common")
    correlations = tuple(_correlation(m, trials, recosted) for m in metrics)
    on_device = [o.metric for o in view.objectives if split_metric(o.metric)[0] in DEVICE_METRICS]
    replaced = tuple(m for m in on_device if all(split_metric(m)[0] in recosted.costs[t.number] for t in trials))
    before = {t.number for t in view.front()}
    after = _front_after(view, [t for t in trials if t.feasible], recosted, replaced)
    return Transfer(
        recosted=recosted,
        correlations=correlations,
        stays=tuple(sorted(before & after)),
        leaves=tuple(sorted(n for n in before - after if n in recosted.costs)),
        joins=tuple(sorted(after - before)),
        replaced=replaced,
        kept=tuple(m for m in on_device if m not in replaced),
    )


def compared_metrics(view: StudyView, trials: Sequence[TrialView], recosted: Recosted) -> tuple[str, ...]:
    """Costs that the study and the other device both have: those it optimises, else latency and energy."""
    optimised = [o.metric for o in view.objectives if split_metric(o.metric)[0] in DEVICE_METRICS]
    every = dict.fromkeys(m for t in trials if t.outcome for m in t.outcome.costs)
    wanted = optimised or [m for m in every if split_metric(m)[0] in _COMPARED]
    return tuple(
        m
        for m in wanted
        if trials and all(t.cost(m) and split_metric(m)[0] in recosted.costs[t.number] for t in trials)
    )


def pairs_of(metric: str, trials: Sequence[TrialView], recosted: Recosted) -> list[tuple[Cost, Cost]]:
    """The study's cost and the other device's, trial by trial."""
    base = split_metric(metric)[0]
    return [(cost, recosted.costs[t.number][base]) for t in trials if (cost := t.cost(metric)) is not None]


def _correlation(metric: str, trials: Sequence[TrialView], recosted: Recosted) -> Correlation:
    pairs = pairs_of(metric, trials, recosted)
    table = np.array([(a.value, b.value) for a, b in pairs], dtype=np.float64).reshape(len(pairs), 2)
    spearman, kendall = _ranks(table)
    intervals: list[Interval | None] = [None, None]
    if len(table) >= FEWEST and math.isfinite(spearman):
        (drawn,) = resamples(len(table), times=_RESAMPLES)
        resampled = np.array([_ranks(table[rows]) for rows in drawn])
        for index, centre in enumerate((spearman, kendall)):
            told = resampled[:, index][np.isfinite(resampled[:, index])]
            intervals[index] = holding(percentile_interval(told), centre) if len(told) else (centre, centre)
    return Correlation(
        metric=metric,
        trials=len(table),
        spearman=spearman if math.isfinite(spearman) else None,
        spearman_ci95=intervals[0],
        kendall=kendall if math.isfinite(kendall) else None,
        kendall_ci95=intervals[1],
    )


def _ranks(table: np.ndarray[Any, np.dtype[np.float64]]) -> tuple[float, float]:
    """Spearman and Kendall's tau-b of two columns; not a number where one does not vary."""
    if len(table) < 2 or (table == table[0]).all(axis=0).any():
        return float("nan"), float("nan")
    from scipy import stats  # a second of processor, for which nobody else should pay

    return float(stats.spearmanr(table[:, 0], table[:, 1])[0]), float(stats.kendalltau(table[:, 0], table[:, 1])[0])


def _front_after(view: StudyView, trials: Sequence[TrialView], recosted: Recosted, replaced: Sequence[str]) -> set[int]:
    from moocore import is_nondominated

    losses = view.losses(trials)
    for column, objective in enumerate(view.objectives):
        if objective.metric in replaced:
            base = split_metric(objective.metric)[0]
            losses[:, column] = [objective.sign * recosted.costs[t.number][base].value for t in trials]
    mask = is_nondominated(losses, keep_weakly=True)
    return {t.number for t, good in zip(trials, mask, strict=True) if good}


def confirmations(view: StudyView, recosted: Recosted) -> tuple[Confirmation, ...]:
    """Modelled against measured figures of the front, by metric: latency, and energy where both are there."""
    front = [t for t in view.front() if t.number in recosted.costs]
    found = []
    for base in _COMPARED:
        metric = next((m for m in (base, f"{base}@{recosted.confirms}") if any(t.cost(m) for t in front)), None)
        if metric is None or not all(base in recosted.costs[t.number] for t in front):
            continue
        pairs = pairs_of(metric, front, recosted)
        if not pairs or any(b.provenance != "measured" or a.provenance == "measured" for a, b in pairs):
            continue
        modelled, measured = zip(*pairs, strict=True)
        numbers = tuple(t.number for t in front if t.cost(metric) is not None)
        found.append(Confirmation(metric=metric, trials=numbers, modelled=modelled, measured=measured))
    return tuple(found)
