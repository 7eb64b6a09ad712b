"""Device profiles and example studies that come with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

_PACKAGE = Path(__file__).parents[1]


def folder(kind: Literal["hardware", "studies"]) -> Path:
    """The folder of shipped YAML files: inside an installed wheel, or at the top of a checkout."""
    installed = _PACKAGE / "_shipped" / kind
    return installed if installed.is_dir() else _PACKAGE.parent / kind


def listed(kind: Literal["hardware", "studies"]) -> list[str]:
    """Names of the shipped files, without suffix."""
    return sorted(p.stem for p in folder(kind).glob("*.yaml"))
