"""Importing an object of the user's own by name, and saying in one line what went wrong in code of theirs."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Sequence
from difflib import get_close_matches
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from nasopt.errors import UsageError


def import_object(target: str, folders: Sequence[Path]) -> Any:
    """The object that `module:object` names; `folders` are searched before what is installed, and stay on the path.

    Raises:
        UsageError: there is no such module or object, or importing the module fails.
    """
    module_name, _, path = target.partition(":")
    places = list(dict.fromkeys(str(folder.absolute()) for folder in folders))
    sys.path[:] = [*places, *(p for p in sys.path if p not in places)]
    module = _import(module_name, places)
    found: Any = module
    for name in path.split("."):
        if not _has(found, name):
            known = [n for n in vars(found) if not n.startswith("_")] if hasattr(found, "__dict__") else []
            near = get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise UsageError(f"problem.target {target}: {_where(module)} has no {name!r}{hint}")
        found = getattr(found, name)
    return found


def _has(found: Any, name: str) -> bool:
    try:
        return hasattr(found, name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise UsageError(f"problem.target: reading {name} failed: {told(error)}") from error


def _import(name: str, places: Sequence[str]) -> ModuleType:
    importlib.invalidate_caches()
    _forget_namesake(name.partition(".")[0], places)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(f"{error.name}.")):
            raise UsageError(f"problem.target: importing {name} failed: {told(error)}") from error
        raise UsageError(
            f"problem.target: no module named {error.name!r} in {' or '.join(places)}, nor among what is installed"
        ) from None
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise UsageError(f"problem.target: importing {name} failed: {told(error)}") from error


def _forget_namesake(top: str, places: Sequence[str]) -> None:
    """Let a module of these folders be imported where one of the same name has come from another folder before."""
    loaded = sys.modules.get(top)
    spec = PathFinder.find_spec(top, list(places))
    if loaded is None or spec is None or spec.origin is None:
        return
    if getattr(loaded, "__file__", None) != spec.origin:
        for name in [n for n in sys.modules if n == top or n.startswith(f"{top}.")]:
            del sys.modules[name]


def _where(module: ModuleType) -> str:
    return getattr(module, "__file__", None) or module.__name__


def told(error: BaseException) -> str:
    """An error in one line: where in the user's code it arose, its kind and its message."""
    try:
        text = " ".join(str(error).split())
    except KeyboardInterrupt:
        raise
    except BaseException:
        text = "an error whose message cannot be read"
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}: {type(error).__name__}: {error.msg}"
    own = [f for f in traceback.extract_tb(error.__traceback__) if not _foreign(f.filename)]
    place = f"{own[-1].filename}:{own[-1].lineno}: " if own else ""
    return f"{place}{type(error).__name__}{': ' if text else ''}{text[:500]}"


def _foreign(file: str) -> bool:
    """Whether a file of a traceback is none of the user's: nasopt's, the import machinery's, an installed package's."""
    here = str(Path(__file__).parents[1])
    return file.startswith((here, "<frozen")) or "site-packages" in file or file.startswith(sys.base_prefix)
