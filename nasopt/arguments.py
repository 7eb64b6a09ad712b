"""What commands take and how they answer, for all of them alike."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.console import Console

StudyFile = Annotated[str, typer.Argument(metavar="STUDY.yaml", help="Study file.")]
StudyName = Annotated[str, typer.Argument(metavar="STUDY", help="Study file, or name of a stored study.")]
StudyNames = Annotated[list[str] | None, typer.Argument(metavar="STUDY...", help="Study files or names.")]
Storage = Annotated[str | None, typer.Option("--storage", help="SQLAlchemy URL of the database.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Assignments = Annotated[
    list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Override a key; may be repeated.")
]


def print_json(value: Any) -> None:
    """JSON on standard output; figures that are no numbers are a defect."""
    print(json.dumps(value, indent=2, allow_nan=False))


def console() -> Console:
    """Standard output as rich writes it."""
    return Console(soft_wrap=False)
