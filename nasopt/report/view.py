"""A study as its readers see it: one frozen value, loaded from the database once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from nasopt.errors import DatabaseError, NasoptError, StudyNotFoundError, UsageError
from nasopt.records import Cost, Interval, Outcome, Provenance, StudyKeys, TrialKeys
from nasopt.records.metrics import DEVICE_METRICS, METRICS, Metric, split_metric
from nasopt.records.stream import RoutedStream, stored_streams
from nasopt.report.recosted import Recosted, stored_recosted
from nasopt.report.stored import first_line, study_records, trials_of
from nasopt.statistics.binomial import wilson

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial
    from pandas import DataFrame

Array = npt.NDArray[np.float64]
UNREADABLE = "unreadable"
"""What stands for the end of a trial that is stored damaged."""
ELSEWHERE = "added elsewhere"
"""How a finished trial ended that bears no mark of nasopt's."""
SHARES = frozenset({"accuracy", "top5", "exit_rate", "routing_accuracy"})
"""Quality metrics that are shares of the validation images, so that counting statistics give their interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """One figure that the study optimises."""

    metric: str
    direction: Literal["maximize", "minimize"]

    @property
    def sign(self) -> float:
        """Factor that turns a value into a loss."""
        return -1.0 if self.direction == "maximize" else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """A bound that feasible trials keep."""

    key: str
    metric: str
    min: float | None
    max: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """Where costs come from, as the study recorded it."""

    name: str
    description: str
    backend: str
    provenance: str
    meter: str
    remedy: str
    """How to get measured figures where these are not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One process that worked on the study."""

    host: str
    hardware: str
    started: str
    seconds: float
    trials: int
    energy_kwh: float | None
    co2_kg: float | None
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """Which competitor of which contest a study is, and what the contest's studies share."""

    contest: str
    label: str
    seed: int
    labels: tuple[str, ...]
    """Of all competitors, in the order of the file."""
    seeds: tuple[int, ...]
    control: str | None
    """The competitor that the others are tested against; None where every pair is."""
    reference: tuple[float, ...] | None
    """The point up to which hypervolume counts, in the objectives' directions, where the file fixes one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialView:
    """One trial of a study."""

    number: int
    state: str
    """Optuna's: running, waiting, complete, pruned or fail."""
    params: Mapping[str, Any]
    distributions: Mapping[str, BaseDistribution]
    values: tuple[float, ...] | None
    """One value for each objective, in the study's directions; None where nobody measured them, as of a trial that was
    refused or diverged."""
    outcome: Outcome | None
    ended: str
    """`records.Ended`, `added elsewhere`, or `running` and `waiting` for those that have not."""
    reason: str
    constraints: Mapping[str, float]
    """Violation of each constraint; at most 0 where it is kept."""
    started: datetime | None
    finished: datetime | None
    seconds: float
    """What the trial cost: all phases, of the original where the cache answered; wall clock without an outcome."""
    wall_s: float
    """By the clock, from the draw to the end, the sampler's thinking included; from the last time that it was taken up
    where it was interrupted."""
    proposer: str = ""
    """The member of a portfolio that proposed it; empty where none did."""

    @property
    def feasible(self) -> bool:
        """Whether every constraint is kept."""
        return all(violation <= 0 for violation in self.constraints.values())

    @property
    def finished_trial(self) -> bool:
        """Whether the network was trained and measured."""
        return self.ended == "completed"

    def __repr__(self) -> str:
        values = "no values" if self.values is None else ", ".join(f"{v:.4g}" for v in self.values)
        return f"<TrialView {self.number}: {self.ended}, {values}>"

    def cost(self, metric: str) -> Cost | None:
        """The cost of this name with its interval, or None."""
        return None if self.outcome is None else self.outcome.costs.get(metric)


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyView:
    """Everything a database says of one study."""

    name: str
    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...]
    trials: tuple[TrialView, ...]
    spec: Mapping[str, Any]
    """The resolved study file, as JSON values."""
    problem: Mapping[str, Any] = field(default_factory=dict)
    """What is searched, where it is no family of networks; empty where it is. See `StudyKeys.PROBLEM`."""
    data: Mapping[str, Any]
    devices: tuple[Device, ...]
    supernet: Mapping[str, Any]
    prior: Mapping[str, Any] = field(default_factory=dict)
    """Summary of the architecture prior that the sampler draws from; empty where it has none."""
    sessions: tuple[Session, ...]
    host: Mapping[str, Any]
    versions: Mapping[str, Any]
    git: str
    seed: int | None
    artifacts: Path | None
    contest: Membership | None
    test_scores: Mapping[int, Mapping[str, float]]
    """Figures on the test split by trial number, once the front has been scored."""
    streams: Mapping[int, Mapping[str, RoutedStream]] = field(default_factory=dict)
    """Routed networks over real inputs, by trial number and device, once the front has been timed."""
    recosted: Mapping[str, Recosted] = field(default_factory=dict)
    """Costs on devices that the study was not run on, by name."""

    def __repr__(self) -> str:
        about = ", ".join(f"{o.direction} {o.metric}" for o in self.objectives)
        endings = ", ".join(f"{number} {ending}" for ending, number in self.counts().items()) or "none yet"
        return f"<StudyView {self.name!r}: {about}; trials: {endings}>"

    def to_dataframe(self) -> DataFrame:
        """One row a trial, for pandas; every column is of one kind, so that it saves as CSV and Parquet.

        `number`, `state`, `ended`, `reason`, `feasible`, `front`, `started`, `finished`, `seconds` and `proposer`;
        for each parameter `params_NAME`; for each metric `figures_NAME`, the ends of its 95% interval `low_NAME` and
        `high_NAME` (NaN where it has none), and `provenance_NAME` (empty for quality); for each constraint
        `violations_KEY`, at most 0 where it is kept; for scores on the test split `test_NAME`. Choices of several kinds
        are text.

        Raises:
            UsageError: pandas is not installed.
        """
        from nasopt.report.frame import to_dataframe

        return to_dataframe(self)

    @property
    def preparation_seconds(self) -> float:
        """What came before the first trial, as if no cache had answered: supernet, and the sampler's prior."""
        return sum(float(made.get("seconds") or 0.0) for made in (self.supernet, self.prior))

    def finished(self) -> tuple[TrialView, ...]:
        """Trials that were trained and measured, in the order in which they finished."""
        done = [t for t in self.trials if t.finished_trial]
        return tuple(sorted(done, key=lambda t: (t.finished or datetime.max, t.number)))

    def front(self) -> tuple[TrialView, ...]:
        """Feasible finished trials that none dominates, best first objective first; of equals the first."""
        from moocore import is_nondominated

        able = [t for t in self.trials if t.finished_trial and t.feasible]
        losses = self.losses(able)
        kept = [(tuple(row), t) for row, t in zip(losses, able, strict=True) if np.isfinite(row).all()]
        if not kept:
            return ()
        mask = is_nondominated(np.array([row for row, _ in kept]), keep_weakly=False)
        chosen = [pair for pair, good in zip(kept, mask, strict=True) if good]
        return tuple(t for _, t in sorted(chosen, key=lambda pair: (pair[0], pair[1].number)))

    def unreadable(self) -> tuple[TrialView, ...]:
        """Trials that are stored damaged, each with what is wrong as its reason."""
        return tuple(t for t in self.trials if t.ended == UNREADABLE)

    def elsewhere(self) -> tuple[TrialView, ...]:
        """Finished trials that somebody else added or evaluated; they are not on the front."""
        return tuple(t for t in self.trials if t.ended == ELSEWHERE)

    def best_elsewhere(self) -> tuple[TrialView, ...]:
        """Of these, what Optuna's `best_trials` shows: no feasible trial dominates them, whoever made it."""
        from moocore import is_nondominated

        whole = [t for t in self.trials if (t.finished_trial or t.ended == ELSEWHERE) and t.values and t.feasible]
        able = [t for t, row in zip(whole, self.losses(whole), strict=True) if np.isfinite(row).all()]
        if not able:
            return ()
        best = is_nondominated(self.losses(able), keep_weakly=True)
        return tuple(t for t, good in zip(able, best, strict=True) if good and t.ended == ELSEWHERE)

    def losses(self, trials: Iterable[TrialView]) -> Array:
        """Objective values of shape (n, objectives), all minimised; infinite for a trial without values."""
        signs = np.array([o.sign for o in self.objectives])
        lost = tuple(o.sign * math.inf for o in self.objectives)
        rows = [t.values if t.values is not None else lost for t in trials]
        return np.array(rows, dtype=np.float64).reshape(len(rows), len(signs)) * signs

    def trial(self, number: int) -> TrialView:
        """The trial of this number.

        Raises:
            StudyNotFoundError: there is none.
        """
        found = next((t for t in self.trials if t.number == number), None)
        if found is None:
            last = f"its trials are 0 to {self.trials[-1].number}" if self.trials else "it has no trials yet"
            raise StudyNotFoundError(f"study {self.name!r} has no trial {number}; {last}")
        return found

    def counts(self) -> dict[str, int]:
        """Number of trials by the way they ended, most first."""
        endings = [t.ended for t in self.trials]
        return {e: endings.count(e) for e in sorted(set(endings), key=lambda e: (-endings.count(e), e))}

    def provenances(self, metric: str) -> tuple[Provenance, ...]:
        """Where the figures of a cost come from over all finished trials; more than one is a fault to be shown."""
        found = {c.provenance for t in self.trials if (c := t.cost(metric)) is not None}
        if not found and self.problem and not self.finished():
            return (self.problem["provenance"],)
        return tuple(sorted(found))

    def device_of(self, metric: str) -> Device | None:
        """The device that a metric was taken on; None where it does not depend on one."""
        base, name = split_metric(metric)
        if base not in DEVICE_METRICS:
            return None
        return next((d for d in self.devices if name is None or d.name == name), None)

    def figure(self, trial: TrialView, metric: str) -> tuple[float, Interval | None] | None:
        """A trial's figure of a metric and its 95% interval; None where it has none.

        The interval of a share of the validation images is Wilson's; that of a cost is stored with it.
        """
        if trial.outcome is None or (value := trial.outcome.value(metric)) is None:
            return None
        if (cost := trial.cost(metric)) is not None:
            return value, (cost.ci95 if cost.ci95[1] > cost.ci95[0] else None)
        images = self.data.get("validation")
        if metric in SHARES and isinstance(images, int) and images > 0:
            return value, wilson(value, images)
        return value, None


