"""Where images come from: scikit-learn, torchvision, parquet files, folders."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nasopt.data.decoding import jpeg_quality
from nasopt.data.folders import FolderSplit, list_folders
from nasopt.data.framing import Items
from nasopt.data.labels import UNLABELLED, codes_of, merge_classes
from nasopt.data.parquet import ParquetSplit, find_parquet
from nasopt.data.splits import Role, listed, shown
from nasopt.errors import DataError
from nasopt.spec.data import DataSpec


class SourceMissingError(DataError):
    """The data set is neither on disk nor downloadable; `data.otherwise` may step in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One split as it is stored: labels now, images on demand."""

    where: str
    """What it is called, for messages: a folder, files, or `the test split`."""
    labels: np.ndarray
    """int64 (n,)."""
    held: Tensor | None = None
    """All images, uint8 (n, c, h, w), of a data set that comes as one array."""
    encoded: Callable[[np.ndarray], Items] | None = None
    """Positions (m,), ascending -> encoded images; where `held` is None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A data set before it is cut and decoded."""

    name: str
    classes: tuple[str, ...]
    train: Part
    validation: Part | None = None
    """The data set's own; None where it is to be cut from the training images."""
    test: Part | None = None
    """The data set's own; None where it is to be cut from the training images."""
    untested: str = ""
    """Why nothing can be scored on the data set's own test split; empty where it can."""
    notices: tuple[str, ...] = ()
    """What was left out or matched, for the user."""

    def __post_init__(self) -> None:
        if len(self.classes) < 2:
            found = f"one ({shown(self.classes[0])})" if self.classes else "none"
            raise DataError(f"{self.name}: expected images of two classes or more, found {found}")

    @property
    def parts(self) -> tuple[Part, ...]:
        """The splits that there are."""
        return tuple(part for part in (self.train, self.validation, self.test) if part is not None)


def read_digits(root: Path, spec: DataSpec) -> Source:
    """scikit-learn's 1,797 handwritten digits, 8x8, one channel; levels 0 to 16 are spread over 0 to 255."""
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    images = torch.from_numpy(np.rint(pixels.reshape(-1, 1, 8, 8) * (255.0 / 16.0)).astype(np.uint8))
    part = Part(where="digits", labels=labels.astype(np.int64), held=images)
    return Source(name="digits", classes=tuple("0123456789"), train=part)


def read_cifar(name: str) -> Callable[[Path, DataSpec], Source]:
    """CIFAR-10 or CIFAR-100: parquet files in `<root>/<name>` if they are there, else torchvision's files."""

    def read(root: Path, spec: DataSpec) -> Source:
        found = find_parquet(root / name)
        if found is not None:
            return _from_parquet(name, root / name, *found, spec)
        from torchvision import datasets

        loader = datasets.CIFAR10 if name == "cifar10" else datasets.CIFAR100
        train = _torchvision(name, root, spec, lambda d: loader(str(root), train=True, download=d))
        test = _torchvision(name, root, spec, lambda d: loader(str(root), train=False, download=False))

        def part(split: Any, where: str) -> Part:
            images = torch.from_numpy(split.data).permute(0, 3, 1, 2)
            return Part(where=where, labels=np.asarray(split.targets, dtype=np.int64), held=images)

        return Source(name=name, classes=tuple(train.classes), train=part(train, "train"), test=part(test, "test"))

    return read


def read_svhn(root: Path, spec: DataSpec) -> Source:
    """Street View House Numbers through torchvision: 32x32, three channels, ten digits."""
    from torchvision import datasets

    train = _torchvision("svhn", root, spec, lambda d: datasets.SVHN(str(root), split="train", download=d))
    test = _torchvision("svhn", root, spec, lambda d: datasets.SVHN(str(root), split="test", download=d))

    def part(split: Any, where: str) -> Part:
        return Part(where=where, labels=np.asarray(split.labels, dtype=np.int64), held=torch.from_numpy(split.data))

    return Source(name="svhn", classes=tuple("0123456789"), train=part(train, "train"), test=part(test, "test"))


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
    """Parquet files in the layout of the Hugging Face hub: `train*.parquet` and, if there, `test*.parquet` and
    `validation*.parquet`, in `root` or `root/data`."""
    found = find_parquet(root)
    if found is None:
        raise SourceMissingError(
            f"no train*.parquet in {root} or {root / 'data'}: set data.root (or NASOPT_DATA) to their folder"
        )
    return _from_parquet(f"parquet ({shown(root.resolve().name)})", root, *found, spec)


