"""Parquet files in the layout of the Hugging Face hub: a column of encoded images and one of labels."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from nasopt.data.framing import Items
from nasopt.data.labels import Labels, is_text, read_labels
from nasopt.data.splits import Role, listed, role_of, role_of_file, shown
from nasopt.errors import DataError

IMAGE_COLUMNS = ("img", "image")
LABEL_COLUMNS = ("label", "fine_label", "labels", "class", "target")
_ROWS_AT_ONCE = 64
"""Rows held in memory while images are read."""
_SHARD = re.compile(r"(?P<head>.*?)[-_.]?(?P<index>\d+)(-of-(?P<count>\d+)(-[0-9a-f]{8,})?)?")


def find_parquet(root: Path) -> tuple[Mapping[Role, Sequence[Path]], tuple[str, ...]] | None:
    """Files of each split in `root` or `root/data`, by name or by the name of their folder, and names of those of no
    split; None if there is no parquet file.

    Raises:
        DataError: shards are missing, files look like the same split twice, or none is for training; names them.
    """
    places = [root, root / "data"]
    places += [p for folder in (root, root / "data", *_only_folder(root)) for p in _folders(folder) if role_of(p.name)]
    found: dict[Role, list[Path]] = {}
    others: list[str] = []
    for place in dict.fromkeys([*places, *_only_folder(root)]):
        files = _files(place)
        inherited = role_of(place.name) if place != root else None
        here: dict[Role, list[Path]] = {}
        for file in files:
            role = role_of_file(file.stem) or inherited
            if role is None:
                others.append(file.name)
            else:
                here.setdefault(role, []).append(file)
        for role, those in here.items():
            if role not in found:
                found[role] = those
    if not found and not others:
        return None
    if "train" not in found:
        seen = listed([*(f.name for files in found.values() for f in files), *others])
        raise DataError(f"{shown(root)}: expected parquet files called train*.parquet, found {seen}; rename them")
    for role, files in found.items():
        _check_shards(role, files)
    return found, tuple(others)


@dataclass(frozen=True, slots=True)
class _File:
    """One file of a split."""

    path: Path
    image: str
    """Path of the column of encoded images: `image`, or `image.bytes` in structs."""
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ParquetSplit:
    """One split: labels in memory, encoded images read where they are asked for."""

    files: tuple[_File, ...]
    labels: tuple[Labels, ...]
    """Of each file."""

    @classmethod
    def open(cls, paths: Sequence[Path], *, max_memory_mb: int) -> ParquetSplit:
        """Read the labels of one or more files, and check that they hold images.

        Raises:
            DataError: not a parquet file, columns that do not follow the layout, or too large; names the file.
        """
        opened = [_open(path, max_memory_mb) for path in paths]
        return cls(files=tuple(file for file, _ in opened), labels=tuple(labels for _, labels in opened))

    def images(self, index: np.ndarray) -> Items:
        """The encoded images at these positions, which ascend.

        Raises:
            DataError: a row holds no image, or the file cannot be read; names file and row.
        """
        first = 0
        for file in self.files:
            low, high = np.searchsorted(index, (first, first + file.rows))
            if high > low:
                yield from _images(file, index[low:high] - first)
            first += file.rows


def _images(file: _File, rows: np.ndarray) -> Items:
    """The images in these rows of a file, in batches, so that a large file does not fill the memory."""
    name, wanted = shown(file.path), iter(rows.tolist())
    row = next(wanted, None)
    for start, column in _batches(file, rows):
        while row is not None and row < start + len(column):
            data, where = column[row - start].as_py(), f"{name}, row {row}"
            if not data:
                raise DataError(f"{where} holds no image bytes; images must be embedded, not referred to by path")
            yield where, data
            row = next(wanted, None)


def _batches(file: _File, rows: np.ndarray) -> Iterator[tuple[int, Any]]:
    """Batches of the image column as (first row, values), of the row groups that hold any of these rows."""
    try:
        with pq.ParquetFile(file.path) as opened:
            start = 0
            for group in range(opened.num_row_groups):
                count = opened.metadata.row_group(group).num_rows
                if np.searchsorted(rows, start + count) > np.searchsorted(rows, start):
                    at = start
                    for batch in opened.iter_batches(
                        _ROWS_AT_ONCE, row_groups=[group], columns=[file.image], use_threads=False
                    ):
                        column = batch.column(0)
                        yield at, column.field("bytes") if pa.types.is_struct(column.type) else column
                        at += len(batch)
                start += count
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(file.path, error) from error


def _open(path: Path, max_memory_mb: int) -> tuple[_File, Labels]:
    try:
        with pq.ParquetFile(path) as opened:
            schema, rows = opened.schema_arrow, opened.metadata.num_rows
            features = _features(schema)
            image, label = _columns(path, schema, features)
            _check_size(path, opened.metadata, max_memory_mb)
            file = _File(path, _leaf(path, schema, image), rows)
            if label is None:
                return file, Labels(np.full(rows, -1, dtype=np.int64), (), named=False)
        coded = [label] if is_text(schema.field(label).type) else []  # a name may be stored once for millions of rows
        with pq.ParquetFile(path, read_dictionary=coded) as opened:
            column = opened.read(columns=[label]).column(label)
        names = (features.get(label) or {}).get("names")
        return file, read_labels(column, f"{shown(path)}: column {label}", names)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> DataError:
    return DataError(f"{shown(path)} cannot be read as parquet: {str(error).splitlines()[0]}; replace the file")


def _check_size(path: Path, metadata: Any, max_memory_mb: int) -> None:
    """Refuse a file that would unpack to more than the memory allowed, before any of it is."""
    groups = (metadata.row_group(i) for i in range(metadata.num_row_groups))
    pages = max((g.column(c).total_uncompressed_size for g in groups for c in range(g.num_columns)), default=0)
    needed = max(pages, 8 * metadata.num_rows) / 1e6  # a label of each row is held
    if needed > max_memory_mb:
        raise DataError(
            f"{shown(path)}: {metadata.num_rows:,} rows unpack to {needed:,.0f} MB, and data.max_memory_mb allows "
            f"{max_memory_mb:,}; raise it, or bring a smaller file"
        )


def _columns(path: Path, schema: Any, features: Mapping[str, Any]) -> tuple[str, str | None]:
    """Names of the columns of images and of labels; None for the latter where there is none."""
    typed = {kind: [n for n, f in features.items() if f.get("_type") == kind] for kind in ("Image", "ClassLabel")}
    binary = [name for name in schema.names if _holds_bytes(schema.field(name).type)]
    image = next((name for name in IMAGE_COLUMNS if name in schema.names), None)
    for candidates in (typed["Image"], binary):
        image = image or (candidates[0] if len(candidates) == 1 and candidates[0] in schema.names else None)
    if image is None:
        raise DataError(
            f"{shown(path)}: expected a column {' or '.join(IMAGE_COLUMNS[:2])} and a column "
            f"{' or '.join(LABEL_COLUMNS[:2])}, found {listed(schema.names, 12)}; rename them"
        )
    label = next((name for name in LABEL_COLUMNS if name in schema.names), None)
    if label is None and len(typed["ClassLabel"]) == 1 and typed["ClassLabel"][0] in schema.names:
        label = typed["ClassLabel"][0]
    return image, label


def _leaf(path: Path, schema: Any, image: str) -> str:
    """Path of the encoded bytes within the column of images."""
    kind = schema.field(image).type
    if pa.types.is_struct(kind) and kind.get_field_index("bytes") < 0:
        raise DataError(f"{shown(path)}: the structs of column {image} have no field bytes, only {kind}")
    if not _holds_bytes(kind):
        raise DataError(f"{shown(path)}: column {image} holds {kind}, expected encoded images")
    return f"{image}.bytes" if pa.types.is_struct(kind) else image


def _holds_bytes(kind: Any) -> bool:
    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and _holds_bytes(kind.field("bytes").type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind))


def _features(schema: Any) -> dict[str, Any]:
    """What the hub's `datasets` library keeps of each column in the schema's metadata, if it is there."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return {name: found for name, found in features.items() if isinstance(found, dict)}
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}


