"""Small pictures and data sets of them, as files that other people's programs write."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image


def encoded(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    """The image as a file."""
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def noisy(level: int, draw: np.random.Generator, side: int = 16, channels: int = 3) -> Image.Image:
    """A picture of one level with noise."""
    shape = (side, side, 3) if channels == 3 else (side, side)
    return Image.fromarray((draw.integers(0, 40, shape) + level).astype(np.uint8))


def put(folder: Path, count: int, level: int, ending: str = "png", **sort: int) -> None:
    """So many noisy pictures of one level in a folder, made where there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(level)
    for i in range(count):
        noisy(level, draw, **sort).save(folder / f"{i}.{ending}", format="JPEG" if ending == "jfif" else None)


def write_parquet(
    path: Path, images: Sequence[bytes | None], labels: Any, names: Sequence[str] | None = None, **columns: str
) -> None:
    """A file in the layout of the Hugging Face hub; `names` go into its metadata, `columns` rename `image` and
    `label`."""
    image, label = columns.get("image", "image"), columns.get("label", "label")
    table = pa.table({image: [{"bytes": data, "path": None} for data in images], label: labels})
    if names is not None:
        features = {image: {"_type": "Image"}, label: {"names": list(names), "_type": "ClassLabel"}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)
