"""Loading a data set by name and cutting it into train, validation and test."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from sklearn.model_selection import train_test_split

from nasopt.data.decoding import Frame, decode, pixels_bounded
from nasopt.data.framing import check_memory, decide, survey
from nasopt.data.images import ImageData, Split, fingerprint, statistics
from nasopt.data.sources import SOURCES, Part, Source, SourceMissingError
from nasopt.data.splits import listed
from nasopt.errors import DataError, UnknownPluginError
from nasopt.spec.data import DataSpec

TEST_SEED = 0
"""Of the test split where a data set brings none: it never depends on a study's seed."""
TEST_SHARE = 0.2


def data_root(spec: DataSpec) -> Path:
    """The folder of data sets: NASOPT_DATA of the environment, else the section's `root`."""
    return Path(os.environ.get("NASOPT_DATA") or spec.root).expanduser()


def load_data(spec: DataSpec, *, seed: int) -> ImageData:
    """Load, split and describe the data set of this section.

    Validation and test are the data set's own. Where it has no validation split, one is drawn from the training
    images, stratified, with `seed`; where it has no test split, that is a stratified fifth that no seed changes.
    [DESIGN rule 2]

    Raises:
        UnknownPluginError: no data set of that name.
        DataError: missing and not downloadable, unreadable, too small to split, or too large to hold; names the file.
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


@dataclass(frozen=True, slots=True)
class _Cut:
    """The images of each split, as positions (n,) in the part that holds them, ascending."""

    train: np.ndarray
    validation: np.ndarray
    """Of the validation part where there is one, else of the training part."""
    test: np.ndarray
    """Of the test part where there is one, else of the training part."""
    learnable: np.ndarray
    """Of the training part: all that are no test images, whatever the seed and `train_images`."""

    def __len__(self) -> int:
        return len(self.train) + len(self.validation) + len(self.test)


def _assemble(spec: DataSpec, name: str, seed: int) -> ImageData:
    source = SOURCES[name](data_root(spec), spec)
    cut = _cut(source, spec, seed)
    with pixels_bounded(spec.max_megapixels):
        frame, said = _frame(source, cut, spec)
        train = _read(source.train, cut.train, frame)
        validation = _read(source.validation or source.train, cut.validation, frame)
        test = _read(source.test or source.train, cut.test, frame)
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
        pixel_range=(frame.pixel_range if frame else None) or (0.0, 255.0),
        untested=source.untested,
        notices=(*source.notices, *_absent(source), *said),
    )


def _cut(source: Source, spec: DataSpec, seed: int) -> _Cut:
    """Which images are in which split."""
    train = np.arange(len(source.train.labels))
    test = np.arange(0)
    if source.test is not None:
        test = np.arange(len(source.test.labels))
    elif not source.untested:
        train, test = _held_out(source, train, TEST_SHARE, TEST_SEED)
    learnable = train
    if spec.train_images is not None and spec.train_images < len(train):
        _, train = _held_out(source, train, spec.train_images, seed)
    if source.validation is not None:
        validation = np.arange(len(source.validation.labels))
    else:
        train, validation = _held_out(source, train, spec.validation, seed)
    return _Cut(train, validation, test, learnable)


def _held_out(source: Source, index: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Split positions into the rest and a stratified share (a fraction, or a number of images), each ascending."""
    labels = source.train.labels[index]
    try:
        rest, held = train_test_split(index, test_size=share, random_state=seed, stratify=labels)
    except ValueError as error:
        counts = np.bincount(labels, minlength=len(source.classes))
        single = [source.classes[code] for code in np.flatnonzero(counts == 1)]
        why = f"only one image is left of {listed(single)}" if single else str(error)
        raise DataError(
            f"{source.name}: cannot hold out {share:g} of {len(index)} images in {len(source.classes)} classes: "
            f"{why}; use more images or another data.validation"
        ) from error
    return np.sort(rest), np.sort(held)


def _frame(source: Source, cut: _Cut, spec: DataSpec) -> tuple[Frame | None, tuple[str, ...]]:
    """What all images are brought to, decided on all files whatever the seed, and what is to be said of it.

    None for a data set that comes as one array.
    """
    encoded = [(part.encoded, np.arange(len(part.labels))) for part in source.parts if part.encoded is not None]
    if not encoded:
        return None, ()
    everything = chain.from_iterable(images(index) for images, index in encoded)
    seen = survey(everything, spec, name=source.name, kept=len(cut))
    training, _ = encoded[0]
    frame, said = decide(seen, spec, name=source.name, training=lambda: training(cut.learnable))
    check_memory(frame, len(cut), spec, source.name)
    return frame, said


def _read(part: Part, index: np.ndarray, frame: Frame | None) -> Split:
    """Decode the images at these positions, which ascend."""
    labels = torch.from_numpy(np.asarray(part.labels[index], dtype=np.int64))
    if part.held is not None:
        return Split(part.held[torch.from_numpy(index)].contiguous(), labels)
    assert frame is not None
    assert part.encoded is not None
    images = np.empty((len(index), frame.channels, frame.side, frame.side), dtype=np.uint8)
    for row, (where, encoded) in zip(images, part.encoded(index), strict=True):
        row[...] = decode(encoded, where, frame)
    return Split(torch.from_numpy(images), labels)


def _absent(source: Source) -> list[str]:
    """Classes that a split has no image of."""
    said = []
    for what, part in (("training", source.train), ("validation", source.validation), ("test", source.test)):
        if part is None:
            continue
        counts = np.bincount(part.labels, minlength=len(source.classes))
        if absent := [source.classes[code] for code in np.flatnonzero(counts == 0)]:
            said.append(f"no {what} image is of the class{'es' if len(absent) > 1 else ''} {listed(absent)}")
    return said
