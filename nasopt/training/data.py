"""Loading a data set by name and cutting it into train, validation and test."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from sklearn.model_selection import train_test_split
from torch import Tensor

from nasopt.errors import DataError, UnknownPluginError
from nasopt.spec.data import DataSpec
from nasopt.training.images import ImageData, Split, fingerprint, statistics
from nasopt.training.sources import SOURCES, Source, SourceMissingError

TEST_SEED = 0
"""Of the test split where a data set brings none: it never depends on a study's seed."""
TEST_SHARE = 0.2


def data_root(spec: DataSpec) -> Path:
    """The folder of data sets: NASOPT_DATA of the environment, else the section's `root`."""
    return Path(os.environ.get("NASOPT_DATA") or spec.root).expanduser()


def load_data(spec: DataSpec, *, seed: int) -> ImageData:
    """Load, split and describe the data set of this section.

    Validation is drawn from the training images, stratified, with `seed`; the test split is the data set's own or,
    where it has none, a stratified fifth that no seed changes. [DESIGN rule 2]

    Raises:
        UnknownPluginError: no data set of that name.
        DataError: missing and not downloadable, unreadable, or too small to split; names the file.
    """
    for name in filter(None, (spec.name, spec.otherwise)):
        if name not in SOURCES:
            raise UnknownPluginError(f"no data set named {name!r}; known: {', '.join(sorted(SOURCES))}")
    try:
        return _assemble(spec, spec.name, seed)
    except SourceMissingError as missing:
        if spec.otherwise is None:
            raise DataError(f"{missing}; or set data.otherwise, for example to digits") from missing
        return _assemble(spec, spec.otherwise, seed)


def _assemble(spec: DataSpec, name: str, seed: int) -> ImageData:
    source = SOURCES[name](data_root(spec), spec)
    train_index = np.arange(len(source.labels))
    if source.test is None:
        train_index, test_index = _cut(source, train_index, TEST_SHARE, TEST_SEED)
        test = _read(source, test_index)
    else:
        test = _read(source.test, np.arange(len(source.test.labels)))
    if spec.train_images is not None and spec.train_images < len(train_index):
        _, train_index = _cut(source, train_index, spec.train_images, seed)
    train_index, validation_index = _cut(source, train_index, spec.validation, seed)
    train, validation = _read(source, train_index), _read(source, validation_index)
    if train.images.shape[1:] != test.images.shape[1:]:
        raise DataError(
            f"{source.name}: training images are {tuple(train.images.shape[1:])} and test images "
            f"{tuple(test.images.shape[1:])} (channels, height, width); set data.image_size"
        )
    mean, std = statistics(train.images)
    return ImageData(
        name=source.name,
        requested=spec.name,
        used=name,
        train=train,
        validation=validation,
        test=test,
        classes=source.classes,
        mean=mean,
        std=std,
        fingerprint=fingerprint(train, validation, test),
        augment=spec.augment,
    )


def _cut(source: Source, index: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Split positions into the rest and a stratified share (a fraction, or a number of images), each ascending."""
    try:
        rest, held = train_test_split(index, test_size=share, random_state=seed, stratify=source.labels[index])
    except ValueError as error:
        raise DataError(
            f"{source.name}: cannot hold out {share:g} of {len(index)} images in {len(source.classes)} classes: "
            f"{error}; use more images or another data.validation"
        ) from error
    return np.sort(rest), np.sort(held)


def _read(source: Source, index: np.ndarray) -> Split:
    images: Tensor = source.read(index)
    return Split(images, torch.from_numpy(np.asarray(source.labels[index], dtype=np.int64)))
