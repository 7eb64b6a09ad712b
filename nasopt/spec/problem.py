"""Section `problem`: what a study searches, where it is not a family of networks."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator

from nasopt.spec.base import Section, distinct


class NetworkProblem(Section):
    """Networks, of the family that `space.family` names."""

    kind: Literal["network"] = "network"


class TableProblem(Section):
    """A table whose rows are points with their figures."""

    kind: Literal["table"]
    file: str = Field(min_length=1)
    """Parquet or CSV file; relative to the study file's folder, then to the working folder. `${VARIABLE}` is taken
    from the environment."""
    choices: Annotated[list[str], BeforeValidator(distinct)] | None = None
    """Columns that are searched; the text columns if left out."""
    seconds: str | None = None
    """Column with the seconds that finding a row's figures once took, which is what the search is charged."""
    max_memory_mb: Annotated[int, Field(strict=True, ge=1)] = 2048
    """Refuse a table that would take more memory, in millions of bytes, before it is read."""


class PythonProblem(Section):
    """A space and an evaluation of the user's own."""

    kind: Literal["python"]
    target: str
    """`module:object`; the module is looked for in the study file's folder, in the working folder and among what is
    installed."""

    @field_validator("target")
    @classmethod
    def _importable(cls, target: str) -> str:
        module, _, name = target.partition(":")
        if module.endswith(".py") and name:
            dotted = module.removesuffix(".py").replace("/", ".").lstrip(".")
            raise ValueError(f"expected a module, not a file; write {dotted}:{name}")
        if not re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*", target):
            raise ValueError(f"expected module:object, such as my_problem:Problem, not {target!r}")
        return target


ProblemSpec = Annotated[NetworkProblem | TableProblem | PythonProblem, Field(discriminator="kind")]
