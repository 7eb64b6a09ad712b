"""Options of backends and meters: what their constructors take, checked before they are called."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError

from nasopt import plugins
from nasopt.errors import UsageError
from nasopt.spec.hardware import PluginSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """What is wrong with an option, or with their number (`key` is None)."""

    key: str | None
    text: str


def build(kind: str, choice: PluginSpec, *leading: Any) -> Any:
    """Call the plug-in of this kind (`meter`, `backend`) with `leading` arguments and its options.

    Raises:
        UnknownPluginError: it is not installed.
        UsageError: it has no such option, needs another one, a value is of the wrong kind, or it takes no such call.
        MeasurementError: it does not work here.
    """
    factory = plugins.load(f"{kind}s", choice.name)
    if found := mistakes(kind, choice, len(leading)):
        raise UsageError("\n".join(m.text for m in found))
    try:
        inspect.signature(factory).bind(*leading, **choice.options)
    except TypeError as error:
        given = ", ".join([*(type(value).__name__ for value in leading), "**options"])
        raise UsageError(f"{kind} {choice.name!r} is called with ({given}): {error}; see docs/extending.md") from None
    return factory(*leading, **_converted(factory, choice.options))


def mistakes(kind: str, choice: PluginSpec, leading: int) -> list[Mistake]:
    """All that is wrong with the options of a plug-in whose first `leading` arguments are given otherwise.

    Raises:
        UnknownPluginError: it is not installed.
    """
    factory = plugins.load(f"{kind}s", choice.name)
    parameters = list(inspect.signature(factory).parameters.values())[leading:]
    named = {p.name: p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    takes_any = any(p.kind == p.VAR_KEYWORD for p in parameters)
    what = f"{kind} {choice.name}"
    found = [
        Mistake(key=None, text=f"{what} needs the option {p.name!r}")
        for p in named.values()
        if p.default is p.empty and p.name not in choice.options
    ]
    for key, value in choice.options.items():
        if key not in named and not takes_any:
            near = get_close_matches(key, named, n=1)
            known = f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(named) or 'none'}"
            found.append(Mistake(key=key, text=f"{what} has no option {key!r}; {known}"))
        elif key in named and (problem := _problem(_hints(factory).get(key), value)):
            found.append(Mistake(key=key, text=f"{what}: option {key}: {problem}, not {value!r}"))
    return found


def _hints(factory: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(factory.__init__ if inspect.isclass(factory) else factory, include_extras=True)
    except (NameError, TypeError):  # a plug-in whose annotations cannot be resolved checks its options itself
        return {}


def _problem(hint: Any, value: Any) -> str:
    try:
        _adapted(hint, value)
    except ValidationError as error:
        return error.errors()[0]["msg"].replace("Input should be", "expected")
    return ""


def _converted(factory: Callable[..., Any], options: dict[str, Any]) -> dict[str, Any]:
    hints = _hints(factory)
    return {key: _adapted(hints.get(key), value) for key, value in options.items()}


def _adapted(hint: Any, value: Any) -> Any:
    if hint is None:
        return value
    try:
        return TypeAdapter(hint).validate_python(value)
    except PydanticSchemaGenerationError:  # no kind of value that a YAML file could hold
        return value
