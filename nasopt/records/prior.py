"""The architecture prior: how likely each choice of a space is under a preference between the objectives.

A fact that travels, like those of `records`: made by `training`, read by samplers, stored as JSON.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nasopt.errors import UsageError

FORMAT = 1
TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchitecturePrior:
    """p(choice | preference), tabulated for a few preferences; every parameter by itself."""

    objectives: tuple[str, ...]
    """Metrics in the order of a preference's weights."""
    preferences: tuple[tuple[float, ...], ...]
    """Weights of the objectives, (preferences, objectives); each row sums to 1."""
    choices: Mapping[str, tuple[Any, ...]]
    """Values of each parameter, ascending: the first is the smallest."""
    probabilities: Mapping[str, tuple[tuple[float, ...], ...]]
    """Of each parameter (preferences, choices); each row sums to 1."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """JSON values: supernet, data, predictor of each cost, method, seconds."""
    epochs: tuple[Mapping[str, float], ...] = ()
    """{entropy, smallest_share, loss} after each epoch of its training."""

    def __post_init__(self) -> None:
        """Raises ValueError where the tables do not fit together."""
        _check_rows("preferences", self.preferences, len(self.objectives))
        if self.choices.keys() != self.probabilities.keys() or not self.choices:
            raise ValueError("choices and probabilities must name the same parameters, one at least")
        for name, table in self.probabilities.items():
            if len(table) != len(self.preferences):
                raise ValueError(f"{name}: expected a row for each of {len(self.preferences)} preferences")
            _check_rows(name, table, len(self.choices[name]))

    @property
    def seconds(self) -> float:
        """What its training took; charged to every study that uses it."""
        return float(self.provenance.get("seconds") or 0.0)

    def nearest(self, preference: Sequence[float]) -> int:
        """Row of the tabulated preference that is nearest to these weights (objectives,)."""
        return min(range(len(self.preferences)), key=lambda i: math.dist(self.preferences[i], preference))

    def mode(self, row: int) -> dict[str, Any]:
        """The likeliest choice of each parameter under a tabulated preference."""
        return {n: self.choices[n][max(range(len(p[row])), key=p[row].__getitem__)] for n, p in self._open().items()}

    def entropy(self, row: int) -> float:
        """Mean over the parameters of p's entropy, as a share of the uniform one's."""
        shares = [-sum(p * math.log(p) for p in t[row] if p > 0) / math.log(len(t[row])) for t in self._open().values()]
        return sum(shares) / len(shares) if shares else 0.0

    def smallest_share(self, row: int) -> float:
        """Mean over the parameters of the probability of the smallest choice: near 1 the search has collapsed."""
        shares = [t[row][0] for t in self._open().values()]
        return sum(shares) / len(shares) if shares else 1.0

    def uniform(self) -> ArchitecturePrior:
        """A control: the same parameters, all choices alike."""
        rows = len(self.preferences)
        return replace(self, probabilities={n: ((1 / len(c),) * len(c),) * rows for n, c in self.choices.items()})

    def shuffled(self, seed: int = 0) -> ArchitecturePrior:
        """A control: the probabilities of each parameter dealt to its choices anew, alike for all preferences.

        As sharp as this prior and as responsive to the preference, but about the wrong choices. The order of a
        parameter changes wherever it has more than one choice.
        """
        generator = random.Random(seed)
        dealt = {}
        for name, table in self.probabilities.items():
            kept = order = list(range(len(table[0])))
            while len(kept) > 1 and order == kept:
                order = generator.sample(kept, len(kept))
            dealt[name] = tuple(tuple(row[i] for i in order) for row in table)
        return replace(self, probabilities=dealt)

    def summary(self) -> dict[str, Any]:
        """What a study keeps of it beside the whole record: JSON values, small."""
        rows = range(len(self.preferences))
        return {
            **self.provenance,
            "objectives": list(self.objectives),
            "preferences": [list(p) for p in self.preferences],
            "entropy": [self.entropy(r) for r in rows],
            "smallest_share": [self.smallest_share(r) for r in rows],
        }

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; `from_json` restores the record."""
        return {
            "format": FORMAT,
            "objectives": list(self.objectives),
            "preferences": [list(p) for p in self.preferences],
            "choices": {n: list(c) for n, c in self.choices.items()},
            "probabilities": {n: [list(r) for r in t] for n, t in self.probabilities.items()},
            "provenance": dict(self.provenance),
            "epochs": [dict(e) for e in self.epochs],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ArchitecturePrior:
        """Restore a record written by `to_json`.

        Raises:
            ValueError: it is no such record.
        """
        try:
            if data["format"] != FORMAT:
                raise ValueError(f"expected format {FORMAT}, got {data['format']!r}")
            return cls(
                objectives=tuple(data["objectives"]),
                preferences=_rows(data["preferences"]),
                choices={n: tuple(c) for n, c in data["choices"].items()},
                probabilities={n: _rows(t) for n, t in data["probabilities"].items()},
                provenance=dict(data["provenance"]),
                epochs=tuple(data["epochs"]),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not an architecture prior: {error!r}") from error

    def _open(self) -> dict[str, tuple[tuple[float, ...], ...]]:
        """The tables of the parameters that leave something to choose."""
        return {n: t for n, t in self.probabilities.items() if len(self.choices[n]) > 1}


def read_prior(path: Path) -> ArchitecturePrior:
    """The prior stored as JSON in this file.

    Raises:
        UsageError: there is no such file, or it holds something else.
    """
    try:
        return ArchitecturePrior.from_json(json.loads(path.read_text()))
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise UsageError(f"cannot read an architecture prior from {path}: {reason}") from error


def _rows(data: Any) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(v) for v in row) for row in data)


def _check_rows(name: str, rows: Sequence[Sequence[float]], length: int) -> None:
    if not rows:
        raise ValueError(f"{name}: expected one row at least")
    for row in rows:
        if len(row) != length or not all(0 <= v <= 1 for v in row) or abs(math.fsum(row) - 1) > TOLERANCE:
            raise ValueError(f"{name}: expected {length} shares that sum to 1, got {list(row)}")
