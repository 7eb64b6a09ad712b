"""What a data set is once it is in memory: three splits of uint8 images, and how they become a network's input."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from nasopt.data.splits import listed
from nasopt.spec.data import AugmentSpec


@dataclass(frozen=True, slots=True)
class Split:
    """Images and their classes."""

    images: Tensor
    """uint8 (n, c, h, w)."""
    labels: Tensor
    """int64 (n,)."""

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: Tensor) -> Split:
        """The images at these positions."""
        return Split(self.images[index], self.labels[index])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageData:
    """A data set with its three splits, held as uint8 tensors on the CPU."""

    name: str
    """As tables show it: `digits`, `cifar10 (jpeg75)`."""
    requested: str
    """The name asked for; differs from the one used where `otherwise` was taken."""
    used: str
    """The name of the loader that was used."""
    train: Split
    validation: Split
    test: Split
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    """Of each channel over the training split, of values in [0, 1]."""
    std: tuple[float, ...]
    fingerprint: str
    """Hash of all images and labels and of which split each is in. 24 hex digits."""
    augment: AugmentSpec
    pixel_range: tuple[float, float] = (0.0, 255.0)
    """Levels of the files that became 0 and 255 here."""
    untested: str = ""
    """Why the test split is empty; empty itself where it is not."""
    notices: tuple[str, ...] = ()
    """What a user should know of the files: what was left out, brought to another size, or matched."""

    @property
    def found(self) -> str:
        """How many images of which classes there are, in one line."""
        shape = f"{self.size}x{self.size} pixels, {'grey' if self.channels == 1 else 'RGB'}"
        sizes = f"{len(self.train):,} train, {len(self.validation):,} validation and {len(self.test):,} test images"
        labels = torch.cat([split.labels for split in (self.train, self.validation, self.test)])
        counts = torch.bincount(labels, minlength=len(self.classes)).tolist()
        told = [f"{name} {count:,}" for name, count in zip(self.classes, counts, strict=True)]
        return f"{self.name}: {sizes} of {shape}, in {len(told)} classes ({listed(told, 10)})"

    @property
    def channels(self) -> int:
        """Channels of an image."""
        return self.train.images.shape[1]

    @property
    def size(self) -> int:
        """Side of an image in pixels, before any resizing."""
        return self.train.images.shape[-1]

    def prepare(self, images: Tensor, resolution: int | None = None) -> Tensor:
        """Images (n, c, h, w), uint8 or float in 0 to 255 -> normalised float32 (n, c, resolution, resolution).

        Resized by antialiased bilinear interpolation; the result is in channels_last on the images' device.
        """
        x = images.float() / 255.0
        if resolution is not None and resolution != x.shape[-1]:
            x = functional.interpolate(
                x, size=(resolution, resolution), mode="bilinear", antialias=True, align_corners=False
            )
        mean = torch.tensor(self.mean, device=x.device).view(1, -1, 1, 1)
        std = torch.tensor(self.std, device=x.device).view(1, -1, 1, 1)
        return ((x - mean) / std).contiguous(memory_format=torch.channels_last)

    def batches(self, images: Tensor, resolution: int | None = None, size: int = 256) -> Iterator[Tensor]:
        """Prepared batches of the images, in order."""
        for start in range(0, len(images), size):
            yield self.prepare(images[start : start + size], resolution)


def fingerprint(*splits: Split) -> str:
    """Hash of content and partition. 24 hex digits."""
    digest = hashlib.sha256()
    for split in splits:
        digest.update(repr(tuple(split.images.shape)).encode())
        digest.update(split.images.contiguous().numpy().data)
        digest.update(split.labels.contiguous().numpy().data)
    return digest.hexdigest()[:24]


def statistics(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel of uint8 images (n, c, h, w), of values in [0, 1]."""
    means, deviations = [], []
    levels = torch.arange(256, dtype=torch.float64) / 255.0
    for channel in range(images.shape[1]):
        counts = torch.zeros(256, dtype=torch.float64)
        for some in images[:, channel].split(4096):  # whole, the conversion would take eight times the images' memory
            counts += torch.bincount(some.flatten().long(), minlength=256)
        share = counts / counts.sum()
        mean = (share * levels).sum()
        means.append(float(mean))
        deviations.append(max(float((share * (levels - mean) ** 2).sum().sqrt()), 1e-3))
    return tuple(means), tuple(deviations)
