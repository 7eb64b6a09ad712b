"""Section `data`: images, splits and augmentation."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from nasopt.spec.base import Number, Section, Whole

DATA_SETS = ("digits", "cifar10", "cifar100", "svhn", "imagefolder", "parquet")
"""Names that `data.name` takes."""


class AugmentSpec(Section):
    """Batched augmentation of training images; everything is off unless set."""

    crop: Whole = Field(default=0, ge=0)
    """Pixels of padding for a random crop."""
    flip: bool = False
    """Mirror left and right at random."""
    color_jitter: Number = Field(default=0.0, ge=0, le=1)
    """Strength of random brightness, contrast and saturation."""
    randaugment: Whole = Field(default=0, ge=0, le=10)
    """Number of RandAugment operations an image."""
    cutout: Whole = Field(default=0, ge=0)
    """Side of the CutOut square in pixels."""
    mixup: Number = Field(default=0.0, ge=0)
    """Alpha of MixUp."""
    cutmix: Number = Field(default=0.0, ge=0)
    """Alpha of CutMix."""


def _rising(bounds: tuple[float, float]) -> tuple[float, float]:
    if not bounds[0] < bounds[1]:
        raise ValueError(f"expected the lower level first, then the higher one, not {list(bounds)}")
    return bounds


class DataSpec(Section):
    """The data set and its three splits: train, validation (taken from train) and test."""

    name: str = "digits"
    """digits, cifar10, cifar100, svhn, imagefolder or parquet."""
    root: str = "data"
    """Folder that holds the data set, or into which it is downloaded; the environment's NASOPT_DATA wins."""
    download: bool = True
    otherwise: str | None = None
    """Data set to use when the first is neither on disk nor downloadable."""
    validation: Number = Field(default=0.2, gt=0, lt=1)
    """Share of the training images held out for choosing architectures and thresholds."""
    train_images: Annotated[Whole, Field(ge=16)] | None = None
    """Use only so many training images, drawn with the study's seed."""
    image_size: Annotated[Whole, Field(ge=8, le=224)] | None = None
    """Side in pixels to which the images of a folder or parquet file are brought (shorter side resized, centre
    cropped); left out: that of the squares that nine in ten of them are at least, otherwise 64."""
    channels: Literal[1, 3] | None = None
    """1 reads the images of a folder or parquet file as grey, 3 as RGB; left out: 3 if any of them is in colour."""
    pixel_range: Annotated[tuple[Number, Number], AfterValidator(_rising)] | None = None
    """Levels that become black and white, for images of more than 8 bits; left out: the lowest and the highest of the
    training images."""
    max_memory_mb: Whole = Field(default=4096, ge=1)
    """Refuse a data set that would take more memory, in millions of bytes, once its images are decoded."""
    max_megapixels: Number = Field(default=179.0, gt=0)
    """Refuse an image of a folder or parquet file with more pixels, in millions, before it is decoded."""
    augment: AugmentSpec = AugmentSpec()
