"""Text that others wrote (errors of targets, names in files and tables, paths), made safe to print.

A terminal obeys control characters: an escape sequence recolours, clears or retitles it, a carriage return hides what
stood before, and bidirectional overrides show a text in another order than it has. Whatever prints passes through here.
"""

from __future__ import annotations

import unicodedata
from typing import Any

_KEPT = frozenset("\n\t")
_SHOWN = {code: 0x2400 + code for code in range(32) if chr(code) not in _KEPT} | {127: 0x2421}
"""Control characters of ASCII, as the Unicode pictures that stand for them: ESC becomes ␛."""
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode's other controls, formats (bidirectional ones among them), lone surrogates and separators of lines."""
_JOINERS = frozenset("\u200c\u200d")
"""Formats that scripts and emoji need, and that move nothing."""


def printable(text: Any) -> str:
    """The text with each control character as a visible sign; line ends and tabs stay.

    Every sign takes one cell, so that ASCII alone is what it was.
    """
    plain = str(text)
    if plain.isprintable():
        return plain
    return "".join(_sign(c) for c in plain.translate(_SHOWN))


def one_line(text: Any) -> str:
    """As `printable`, with line ends and tabs as spaces."""
    return " ".join(printable(text).split())


def _sign(character: str) -> str:
    if character in _KEPT or character in _JOINERS or unicodedata.category(character) not in _INVISIBLE:
        return character
    return "\ufffd"
