"""A study's space for people and scripts: distributions, and how many points there are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
)
from rich.markup import escape
from rich.table import Table

from nasopt.space.cardinality import cardinality

Space: TypeAlias = Mapping[str, BaseDistribution]


def space_json(space: Space) -> dict[str, Any]:
    """Distributions as Optuna's JSON, and the cardinality; the count is text, since many readers of JSON round it."""
    size = cardinality(space)
    return {
        "distributions": {n: json.loads(distribution_to_json(d)) for n, d in space.items()},
        "cardinality": {"discrete": str(size.discrete), "continuous": list(size.continuous)},
    }


def space_table(study: str, space: Space, *remarks: str) -> Table:
    """One row for each searched parameter, stages with the same choices in one; `remarks` stand below."""
    table = Table(title=f"Space of {escape(study)}", title_justify="left", caption_justify="left")
    for column in ("parameter", "kind", "values"):
        table.add_column(column)
    for name, kind, values in _rows(space):
        table.add_row(escape(name), kind, escape(values))
    size = cardinality(space)
    lines = [f"{len(space)} parameters; {size}" + ("" if size.continuous else " points"), *map(escape, remarks)]
    table.caption = "\n".join(lines)
    return table


def _rows(space: Space) -> list[tuple[str, str, str]]:
    rows: dict[tuple[str, str, str], list[str]] = {}
    for name, distribution in space.items():
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
