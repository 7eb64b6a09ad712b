"""Reading a table: Parquet or CSV, every column text, numbers, or neither."""

from __future__ import annotations

import os
import re
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from nasopt.errors import DataError, UsageError

Column: TypeAlias = "pa.ChunkedArray"
_EMPTY = ("", "na", "n/a", "nan", "null")
"""What cells of a CSV file say, in small letters, that have no number to give."""
_PLAIN = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?", re.ASCII)
_DELIMITERS = ",;\t"
_ROW_BYTES, _TEXT_BYTES, _NUMBER_BYTES = 140, 80, 16
"""Memory of a row and of its cells as a study holds them: fitted to tables of a million rows, 2 to 6 texts and 2 to 12
numbers, which took 330 to 650 bytes a row."""
_LONGEST_HEADER = 1 << 20
"""Characters of the first line of a CSV file; a longer one is no header."""
_NO_ROWS = "{} has no rows; expected one for each point and its figures"


@dataclass(frozen=True, slots=True)
class TableFile:
    """A table as its file has it. Rows are counted from 1, a header not among them."""

    path: Path
    table: pa.Table

    @property
    def columns(self) -> list[str]:
        """Names, in order."""
        return list(self.table.column_names)

    @property
    def text_columns(self) -> list[str]:
        """Names of the columns that hold text."""
        return [name for name in self.columns if _is_text(self.table.schema.field(name).type)]

    @property
    def number_columns(self) -> list[str]:
        """Names of the columns that hold numbers."""
        return [name for name in self.columns if _is_number(self.table.schema.field(name).type)]

    def values(self, name: str) -> list[Any]:
        """The cells of a column of choices: texts, numbers or truth values.

        Raises:
            DataError: a cell is empty, or the column holds something else.
        """
        column = self.table.column(name)
        kind = column.type
        if not (_is_text(kind) or _is_number(kind) or pa.types.is_boolean(kind)):
            raise DataError(f"{self.path}: the choice {name} holds {kind}; expected text, numbers or true and false")
        cells = column.to_pylist()
        for row, cell in enumerate(cells, start=1):
            if cell is None or cell != cell or (_is_text(kind) and not cell.strip()):
                raise DataError(
                    f"{self.path}: row {row} has no value of the choice {name}; fill it in, or drop the row"
                )
        return [str(cell) for cell in cells] if pa.types.is_decimal(kind) else cells

    def empty_rows(self, name: str) -> list[int]:
        """Rows in which a column of text says nothing."""
        cells = self.table.column(name).to_pylist()
        return [row for row, cell in enumerate(cells, start=1) if cell is None or not cell.strip()]

    def numbers(self, name: str) -> npt.NDArray[np.float64]:
        """A column of numbers, shape (rows,); NaN where a cell is empty or no finite number.

        Raises:
            DataError: the column holds something else.
        """
        column = self.table.column(name)
        if not _is_number(column.type):
            raise DataError(f"{self.path}: the column {name} holds {self._but(name)}; expected numbers")
        filled = column.cast(pa.float64(), safe=False).fill_null(float("nan"))
        values = np.array(filled.to_numpy(), dtype=np.float64)
        values[~np.isfinite(values)] = np.nan
        return values

    def finite(self, name: str) -> npt.NDArray[np.float64]:
        """Like `numbers`, every one of them finite.

        Raises:
            DataError: naming the column and the first row that has none.
        """
        values = self.numbers(name)
        bad = np.flatnonzero(np.isnan(values))
        if len(bad):
            cell = self.table.column(name)[int(bad[0])].as_py()
            seen = "nothing" if cell is None else f"{cell:g}"
            also = f", and {len(bad) - 1} more rows are like it" if len(bad) > 1 else ""
            raise DataError(
                f"{self.path}: row {bad[0] + 1} has {seen} in the column {name}{also}; every row needs a finite number "
                "there: mend or drop it"
            )
        return values

    def _but(self, name: str) -> str:
        """What a column holds that should hold numbers: its kind, and the first cell that is none."""
        column = self.table.column(name)
        if not _is_text(column.type):
            return {"bool": "true and false", "null": "nothing"}.get(str(column.type), str(column.type))
        for row, cell in enumerate(column.to_pylist(), start=1):
            if _number(cell) is None:
                return f"text, such as {'nothing' if cell is None else repr(cell)} in row {row}"
        return "numbers written as text"


