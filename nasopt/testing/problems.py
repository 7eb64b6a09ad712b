"""What every problem must do."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, get_args

import optuna
import pytest
from optuna.distributions import BaseDistribution, distribution_to_json, json_to_distribution
from optuna.samplers import RandomSampler

from nasopt.problems import Problem
from nasopt.records import ArtifactNames, Inspection, Outcome, Provenance, StudyKeys
from nasopt.records.metrics import DEVICE_METRICS, METRICS, split_metric

Params = Mapping[str, Any]

_SEARCHED = 500
"""Points that are drawn in search of one that the space's own constraints allow."""


class ProblemSuite:
    """Conformance of a `nasopt.problems.Problem`.

    Subclass it and give the fixture `problem`, scope class or wider, not prepared yet: the suite calls `prepare` once.
    Give `twin` as well, the same problem built again with a cache of its own, and it is held against `problem`.
    """

    inspect_limit_s: ClassVar[float] = 0.05
    """Longest that the median call of `inspect` may take, in seconds."""
    seed: ClassVar[int] = 0
    """Of the points that the suite draws."""

    @pytest.fixture(scope="class")
    def problem(self) -> Problem:
        """The problem under test."""
        raise NotImplementedError("give the fixture `problem` in your subclass")

    @pytest.fixture(scope="class")
    def twin(self) -> Problem | None:
        """The same problem once more; None leaves out the comparison."""
        return None

    @pytest.fixture(scope="class")
    def first_facts(self, problem: Problem) -> Mapping[str, Any]:
        """The facts before `prepare`."""
        return dict(problem.facts())

    @pytest.fixture(scope="class")
    def prepared(self, problem: Problem, first_facts: Mapping[str, Any]) -> Problem:
        """The problem after `prepare`."""
        problem.prepare(lambda _: None)
        return problem

    @pytest.fixture(scope="class")
    def params(self, problem: Problem) -> Params:
        """A point that the space's own constraints allow."""
        for params in self.points(problem, _SEARCHED):
            if all(violation <= 0 for violation in problem.inspect(params).structural.values()):
                return params
        raise AssertionError(f"none of {_SEARCHED} random points keeps the structural constraints {problem.structural}")

    @pytest.fixture(scope="class")
    def outcome(self, prepared: Problem, params: Params) -> Outcome:
        """What evaluating that point gives."""
        return prepared.evaluate(params)

    def points(self, problem: Problem, count: int) -> Iterator[Params]:
        """Random points of the space."""
        study = optuna.create_study(sampler=RandomSampler(seed=self.seed))
        for _ in range(count):
            yield study.ask(dict(problem.distributions)).params

    def test_distributions_are_static(self, problem: Problem) -> None:
        """The space holds Optuna distributions that JSON restores, and reading it twice gives the same."""
        assert problem.distributions, "the space has nothing to search"
        for name, distribution in problem.distributions.items():
            assert isinstance(name, str)
            assert isinstance(distribution, BaseDistribution)
            assert json_to_distribution(distribution_to_json(distribution)) == distribution
        assert list(problem.distributions.items()) == list(problem.distributions.items())

    def test_preparing_leaves_the_space_alone(self, problem: Problem, twin: Problem | None, prepared: Problem) -> None:
        """A prepared problem has the space of one that is not: studies are created before anything is prepared."""
        if twin is None:
            pytest.skip("no twin to compare with")
        assert list(prepared.distributions.items()) == list(twin.distributions.items())
        assert prepared.structural == twin.structural
        assert prepared.suffix == twin.suffix

    def test_names_can_be_stored(self, problem: Problem) -> None:
        """Structural constraints have distinct names, and the study's suffix is empty or begins with @."""
        assert isinstance(problem.structural, tuple)
        assert len(set(problem.structural)) == len(problem.structural)
        assert problem.suffix == "" or problem.suffix.startswith("@")

    def test_facts_are_json(self, first_facts: Mapping[str, Any], prepared: Problem) -> None:
        """Facts are JSON, do not change or shrink by preparation, and describe each device fully."""
        facts = dict(prepared.facts())
        json.dumps(facts, allow_nan=False)
        assert {key: facts.get(key) for key in first_facts} == first_facts
        for device in facts.get("devices", []):
            assert set(device) >= {"name", "description", "backend", "provenance", "meter", "remedy"}
            assert device["provenance"] in get_args(Provenance)

    def test_inspection_is_cheap_and_repeatable(self, problem: Problem) -> None:
        """`inspect` needs no preparation, takes at most `inspect_limit_s` and says the same again."""
        seconds = []
        for params in self.points(problem, 21):
            start = time.perf_counter()
            inspection = problem.inspect(params)
            seconds.append(time.perf_counter() - start)
            _check_inspection(inspection, problem)
            assert problem.inspect(params) == inspection
        assert sorted(seconds)[len(seconds) // 2] <= self.inspect_limit_s

    def test_bounds_hold_what_is_found(self, prepared: Problem, params: Params, outcome: Outcome) -> None:
        """Each figure lies within the bounds that `inspect` gave before: a constraint must not refuse good networks."""
        for metric, (low, high) in prepared.inspect(params).bounds.items():
            if (value := outcome.value(metric)) is not None:
                assert low <= value <= high, f"{metric} is {value}, outside {low} to {high}"

    def test_an_outcome_is_complete(self, outcome: Outcome) -> None:
        """Figures are finite and within their intervals, provenances and metrics known, unless others named these."""
        assert isinstance(outcome, Outcome)
        assert outcome.quality or outcome.costs, "an outcome without figures serves no objective"
        for name, share in outcome.quality.items():
            assert name in METRICS
            assert 0 <= share <= 1
        for name, cost in outcome.costs.items():
            base, device = split_metric(name)
            low, high = cost.ci95
            assert -math.inf < low <= cost.value <= high < math.inf
            assert cost.provenance in get_args(Provenance)
            if cost.provenance not in ("tabulated", "reported"):  # those have the names of their source
                assert base in METRICS
                assert device is None or base in DEVICE_METRICS
                assert low >= 0
        assert all(0 <= s < math.inf for s in outcome.seconds.values())

    def test_an_outcome_survives_json(self, outcome: Outcome) -> None:
        """What the database stores is what comes back; only the files are kept elsewhere."""
        text = json.dumps(outcome.to_json(), allow_nan=False)
        assert json.dumps(Outcome.from_json(json.loads(text)).to_json(), allow_nan=False) == text

    def test_files_are_there(self, outcome: Outcome) -> None:
        """Each artifact is a file, under a name without folders."""
        for name, path in outcome.files.items():
            assert Path(name).name == name
            assert path.is_file()

    def test_the_same_point_gives_the_same(self, prepared: Problem, params: Params, outcome: Outcome) -> None:
        """A second evaluation repeats everything that no clock or sensor decides."""
        _check_alike(prepared.evaluate(params), outcome)

    def test_a_twin_gives_the_same(self, twin: Problem | None, params: Params, outcome: Outcome) -> None:
        """The same problem built again, without what the first one has kept, gives the same figures."""
        if twin is None:
            pytest.skip("no twin to compare with")
        twin.prepare(lambda _: None)
        _check_alike(twin.evaluate(params), outcome)

    def test_weights_can_be_scored_on_test(self, prepared: Problem, params: Params, outcome: Outcome) -> None:
        """Stored weights give fractions on the test split and the number of its images."""
        if ArtifactNames.WEIGHTS not in outcome.files:
            pytest.skip("this problem stores no weights")
        scores = dict(prepared.score_test(params, outcome.files))
        assert scores.pop("images") >= 1
        assert scores
        assert all(0 <= share <= 1 for share in scores.values())


def _check_inspection(inspection: Inspection, problem: Problem) -> None:
    assert set(inspection.structural) == set(problem.structural)
    assert all(math.isfinite(violation) for violation in inspection.structural.values())
    for metric, (low, high) in inspection.bounds.items():
        assert split_metric(metric)[0] in METRICS or StudyKeys.PROBLEM in problem.facts()
        assert low <= high


def _check_alike(again: Outcome, first: Outcome) -> None:
    assert dict(again.quality) == dict(first.quality)
    assert set(again.costs) == set(first.costs)
    for name, cost in first.costs.items():
        assert again.costs[name].provenance == cost.provenance
        if cost.provenance == "computed":
            assert again.costs[name] == cost
