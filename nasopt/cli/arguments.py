"""What commands take and how they answer, for all of them alike."""

from __future__ import annotations

import ctypes
import json
import logging
import math
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Annotated, Any

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from nasopt.database.urls import redact
from nasopt.errors import UsageError
from nasopt.text.printable import printable

StudyFile = Annotated[str, typer.Argument(metavar="STUDY.yaml", help="Study file.")]
StudyName = Annotated[str, typer.Argument(metavar="STUDY", help="Study file, or name of a stored study.")]
StudyNames = Annotated[list[str] | None, typer.Argument(metavar="STUDY...", help="Study files or names.")]
Storage = Annotated[str | None, typer.Option("--storage", help="SQLAlchemy URL of the database.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Assignments = Annotated[
    list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Override a key; may be repeated.")
]


class _Console(Console):
    """A console to which no text can send control characters: rich lets some of them through."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Segments of the renderable; rich's own control codes are segments of another kind and stay."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else printable(text), style, control)


class Formatter(logging.Formatter):
    """Lines of a log with their time and level, without control characters and passwords."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """The line, and a traceback where there is one."""
        return redact(printable(super().format(record)))


@contextmanager
def quiet_output(wanted: bool = True) -> Iterator[None]:
    """Send to standard error what anybody else prints meanwhile, so that standard output holds the answer alone.

    Others are a user's own code, its subprocesses and libraries in C; these write to file descriptor 1, whatever
    Python calls standard output.
    """
    if not wanted:
        yield
        return
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        with redirect_stdout(sys.stderr):
            yield
    finally:
        sys.stdout.flush()
        _flush_c()
        os.dup2(kept, 1)
        os.close(kept)


def _flush_c() -> None:
    """Write what printf holds back; it would follow the answer otherwise."""
    try:
        ctypes.CDLL(None).fflush(None)
    except (OSError, TypeError, AttributeError):
        return  # Windows finds no C library this way


def print_json(value: Any) -> None:
    """JSON on standard output; figures that are no numbers are a defect."""
    print(json.dumps(value, indent=2, allow_nan=False))


def say(text: str) -> None:
    """A line on standard output."""
    print(redact(printable(text)), flush=True)


def complain(text: str) -> None:
    """Each line on standard error, as nasopt's own."""
    for line in redact(printable(text)).splitlines():
        print(f"nasopt: {line}", file=sys.stderr)


def console(*, stderr: bool = False) -> Console:
    """Standard output, or standard error, as rich writes it."""
    return _Console(soft_wrap=False, stderr=stderr)


def shapes_by_name(texts: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """Sizes of inputs from texts such as `image=1x3x224x224`; the last `=` separates, since names may hold one.

    Raises:
        UsageError: a text has another form.
    """
    found = {}
    for text in texts:
        name, equals, sizes = text.rpartition("=")
        parts = sizes.lower().split("x")
        if not (name and equals and all(part.isascii() and part.isdigit() for part in parts)):
            raise UsageError(f"--shape {text}: expected NAME=SIZExSIZE..., such as image=1x3x224x224 or height=48")
        found[name] = tuple(map(int, parts))
    return found


def numbers_by_name(texts: Iterable[str]) -> dict[str, float]:
    """Values of inputs from texts such as `sr=16000`.

    Raises:
        UsageError: a text has another form.
    """
    found = {}
    for text in texts:
        name, equals, number = text.rpartition("=")
        try:
            found[name] = float({"true": "1", "false": "0"}.get(number.lower(), number))
        except ValueError:
            found[name] = math.nan
        if not (name and equals and math.isfinite(found[name])):
            raise UsageError(f"--input {text}: expected NAME=NUMBER, such as sr=16000")
    return found
