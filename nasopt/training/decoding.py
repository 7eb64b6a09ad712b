"""Encoded images to uint8 tensors, and what a JPEG tells about its own quality."""

from __future__ import annotations

import io
from collections.abc import Iterable

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from nasopt.errors import DataError

FALLBACK_SIZE = 64
"""Side given to images that are not all squares of one size."""

# The luminance table of JPEG's annex K, which encoders scale by a quality from 1 to 100.
_LUMINANCE = np.fromstring(
    "16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 62 "
    "18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99",
    dtype=np.int64,
    sep=" ",
)


def jpeg_quality(encoded: bytes) -> int | None:
    """The quality (1 to 100) whose scaled luminance table is nearest to this image's; None if it is no readable
    JPEG."""
    try:
        with Image.open(io.BytesIO(encoded)) as image:
            tables = getattr(image, "quantization", None)
    except (OSError, Image.DecompressionBombError):
        return None
    if not tables:
        return None
    seen = np.sort(
        np.asarray(tables[min(tables)])
    )  # sorted, so that the order in which the table is stored does not matter
    return min(range(1, 101), key=lambda quality: int(np.abs(np.sort(_scaled(quality)) - seen).sum()))


def _scaled(quality: int) -> np.ndarray:
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return np.clip((_LUMINANCE * scale + 50) // 100, 1, 255)


def decode_all(encoded: Iterable[bytes], names: Iterable[str], size: int | None) -> Tensor:
    """Decode images into one tensor, uint8 (n, c, side, side).

    One channel if all are grey, else three. `size` brings them all to that side (shorter side resized, centre cropped);
    None keeps their own side if they are all squares of one size, and takes 64 otherwise.

    Raises:
        DataError: an image cannot be decoded; names it. Or there is none.
    """
    images = [_decode(data, name) for data, name in zip(encoded, names, strict=True)]
    if not images:
        raise DataError("a split of the data set holds no images; use more images or another data.validation")
    sides = {image.size for image in images}
    uniform = len(sides) == 1 and images[0].width == images[0].height
    side = size or (images[0].width if uniform else FALLBACK_SIZE)
    mode = "L" if all(image.mode == "L" for image in images) else "RGB"
    out = np.empty((len(images), side, side, 1 if mode == "L" else 3), dtype=np.uint8)
    for row, image in zip(out, images, strict=True):
        if image.mode != mode:
            image = image.convert(mode)
        if image.size != (side, side):
            image = ImageOps.fit(image, (side, side), Image.Resampling.BILINEAR)
        row[...] = np.asarray(image).reshape(side, side, -1)
    return torch.from_numpy(out).permute(0, 3, 1, 2).contiguous()


def _decode(data: bytes, name: str) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(data))
        image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = "not an image" if isinstance(error, UnidentifiedImageError) else error
        raise DataError(f"cannot decode the image {name}: {reason}; remove or replace it") from error
    return image if image.mode == "L" else image.convert("RGB")
