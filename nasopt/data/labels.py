"""Labels of several files as codes of one list of classes, matched by their names."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nasopt.data.splits import listed, shown
from nasopt.errors import DataError

UNLABELLED = -1
"""The label of an image whose class is not given."""


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of one file."""

    codes: np.ndarray
    """int64 (n,), index into `names`; UNLABELLED where there is none."""
    names: tuple[str, ...]
    named: bool
    """Whether the classes have names of their own, or are numbers that serve as such."""

    @property
    def missing(self) -> int:
        """Images without a label."""
        return int((self.codes == UNLABELLED).sum())


def is_text(kind: Any) -> bool:
    """Whether a column of this Arrow type holds text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def read_labels(column: Any, where: str, names: Sequence[str] | None) -> Labels:
    """A column of labels: whole numbers (indices into `names`, if given), text, or true and false.

    Raises:
        DataError: it holds something else, or numbers that have no name; names file and row.
    """
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if is_text(kind):
        return _of_text(column)
    column = column.cast(kind)
    if pa.types.is_boolean(kind):
        codes = pc.fill_null(column.cast(pa.int8()), UNLABELLED)
        return Labels(codes.to_numpy().astype(np.int64), ("False", "True"), named=True)
    if pa.types.is_floating(kind):
        column = _whole(column, where)
    elif pa.types.is_null(kind):
        column = column.cast(pa.int64())
    elif not pa.types.is_integer(kind):
        raise DataError(f"{where} must hold whole numbers or names of classes, one for each row; found {kind}")
    values = pc.fill_null(column.cast(pa.int64()), UNLABELLED).to_numpy().astype(np.int64)
    if (low := np.flatnonzero(values < UNLABELLED)).size:
        raise DataError(f"{where} holds {values[low[0]]} in row {low[0]}; expected labels from 0 up")
    return _of_numbers(values) if names is None else _of_indices(values, tuple(map(str, names)), where)


def merge_classes(parts: Sequence[tuple[str, Labels]]) -> tuple[str, ...]:
    """All classes of the training files, in one order whatever the order of theirs.

    Args:
        parts: where each lies, and its labels.

    Raises:
        DataError: some have names and others numbers.
    """
    if odd := next((part for part in parts[1:] if part[1].named != parts[0][1].named), None):
        raise _unlike(parts[0], odd)
    every = list(dict.fromkeys(name for _, labels in parts for name in labels.names))
    return tuple(every if parts[0][1].named else sorted(every, key=int))


def codes_of(where: str, labels: Labels, classes: Sequence[str], known: tuple[str, Labels]) -> np.ndarray:
    """The labels of a file as indices into `classes`, matched by name. int64 (n,).

    Args:
        where: the file, for messages.
        labels: its labels.
        classes: of the data set.
        known: a training file and its labels.

    Raises:
        DataError: a label whose class no training file has, or numbers here and names there; names the file.
    """
    if labels.missing == len(labels.codes):
        return labels.codes
    if labels.named != known[1].named:
        raise _unlike(known, (where, labels))
    place = {name: index for index, name in enumerate(classes)}
    used = [labels.names[code] for code in np.unique(labels.codes) if code != UNLABELLED]
    if strange := [name for name in used if name not in place]:
        folded = {name.casefold() for name in classes}
        near = "; they differ by their case alone" if all(name.casefold() in folded for name in strange) else ""
        raise DataError(
            f"{where}: the classes {listed(strange)} are none of the training split's ({listed(tuple(classes), 10)})"
            f"{near}; rename or remove them"
        )
    lookup = np.array([*(place.get(name, UNLABELLED) for name in labels.names), UNLABELLED], dtype=np.int64)
    return lookup[labels.codes]


def _unlike(first: tuple[str, Labels], other: tuple[str, Labels]) -> DataError:
    told = [
        f"{where} has {'names of classes' if labels.named else 'numbers only'} ({listed(labels.names)})"
        for where, labels in (first, other)
    ]
    return DataError(f"labels cannot be matched: {' and '.join(told)}; write both with names, or both without")


def _of_numbers(values: np.ndarray) -> Labels:
    """Numbers without names: each that occurs is a class, called like it."""
    there = np.unique(values[values != UNLABELLED])
    codes = np.where(values == UNLABELLED, UNLABELLED, np.searchsorted(there, values))
    return Labels(codes.astype(np.int64), tuple(str(value) for value in there), named=False)


def _of_indices(values: np.ndarray, names: tuple[str, ...], where: str) -> Labels:
    if (high := np.flatnonzero(values >= len(names))).size:
        raise DataError(
            f"{where} holds {values[high[0]]} in row {high[0]}, and its {len(names)} names of classes go from 0 to "
            f"{len(names) - 1}"
        )
    if twice := [name for name in names if names.count(name) > 1]:
        raise DataError(f"{where} has two classes called {shown(twice[0])}; rename one")
    return Labels(values, names, named=True)


def _of_text(column: Any) -> Labels:
    """Names of classes, sorted; an empty text is no label. Kept as codes: a name is not repeated in every row."""
    if not pa.types.is_dictionary(column.type):
        column = column.cast(pa.large_string()).dictionary_encode()
    chunks = column.unify_dictionaries().chunks
    codes = [
        pc.fill_null(chunk.indices.cast(pa.int64()), UNLABELLED).to_numpy(zero_copy_only=False) for chunk in chunks
    ]
    indices = np.concatenate([np.empty(0, dtype=np.int64), *codes])
    spelt = [(text or "").strip() for text in (chunks[0].dictionary.to_pylist() if chunks else [])]
    used = {spelt[code] for code in np.unique(indices) if code != UNLABELLED} - {""}
    place = {name: index for index, name in enumerate(sorted(used))}
    lookup = np.array([*(place.get(text, UNLABELLED) for text in spelt), UNLABELLED], dtype=np.int64)
    return Labels(lookup[indices], tuple(place), named=True)


def _whole(column: Any, where: str) -> Any:
    """Whole numbers that were stored as floating-point ones, as happens where some were empty."""
    cells = pc.if_else(pc.is_nan(column), None, column)
    values = cells.to_numpy()
    if (bad := np.flatnonzero(~np.isnan(values) & ((values % 1 != 0) | ~np.isfinite(values)))).size:
        seen = values[bad[0]]
        text = "an infinity" if math.isinf(seen) else f"{seen:g}"
        raise DataError(f"{where} must hold whole numbers or names of classes; found {text} in row {bad[0]}")
    return cells.cast(pa.int64())
