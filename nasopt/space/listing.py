"""A study's space for people and scripts: distributions, and how many points there are."""

from __future__ import annotations

import json
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
)
from rich.markup import escape
from rich.table import Table

from nasopt.space.big_little import BigLittleSpace
from nasopt.spec.study import StudySpec

_PIXELS_UNKNOWN = 32
"""Stands for the data set's own resolution, which is no choice and so does not show."""


def _space(spec: StudySpec) -> BigLittleSpace:
    return BigLittleSpace(spec.space, native_resolution=_PIXELS_UNKNOWN)


def space_json(spec: StudySpec) -> dict[str, Any]:
    """Distributions as Optuna's JSON, and the cardinality; the count is text, since many readers of JSON round it."""
    space = _space(spec)
    size = space.cardinality()
    return {
        "distributions": {n: json.loads(distribution_to_json(d)) for n, d in space.distributions.items()},
        "cardinality": {"discrete": str(size.discrete), "continuous": list(size.continuous)},
    }


def space_table(spec: StudySpec) -> Table:
    """One row for each searched parameter; stages with the same choices share a row."""
    space = _space(spec)
    table = Table(title=f"Space of {escape(spec.study.name)}", title_justify="left", caption_justify="left")
    for column in ("parameter", "kind", "values"):
        table.add_column(column)
    for name, kind, values in _rows(space):
        table.add_row(escape(name), kind, escape(values))
    size = space.cardinality()
    table.caption = f"{len(space.distributions)} parameters; {size}" + ("" if size.continuous else " points")
    return table


def _rows(space: BigLittleSpace) -> list[tuple[str, str, str]]:
    rows: dict[tuple[str, str, str], list[str]] = {}
    for name, distribution in space.distributions.items():
        role, _, rest = name.partition(".")
        stage, _, axis = rest.partition(".")
        pattern = f"{role}.*.{axis}" if axis else name
        rows.setdefault((pattern, *_describe(distribution)), []).append(stage)
    return [(p.replace("*", f"{{{','.join(s)}}}"), kind, values) for (p, kind, values), s in rows.items()]


def _describe(distribution: BaseDistribution) -> tuple[str, str]:
    match distribution:
        case CategoricalDistribution():
            return "choice", ", ".join(f"{c:g}" if isinstance(c, float) else str(c) for c in distribution.choices)
        case IntDistribution() | FloatDistribution():
            step = "" if distribution.step in (None, 1) else f" in steps of {distribution.step:g}"
            scale = ", logarithmic" if distribution.log else ""
            kind = "whole" if isinstance(distribution, IntDistribution) else "real"
            return kind, f"{distribution.low:g} to {distribution.high:g}{step}{scale}"
    return type(distribution).__name__, str(distribution)
