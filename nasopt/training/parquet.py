"""Parquet files in the layout of the Hugging Face hub: a column of encoded images and one of labels."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from nasopt.errors import DataError

IMAGE_COLUMNS = ("img", "image")
LABEL_COLUMNS = ("label", "fine_label", "labels")


def find_parquet(root: Path) -> tuple[list[Path], list[Path]] | None:
    """Files of the training and of the test split in `root` or `root/data`; None if there is no training file."""
    for folder in (root, root / "data"):
        if train := sorted(folder.glob("train*.parquet")):
            return train, sorted(folder.glob("test*.parquet")) or sorted(folder.glob("validation*.parquet"))
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParquetTable:
    """One split: encoded images and labels."""

    paths: tuple[Path, ...]
    images: Any
    """Binary column of the encoded images."""
    labels: np.ndarray
    classes: tuple[str, ...]

    @classmethod
    def open(cls, paths: list[Path]) -> ParquetTable:
        """Read the columns of one or more files.

        Raises:
            DataError: not a parquet file, or columns that do not follow the layout; names the file.
        """
        tables = [_read_columns(path) for path in paths]
        images = pa.chunked_array([chunk for image, _, _ in tables for chunk in image.chunks])
        labels = np.concatenate([label for _, label, _ in tables])
        names = next((found for _, _, found in tables if found), None)
        count = int(labels.max()) + 1 if len(labels) else 0
        if len(labels) == 0 or labels.min() < 0:
            raise DataError(
                f"{paths[0]}: expected labels from 0 up, found {'none' if not len(labels) else labels.min()}"
            )
        if names is None and count > max(len(labels), 2):
            raise DataError(
                f"{paths[0]}: expected labels from 0 up without gaps, found {count - 1} in {len(labels)} rows"
            )
        classes = names if names and len(names) >= count else tuple(str(i) for i in range(count))
        return cls(paths=tuple(paths), images=images, labels=labels, classes=classes)

    def encoded(self, index: int) -> bytes:
        """The image at this position, as it is stored.

        Raises:
            DataError: the row holds no image.
        """
        data = self.images[index].as_py()
        if not data:
            raise DataError(
                f"{self.where(index)} holds no image bytes; images must be embedded, not referred to by path"
            )
        return data

    def where(self, index: int) -> str:
        """File and row, for error messages."""
        return f"{', '.join(map(str, self.paths))}, row {index}"


def _read_columns(path: Path) -> tuple[Any, np.ndarray, tuple[str, ...] | None]:
    try:
        schema = pq.read_schema(path)
        image = next((name for name in IMAGE_COLUMNS if name in schema.names), None)
        label = next((name for name in LABEL_COLUMNS if name in schema.names), None)
        if image is None or label is None:
            raise DataError(
                f"{path}: expected a column {' or '.join(IMAGE_COLUMNS)} and a column {' or '.join(LABEL_COLUMNS)}, "
                f"found {', '.join(schema.names)}"
            )
        table = pq.read_table(path, columns=[image, label])
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path} cannot be read as parquet: {error}; replace the file") from error
    column = table.column(image)
    if pa.types.is_struct(column.type):
        if column.type.get_field_index("bytes") < 0:
            raise DataError(f"{path}: the structs of column {image} have no field bytes, only {column.type}")
        column = pa.chunked_array(
            [chunk.field("bytes") for chunk in column.chunks], type=column.type.field("bytes").type
        )
    if not (pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type)):
        raise DataError(f"{path}: column {image} holds {column.type}, expected encoded images")
    labels = table.column(label)
    if not pa.types.is_integer(labels.type) or labels.null_count:
        found = f"{labels.null_count} empty ones" if labels.null_count else str(labels.type)
        raise DataError(f"{path}: column {label} must hold whole numbers, one for each row; found {found}")
    return column, labels.to_numpy().astype(np.int64), _class_names(schema, label)


def _class_names(schema: Any, label: str) -> tuple[str, ...] | None:
    """The names that the hub's `datasets` library keeps in the schema's metadata, if they are there."""
    try:
        info = json.loads((schema.metadata or {})[b"huggingface"])
        return tuple(info["info"]["features"][label]["names"])
    except (KeyError, TypeError, ValueError):
        return None