def _from_parquet(
    name: str, root: Path, files: Mapping[Role, Sequence[Path]], others: Sequence[str], spec: DataSpec
) -> Source:
    opened = {role: ParquetSplit.open(paths, max_memory_mb=spec.max_memory_mb) for role, paths in files.items()}
    train = opened["train"]
    known = [(shown(file.path), labels) for file, labels in zip(train.files, train.labels, strict=True)]
    for where, labels in known:
        if labels.missing:
            row = int(np.flatnonzero(labels.codes == UNLABELLED)[0])
            raise DataError(
                f"{where}: {labels.missing:,} training images have no label, the first in row {row}; label or drop them"
            )
    classes = merge_classes(known)

    def part(role: Role) -> Part:
        split = opened[role]
        codes = [
            codes_of(shown(file.path), labels, classes, known[0])
            for file, labels in zip(split.files, split.labels, strict=True)
        ]
        names = listed([file.path.name for file in split.files], 2)
        return Part(where=names, labels=np.concatenate(codes), encoded=split.images)

    quality = next((jpeg_quality(data) for _, data in train.images(np.arange(1))), None)
    shown_name = name if quality is None else f"{name} (jpeg{quality})"
    said = [f"left out: {listed(others)}, of no split"] if others else []
    return _with_roles(shown_name, classes, {role: part(role) for role in opened}, said)


def _with_roles(name: str, classes: tuple[str, ...], parts: Mapping[Role, Part], said: Sequence[str]) -> Source:
    """The data set of these splits: a validation split without a test split serves as one, as ever.

    Raises:
        DataError: a split has labels for some of its images only; names it.
    """
    notices, untested = list(said), ""
    train, validation, test = (parts.get(role) for role in ("train", "validation", "test"))
    for part in filter(None, (validation, test)):
        missing = int((part.labels == UNLABELLED).sum())
        if 0 < missing < len(part.labels):
            row = int(np.flatnonzero(part.labels == UNLABELLED)[0])
            raise DataError(
                f"{part.where}: {missing:,} of {len(part.labels):,} images have no label (the first is number {row}); "
                "label or drop them"
            )
    if validation is not None and _unlabelled(validation):
        notices.append(f"left out: {validation.where}, {len(validation.labels):,} images without labels")
        validation = None
    if test is not None and _unlabelled(test):
        untested = f"the test split of {name} ({test.where}, {len(test.labels):,} images) has no labels"
        notices.append(f"{untested}: nothing is scored on it")
        test = None
    elif test is None and validation is not None:
        notices.append(f"there is no test split: {validation.where} serves as one, and validation is cut from train")
        validation, test = None, validation
    assert train is not None
    return Source(
        name=name,
        classes=classes,
        train=train,
        validation=validation,
        test=test,
        untested=untested,
        notices=tuple(notices),
    )


def _unlabelled(part: Part) -> bool:
    return bool((part.labels == UNLABELLED).all())


def read_folder(root: Path, spec: DataSpec) -> Source:
    """Folders of images, one folder a class: `root/train/<class>/*` and `root/test/<class>/*` (or `val`), or
    `root/<class>/*`."""
    if not root.is_dir():
        raise SourceMissingError(
            f"no folder {shown(root)}: set data.root (or NASOPT_DATA) to a folder with one folder of images a class"
        )
    top, splits, said = list_folders(root)
    classes = splits["train"].classes

    def part(split: FolderSplit) -> Part:
        where = shown(split.folder.relative_to(top)) if split.folder != top else shown(top.name)
        if not split.files:  # a test split as contests give it away
            return Part(where=where, labels=np.full(split.unlabelled, UNLABELLED, dtype=np.int64))
        lookup = np.array(_matched(split, splits["train"]), dtype=np.int64)
        return Part(where=where, labels=lookup[split.labels], encoded=lambda index: _files(split.files, index))

    there = {role: part(split) for role, split in splits.items() if split.files or split.unlabelled}
    name = f"imagefolder ({shown(root.resolve().name)})"
    return _with_roles(name, tuple(shown(c) for c in classes), there, said)


def _matched(split: FolderSplit, train: FolderSplit) -> list[int]:
    """Index into the training split's classes of each class of another split, by name.

    Raises:
        DataError: a class that the training split does not have; names it and both folders.
    """
    if strange := [name for name in split.classes if name not in train.classes]:
        folded = {name.casefold() for name in train.classes}
        near = "; they differ by their case alone" if all(name.casefold() in folded for name in strange) else ""
        raise DataError(
            f"{shown(split.folder)} and {shown(train.folder)} must have the same classes: {listed(strange)} is none of "
            f"{listed(train.classes, 10)}{near}"
        )
    return [train.classes.index(name) for name in split.classes]


def _files(paths: Sequence[str], index: np.ndarray) -> Iterator[tuple[str, bytes]]:
    for i in index.tolist():
        where = shown(paths[i])
        try:
            encoded = Path(paths[i]).read_bytes()
        except OSError as error:
            raise DataError(f"cannot read {where}: {error.strerror}; check its permissions or remove it") from error
        yield where, encoded


SOURCES: dict[str, Callable[[Path, DataSpec], Source]] = {
    "digits": read_digits,
    "cifar10": read_cifar("cifar10"),
    "cifar100": read_cifar("cifar100"),
    "svhn": read_svhn,
    "imagefolder": read_folder,
    "parquet": read_parquet,
}
"""Loaders by the name that `data.name` takes: (folder, section) -> source."""
