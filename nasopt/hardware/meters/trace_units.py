"""Units of a power trace's columns: as an option says, as the header says, and never two at once."""

from __future__ import annotations

import re
from typing import Literal

from nasopt.errors import SensorError

Quantity = Literal["time", "watts", "volts", "amperes"]

_PREFIXES = {"n": 1e-9, "u": 1e-6, "µ": 1e-6, "μ": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3}
_SYMBOLS: dict[Quantity, tuple[str, ...]] = {
    "time": ("s", "sec", "seconds"),
    "watts": ("W", "w", "watt", "watts"),
    "volts": ("V", "v", "volt", "volts"),
    "amperes": ("A", "a", "amp", "amps", "ampere", "amperes"),
}
_WORDS = {"nano": "n", "micro": "u", "milli": "m", "kilo": "k"}
_BASE: dict[Quantity, str] = {"time": "s", "watts": "W", "volts": "V", "amperes": "A"}
_UNIT_AT_END = re.compile(r"(?:[\s_/.-]|^)\(?\[?([A-Za-zµμ]+)\]?\)?\s*$|[(\[]\s*([A-Za-zµμ]+)\s*[)\]]")


def scale_of(quantity: Quantity, column: str, unit: str | None) -> tuple[str, float]:
    """The unit of a column, and what a figure in it is multiplied by for s, W, V or A.

    Args:
        quantity: what the column holds.
        column: its name in the header, which may end in a unit: `Current (mA)`, `power_mW`, `t [ms]`.
        unit: what the option says; the header's if None, and the base unit where that says nothing.

    Raises:
        SensorError: the option is no unit of this quantity, or says another one than the header.
    """
    said = _of_header(quantity, column)
    if unit is None:
        return said or (_BASE[quantity], 1.0)
    given = _parse(quantity, unit)
    if given is None:
        known = ", ".join(f"{p}{_BASE[quantity]}" for p in _PREFIXES if p.isascii())
        raise SensorError(f"trace-file: {unit!r} is no unit of {quantity}", f"expected one of {known}")
    if said is not None and said[1] != given[1]:
        raise SensorError(
            f"trace-file: the option {quantity}_unit says {given[0]}, and the column {column!r} {said[0]}",
            "leave the option out, or rename the column",
        )
    return given


def _of_header(quantity: Quantity, column: str) -> tuple[str, float] | None:
    if column.strip().lower() == quantity:  # the name of the column that is looked for says nothing of its unit
        return None
    found = _UNIT_AT_END.search(column)
    return None if found is None else _parse(quantity, found.group(1) or found.group(2))


def _parse(quantity: Quantity, text: str) -> tuple[str, float] | None:
    """A unit as `mA` and its factor; None where the text is none of this quantity."""
    word = text.strip()
    for long, short in _WORDS.items():
        if word.lower().startswith(long):
            word = short + word[len(long) :]
    for prefix, factor in _PREFIXES.items():
        if word.startswith(prefix) and word[len(prefix) :] in _SYMBOLS[quantity]:
            return f"{'u' if prefix in 'µμ' and prefix else prefix}{_BASE[quantity]}", factor
    return None
