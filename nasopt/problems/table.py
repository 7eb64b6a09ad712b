"""The problem `table`: a file whose rows are points, with the figures that somebody once found for them."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from optuna.distributions import BaseDistribution, CategoricalDistribution

from nasopt.cache import Cache
from nasopt.errors import DataError, UsageError
from nasopt.problems.table_file import TableFile, locate, read_table
from nasopt.problems.true_front import TrueFront, true_front
from nasopt.records import Cost, Inspection, Outcome, StudyKeys
from nasopt.spec.problem import TableProblem as TableSpec
from nasopt.spec.study import StudySpec

Array = npt.NDArray[np.float64]

IN_TABLE = "row_in_the_table"
"""Constraint of a table that lacks some combinations of its choices."""
SPARSEST = 1e-3
"""Share of the combinations that a table must have: a sampler that draws them one by one hardly ever meets fewer."""


class TableProblem:
    """Looks points up. A complete table has every combination of its choices, so its true front is known.

    What a table lacks is refused before it is evaluated, and the true front is that of the rows present.
    """

    suffix = ""

    def __init__(self, spec: StudySpec, cache: Cache) -> None:
        """Reads the table; raises UsageError or DataError where it cannot serve the study."""
        assert isinstance(spec.problem, TableSpec)
        self._file = read_table(
            locate(spec.problem.file, spec.folder),
            spec.problem.choices or (),
            max_memory_mb=spec.problem.max_memory_mb,
        )
        choices = _choices(self._file, spec.problem.choices, figures={*spec.metrics, spec.problem.seconds})
        self._figures = _figures(self._file, spec.metrics, taken={*choices, spec.problem.seconds})
        self._seconds = _seconds(self._file, spec.problem.seconds)
        self._rows = _distinct_rows(self._file, choices)
        searched = {name: cells for name, cells in choices.items() if len(set(cells)) > 1}
        if not searched:
            raise DataError(f"{self._file.path}: every choice has one value only, so there is nothing to search")
        self.distributions: dict[str, BaseDistribution] = {
            name: CategoricalDistribution(_ordered(cells)) for name, cells in searched.items()
        }
        self._row_of = {point: row for row, point in enumerate(zip(*searched.values(), strict=True))}
        self.combinations = math.prod(len(set(cells)) for cells in searched.values())
        if len(self._rows) < SPARSEST * self.combinations:
            sizes = ", ".join(f"{name} ({len(set(cells))})" for name, cells in searched.items())
            raise DataError(
                f"{self._file.path} has {len(self._rows):,} of the {self.combinations:,} combinations of its choices "
                f"{sizes}: too few to be met by drawing choices one by one; bring a table with nearly all of them, or "
                "name other columns in problem.choices"
            )
        self.structural: tuple[str, ...] = () if self.complete else (IN_TABLE,)
        self.front = self._front(spec)

    @property
    def complete(self) -> bool:
        """Whether every combination of the choices has a row."""
        return len(self._rows) == self.combinations

    def prepare(self, progress: Callable[[Any], None]) -> None:
        """Nothing is shared by the evaluations."""

    def facts(self) -> Mapping[str, Any]:
        """Size, completeness and true front of the table, and a key of its content."""
        return {
            StudyKeys.PROBLEM: {
                "kind": "table",
                "source": self._file.path.name,
                "provenance": "tabulated",
                "key": self._key(),
                "points": f"{self.combinations:,}",
                "rows": len(self._rows),
                "combinations": str(self.combinations),
                "missing": str(self.combinations - len(self._rows)),
                "charged": self._seconds is not None,
                "front": self.front,
            }
        }

    def inspect(self, params: Mapping[str, Any]) -> Inspection:
        """Whether the table has the point; its figures stay unknown until it is evaluated."""
        if self.complete:
            return Inspection(bounds={}, structural={})
        missing = self._row(params) is None
        reason = f"{self._file.path.name} has no row with these choices" if missing else ""
        return Inspection(bounds={}, structural={IN_TABLE: 1.0 if missing else 0.0}, reason=reason)

    def evaluate(self, params: Mapping[str, Any]) -> Outcome:
        """The figures of the row, charged with its seconds where the table has them."""
        row = self._row(params)
        if row is None:
            raise DataError(f"{self._file.path} has no row with the choices {dict(params)}")
        figures = {name: float(values[row]) for name, values in self._figures.items() if np.isfinite(values[row])}
        costs = {name: Cost(value=v, ci95=(v, v), provenance="tabulated") for name, v in figures.items()}
        if self._seconds is None:
            return Outcome(quality={}, costs=costs)
        return Outcome(quality={}, costs=costs, seconds={"evaluate": float(self._seconds[row])}, cached=("evaluate",))

    def score_test(self, params: Mapping[str, Any], files: Mapping[str, Path]) -> Mapping[str, float]:
        """A table has no test split."""
        raise UsageError(f"{self._file.path.name} is a table: there is nothing to score on a test split")

    def _row(self, params: Mapping[str, Any]) -> int | None:
        return self._row_of.get(tuple(params[name] for name in self.distributions))

    def _front(self, spec: StudySpec) -> dict[str, Any]:
        """The record of the true front over the rows that keep the study's constraints."""
        kept = self._rows
        for bound in spec.constraints:
            values = self._figures[bound.metric][kept]
            low = -math.inf if bound.min is None else bound.min
            high = math.inf if bound.max is None else bound.max
            before, kept = values, kept[(values >= low) & (values <= high)]
            if not len(kept):
                raise UsageError(
                    f"no row of {self._file.path} keeps the constraint on {bound.metric} and those before it; there it "
                    f"runs from {before.min():g} to {before.max():g}"
                )
        signs = np.array([-1.0 if o.sense == "maximize" else 1.0 for o in spec.objectives])
        losses = np.stack([self._figures[o.metric][kept] for o in spec.objectives], axis=1) * signs
        front: TrueFront = true_front(losses)
        return front.describe(signs, len(kept))

    def _key(self) -> str:
        """Hash of the points and their figures, whatever the order of the rows."""
        points = sorted((json.dumps(point), row) for point, row in self._row_of.items())
        order = [row for _, row in points]
        digest = hashlib.sha256(json.dumps([list(self.distributions), [p for p, _ in points]]).encode())
        for name in sorted(self._figures):
            digest.update(name.encode() + b"\0" + np.ascontiguousarray(self._figures[name][order]).tobytes())
        return digest.hexdigest()[:24]


