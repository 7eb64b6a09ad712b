"""Packages whose names are imported when first used, so that a command pays only for what it needs."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any


def attributes(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """A module's `__getattr__` [PEP 562]: `homes` maps each public name to its module, or to `module:other_name`."""

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, _, attribute = homes[name].partition(":")
        return getattr(importlib.import_module(module), attribute or name)

    return get


def keep_callable(package: str, homes: Mapping[str, str]) -> None:
    """Let a public function be called though a submodule of the package has its name, as `nasopt.export` does.

    Importing a submodule sets it as attribute of its package, and so hides what `attributes` would have found there.
    Such a submodule becomes a module that can be called: both `package.name(...)` and `package.name.member` work,
    whatever was imported before.
    """
    find = attributes(package, homes)

    class Function(ModuleType):
        """A submodule that is called for the function of its name."""

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            return find(self.__name__.rpartition(".")[2])(*args, **kwargs)

    class Package(ModuleType):
        """A package that looks at what is set in it."""

        def __setattr__(self, name: str, value: Any) -> None:
            if name in homes and type(value) is ModuleType:
                value.__class__ = Function
            super().__setattr__(name, value)

    sys.modules[package].__class__ = Package
