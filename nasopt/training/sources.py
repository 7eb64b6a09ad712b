"""Where images come from: scikit-learn, torchvision, parquet files, folders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nasopt.errors import DataError
from nasopt.spec.data import DataSpec
from nasopt.training.decoding import decode_all, jpeg_quality
from nasopt.training.parquet import ParquetTable, find_parquet


class SourceMissingError(DataError):
    """The data set is neither on disk nor downloadable; `data.otherwise` may step in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Labels now, images on demand."""

    name: str
    labels: np.ndarray
    """int64 (n,)."""
    classes: tuple[str, ...]
    read: Callable[[np.ndarray], Tensor]
    """Positions (m,) -> uint8 images (m, c, h, w)."""
    test: Source | None = None
    """The data set's own test split."""

    def __post_init__(self) -> None:
        if len(self.classes) < 2:
            raise DataError(f"{self.name}: expected images of two classes or more, found one ({self.classes[0]})")


def read_digits(root: Path, spec: DataSpec) -> Source:
    """scikit-learn's 1,797 handwritten digits, 8x8, one channel; levels 0 to 16 are spread over 0 to 255."""
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    images = torch.from_numpy(np.rint(pixels.reshape(-1, 1, 8, 8) * (255.0 / 16.0)).astype(np.uint8))
    return Source(
        name="digits",
        labels=labels.astype(np.int64),
        classes=tuple("0123456789"),
        read=lambda index: images[torch.from_numpy(index)],
    )


def read_cifar(name: str) -> Callable[[Path, DataSpec], Source]:
    """CIFAR-10 or CIFAR-100: parquet files in `<root>/<name>` if they are there, else torchvision's files."""

    def read(root: Path, spec: DataSpec) -> Source:
        found = find_parquet(root / name)
        if found is not None:
            return _from_parquet(name, *found, spec)
        from torchvision import datasets

        loader = datasets.CIFAR10 if name == "cifar10" else datasets.CIFAR100
        train = _torchvision(name, root, spec, lambda d: loader(str(root), train=True, download=d))
        test = _torchvision(name, root, spec, lambda d: loader(str(root), train=False, download=False))

        def source(part: Any, inner: Source | None = None) -> Source:
            images = torch.from_numpy(part.data).permute(0, 3, 1, 2)
            return _held(name, images, np.asarray(part.targets, dtype=np.int64), tuple(train.classes), inner)

        return source(train, source(test))

    return read


def read_svhn(root: Path, spec: DataSpec) -> Source:
    """Street View House Numbers through torchvision: 32x32, three channels, ten digits."""
    from torchvision import datasets

    train = _torchvision("svhn", root, spec, lambda d: datasets.SVHN(str(root), split="train", download=d))
    test = _torchvision("svhn", root, spec, lambda d: datasets.SVHN(str(root), split="test", download=d))

    def source(part: Any, inner: Source | None = None) -> Source:
        labels = np.asarray(part.labels, dtype=np.int64)
        return _held("svhn", torch.from_numpy(part.data), labels, tuple("0123456789"), inner)

    return source(train, source(test))


def _held(name: str, images: Tensor, labels: np.ndarray, classes: tuple[str, ...], test: Source | None) -> Source:
    return Source(
        name=name,
        labels=labels,
        classes=classes,
        read=lambda index: images[torch.from_numpy(index)].contiguous(),
        test=test,
    )


def _torchvision(name: str, root: Path, spec: DataSpec, load: Callable[[bool], Any]) -> Any:
    """Read torchvision's files, downloading them only when they are not whole on disk."""
    try:
        return load(False)
    except RuntimeError as incomplete:  # how torchvision says "not found or corrupted"
        if not spec.download:
            raise SourceMissingError(
                f"{name} is not in {root} (or its files are damaged): allow data.download, put torchvision's files "
                "there, or set NASOPT_DATA to the folder that has them"
            ) from incomplete
    except Exception as error:
        raise DataError(f"{name} in {root} cannot be read: {error}; delete its files and run again") from error
    try:
        root.mkdir(parents=True, exist_ok=True)
        return load(True)
    except Exception as error:  # URLError, HTTPException, RuntimeError, OSError: whatever the network does
        raise SourceMissingError(
            f"{name} is not in {root} and cannot be downloaded ({error}): put torchvision's files or "
            f"{name}/train.parquet there, or set NASOPT_DATA to the folder that has them"
        ) from error


