"""Finding samplers, backends, meters and problems by name, through entry points."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from nasopt.errors import UnknownPluginError, UsageError


def names(kind: str) -> list[str]:
    """Installed names of a kind: `samplers`, `backends`, `meters`, `problems`."""
    return sorted({e.name for e in entry_points(group=f"nasopt.{kind}")})


@functools.cache
def load(kind: str, name: str) -> Any:
    """The object registered under `name` in the group `nasopt.<kind>`.

    Raises:
        UnknownPluginError: nothing of that name is installed, or importing it fails.
        UsageError: two packages have something of that name, and which of them is meant cannot be told.
    """
    found = {entry.value: entry for entry in entry_points(group=f"nasopt.{kind}", name=name)}  # one installed twice
    if not found:
        raise UnknownPluginError(f"no {kind.removesuffix('s')} named {name!r}; installed: {', '.join(names(kind))}")
    if len(found) > 1:
        origins = " and ".join(sorted(_origin(entry) for entry in found.values()))
        raise UsageError(
            f"{len(found)} {kind} are called {name!r}: {origins}; give the plug-in another name in its pyproject.toml, "
            "or uninstall it"
        )
    entry = next(iter(found.values()))
    try:
        return entry.load()
    except (ImportError, AttributeError) as error:
        raise UnknownPluginError(
            f"{kind.removesuffix('s')} {name!r} cannot be imported from {entry.value}: {error}"
        ) from error


def require(kind: str, name: str, plugin: Any, members: Sequence[str]) -> None:
    """Refuse a plug-in that lacks members of its interface, before anything asks for them.

    Args:
        kind: such as `meter`.
        name: under which it is registered.
        plugin: what its factory made.
        members: that all plug-ins of this kind have.

    Raises:
        UsageError: naming what it lacks.
    """
    if lacking := [member for member in members if not hasattr(plugin, member)]:
        article = "an" if kind[0] in "aeiou" else "a"
        raise UsageError(
            f"{kind} {name!r} ({type(plugin).__module__}.{type(plugin).__qualname__}) has no {', '.join(lacking)}; "
            f"{article} {kind} has {', '.join(members)}, see docs/extending.md"
        )


def _origin(entry: EntryPoint) -> str:
    """Where a plug-in comes from: `my_nasopt.sampler:tpe of my-nasopt 0.1`."""
    package = f" of {entry.dist.name} {entry.dist.version}" if entry.dist is not None else ""
    return f"{entry.value}{package}"
