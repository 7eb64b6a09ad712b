"""One encoded image: what its header says, and its pixels in the frame of the data set."""

from __future__ import annotations

import functools
import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from nasopt.errors import DataError

Kind: TypeAlias = Literal["grey", "colour", "integers", "floats"]
"""What pixels are: 8 bits of one or of three channels, whole numbers of more bits, or floating-point numbers."""

_FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "DIB", "PPM", "TGA", "JPEG2000", "AVIF")
"""What is tried: not what Pillow hands to other programs (EPS to Ghostscript), nor containers of several pictures."""
_HOLD_EXIF = frozenset({"exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif"})
"""Where formats other than TIFF keep the orientation, by Pillow's names."""
_UPRIGHT = 1
"""The EXIF orientation that needs no turning."""

# The luminance table of JPEG's annex K, which encoders scale by a quality from 1 to 100.
_LUMINANCE = np.fromstring(
    "16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 62 "
    "18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99",
    dtype=np.int64,
    sep=" ",
)


@dataclass(frozen=True, slots=True)
class Header:
    """What an image says of itself before it is decoded."""

    size: tuple[int, int]
    """Width and height in pixels, as stored."""
    mode: str
    """Pillow's."""
    kind: Kind
    transparent: bool
    frames: int
    """Of an animation or a file of several pages; the first one is used."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What every image of a data set is brought to, whichever split it is in."""

    channels: int
    """1 or 3."""
    side: int
    """In pixels; the shorter side is resized, the centre cropped."""
    pixel_range: tuple[float, float] | None = None
    """Levels that become 0 and 255, for pixels of more than 8 bits; what lies outside is clipped."""

    @property
    def image_bytes(self) -> int:
        """Memory that one image takes."""
        return self.channels * self.side**2


@functools.cache
def formats() -> tuple[str, ...]:
    """The formats that are read, as far as this Pillow knows them."""
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


@functools.cache
def suffixes() -> frozenset[str]:
    """Endings of image files in small letters, with the dot."""
    return frozenset(ending for ending, name in Image.registered_extensions().items() if name in formats())


@contextmanager
def pixels_bounded(megapixels: float) -> Iterator[None]:
    """Refuse larger images by their header, and keep Pillow's remarks on odd files off the terminal."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = max(int(megapixels * 1e6 / 2), 1)  # Pillow warns from here on, and refuses twice as many
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            warnings.filterwarnings("ignore", module="PIL")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def read_header(encoded: bytes, where: str) -> Header:
    """What an image is, without decoding it.

    Raises:
        DataError: it is no image, or larger than `pixels_bounded` allows; names it.
    """
    with _faults_named(where), Image.open(io.BytesIO(encoded), formats=formats()) as image:
        frames = 1 if image.format in ("JPEG", "MPO") else getattr(image, "n_frames", 1)
        return Header(image.size, image.mode, _kind(image), image.has_transparency_data, frames)


def read_levels(encoded: bytes, where: str) -> npt.NDArray[np.float64]:
    """Pixels of a one-channel image of more than 8 bits as they are stored, shape (h, w).

    Raises:
        DataError: it cannot be decoded, or holds a pixel that is no finite number; names it.
    """
    with _faults_named(where), Image.open(io.BytesIO(encoded), formats=formats()) as image:
        image.load()
        return _levels(_upright(image), where)


def decode(encoded: bytes, where: str, frame: Frame) -> npt.NDArray[np.uint8]:
    """Pixels of an image in the frame of its data set, shape (channels, side, side).

    Turned upright by its EXIF orientation; what is transparent is laid on white.

    Raises:
        DataError: it cannot be decoded; names it.
    """
    with _faults_named(where), Image.open(io.BytesIO(encoded), formats=formats()) as opened:
        opened.load()
        image = _eight_bits(_upright(opened), frame, where)
        if image.size != (frame.side, frame.side):
            image = ImageOps.fit(image, (frame.side, frame.side), Image.Resampling.BILINEAR)
        pixels = np.asarray(image).reshape(frame.side, frame.side, frame.channels)
        return pixels.transpose(2, 0, 1)


def jpeg_quality(encoded: bytes) -> int | None:
    """The quality (1 to 100) whose scaled luminance table is nearest to this image's; None if it is no readable
    JPEG."""
    try:
        with Image.open(io.BytesIO(encoded), formats=("JPEG",)) as image:
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


@contextmanager
def _faults_named(where: str) -> Iterator[None]:
    """Whatever a decoder raises on a damaged file becomes one line that names it."""
    try:
        yield
    except DataError:
        raise
    except Image.DecompressionBombError as error:
        found = re.search(r"\d+", str(error))
        size = f"{int(found.group()) / 1e6:,.0f}" if found else "too many"
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6
        raise DataError(
            f"the image {where} unpacks to {size} million pixels, and at most {most:g} are read; remove or shrink it, "
            "or raise data.max_megapixels"
        ) from error
    except Exception as error:  # decoders raise OSError, SyntaxError, struct.error, IndexError, zlib.error and others
        reason = "not an image" if isinstance(error, UnidentifiedImageError) else str(error) or type(error).__name__
        raise DataError(f"cannot decode the image {where}: {reason.splitlines()[0]}; remove or replace it") from error


def _kind(image: Image.Image) -> Kind:
    if image.mode.startswith("I"):
        return "integers"
    if image.mode == "F":
        return "floats"
    if image.mode in ("1", "L", "LA", "La"):
        return "grey"
    if image.mode in ("P", "PA") and image.palette is not None:
        levels = np.asarray(image.getpalette("RGB") or [0]).reshape(-1, 3)
        return "grey" if bool((levels == levels[:, :1]).all()) else "colour"
    return "colour"


def _upright(image: Image.Image) -> Image.Image:
    if not _HOLD_EXIF.intersection(image.info) and image.format != "TIFF":
        return image
    try:
        turned = image.getexif().get(ExifTags.Base.Orientation, _UPRIGHT) != _UPRIGHT
    except Exception:  # damaged metadata say nothing about the pixels
        return image
    return ImageOps.exif_transpose(image) if turned else image


def _levels(image: Image.Image, where: str) -> npt.NDArray[np.float64]:
    levels = np.asarray(image).astype(np.float64)
    if not np.isfinite(levels).all():
        raise DataError(
            f"the image {where} (mode {image.mode}) has pixels that are no finite numbers; mend or remove it"
        )
    return levels


def _eight_bits(image: Image.Image, frame: Frame, where: str) -> Image.Image:
    """The image in mode L or RGB, as the frame has one channel or three."""
    mode = "L" if frame.channels == 1 else "RGB"
    if frame.pixel_range is not None:
        low, high = frame.pixel_range
        scaled = np.rint((_levels(image, where) - low) * (255.0 / (high - low)))
        image = Image.fromarray(np.clip(scaled, 0, 255).astype(np.uint8))
    elif image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    elif mode == "L" and image.mode not in ("1", "L"):
        image = image.convert("RGB")  # palettes and CMYK have no direct way to grey
    return image if image.mode == mode else image.convert(mode)
