"""The problem `python`: a space and an evaluation of the user's own."""

from __future__ import annotations

import hashlib
import inspect
import json
import logging
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from optuna import TrialPruned
from optuna.distributions import BaseDistribution, distribution_to_json

from nasopt.cache import Cache
from nasopt.errors import EvaluationError, PrunedError, UsageError
from nasopt.problems.foreign import foreign, shown
from nasopt.problems.importing import import_object
from nasopt.records import Cost, Inspection, Interval, Outcome, Provenance, StudyKeys
from nasopt.space import cardinality
from nasopt.spec.problem import PythonProblem as PythonSpec
from nasopt.spec.study import StudySpec

log = logging.getLogger(__name__)

_FORM = "an object with `distributions` and `evaluate(params)`, see docs/own_problem.md"


class PythonProblem:
    """An object of the user's: `distributions` (name -> Optuna distribution) and `evaluate(params)`.

    `evaluate` gives the figures by name, or an `Outcome`. An optional `inspect(params)` gives what is known of a point
    before, as a figure or a pair of bounds by name.
    """

    structural: tuple[str, ...] = ()
    suffix = ""

    def __init__(self, spec: StudySpec, cache: Cache) -> None:
        """Imports the target; raises UsageError where it is not to be had or has another form."""
        assert isinstance(spec.problem, PythonSpec)
        self.target = spec.problem.target
        folders = [Path.cwd()] if spec.folder is None else [spec.folder, Path.cwd()]
        self._object = self._built(import_object(self.target, folders))
        self.distributions = self._distributions()
        self._wanted = spec.metrics
        self._objectives = [o.metric for o in spec.objectives]
        self._provenance: dict[str, Provenance | None] = {}

    def prepare(self, progress: Callable[[Any], None]) -> None:
        """Nothing: a target prepares what it needs when it is made, or with its first evaluation."""

    def facts(self) -> Mapping[str, Any]:
        """The target, and a hash of its module's source."""
        return {
            StudyKeys.PROBLEM: {
                "kind": "python",
                "source": self.target,
                "provenance": "reported",
                "key": self.target,
                "points": str(cardinality(self.distributions)),
                "code": _source_hash(self._object),
            }
        }

    def inspect(self, params: Mapping[str, Any]) -> Inspection:
        """What the target's own `inspect` says, if it has one.

        Raises:
            UsageError: it raises, or gives something else than bounds.
        """
        with foreign(
            lambda line: UsageError(f"{self.target}.inspect failed: {line}; its parameters were {dict(params)}")
        ):
            ask = getattr(self._object, "inspect", None)
            if ask is None:
                return Inspection(bounds={}, structural={})
            known = ask(dict(params))
            if not isinstance(known, Mapping):
                raise UsageError(f"{self.target}.inspect gave {shown(known)}; expected figures or (low, high) by name")
            return Inspection(bounds={str(n): self._bounds(n, b) for n, b in known.items()}, structural={})

    def evaluate(self, params: Mapping[str, Any]) -> Outcome:
        """Call the target.

        Raises:
            EvaluationError: it raised, or returned no figures for what the study is about.
            PrunedError: it raised `optuna.TrialPruned`.
            NasoptError: it raised one of nasopt's own, which decides how the trial ends.
        """
        start = time.perf_counter()
        with foreign(lambda line: self._failed(f"raised {line}", params)):
            try:
                returned = self._object.evaluate(dict(params))
            except TrialPruned as error:
                raise PrunedError(str(error) or f"{self.target} gave the point up") from error
        seconds = time.perf_counter() - start
        with foreign(lambda line: self._failed(f"returned {shown(returned)}, which cannot be read: {line}", params)):
            outcome = returned if isinstance(returned, Outcome) else self._outcome(returned, seconds)
            self._check(outcome)
        return outcome

    def _failed(self, what: str, params: Mapping[str, Any]) -> EvaluationError:
        log.info("%s failed with parameters %s", self.target, dict(params), exc_info=True)
        return EvaluationError(f"{self.target} {what}")

    def score_test(self, params: Mapping[str, Any], files: Mapping[str, Path]) -> Mapping[str, float]:
        """A target has no test split that nasopt knows of."""
        raise UsageError(f"{self.target} has no test split that nasopt knows of")

    def _built(self, found: Any) -> Any:
        """The object itself, or what a class or a function without arguments gives."""
        if isinstance(found, type) or (callable(found) and not hasattr(found, "evaluate")):
            if needed := _required(found):
                takes = f"{self.target} takes {', '.join(needed)}"
                if needed == ["trial"]:
                    raise UsageError(
                        f"{takes}: nasopt draws the points itself and has to know the space; expected {_FORM}"
                    )
                raise UsageError(f"{takes}; expected {_FORM}, or a class or function without arguments that gives one")
            with foreign(lambda line: UsageError(f"problem.target: calling {self.target} failed: {line}")):
                found = found()
        with foreign(lambda line: UsageError(f"problem.target: reading {self.target}.evaluate failed: {line}")):
            if not callable(getattr(found, "evaluate", None)):
                raise UsageError(
                    f"problem.target {self.target} is {shown(found)} without a method evaluate; expected {_FORM}"
                )
        return found

    def _distributions(self) -> dict[str, BaseDistribution]:
        with foreign(lambda line: UsageError(f"problem.target: reading {self.target}.distributions failed: {line}")):
            found = getattr(self._object, "distributions", None)
            found = dict(found) if isinstance(found, Mapping) else found
        if not isinstance(found, Mapping) or not found:
            raise UsageError(
                f"{self.target}.distributions is {shown(found)}; expected a mapping of names to Optuna distributions"
            )
        for name, distribution in found.items():
            if not isinstance(name, str) or not isinstance(distribution, BaseDistribution):
                raise UsageError(
                    f"{self.target}.distributions: {name!r} is {shown(distribution)}; expected a name and an Optuna "
                    "distribution, such as IntDistribution(1, 8)"
                )
            try:
                distribution_to_json(distribution)
            except TypeError as error:
                raise UsageError(f"{self.target}.distributions: {name} cannot be stored: {error}") from error
        return dict(found)

    def _bounds(self, name: str, given: Any) -> Interval:
        pair = given if isinstance(given, (tuple, list)) and len(given) == 2 else (given, given)
        try:
            low, high = float(pair[0]), float(pair[1])
        except Exception:
            low, high = math.nan, math.nan
        if not low <= high:
            raise UsageError(f"{self.target}.inspect gave {shown(given)} for {name}; expected a figure or (low, high)")
        return low, high

    def _outcome(self, returned: Any, seconds: float) -> Outcome:
        """Figures as costs of provenance `reported`; the clock's seconds are what the search is charged."""
        if not isinstance(returned, Mapping):
            wanted = ", ".join(f"{name!r}: ..." for name in self._wanted)
            raise EvaluationError(f"{self.target} returned {shown(returned)}; expected a mapping: {{{wanted}}}")
        costs = {}
        for name, given in returned.items():
            value = self._number(name, given)
            costs[str(name)] = Cost(value=value, ci95=(value, value), provenance="reported")
        return Outcome(quality={}, costs=costs, seconds={"evaluate": seconds})

    def _number(self, name: str, given: Any) -> float:
        refused = EvaluationError(f"{self.target} returned {shown(given)} for {name}; expected a number")
        if given is None or isinstance(given, (bool, str, bytes)) or str(getattr(given, "dtype", "")).endswith("bool"):
            raise refused
        with foreign(lambda _: refused):
            value = float(given)
        if not math.isfinite(value):
            raise EvaluationError(f"{self.target} returned {value} for {name}; expected a finite number")
        return value

    def _check(self, outcome: Outcome) -> None:
        """What the study is about is there, finite, and of one origin in all trials."""
        for name in self._wanted:
            value = outcome.value(name)
            if value is None:
                given = ", ".join([*outcome.quality, *outcome.costs]) or "nothing"
                raise EvaluationError(f"{self.target} returned no {name}; it returned {given}")
            self._number(name, value)
        # what cannot be stored, or read again, is the evaluation's fault and told here
        Outcome.from_json(json.loads(json.dumps(outcome.to_json(), allow_nan=False)))
        if gone := [name for name, path in outcome.files.items() if not Path(path).is_file()]:
            raise EvaluationError(f"{self.target} named the file {gone[0]}, which is not there")
        for name in self._objectives:
            origin = outcome.costs[name].provenance if name in outcome.costs else None
            first = self._provenance.setdefault(name, origin)
            if origin != first:
                raise EvaluationError(
                    f"{self.target} returned {name} as {origin or 'quality'} and earlier as {first or 'quality'}; "
                    "figures of different origin are never compared"
                )


def _required(call: Any) -> list[str]:
    """Names of the arguments that a call cannot go without; none where it does not say."""
    try:
        parameters = inspect.signature(call).parameters.values()
    except (TypeError, ValueError):
        return []
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.default is inspect.Parameter.empty and p.kind not in optional]


def _source_hash(found: Any) -> str:
    """Hash of the file that the object's class or function stands in; empty where there is none to read."""
    try:
        file = inspect.getsourcefile(found if inspect.ismodule(found) else type(found))
        return "" if file is None else hashlib.sha256(Path(file).read_bytes()).hexdigest()[:24]
    except (TypeError, OSError):
        return ""
