"""What a run makes of constraints, divergence, failures, changed files and other samplers."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from nasopt.errors import (
    DeviceLostError,
    DeviceRefusedError,
    DivergedError,
    InfeasibleStudyError,
    MeasurementError,
    NasoptError,
    PrunedError,
    StudyChangedError,
    StudyNotFoundError,
    UsageError,
)
from nasopt.records import Cost, Outcome, StudyKeys, TrialKeys
from nasopt.spec.study import ConstraintSpec
from nasopt.study import find_study, find_views, open_study, run
from nasopt.study.claims import slot_seed
from nasopt.study.constraints import ConstraintSet
from nasopt.study.events import Event, TrialEnded, TrialStarted
from tests.study.stand_in import LIGHTER, StandIn, diverge, make_spec


class WithMeter(StandIn):
    """A stand-in on a device whose meter can be changed."""

    reading: dict[str, str]

    def facts(self) -> Mapping[str, Any]:
        device = {"name": "bench", "description": "", "backend": "onnxruntime", "provenance": "measured", "remedy": ""}
        return {"devices": [device | {"meter": "trace-file", "reading": self.reading}]}

    def evaluate(self, params: Mapping[str, Any]) -> Outcome:
        outcome = super().evaluate(params)
        energy = Cost(value=7.0, ci95=(7.0, 7.0), provenance="measured")
        return dataclasses.replace(outcome, costs={**outcome.costs, "energy_mj": energy})


@pytest.mark.parametrize(
    ("now", "told"),
    [
        ({"path": "b.csv", "power": "watts in W"}, "path was 'a.csv', now 'b.csv'"),
        ({"path": "a.csv", "power": "watts in mW"}, "power was 'watts in W', now 'watts in mW'"),
        ({"path": "a.csv"}, "power was 'watts in W', now None"),
    ],
)
def test_a_reading_by_another_meter_is_refused(tmp_path: Path, now: dict[str, str], told: str) -> None:
    url, objectives = f"sqlite:///{tmp_path}/a.db", ["accuracy", {"metric": "energy_mj"}]
    meter = {"meter": {"name": "trace-file", "options": {"path": "x.csv"}}}
    spec, more = (make_spec(url, objectives=objectives, hardware=meter, study__trials=n) for n in (1, 2))
    problem = WithMeter(spec)
    problem.reading = {"path": "a.csv", "power": "watts in W"}
    run(spec, problem=problem)
    assert run(spec, problem=problem).finished == 1
    problem.reading = now
    with pytest.raises(StudyChangedError, match=f"energy of study 'stand-in' on bench was read in another .*{told}"):
        run(more, problem=problem)
    assert run(more, problem=problem, allow_changes=True).finished == 2


def trials_of(result: Any) -> list[optuna.trial.FrozenTrial]:
    return result.study.optuna.get_trials()


def test_refused_trials_cost_nothing_and_do_not_count(tmp_path: Path) -> None:
    spec = make_spec(
        f"sqlite:///{tmp_path}/a.db",
        constraints=[{"metric": "macs_hard", "max": 2.0e5}, {"metric": "accuracy", "min": 0.8}],
        sampler="nsga2",
    )
    problem = StandIn(spec)
    result = run(spec, problem=problem)
    trials = trials_of(result)
    refused = [t for t in trials if t.user_attrs[TrialKeys.ENDED] == "infeasible"]
    assert refused
    assert len(problem.evaluated) == result.finished == 8
    keys = sorted([LIGHTER, "macs_hard_max", "accuracy_min"])
    for trial in trials:
        assert trial.state == (TrialState.PRUNED if trial in refused else TrialState.COMPLETE)
        assert list(trial.constraints) == keys
    for trial in refused:
        assert trial.values is None
        assert trial.constraints["accuracy_min"] == 0.0
        assert trial.user_attrs[TrialKeys.REASON]
    for trial in trials:
        if trial not in refused:
            assert trial.constraints["macs_hard_max"] <= 0
            assert trial.constraints["accuracy_min"] == pytest.approx((0.8 - trial.values[0]) / 0.8)
    assert all(t.constraints["accuracy_min"] <= 0 for t in result.study.optuna.best_trials)


@pytest.mark.parametrize("sampler", ["nsga2", "nsga3", "tpe", "random", "gp"])
def test_every_sampler_runs_constrained_studies_in_memory(sampler: str) -> None:
    options = {"n_startup_trials": 4} if sampler in ("gp", "tpe") else {}
    spec = make_spec(
        "memory",
        sampler={"name": sampler, "options": options},
        study__trials=6,
        constraints=[{"metric": "macs_hard", "max": 3.0e5}],
    )
    assert run(spec, problem=StandIn(spec)).finished == 6


def test_an_impossible_constraint_ends_the_run_and_is_named(tmp_path: Path) -> None:
    spec = make_spec("memory", constraints=[{"metric": "macs_hard", "max": 10}], study__trials=2)
    with pytest.raises(InfeasibleStudyError, match="macs_hard<=10"):
        run(spec, problem=StandIn(spec))


def test_a_diverged_trial_is_recorded_and_the_study_goes_on() -> None:
    spec = make_spec("memory")
    calls: list[int] = []

    def sometimes(params: Any) -> None:
        calls.append(1)
        if len(calls) == 2:
            diverge(params)

    result = run(spec, problem=StandIn(spec, fault=sometimes))
    ends = [t.user_attrs[TrialKeys.ENDED] for t in trials_of(result)]
    assert ends.count("diverged") == 1
    assert result.finished == ends.count("completed") == 8
    (diverged,) = [t for t in trials_of(result) if t.user_attrs[TrialKeys.ENDED] == "diverged"]
    assert (diverged.state, diverged.values) == (TrialState.PRUNED, None)
    assert "not finite" in diverged.user_attrs[TrialKeys.REASON]


def test_names_of_constraints_are_keys_elsewhere_and_a_study_keeps_its_own() -> None:
    """MLflow takes letters, digits, underscores, dashes, periods, spaces and slashes."""
    specs = [
        ConstraintSpec(metric="latency_ms@pi", max=5.0),
        ConstraintSpec(metric="latency_ms.pi", max=6.0),
        ConstraintSpec(metric="AR@100 (%)", min=0.1, max=0.9),
    ]
    fresh = ConstraintSet(specs, ["lighter"])
    assert fresh.keys == ("AR.100 ____max", "AR.100 ____min", "latency_ms.pi_max", "latency_ms.pi_max_2", "lighter")
    stored = [
        {"key": "latency_ms@pi<=5", "metric": "latency_ms@pi", "min": None, "max": 5.0},
        {"key": "lighter", "metric": "lighter", "min": None, "max": 0.0},
    ]
    again = ConstraintSet(specs[:1], ["lighter"], stored)
    assert again.keys == ("latency_ms@pi<=5", "lighter")
    assert [r["key"] for r in ConstraintSet(specs, ["lighter"], fresh.describe()).describe()] == list(fresh.keys)
    assert again.refusal({"latency_ms@pi<=5": 0.5}) == "latency_ms@pi<=5 violated by 50%"


def test_objectives_are_named_unless_somebody_has_named_them() -> None:
    spec, storage = make_spec("memory", study__trials=1), optuna.storages.InMemoryStorage()
    study = run(spec, problem=StandIn(spec), storage=storage).study.optuna
    assert study.metric_names == ["accuracy", "macs"]
    assert {"values_accuracy", "values_macs"} <= set(study.trials_dataframe().columns)
    study.set_metric_names(["mine", "yours"])
    assert run(spec, problem=StandIn(spec), storage=storage).study.optuna.metric_names == ["mine", "yours"]


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_no_stored_value_is_infinite(value: float) -> None:
    """Neither an objective, nor a constraint, nor a figure beside them."""
    spec = make_spec("memory", constraints=[{"metric": "macs_hard", "max": 3.0e5}])
    problem = Endless(spec, value)
    storage = optuna.storages.InMemoryStorage()
    with pytest.raises(NasoptError, match=f"3 trials in a row failed.* (accuracy|energy) came out as {value}"):
        run(spec, problem=problem, storage=storage)
    trials = optuna.load_study(study_name="stand-in", storage=storage).get_trials()
    assert {t.user_attrs[TrialKeys.ENDED] for t in trials} >= {"infeasible", "evaluation failed"}
    for trial in trials:
        assert trial.values is None
        json.dumps([trial.user_attrs, trial.system_attrs], allow_nan=False)


class Endless(StandIn):
    """Gives a value that is not finite, by turns as objective and beside them, and knows no upper bound of some."""

    def __init__(self, spec: Any, value: float) -> None:
        super().__init__(spec)
        self.value = value

    def inspect(self, params: Any) -> Any:
        known = super().inspect(params)
        low, high = known.bounds["macs_hard"]
        endless = (math.inf, math.inf) if low > 2.5e5 else (low, high)
        return dataclasses.replace(known, bounds={**known.bounds, "macs_hard": endless})

    def evaluate(self, params: Any) -> Any:
        found = super().evaluate(params)
        if len(self.evaluated) % 2:
            return dataclasses.replace(found, quality={**found.quality, "accuracy": self.value})
        costs = {**found.costs, "energy": Cost(value=self.value, ci95=(0.0, self.value), provenance="computed")}
        return dataclasses.replace(found, costs=costs)


def test_a_failed_measurement_teaches_nothing_and_three_in_a_row_end_the_run() -> None:
    spec = make_spec("memory")
    storage = optuna.storages.InMemoryStorage()

    def fail(_: Any) -> None:
        raise MeasurementError("the clock stood still")

    with pytest.raises(NasoptError, match=r"3 trials in a row.*clock stood still"):
        run(spec, problem=StandIn(spec, fault=fail), storage=storage)
    study = optuna.load_study(study_name="stand-in", storage=storage)
    failed = [t for t in study.get_trials() if t.user_attrs[TrialKeys.ENDED] == "measurement failed"]
    assert [t.state for t in failed] == [TrialState.FAIL] * 3
    assert run(spec, problem=StandIn(spec), storage=storage).finished == 8


def lost_at(*calls: int) -> Any:
    """A fault of a device that goes away at these evaluations, from 1 on."""
    count = itertools.count(1)

    def fault(_: Any) -> None:
        if next(count) in calls:
            raise DeviceLostError("the board was away for 60 s")

    return fault


def test_a_trial_that_lost_its_device_is_set_aside_and_taken_up_again() -> None:
    spec, storage, seen = make_spec("memory"), optuna.storages.InMemoryStorage(), []
    undisturbed = StandIn(spec)
    run(spec, problem=undisturbed)
    problem = StandIn(spec, fault=lost_at(3, 4, 8))
    result = run(spec, problem=problem, storage=storage, listener=seen.append)
    trials = trials_of(result)
    done = [t for t in trials if t.user_attrs[TrialKeys.ENDED] == "completed"]
    assert len(done) == 8
    assert all(t.state.is_finished() for t in trials)
    assert sorted(map(str, problem.evaluated)) == sorted(map(str, undisturbed.evaluated))  # random draws: the same ones
    ends = [e for e in seen if isinstance(e, TrialEnded) and e.ended == "device lost"]
    assert [e.aside for e in ends] == [True] * 3
    adopted = [e.number for e in seen if isinstance(e, TrialStarted) and e.adopted]
    assert set(adopted) == {e.number for e in ends}
    assert not any(t.user_attrs[TrialKeys.ENDED] == "device lost" for t in trials)


def test_a_device_that_stays_away_ends_the_run_and_loses_nothing() -> None:
    spec, storage = make_spec("memory"), optuna.storages.InMemoryStorage()
    message = r"3 trials in a row failed, .*was away for 60 s; 3 set aside are taken up again with their parameters"
    with pytest.raises(NasoptError, match=message):
        run(spec, problem=StandIn(spec, fault=lost_at(*range(2, 100))), storage=storage)
    study = optuna.load_study(study_name="stand-in", storage=storage)
    left = {t.number: t.params for t in study.get_trials() if t.state == TrialState.RUNNING}
    assert len(left) == 3
    result = run(spec, problem=StandIn(spec), storage=storage)
    assert result.finished == 8
    again = {t.number: t for t in trials_of(result) if t.number in left}
    assert {n: t.params for n, t in again.items()} == left
    assert {t.state for t in again.values()} == {TrialState.COMPLETE}


def test_a_network_that_always_loses_the_device_is_given_up_in_the_end() -> None:
    spec, storage = make_spec("memory"), optuna.storages.InMemoryStorage()
    poison: list[Any] = []

    def fault(params: Any) -> None:
        if not poison:
            poison.append(params)
        if params == poison[0]:
            raise DeviceLostError("the board restarts")

    trials = trials_of(run(spec, problem=StandIn(spec, fault=fault), storage=storage))
    (given_up,) = [t for t in trials if t.user_attrs[TrialKeys.ENDED] == "device lost"]
    assert given_up.state == TrialState.FAIL
    assert given_up.params == poison[0]
    assert sum(t.user_attrs[TrialKeys.ENDED] == "completed" for t in trials) == 8


def test_a_device_that_needs_a_person_ends_the_run_at_once_and_keeps_the_trial() -> None:
    spec, storage = make_spec("memory"), optuna.storages.InMemoryStorage()

    def fault(_: Any) -> None:
        raise DeviceRefusedError("its host key changed; compare it")

    with pytest.raises(DeviceRefusedError, match="compare it"):
        run(spec, problem=StandIn(spec, fault=fault), storage=storage)
    study = optuna.load_study(study_name="stand-in", storage=storage)
    (left,) = [t for t in study.get_trials() if not t.state.is_finished()]
    result = run(spec, problem=StandIn(spec), storage=storage)
    assert next(t for t in trials_of(result) if t.number == left.number).state == TrialState.COMPLETE


def test_a_changed_file_is_refused_with_the_keys_that_differ(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    run(make_spec(url), problem=StandIn(make_spec(url)))
    changed = make_spec(url, training={"cotrain": {"epochs": 7}})
    with pytest.raises(StudyChangedError, match=r"training\.cotrain\.epochs \(was 1, now 7\)"):
        run(changed, problem=StandIn(changed))
    more = changed.model_copy(update={"study": changed.study.model_copy(update={"trials": 9})})
    assert run(more, problem=StandIn(more), allow_changes=True).finished == 9
    other_space = make_spec(url, space={"channels": [8], "strides": [1]})
    with pytest.raises(StudyChangedError, match="search space"):
        run(other_space, problem=StandIn(other_space), allow_changes=True)


def test_another_host_may_not_join_a_measured_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = make_spec(f"sqlite:///{tmp_path}/a.db")

    class Measured(StandIn):
        def facts(self) -> dict[str, Any]:
            return {StudyKeys.DEVICES: [{"name": "local", "provenance": "measured", "meter": "none"}]}

    run(spec, problem=Measured(spec))
    monkeypatch.setattr("nasopt.study.store.fingerprint", lambda: {"cpu": "another processor"})
    with pytest.raises(UsageError, match="another processor"):
        run(spec, problem=Measured(spec))
    run(spec, problem=StandIn(spec))


def test_events_tell_every_end() -> None:
    spec = make_spec("memory", study__trials=4)
    events: list[Event] = []
    run(spec, problem=StandIn(spec), listener=events.append)
    ends = [e for e in events if isinstance(e, TrialEnded)]
    assert [e.finished for e in ends if e.ended == "completed"] == [1, 2, 3, 4]


def test_studies_are_found_by_file_and_by_name(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    spec = make_spec(url)
    with pytest.raises(NasoptError, match="no database"):
        open_study(spec)
    run(spec, problem=StandIn(spec))
    assert open_study(spec).name == "stand-in"
    assert find_study("stand-in", url).spec.hash() == spec.hash()
    assert [v.name for v in find_views([], url)] == ["stand-in"]
    with pytest.raises(StudyNotFoundError, match="stand-in"):
        find_study("standin", url)


def test_slots_have_seeds_of_their_own() -> None:
    seeds = {slot_seed(seed, slot) for seed in range(5) for slot in range(100)}
    assert len(seeds) == 500


def test_no_point_is_drawn_twice_after_a_restart() -> None:
    """A restarted sampler with one seed would repeat its stream."""
    storage = optuna.storages.InMemoryStorage()
    for trials in (4, 8, 12):
        spec = make_spec("memory", study__trials=trials)
        result = run(spec, problem=StandIn(spec), storage=storage)
    trials = trials_of(result)
    assert len({str(t.params) for t in trials}) == len(trials) >= 12


def test_a_read_only_database_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.db"
    file.touch()
    monkeypatch.setattr("os.access", lambda path, mode: Path(path) != file)
    spec = make_spec(f"sqlite:///{file}")
    with pytest.raises(NasoptError, match="read-only"):
        run(spec, problem=StandIn(spec))


def test_only_failures_in_a_row_count_among_those_evaluated() -> None:
    """Fails, is pruned, diverges, fails, ...: no three evaluations in a row failed, and none of these are a row."""
    spec = make_spec("memory", study__trials=3)
    ends = iter([MeasurementError, PrunedError, MeasurementError, DivergedError, DivergedError, MeasurementError] * 2)

    def fault(_: Any) -> None:
        if (kind := next(ends, None)) is not None:
            raise kind("as foreseen")

    result = run(spec, problem=StandIn(spec, fault=fault))
    assert result.finished == 3
    ended = [t.user_attrs[TrialKeys.ENDED] for t in trials_of(result)]
    assert (ended.count("measurement failed"), ended.count("pruned"), ended.count("diverged")) == (6, 2, 4)