def _check_shards(role: Role, files: Sequence[Path]) -> None:
    """Refuse shards that are not whole, or two sets of them.

    Raises:
        DataError: naming the missing one, or both.
    """
    sets: dict[tuple[Path, str, str | None], list[tuple[int, Path]]] = {}
    for file in files:
        match = _SHARD.fullmatch(file.stem)
        head, index, count = (match["head"], int(match["index"]), match["count"]) if match else (file.stem, 0, None)
        sets.setdefault((file.parent, head, count), []).append((index, file))
    if len(sets) > 1:
        names = listed([shards[0][1].name for shards in sets.values()])
        raise DataError(
            f"{shown(files[0].parent)}: {names} all look like the {role} split; keep those that belong together"
        )
    (_, _, count), shards = next(iter(sets.items()))
    there = [index for index, _ in shards]
    if twice := [file.name for index, file in shards if there.count(index) > 1]:
        raise DataError(
            f"{shown(files[0].parent)}: {listed(twice)} are one shard of the {role} split; keep one of them"
        )
    if count is not None and (missing := sorted(set(range(int(count))) - set(there))):
        name = shards[0][1].name.replace(f"{there[0]:0{len(count)}d}-of-", f"{missing[0]:0{len(count)}d}-of-", 1)
        more = f" and {len(missing) - 1} more are" if len(missing) > 1 else " is"
        raise DataError(f"{shown(files[0].parent / name)}{more} missing from the {role} split; bring it back")


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(p for p in folder.iterdir() if p.suffix.lower() == ".parquet" and not p.name.startswith("."))
    except OSError:
        return []


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    except OSError:
        return []


def _only_folder(root: Path) -> list[Path]:
    """The one folder in `root`, as the hub's configurations are stored."""
    inner = _folders(root)
    return inner if len(inner) == 1 and role_of(inner[0].name) is None else []
