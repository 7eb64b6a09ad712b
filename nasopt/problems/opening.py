"""From a study file to the problem that it names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from optuna.distributions import BaseDistribution

from nasopt import plugins
from nasopt.cache import Cache
from nasopt.errors import UsageError
from nasopt.problems import Problem
from nasopt.records import StudyKeys
from nasopt.space import BigLittleSpace
from nasopt.space.distinct import mistaken_values
from nasopt.spec.problem import PythonProblem, TableProblem
from nasopt.spec.study import StudySpec

_PIXELS_UNKNOWN = 32
"""Stands for the data set's own resolution, which is no choice and so does not show in a space."""


def open_problem(spec: StudySpec, cache: Cache | None = None) -> Problem:
    """Build the problem of a study; `cache` is the user's own if left out.

    Raises:
        NasoptError: no such problem is installed, its data, table or code are not to be had, or its space has values
            that Optuna cannot tell apart.
    """
    problem: Problem = plugins.load("problems", spec.problem_name)(spec, cache or Cache())
    if (mistaken := next(mistaken_values(problem.distributions), None)) is not None:
        raise UsageError(f"{_named(spec)}: {mistaken}")
    return problem


def _named(spec: StudySpec) -> str:
    """What to call the source of a study's space in a message."""
    if isinstance(spec.problem, PythonProblem):
        return f"{spec.problem.target}.distributions"
    return spec.problem.file if isinstance(spec.problem, TableProblem) else "space"


def describe_space(spec: StudySpec) -> tuple[Mapping[str, BaseDistribution], tuple[str, ...]]:
    """The search space of a study and remarks on it. No data are loaded; a table is read, a target imported.

    Raises:
        NasoptError: the table or target is not to be had.
    """
    if spec.of_networks:
        return BigLittleSpace(spec.space, native_resolution=_PIXELS_UNKNOWN).distributions, ()
    problem = open_problem(spec)
    return problem.distributions, tuple(_remarks(problem.facts()[StudyKeys.PROBLEM]))


def _remarks(record: Mapping[str, Any]) -> Iterator[str]:
    if record["kind"] != "table":
        yield f"evaluated by {record['source']}"
        return
    front = record["front"]
    yield f"{record['source']} has {coverage_text(record)}"
    yield f"its true front has {front['size']} of {front['rows']:,} rows that keep the constraints"


def coverage_text(record: Mapping[str, Any]) -> str:
    """How much of its space a table has, from the record that is stored with its study."""
    if record["missing"] == "0":
        return "every combination"
    return f"{record['rows']:,} of {int(record['combinations']):,} combinations; {int(record['missing']):,} are missing"
