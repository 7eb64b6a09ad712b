"""Databases of older versions, as SQL text.

`infinite_values.sql`: refused and diverged trials are COMPLETE with infinite values, and constraints are named by their
bound. Study `ends`: a Python target, 24 trials of which 3 were refused, 3 diverged, 2 failed, 1 was pruned, 1 is
infeasible by measurement and 1 was left running. Study `digits`: 16 trials of networks, 13 of them refused.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

HERE = Path(__file__).parent


def restore(name: str, file: Path) -> str:
    """The database in a file; its URL."""
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript((HERE / name).read_text())
    return f"sqlite:///{file}"