def _choices(file: TableFile, named: Sequence[str] | None, figures: set[str | None]) -> dict[str, list[Any]]:
    """Cells of each choice by column; `figures` are the columns that the study is about."""
    if named is None:
        names = file.text_columns
        _refuse_no_choices(file, [name for name in names if name not in figures])
        if not names:
            raise DataError(
                f"{file.path} has no text column; say in problem.choices which of its columns are searched: "
                f"{', '.join(file.columns)}"
            )
    else:
        names = list(named)
        for name in names:
            _require(file, name, "problem.choices names")
    return {name: file.values(name) for name in names}


def _refuse_no_choices(file: TableFile, names: Sequence[str]) -> None:
    """Refuse columns of text that nobody named and that are no choices, with the key that names those that are.

    Raises:
        DataError: a column is empty in some row, or has another value in each row, or one that the others tell.
    """

    def out(name: str) -> str:
        rest = ", ".join(n for n in names if n != name)
        return f"and text columns are choices; say in problem.choices which are searched, such as choices: [{rest}]"

    for name in names:
        if rows := file.empty_rows(name):
            if len(rows) == file.table.num_rows:
                raise DataError(f"{file.path}: the text column {name} is empty, {out(name)}")
            share = f"{len(rows)} of {file.table.num_rows} rows have none"
            raise DataError(
                f"{file.path}: row {rows[0]} has no value of the choice {name} ({share}): fill it in or drop the row; "
                f"or it is no choice, {out(name)}"
            )
    cells = {name: file.values(name) for name in names}
    apart = {name for name in names if len(set(cells[name])) == file.table.num_rows}
    if _complete(list(cells.values())):
        return
    for name in names:
        others = [cells[n] for n in names if n != name]
        alone = name in apart and len(apart) < len(names)
        if alone or (_complete(others) and len(set(zip(*others, strict=True))) == file.table.num_rows):
            why = "has another value in each row, as names of runs have" if alone else "follows from the others"
            raise DataError(f"{file.path}: the text column {name} {why}, {out(name)}")


def _complete(columns: Sequence[Sequence[Any]]) -> bool:
    """Whether the rows of these columns have every combination of their values."""
    return len(set(zip(*columns, strict=True))) == math.prod(len(set(cells)) for cells in columns)


def _figures(file: TableFile, wanted: Sequence[str], taken: set[str | None]) -> dict[str, Array]:
    """Columns of figures: those wanted, every one finite, and the other numbers, NaN where they are not."""
    for name in wanted:
        _require(file, name, "the study is about")
        if name in taken and name in file.number_columns:
            raise UsageError(f"the column {name} of {file.path} cannot be searched and be a figure as well")
    others = [name for name in file.number_columns if name not in taken and name not in wanted]
    return {name: file.finite(name) for name in wanted} | {name: file.numbers(name) for name in others}


def _seconds(file: TableFile, name: str | None) -> Array | None:
    if name is None:
        return None
    _require(file, name, "problem.seconds names")
    seconds = file.finite(name)
    if (seconds < 0).any():
        row = int(np.flatnonzero(seconds < 0)[0])
        raise DataError(f"{file.path}: row {row + 1} took {seconds[row]:g} s by the column {name}; expected 0 or more")
    return seconds


def _require(file: TableFile, name: str, who: str) -> None:
    if name not in file.columns:
        near = get_close_matches(name, file.columns, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UsageError(
            f"{who} {name}, which is no column of {file.path}; {hint}its columns: {', '.join(file.columns)}"
        )


def _distinct_rows(file: TableFile, choices: Mapping[str, Sequence[Any]]) -> npt.NDArray[np.int64]:
    """Index of the first row of each point.

    Raises:
        DataError: two rows have the same choices and other figures.
    """
    figures = [file.numbers(name) for name in file.number_columns if name not in choices]
    first: dict[tuple[Any, ...], int] = {}
    for row, point in enumerate(zip(*choices.values(), strict=True)):
        earlier = first.setdefault(point, row)
        if earlier != row and any(_differ(values[earlier], values[row]) for values in figures):
            shown = ", ".join(f"{name} {value}" for name, value in zip(choices, point, strict=True))
            raise DataError(
                f"{file.path}: rows {earlier + 1} and {row + 1} have the same choices ({shown}) and other figures; "
                "keep one of them, or name the column that tells them apart in problem.choices"
            )
    return np.array(list(first.values()), dtype=np.int64)


def _differ(a: float, b: float) -> bool:
    return not (a == b or (math.isnan(a) and math.isnan(b)))


def _ordered(cells: Sequence[Any]) -> list[Any]:
    """The values of a choice in an order that does not hang on the rows': numbers, and texts that are, by size."""
    values = set(cells)
    try:
        return sorted(values, key=lambda v: (float(v), str(v)))
    except ValueError:
        return sorted(values)