def metric_of(name: str) -> Metric:
    """The description of a metric, with or without `@device`; a plain one for names that this version does not know."""
    base, _ = split_metric(name)
    return METRICS.get(base) or Metric(base, "minimize", "", base)


def study_names(storage: BaseStorage) -> list[str]:
    """Names of all studies in a database that nasopt made, in the order of their making."""
    return [name for name, attrs in study_records(storage)[0].items() if StudyKeys.OBJECTIVES in attrs]


def load_view(storage: BaseStorage, study_name: str) -> StudyView:
    """Read a study and all of its trials; those that cannot be read are told as such.

    Raises:
        StudyNotFoundError: the database holds no study of that name; names those it holds.
        UsageError: the study was not made by nasopt.
        DatabaseError: what is stored of the study itself is damaged.
    """
    try:
        study_id = storage.get_study_id_from_name(study_name)
    except KeyError:
        raise StudyNotFoundError(f"no study {study_name!r} in this database; {_known(storage, study_name)}") from None
    try:
        attrs = storage.get_study_user_attrs(study_id)
        if StudyKeys.OBJECTIVES not in attrs:
            raise UsageError(f"study {study_name!r} was not made by nasopt; {_known(storage, study_name)}")
        trials, damaged = trials_of(storage, study_id)
        views = [_trial_view(t) for t in trials] + [_damaged(number, why) for number, why in damaged.items()]
        return _study_view(study_name, attrs, sorted(views, key=lambda t: t.number))
    except NasoptError:
        raise
    except Exception as error:
        raise DatabaseError(
            f"study {study_name!r} cannot be read, what is stored of it is damaged: {first_line(error)}; bring back a "
            "copy of the database, or give the study another name"
        ) from error