def read_parquet(root: Path, spec: DataSpec) -> Source:
    """Parquet files in the layout of the Hugging Face hub: `train*.parquet` and, if there, `test*.parquet`, in `root`
    or `root/data`."""
    found = find_parquet(root)
    if found is None:
        raise SourceMissingError(
            f"no train*.parquet in {root} or {root / 'data'}: set data.root (or NASOPT_DATA) to their folder"
        )
    return _from_parquet(f"parquet ({root.resolve().name})", *found, spec)


def _from_parquet(name: str, train: list[Path], test: list[Path], spec: DataSpec) -> Source:
    table = ParquetTable.open(train)
    quality = jpeg_quality(table.encoded(0))
    shown = name if quality is None else f"{name} (jpeg{quality})"
    classes = table.classes

    def source(part: ParquetTable, inner: Source | None = None) -> Source:
        def read(index: np.ndarray) -> Tensor:
            return decode_all(
                (part.encoded(int(i)) for i in index), (part.where(int(i)) for i in index), spec.image_size
            )

        return Source(name=shown, labels=part.labels, classes=classes, read=read, test=inner)

    if not test:
        return source(table)
    held = ParquetTable.open(test)
    if (highest := int(held.labels.max())) >= len(classes):
        raise DataError(f"{test[0]}: holds the label {highest}, and {train[0]} has only 0 to {len(classes) - 1}")
    return source(table, source(held))


def read_folder(root: Path, spec: DataSpec) -> Source:
    """Folders of images, one folder a class: `root/train/<class>/*` and `root/test/<class>/*` (or `val`), or
    `root/<class>/*`."""
    from torchvision.datasets import ImageFolder

    top = root / "train" if (root / "train").is_dir() else root
    if not top.is_dir():
        raise SourceMissingError(
            f"no folder {top}: set data.root (or NASOPT_DATA) to a folder with one folder of images a class"
        )

    def listing(folder: Path) -> Any:
        try:
            return ImageFolder(str(folder))
        except (FileNotFoundError, OSError) as error:
            raise DataError(f"{folder} is not a folder with one folder of images a class: {error}") from error

    def source(listed: Any, inner: Source | None = None) -> Source:
        paths = [Path(path) for path, _ in listed.samples]

        def read(index: np.ndarray) -> Tensor:
            return decode_all((_bytes(paths[i]) for i in index), (str(paths[i]) for i in index), spec.image_size)

        labels = np.asarray([label for _, label in listed.samples], dtype=np.int64)
        return Source(
            name=f"imagefolder ({root.resolve().name})",
            labels=labels,
            classes=tuple(listed.classes),
            read=read,
            test=inner,
        )

    train = listing(top)
    held = next((root / part for part in ("test", "val") if (root / part).is_dir() and top != root), None)
    if held is None:
        return source(train)
    test = listing(held)
    if test.classes != train.classes:
        different = sorted(set(test.classes) ^ set(train.classes))
        raise DataError(f"{held} and {top} must have the same classes; they differ in {', '.join(different[:5])}")
    return source(train, source(test))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}; check its permissions or remove it") from error


SOURCES: dict[str, Callable[[Path, DataSpec], Source]] = {
    "digits": read_digits,
    "cifar10": read_cifar("cifar10"),
    "cifar100": read_cifar("cifar100"),
    "svhn": read_svhn,
    "imagefolder": read_folder,
    "parquet": read_parquet,
}
"""Loaders by the name that `data.name` takes: (folder, section) -> source."""
