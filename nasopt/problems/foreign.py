"""Calling code that others wrote: whatever it raises ends in one line, and whatever it returns can be shown."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from nasopt.errors import NasoptError
from nasopt.problems.importing import told

_LONGEST = 80


@contextmanager
def foreign(failed: Callable[[str], NasoptError]) -> Iterator[None]:
    """Turn what code of others raises into what `failed` makes of the line that tells it.

    Interrupts, and nasopt's own errors, go on as they are.
    """
    try:
        yield
    except (KeyboardInterrupt, NasoptError):
        raise
    except BaseException as error:  # SystemExit, GeneratorExit and classes of their own are the code's, not the user's
        raise failed(told(error)) from error


def shown(value: Any) -> str:
    """A value of others with its kind, cut short; one that cannot be shown by its kind alone."""
    if value is None:
        return "nothing"
    kind = type(value).__name__
    try:
        text = _short.repr(value).replace("\n", " ")
    except KeyboardInterrupt:
        raise
    except BaseException:
        return f"an object of {kind}, whose repr() fails"
    return f"{text if len(text) <= _LONGEST else text[: _LONGEST - 3] + '...'} ({kind})"


class _Short(reprlib.Repr):
    """Long values are cut before they are written out."""

    def repr_instance(self, x: Any, level: int) -> str:
        return repr(x)

    def repr_int(self, x: int, level: int) -> str:
        return repr(x) if abs(x) < 10**_LONGEST else f"a whole number of {x.bit_length():,} bits"


_short = _Short()
_short.maxstring = _short.maxother = _LONGEST
_short.maxdict = _short.maxlist = _short.maxtuple = _short.maxset = 8