def locate(file: str, folder: Path | None) -> Path:
    """The path of a table: variables filled in, a relative one taken from `folder` first, then the working folder.

    Raises:
        UsageError: a variable is not set, or there is no such file.
    """
    try:
        path = Path(string.Template(file).substitute(os.environ)).expanduser()
    except KeyError as error:
        raise UsageError(f"problem.file uses ${{{error.args[0]}}}, which is not set in the environment") from None
    except ValueError as error:
        raise UsageError(f"problem.file {file!r} has a stray '$' ({error}); write '$$' for a dollar sign") from None
    tried = [path] if path.is_absolute() or folder is None else list(dict.fromkeys([folder / path, Path.cwd() / path]))
    for candidate in tried:
        if candidate.is_file():
            return candidate
    places = " nor ".join(map(str, tried))
    raise UsageError(f"no table at {places}; problem.file is relative to the study file or to the working folder")


def read_table(path: Path, choices: Sequence[str] = (), *, max_memory_mb: int = 2048) -> TableFile:
    """Read a table, `.parquet` or `.csv` (also `.tsv`); CSV has a header, and ',', ';' or tabs between the cells.

    A column of `choices` whose cells a number would change, such as the code `0011`, stays text as it is written.

    Raises:
        UsageError: the file's name ends in nothing known.
        DataError: it is unreadable, has no rows, names a column twice or not at all, or would take more memory than
            allowed, in millions of bytes.
    """
    read_csv = partial(_read_csv, choices=choices)
    readers: dict[str, Callable[[Path, int], pa.Table]] = {
        ".parquet": _read_parquet,
        ".csv": read_csv,
        ".tsv": read_csv,
    }
    if path.suffix.lower() not in readers:
        raise UsageError(f"{path} ends in {path.suffix or 'nothing'!r}; expected a table in .parquet, .csv or .tsv")
    try:
        table = readers[path.suffix.lower()](path, max_memory_mb)
    except pa.ArrowException as error:
        raise DataError(f"cannot read the table {path}: {str(error).splitlines()[0]}") from error
    except OSError as error:
        raise DataError(f"cannot read the table {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"cannot read the table {path}: expected text in UTF-8") from error
    names = table.column_names
    if twice := [n for n in names if names.count(n) > 1]:
        raise DataError(f"{path}: the column {twice[0]!r} stands there twice; rename one")
    if any(not n.strip() for n in names):
        raise DataError(f"{path}: column {[bool(n.strip()) for n in names].index(False) + 1} has no name; give it one")
    if table.num_rows == 0:
        raise DataError(_NO_ROWS.format(path))
    return TableFile(path, table)


def _check_memory(path: Path, rows: int, texts: int, numbers: int, max_memory_mb: int, *, characters: int = 0) -> None:
    """Refuse a table that is too large as a study holds it.

    Raises:
        DataError: saying its size and the bound.
    """
    needed = (rows * (_ROW_BYTES + texts * _TEXT_BYTES + numbers * _NUMBER_BYTES) + characters) / 1e6
    if needed > max_memory_mb:
        raise DataError(
            f"{path}: {rows:,} rows of {texts + numbers} columns would take about {needed:,.0f} MB of memory, and "
            f"problem.max_memory_mb allows {max_memory_mb:,}; raise it, or bring fewer rows or columns"
        )


def _read_parquet(path: Path, max_memory_mb: int) -> pa.Table:
    """Texts stay codes until their sizes are known: a few kilobytes may stand for gigabytes of them."""
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:  # the one file, whatever its folder is called
        schema, metadata = file.schema_arrow, file.metadata
    texts = [field.name for field in schema if _is_text(_plain(field.type))]
    groups = (metadata.row_group(i) for i in range(metadata.num_row_groups))
    packed = sum(group.column(i).total_uncompressed_size for group in groups for i in range(group.num_columns))
    _check_memory(path, metadata.num_rows, len(texts), len(schema) - len(texts), max_memory_mb, characters=packed)
    with parquet.ParquetFile(path, read_dictionary=texts) as file:
        table = file.read()
    coded = [c for c in table.columns if pa.types.is_dictionary(c.type)]
    unpacked = sum(_characters(chunk) for column in coded for chunk in column.chunks)
    _check_memory(path, table.num_rows, len(texts), len(schema) - len(texts), max_memory_mb, characters=unpacked)
    plain = [c.cast(c.type.value_type) if pa.types.is_dictionary(c.type) else c for c in table.columns]
    return pa.table(plain, names=table.column_names)


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _characters(chunk: Any) -> int:
    """Bytes that the texts of a column stored as codes take once they are written out."""
    if not _is_text(chunk.type.value_type):
        return 0
    return int(pc.sum(pc.take(pc.binary_length(chunk.dictionary), chunk.indices)).as_py() or 0)


def _read_csv(path: Path, max_memory_mb: int, choices: Sequence[str] = ()) -> pa.Table:
    """All cells as text first: the library's guess would take `12:30` for a time, and hide the row of a bad number."""
    from pyarrow import csv

    with path.open(encoding="utf-8-sig") as file:
        header, below = file.readline(_LONGEST_HEADER), file.readline(1)
    if len(header) == _LONGEST_HEADER:
        raise DataError(f"{path}: the first line is longer than {_LONGEST_HEADER:,} characters; expected a header")
    if not header.strip():
        raise DataError(f"{path} is empty; expected a header with the names of the columns, and rows")
    if not below:
        raise DataError(_NO_ROWS.format(path))
    delimiter = "\t" if path.suffix.lower() == ".tsv" else max(_DELIMITERS, key=header.count)
    parsing = csv.ParseOptions(delimiter=delimiter)
    names = csv.open_csv(path, parse_options=parsing).schema.names
    size = path.stat().st_size
    _check_memory(path, _lines(path), 0, len(names), max_memory_mb, characters=size)
    converting = csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)
    table = csv.read_csv(path, parse_options=parsing, convert_options=converting)
    plain = [n in choices and not _plain_numbers(c) for n, c in zip(table.column_names, table.columns, strict=True)]
    typed = [pc.utf8_trim_whitespace(c) if p else _typed(c) for c, p in zip(table.columns, plain, strict=True)]
    return pa.table(typed, names=table.column_names)


def _plain_numbers(column: Column) -> bool:
    """Whether all cells are numbers as they are written: no code such as `0011`, no more digits than a float has."""
    return all(_PLAIN.fullmatch(cell.strip()) and sum(c.isdigit() for c in cell) <= 15 for cell in column.to_pylist())


def _lines(path: Path) -> int:
    """Lines of a file, counted without holding it."""
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))


def _typed(column: Column) -> Column:
    """A column of text as numbers, whole ones where they all are, if every cell is a number or empty."""
    trimmed = pc.utf8_trim_whitespace(column)
    empty = pc.is_in(pc.utf8_lower(trimmed), value_set=pa.array(_EMPTY))
    if pc.all(empty).as_py() is not False:
        return trimmed
    numbers = pc.if_else(empty, pa.scalar(None, pa.string()), trimmed)
    for kind in (pa.int64(), pa.float64()):
        try:
            return numbers.cast(kind)
        except pa.ArrowInvalid:
            continue
    return trimmed


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)


def _number(cell: str | None) -> float | None:
    try:
        return None if cell is None else float(cell)
    except ValueError:
        return None