def _known(storage: BaseStorage, wanted: str) -> str:
    names = study_names(storage)
    if not names:
        return "it holds no study of nasopt yet: make one with nasopt run"
    near = get_close_matches(wanted, names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    listed = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
    return f"{hint}it holds {listed}"


def _study_view(name: str, attrs: Mapping[str, Any], trials: Sequence[TrialView]) -> StudyView:
    artifacts = attrs.get(StudyKeys.ARTIFACTS)
    scores = attrs.get(StudyKeys.TEST_SCORES) or {}
    return StudyView(
        name=name,
        objectives=tuple(Objective(metric=o["metric"], direction=o["direction"]) for o in attrs[StudyKeys.OBJECTIVES]),
        constraints=tuple(
            Constraint(key=c["key"], metric=c["metric"], min=c.get("min"), max=c.get("max"))
            for c in attrs.get(StudyKeys.CONSTRAINTS) or ()
        ),
        trials=tuple(trials),
        spec=attrs.get(StudyKeys.SPEC) or {},
        problem=attrs.get(StudyKeys.PROBLEM) or {},
        data=attrs.get(StudyKeys.DATA) or {},
        devices=tuple(_device(d) for d in attrs.get(StudyKeys.DEVICES) or ()),
        supernet=attrs.get(StudyKeys.SUPERNET) or {},
        prior=attrs.get(StudyKeys.PRIOR) or {},
        sessions=_sessions(attrs),
        host=attrs.get(StudyKeys.HOST) or {},
        versions=attrs.get(StudyKeys.VERSIONS) or {},
        git=str(attrs.get(StudyKeys.GIT) or ""),
        seed=attrs.get(StudyKeys.SEED),
        artifacts=Path(artifacts) if artifacts else None,
        contest=_membership(attrs.get(StudyKeys.CONTEST)),
        test_scores={int(number): dict(score) for number, score in scores.items()},
        streams=stored_streams(attrs),
        recosted=stored_recosted(attrs),
    )


def _membership(record: Mapping[str, Any] | None) -> Membership | None:
    if record is None:
        return None
    reference = record.get("reference")
    return Membership(
        contest=record["name"],
        label=record["label"],
        seed=record["seed"],
        labels=tuple(record["labels"]),
        seeds=tuple(record["seeds"]),
        control=record.get("control"),
        reference=tuple(reference) if reference else None,
    )


def _device(record: Mapping[str, Any]) -> Device:
    fields = ("name", "description", "backend", "provenance", "meter", "remedy")
    return Device(**{f: str(record.get(f) or "") for f in fields})


def _sessions(attrs: Mapping[str, Any]) -> tuple[Session, ...]:
    records = [value for key, value in attrs.items() if key.startswith(StudyKeys.SESSION)]
    sessions = [
        Session(
            host=_text(r.get("host")),
            hardware=_text(r.get("hardware")),
            started=str(r.get("started") or ""),
            seconds=float(r.get("seconds") or 0.0),
            trials=int(r.get("trials") or 0),
            energy_kwh=r.get("energy_kwh"),
            co2_kg=r.get("co2_kg"),
            method=str(r.get("method") or ""),
        )
        for r in records
    ]
    return tuple(sorted(sessions, key=lambda s: s.started))


def _text(value: Any) -> str:
    """A name as it is; a fingerprint by its processor and cores."""
    if isinstance(value, Mapping):
        if value.get("cpu"):
            return f"{value['cpu']}, {value['cores']} cores" if value.get("cores") else str(value["cpu"])
        return ", ".join(str(v) for v in value.values())
    return str(value or "")


def _trial_view(trial: FrozenTrial) -> TrialView:
    try:
        return _read_trial(trial)
    except Exception as error:  # whatever bytes a damaged database holds
        return _damaged(trial.number, first_line(error))


def _damaged(number: int, why: str) -> TrialView:
    return TrialView(
        number=number,
        state="unreadable",
        params={},
        distributions={},
        values=None,
        outcome=None,
        ended=UNREADABLE,
        reason=why,
        constraints={},
        started=None,
        finished=None,
        seconds=0.0,
        wall_s=0.0,
    )


def _read_trial(trial: FrozenTrial) -> TrialView:
    attrs = trial.user_attrs
    stored = attrs.get(TrialKeys.OUTCOME)
    outcome = Outcome.from_stored(stored) if stored else None
    wall = 0.0
    if trial.datetime_start and trial.datetime_complete:
        since = (attrs.get(TrialKeys.SLOT) or {}).get("since")
        begun = datetime.fromisoformat(since) if since else trial.datetime_start
        wall = max((trial.datetime_complete - begun).total_seconds(), 0.0)
    return TrialView(
        number=trial.number,
        state=trial.state.name.lower(),
        params=trial.params,
        distributions=trial.distributions,
        values=_values(trial),
        outcome=outcome,
        ended=_ended(trial, outcome),
        reason=str(attrs.get(TrialKeys.REASON) or (attrs.get(TrialKeys.SLOT) or {}).get("reason") or ""),
        constraints=trial.constraints,
        started=trial.datetime_start,
        finished=trial.datetime_complete,
        seconds=sum(outcome.seconds.values()) if outcome else wall,
        proposer=str(attrs.get(TrialKeys.PROPOSER) or ""),
        wall_s=wall,
    )


def _values(trial: FrozenTrial) -> tuple[float, ...] | None:
    """The trial's values; none where one is infinite, as older versions told trials that were refused or diverged."""
    values = trial.values
    return tuple(values) if values is not None and all(math.isfinite(v) for v in values) else None


def _ended(trial: FrozenTrial, outcome: Outcome | None) -> str:
    if not trial.state.is_finished():
        aside = (trial.user_attrs.get(TrialKeys.SLOT) or {}).get("owner") == ""
        return "set aside" if aside else trial.state.name.lower()
    stored = trial.user_attrs.get(TrialKeys.ENDED)
    if stored:
        return str(stored)
    if TrialKeys.SLOT not in trial.user_attrs:
        return ELSEWHERE
    return "completed" if outcome is not None and trial.values is not None else "interrupted"
