"""What all sections of a study file share."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Annotated, Generic, TypeAlias, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

N = TypeVar("N", int, float)
KeyPath: TypeAlias = tuple[str | int, ...]
"""Where a key of a file stands: the keys and places in lists that lead to it."""

_LONGEST = 100_000
"""Values of a range with steps; more is a slip of the pen, and would be listed in memory."""


class Section(BaseModel):
    """A mapping of a study file: unknown keys are refused, values are immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)


class Range(Section, Generic[N]):
    """A searched interval, both ends included."""

    low: N
    high: N
    step: N | None = None
    """Grid step; a float without one is continuous."""
    log: bool = False
    """Sample on a logarithmic scale (no step then)."""

    @model_validator(mode="after")
    def _ordered(self) -> Range[N]:
        if self.low > self.high:
            raise ValueError(f"empty range: low {self.low} is above high {self.high}")
        if self.step is not None and self.step <= 0:
            raise ValueError(f"step must be positive, not {self.step}")
        if self.step is not None and self.log:
            raise ValueError("step and log exclude each other")
        if self.log and self.low <= 0:
            raise ValueError(f"a logarithmic range needs low above 0, not {self.low}")
        step = self.step or (1 if isinstance(self.low, int) else None)
        if step is not None and (self.high - self.low) / step > _LONGEST:
            raise ValueError(
                f"a range of more than {_LONGEST:,} values, from {self.low} to {self.high}; widen its step"
            )
        return self


def distinct(values: object) -> object:
    """Refuse a list of choices that is empty or names one twice."""
    if isinstance(values, list):
        if not values:
            raise ValueError("an empty list leaves nothing to choose from")
        seen: list[object] = []
        for value in values:
            if value in seen:  # by Python's equality, as Optuna stores choices: 1, 1.0 and true are one
                raise ValueError(_twice(seen[seen.index(value)], value, values))
            seen.append(value)
    return values


def _twice(first: object, again: object, values: list[object]) -> str:
    listed = ", ".join(map(_as_written, values))
    if repr(first) == repr(again):
        return f"the choice {again!r} is listed twice in [{listed}]"
    return f"the choices {_as_written(first)} and {_as_written(again)} in [{listed}] are equal; keep one of them"


def _as_written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)


def located(title: str, mistakes: Sequence[tuple[KeyPath, str]]) -> ValidationError:
    """An error of a whole model that names the keys at fault: each mistake is a path from the model and a message."""
    details = [
        InitErrorDetails(type=PydanticCustomError("value_error", "{text}", {"text": text}), loc=path, input=None)
        for path, text in mistakes
    ]
    return ValidationError.from_exception_data(title, details)


def one_of(kind: str, name: str, known: Sequence[str], more: str = "") -> str:
    """The name, if it is known; otherwise a ValueError with the nearest one that is."""
    if name not in known:
        near = get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"no {kind} named {name!r}; {hint}known: {', '.join(known)}{more}")
    return name


Number = Annotated[float, Field(strict=True)]
Whole = Annotated[int, Field(strict=True)]
SearchedInt = Annotated[Whole | list[Whole] | Range[int], BeforeValidator(distinct)]
"""A value (fixed), a list of choices, or a range."""
SearchedFloat = Annotated[Number | list[Number] | Range[float], BeforeValidator(distinct)]
SearchedStr = Annotated[str | list[str], BeforeValidator(distinct)]
