"""Tables too large for memory are refused by what their files say, before they are read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nasopt.errors import DataError
from nasopt.problems.table_file import read_table

READ = """
import re, sys
from pathlib import Path
from nasopt.errors import DataError
from nasopt.problems.table_file import read_table
try:
    read_table(Path(sys.argv[1]))
except DataError as error:
    print(error)
print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text()).group(1))
"""


def coded(codes: np.ndarray, texts: list[str]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int8)), pa.array(texts))


def write(path: Path, rows: int, texts: list[str], *, times: int = 1) -> Path:
    """So many rows, as many times over."""
    flat = np.zeros(rows)
    table = pa.table({"op": coded(np.arange(rows) // (rows // 2) % 2, texts), "accuracy": flat, "latency_ms": flat})
    with pq.ParquetWriter(path, table.schema, compression="zstd") as writer:
        for _ in range(times):
            writer.write_table(table)
    return path


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process's memory is read from /proc")
def test_millions_of_rows_in_a_small_file_are_refused_within_little_memory(tmp_path) -> None:
    path = write(tmp_path / "bomb.parquet", 1_000_000, ["a", "b"], times=20)
    assert path.stat().st_size < 300_000
    done = subprocess.run([sys.executable, "-c", READ, str(path)], capture_output=True, text=True, check=True)
    said, peak_kb = done.stdout.splitlines()
    assert "20,000,000 rows of 3 columns would take about 5,040 MB of memory" in said
    assert "problem.max_memory_mb allows 2,048; raise it" in said
    assert int(peak_kb) < 400_000


def test_long_texts_that_a_dictionary_repeats_are_counted_as_written_out(tmp_path) -> None:
    path = write(tmp_path / "long.parquet", 100_000, ["a" * 100_000, "b" * 100_000])
    assert path.stat().st_size < 10_000
    with pytest.raises(DataError, match=r"would take about 10,02\d MB of memory"):
        read_table(path)


def test_the_bound_can_be_raised_and_lowered(tmp_path) -> None:
    path = write(tmp_path / "t.parquet", 10_000, ["a", "b"])
    assert read_table(path).table.num_rows == 10_000
    with pytest.raises(DataError, match=r"about 3 MB of memory, and problem\.max_memory_mb allows 2"):
        read_table(path, max_memory_mb=2)


def test_csv_files_are_bounded_too(tmp_path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("op,accuracy\n" + "a,0.5\nb,0.25\n" * 5_000)
    assert read_table(path).table.num_rows == 10_000
    with pytest.raises(DataError, match=r"t\.csv: 10,001 rows of 2 columns .*problem\.max_memory_mb allows 1"):
        read_table(path, max_memory_mb=1)
    path.write_text("x" * (1 << 21))
    with pytest.raises(DataError, match="the first line is longer than 1,048,576 characters"):
        read_table(path)
