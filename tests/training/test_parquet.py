"""Parquet files of images: labels matched by name over shards and splits, the file at fault named, sizes bounded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nasopt.data import ImageData, load_data
from nasopt.errors import DataError
from nasopt.spec.data import DataSpec
from tests.training.pictures import encoded, noisy, write_parquet

LEVELS = {"cat": 10, "dog": 90, "fox": 180}
DRAW = np.random.default_rng(0)
PICTURES = {name: [encoded(noisy(level, DRAW, 8)) for _ in range(8)] for name, level in LEVELS.items()}


def load(root: Path, seed: int = 0, **keys: Any) -> ImageData:
    return load_data(DataSpec(name="parquet", root=str(root), **keys), seed=seed)


def write(path: Path, animals: list[str], names: list[str] | None, labels: Any = None) -> None:
    """Pictures of these animals, labelled by their place in `names`, or by `labels`."""
    found = [PICTURES[animal][i % 8] for i, animal in enumerate(animals)]
    codes = [(names or list(LEVELS)).index(a) for a in animals] if labels is None else labels
    write_parquet(path, found, codes, names)


def agrees(data: ImageData) -> bool:
    """Whether every image of every split has the label of what it shows."""
    bounds = [(LEVELS[name] - 5, LEVELS[name] + 45) for name in data.classes]
    return all(
        bounds[label][0] <= float(image.float().mean()) <= bounds[label][1]
        for split in (data.train, data.validation, data.test)
        for image, label in zip(split.images, split.labels.tolist(), strict=True)
    )


def sizes(data: ImageData) -> tuple[int, int, int]:
    return len(data.train), len(data.validation), len(data.test)


EVERY = ["cat", "dog", "fox"]


def test_labels_of_splits_and_shards_are_matched_by_name(tmp_path) -> None:
    write(tmp_path / "train-00000-of-00002.parquet", EVERY * 10, EVERY)
    write(tmp_path / "train-00001-of-00002.parquet", EVERY * 10, ["fox", "cat", "dog"])
    write(tmp_path / "test-00000-of-00001.parquet", ["dog", "fox"] * 9, ["dog", "fox"])
    data = load(tmp_path)
    assert data.classes == ("cat", "dog", "fox")
    assert agrees(data)
    assert data.notices == ("no test image is of the class cat",)
    write(tmp_path / "validation-00000-of-00001.parquet", EVERY * 4, ["dog", "fox", "cat"])
    assert sizes(load(tmp_path)) == (60, 12, 18)
    assert agrees(load(tmp_path))


def test_the_committed_splits(tmp_path, reference) -> None:
    script = (reference / "cases/second/parquet/make_splits.py").resolve()
    subprocess.run([sys.executable, str(script)], cwd=tmp_path, check=True)
    data = load(tmp_path / "d")
    means = data.test.images.float().flatten(1).mean(1)
    assert means[data.test.labels == 1].max() < 170 < means[data.test.labels == 2].min()
    assert sorted(set(data.test.labels.tolist())) == [1, 2]


def test_a_class_that_no_training_file_has_is_refused_with_the_file(tmp_path) -> None:
    write(tmp_path / "train.parquet", ["cat", "dog"] * 20, ["cat", "dog"])
    write(tmp_path / "test.parquet", EVERY * 4, EVERY)
    with pytest.raises(
        DataError, match=r"test\.parquet: the classes fox are none of the training split's \(cat, dog\)"
    ):
        load(tmp_path)
    write(tmp_path / "test.parquet", ["cat"] * 4, ["Cat", "dog"], [0] * 4)
    with pytest.raises(DataError, match=r"test\.parquet: the classes Cat .*differ by their case alone"):
        load(tmp_path)


def test_names_here_and_numbers_there_are_refused_with_both(tmp_path) -> None:
    write(tmp_path / "train.parquet", EVERY * 12, EVERY)
    write(tmp_path / "test.parquet", EVERY * 4, None)
    with pytest.raises(
        DataError, match=r"train\.parquet has names .*\(cat, dog, fox\) and .*test\.parquet has numbers"
    ):
        load(tmp_path)


def test_numbers_are_matched_as_such(tmp_path) -> None:
    write(tmp_path / "train.parquet", EVERY * 12, None, [1, 2, 7] * 12)
    write(tmp_path / "test.parquet", ["fox"] * 4, None, [7] * 4)
    data = load(tmp_path)
    assert (data.classes, set(data.test.labels.tolist())) == (("1", "2", "7"), {2})
    write(tmp_path / "test.parquet", ["fox"] * 4, None, [7, 7, 3, 7])
    with pytest.raises(DataError, match=r"test\.parquet: the classes 3 are none of the training split's \(1, 2, 7\)"):
        load(tmp_path)


@pytest.mark.parametrize("form", ["minus one", "empty", "no column"])
def test_a_test_split_without_labels_is_no_error(tmp_path, form) -> None:
    write(tmp_path / "train.parquet", EVERY * 12, EVERY)
    write(tmp_path / "validation.parquet", EVERY * 4, EVERY)
    blank = pa.array([None] * 9, pa.int64())
    write(tmp_path / "test.parquet", EVERY * 3, EVERY, [-1] * 9 if form == "minus one" else blank)
    if form == "no column":
        pq.write_table(pq.read_table(tmp_path / "test.parquet").drop_columns("label"), tmp_path / "test.parquet")
    data = load(tmp_path)
    assert sizes(data) == (36, 12, 0)
    assert data.untested.endswith("(test.parquet, 9 images) has no labels")
    assert data.untested in data.notices[0]
    (tmp_path / "validation.parquet").unlink()
    assert sizes(load(tmp_path)) == (28, 8, 0)


def test_the_file_named_is_the_file_at_fault(tmp_path) -> None:
    first, second = (tmp_path / f"train-0000{i}-of-00002.parquet" for i in range(2))
    write(first, EVERY * 10, EVERY)
    write(second, EVERY * 10, EVERY, [0, 1, 5] * 10)
    with pytest.raises(
        DataError, match=r"train-00001-of-00002\.parquet: column label holds 5 in row 2, and its 3 names"
    ):
        load(tmp_path)
    write(second, EVERY * 10, EVERY, [0, 1, -1] * 10)
    with pytest.raises(DataError, match=r"train-00001-of.*: 10 training images have no label, the first in row 2"):
        load(tmp_path)
    write_parquet(second, [*(PICTURES["cat"] * 3), b"junk"], [0] * 25, EVERY)
    with pytest.raises(DataError, match=r"cannot decode the image [^,]*train-00001-of-00002\.parquet, row 24: not an"):
        load(tmp_path)
    write_parquet(second, [*(PICTURES["cat"] * 3), None], [0] * 25, EVERY)
    with pytest.raises(DataError, match=r"train-00001-of-00002\.parquet, row 24 holds no image bytes"):
        load(tmp_path)
    write(second, EVERY * 10, EVERY)
    write(tmp_path / "test.parquet", EVERY * 2, EVERY, [0, 1, 2, 0, -1, 2])
    with pytest.raises(DataError, match=r"test\.parquet: 1 of 6 images have no label \(the first is number 4\)"):
        load(tmp_path)


def test_shards_are_whole_and_of_one_set(tmp_path) -> None:
    write(tmp_path / "train-00000-of-00003.parquet", EVERY * 10, EVERY)
    write(tmp_path / "train-00002-of-00003.parquet", EVERY * 10, EVERY)
    with pytest.raises(DataError, match=r"train-00001-of-00003\.parquet is missing from the train split"):
        load(tmp_path)
    (tmp_path / "train-00002-of-00003.parquet").unlink()
    (tmp_path / "train-00000-of-00003.parquet").rename(tmp_path / "train-00000-of-00001.parquet")
    write(tmp_path / "train.parquet", EVERY * 10, EVERY)
    with pytest.raises(DataError, match=r"train-00000-of-00001\.parquet, train\.parquet all look like the train split"):
        load(tmp_path)
    (tmp_path / "train.parquet").rename(tmp_path / "train-00000-of-00001-a09b74b3ef9c3b56.parquet")
    with pytest.raises(DataError, match="are one shard of the train split"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("data/train-00000-of-00001-a09b74b3ef9c3b56.parquet", "data/test-00000-of-00001.parquet"),
        ("train/0000.parquet", "test/0000.parquet"),
        ("default/train/0000.parquet", "default/validation/0000.parquet"),
        ("plain_text/train-00000-of-00001.parquet", "plain_text/test-00000-of-00001.parquet"),
        ("Train.PARQUET", "valid.parquet"),
        ("pets-train.parquet", "pets-test.parquet"),
    ],
)
def test_files_are_found_where_the_hub_puts_them(tmp_path, train, test) -> None:
    write(tmp_path / train, EVERY * 12, EVERY)
    write(tmp_path / test, EVERY * 3, EVERY)
    assert sizes(load(tmp_path))[2] == 9
    assert agrees(load(tmp_path))


def test_files_of_no_split_are_listed(tmp_path) -> None:
    write(tmp_path / "pets.parquet", EVERY * 12, EVERY)
    with pytest.raises(DataError, match=r"expected parquet files called train\*\.parquet, found pets\.parquet"):
        load(tmp_path)
    write(tmp_path / "train.parquet", EVERY * 12, EVERY)
    assert "left out: pets.parquet, of no split" in load(tmp_path).notices


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (pa.array(["cat", "dog", "fox"] * 12), ("cat", "dog", "fox")),
        (pa.array([" cat", "dog ", "fox"] * 12).dictionary_encode(), ("cat", "dog", "fox")),
        (pa.array([0.0, 1.0, 2.0] * 12), ("0", "1", "2")),
        (pa.array([0, 1, 2] * 12, pa.uint8()), ("0", "1", "2")),
        (pa.array([False, True, True] * 12), ("False", "True")),
    ],
)
def test_labels_of_every_plain_type(tmp_path, labels, classes) -> None:
    write(tmp_path / "train.parquet", EVERY * 12, None, labels)
    write(tmp_path / "test.parquet", EVERY * 12, None, labels)
    data = load(tmp_path)
    assert data.classes == classes
    assert data.test.labels.tolist() == [0, 1, len(classes) - 1] * 12


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (pa.array([0.0, 1.5, 2.0] * 12), "found 1.5 in row 1"),
        (pa.array([[0], [1], [2]] * 12), "must hold whole numbers or names of classes, one for each row; found list"),
        (pa.array([0, 1, -7] * 12), "holds -7 in row 2"),
        (pa.array(["cat", "dog", None] * 12), "12 training images have no label, the first in row 2"),
        (pa.array([0.0, float("nan"), 1.0] * 12), "12 training images have no label, the first in row 1"),
        (pa.array([2**64 - 1] * 36, pa.uint64()), "cannot be read as parquet"),
    ],
)
def test_labels_that_are_none_are_named(tmp_path, labels, said) -> None:
    write(tmp_path / "train.parquet", EVERY * 12, None, labels)
    with pytest.raises(DataError, match=said) as caught:
        load(tmp_path)
    assert "train.parquet" in str(caught.value)


def test_columns_are_known_by_their_content(tmp_path) -> None:
    pictures = [PICTURES[a][0] for a in EVERY * 12]
    write_parquet(tmp_path / "train.parquet", pictures, [0, 1, 2] * 12, EVERY, image="scan", label="species")
    assert agrees(load(tmp_path))
    pq.write_table(pa.table({"jpg": pictures, "label": EVERY * 12}), tmp_path / "train.parquet")
    assert agrees(load(tmp_path))
    pq.write_table(pa.table({"image": [{"path": "x.png"}] * 36, "label": EVERY * 12}), tmp_path / "train.parquet")
    with pytest.raises(DataError, match="the structs of column image have no field bytes"):
        load(tmp_path)
    pq.write_table(pa.table({"image": ["x.png"] * 36, "label": EVERY * 12}), tmp_path / "train.parquet")
    with pytest.raises(DataError, match="column image holds string, expected encoded images"):
        load(tmp_path)


def test_a_small_file_of_many_images_is_refused_before_they_are_unpacked(tmp_path) -> None:
    """Two pictures, each a few bytes of a dictionary, stand for half a million."""
    rows = 500_000
    two = pa.array([PICTURES["cat"][0], PICTURES["dog"][0]])
    codes = pa.array(np.arange(rows, dtype=np.int32) % 2)
    image = pa.StructArray.from_arrays([two.take(codes)], ["bytes"])
    path = tmp_path / "train.parquet"
    pq.write_table(pa.table({"image": image, "label": codes}), path, compression="zstd")
    assert path.stat().st_size < 300_000
    with pytest.raises(
        DataError, match=r"500,000 images of 8x8 pixels in 3 channels take 96 MB.*max_memory_mb allows 50"
    ):
        load(tmp_path, max_memory_mb=50)
    with pytest.raises(
        DataError, match=r"train\.parquet: 500,000 rows unpack to \d+ MB, and data\.max_memory_mb allows 3"
    ):
        load(tmp_path, max_memory_mb=3)
