"""Finding samplers, backends, meters and problems by name, through entry points."""

from __future__ import annotations

import functools
from importlib.metadata import entry_points
from typing import Any

from nasopt.errors import UnknownPluginError


def names(kind: str) -> list[str]:
    """Installed names of a kind: `samplers`, `backends`, `meters`, `problems`."""
    return sorted({e.name for e in entry_points(group=f"nasopt.{kind}")})


@functools.cache
def load(kind: str, name: str) -> Any:
    """The object registered under `name` in the group `nasopt.<kind>`.

    Raises:
        UnknownPluginError: nothing of that name is installed, or importing it fails.
    """
    found = entry_points(group=f"nasopt.{kind}", name=name)
    if not found:
        raise UnknownPluginError(f"no {kind.removesuffix('s')} named {name!r}; installed: {', '.join(names(kind))}")
    entry = next(iter(found))
    try:
        return entry.load()
    except (ImportError, AttributeError) as error:
        raise UnknownPluginError(
            f"{kind.removesuffix('s')} {name!r} cannot be imported from {entry.value}: {error}"
        ) from error
