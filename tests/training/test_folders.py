"""Image folders as people have them: splits of many names, links, hidden folders, other endings."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torchvision.datasets import ImageFolder

from nasopt.data import ImageData, load_data
from nasopt.data.splits import role_of, shown
from nasopt.errors import DataError
from nasopt.spec.data import DataSpec
from tests.training.pictures import put

LEVELS = {"cat": 20, "dog": 120}


def load(root: Path, **keys: Any) -> ImageData:
    return load_data(DataSpec(name="imagefolder", root=str(root), **keys), seed=0)


def classes(root: Path, count: int = 12, names: tuple[str, ...] = ("cat", "dog")) -> None:
    for name in names:
        put(root / name, count, LEVELS.get(name.lower(), 70))


def sizes(data: ImageData) -> tuple[int, int, int]:
    return len(data.train), len(data.validation), len(data.test)


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train", "test"),
        ("train", "val"),
        ("Training", "Testing"),
        ("Train", "Test"),
        ("TRAIN", "TEST"),
        ("seg_train", "seg_test"),
        ("seg_train/seg_train", "seg_test/seg_test"),
        ("trainset", "testset"),
        ("TrainImages", "TestImages"),
        ("train2017", "val2017"),
        ("training_set", "validation"),
        ("train", "valid"),
        ("train", "dev"),
    ],
)
def test_splits_are_known_by_their_words(tmp_path, train, test) -> None:
    classes(tmp_path / train, 20)
    classes(tmp_path / test, 5)
    data = load(tmp_path)
    assert data.classes == ("cat", "dog")
    assert sizes(data) == (32, 8, 10)
    assert "32 train, 8 validation and 10 test images of 16x16 pixels, RGB, in 2 classes (cat 25, dog 25)" in data.found


@pytest.mark.parametrize(("validation", "test"), [("val", "test"), ("valid", "Test"), ("Validation", "testing")])
def test_three_splits_are_the_three_splits(tmp_path, validation, test) -> None:
    classes(tmp_path / "train", 20)
    classes(tmp_path / validation, 7)
    classes(tmp_path / test, 5)
    for share in (0.2, 0.5):
        assert sizes(load(tmp_path, validation=share)) == (40, 14, 10)


def test_names_that_speak_of_no_split() -> None:
    for name in ("test_tube", "trainer", "dog", "latest", "valve", "train_test", "evaluate", ""):
        assert role_of(name) is None, name


def test_a_class_may_be_called_like_a_split(tmp_path) -> None:
    classes(tmp_path, 12, ("bus", "car", "train", "test_tube"))
    assert load(tmp_path).classes == ("bus", "car", "test_tube", "train")


def test_what_looks_like_splits_and_is_none_is_refused(tmp_path) -> None:
    put(tmp_path / "flat/Training", 20, 20)
    put(tmp_path / "flat/Testing", 20, 20)
    with pytest.raises(DataError, match="Testing, Training look like splits, and hold no folder for each class"):
        load(tmp_path / "flat")
    classes(tmp_path / "no_train/test")
    classes(tmp_path / "no_train/val")
    with pytest.raises(DataError, match="test, val look like splits, and there is none for training"):
        load(tmp_path / "no_train")
    classes(tmp_path / "twice/train")
    classes(tmp_path / "twice/Training")
    with pytest.raises(DataError, match="Training, train look like one split"):
        load(tmp_path / "twice")
    classes(tmp_path / "mixed/train")
    put(tmp_path / "mixed/bus", 10, 20)
    with pytest.raises(DataError, match="train looks like a split, and bus beside it like classes"):
        load(tmp_path / "mixed")
    for label in LEVELS:
        classes(tmp_path / "inside" / label, 8, ("train", "test"))
    with pytest.raises(DataError, match=r"inside/cat holds test, train, which look like splits; .*train/cat"):
        load(tmp_path / "inside")


def test_what_lies_beside_splits_is_left_out_and_said(tmp_path) -> None:
    classes(tmp_path / "seg_train", 20)
    classes(tmp_path / "seg_test", 5)
    put(tmp_path / "seg_pred", 9, 20)
    put(tmp_path / "__MACOSX/train/cat", 3, 20)
    put(tmp_path / "seg_train/.ipynb_checkpoints", 3, 20)
    put(tmp_path / "seg_train/cat/.ipynb_checkpoints", 3, 20)
    (tmp_path / "seg_train/bird").mkdir()
    for name in ("notes.txt", "labels.CSV", "more.csv", "README", "Thumbs.db", "._0.png", "photo.heic"):
        (tmp_path / "seg_train/cat" / name).write_bytes(b"x")
    put(tmp_path / "seg_train", 1, 20)
    data = load(tmp_path)
    assert (data.classes, sizes(data)) == (("cat", "dog"), (32, 8, 10))
    (said,) = data.notices
    for part in ("9 images in folders that are no split (seg_pred)", "2 with the ending .csv (labels.CSV)", ".heic"):
        assert part in said
    for part in ("3 hidden", "1 without an ending (README)", "1 class folders without images (bird)"):
        assert part in said
    assert "1 images in no class of the train split" in said
    assert "Thumbs" not in said


@pytest.mark.parametrize("ending", ["gif", "jfif", "webp", "tif", "TIFF", "PNG", "JPG", "Jpeg", "bmp"])
def test_files_of_every_common_ending_count(tmp_path, ending) -> None:
    classes(tmp_path)
    put(tmp_path / "cat", 6, 20, ending)
    put(tmp_path / "dog", 6, 120, ending)
    assert sum(sizes(load(tmp_path))) == 36 if ending.lower() != "png" else 24


def test_a_file_counts_once_whatever_links_show(tmp_path) -> None:
    classes(tmp_path)
    (tmp_path / "cat/again").symlink_to("..")
    (tmp_path / "cat/dogs").symlink_to("../dog")
    (tmp_path / "dog/copy.png").symlink_to("0.png")
    (tmp_path / "dog/gone.png").symlink_to("nowhere.png")
    data = load(tmp_path)
    assert data.found.endswith("in 2 classes (cat 12, dog 12)")
    (said,) = data.notices
    assert "links to folders that are counted already (cat/again)" in said
    assert "14 links to images that are counted already" in said
    assert "2 broken links" in said


def test_data_sets_made_of_links_are_whole(tmp_path) -> None:
    """Pictures in a pool, linked into splits and classes; one shown in both splits is a training image."""
    for label, level in LEVELS.items():
        put(tmp_path / f"pool/{label}", 20, level)
        (tmp_path / f"d/train/{label}").mkdir(parents=True)
        for i in range(14):
            (tmp_path / f"d/train/{label}/{i}.png").symlink_to(tmp_path / f"pool/{label}/{i}.png")
        (tmp_path / f"d/test/{label}").mkdir(parents=True)
        for i in range(13, 20):
            (tmp_path / f"d/test/{label}/{i}.png").symlink_to(tmp_path / f"pool/{label}/{i}.png")
    data = load(tmp_path / "d")
    assert sizes(data) == (22, 6, 12)
    assert "2 links to images that are counted already (test/cat/13.png)" in data.notices[0]
    (tmp_path / "d/train/dog/x.png").symlink_to(tmp_path / "pool/cat/3.png")
    with pytest.raises(DataError, match=r"cat/3\.png and .*dog/x\.png are links to one file, in two classes"):
        load(tmp_path / "d")


def test_classes_of_splits_are_matched_by_name_or_refused(tmp_path) -> None:
    classes(tmp_path / "train", 12, ("ant", "cat", "dog"))
    classes(tmp_path / "test", 5, ("cat", "dog"))
    data = load(tmp_path)
    assert data.notices == ("no test image is of the class ant",)
    assert data.test.labels.tolist() == [1] * 5 + [2] * 5
    means = data.test.images.float().flatten(1).mean(1)
    assert means[data.test.labels == 1].max() < 80 < means[data.test.labels == 2].min()
    put(tmp_path / "test/Dog", 3, 120)
    with pytest.raises(DataError, match=r"must have the same classes: Dog is none of ant, cat, dog; .*case alone"):
        load(tmp_path)


def test_classes_that_differ_by_case_are_two_and_it_is_said(tmp_path) -> None:
    classes(tmp_path, 12, ("a", "A", "b"))
    data = load(tmp_path)
    assert data.classes == ("A", "a", "b")
    assert "the classes A, a differ by their case alone" in data.notices[0]


def test_a_test_split_without_classes_is_one_without_labels(tmp_path) -> None:
    classes(tmp_path / "train", 20)
    put(tmp_path / "test", 9, 20)
    data = load(tmp_path)
    assert sizes(data) == (32, 8, 0)
    assert data.untested.endswith("(test, 9 images) has no labels")
    assert any("nothing is scored on it" in notice for notice in data.notices)
    classes(tmp_path / "val", 6)
    assert sizes(load(tmp_path)) == (40, 12, 0)


def test_names_that_no_terminal_shows_stay_on_one_line(tmp_path) -> None:
    folder = os.fsencode(tmp_path)
    for name, level in ((b"c\xff\nat", 20), (b"dog", 120)):
        put(tmp_path / "made", 12, level)
        os.rename(folder + b"/made", folder + b"/" + name)
    data = load(tmp_path)
    assert data.classes == ("c\\udcff\\nat", "dog")
    data.found.encode()
    with open(folder + b"/c\xff\nat/3.png", "wb") as file:
        file.write(b"junk")
    with pytest.raises(DataError, match=r"c\\udcff\\nat/3\.png: not an image"):
        load(tmp_path)
    assert shown("as it is: ü") == "as it is: ü"


def test_empty_and_single_classes_are_named(tmp_path) -> None:
    with pytest.raises(DataError, match="is not a folder with one folder of images a class"):
        load(tmp_path)
    put(tmp_path / "cat", 12, 20)
    with pytest.raises(DataError, match=r"two classes or more, found one \(cat\)"):
        load(tmp_path)
    put(tmp_path / "dog", 1, 120)
    with pytest.raises(DataError, match="only one image is left of dog"):
        load(tmp_path)
    with pytest.raises(DataError, match=r"no folder .*nowhere"):
        load(tmp_path / "nowhere")


@pytest.mark.skipif(os.geteuid() == 0 and sys.platform != "linux", reason="root reads everything")
def test_what_may_not_be_read_is_named(tmp_path) -> None:
    classes(tmp_path)
    (tmp_path / "cat/3.png").unlink()
    os.mkfifo(tmp_path / "cat/3.png")  # opening it would wait for ever
    assert "1 broken links, or no files (3.png)" in load(tmp_path).notices[0]
    (tmp_path / "cat/3.png").unlink()
    put(tmp_path / "cat", 12, 20)
    if os.geteuid() != 0:
        (tmp_path / "cat").chmod(0)
        with pytest.raises(DataError, match=r"cannot read the folder .*cat: Permission denied"):
            load(tmp_path)
        (tmp_path / "cat").chmod(0o700)


def test_a_folder_that_an_archive_put_around_is_entered(tmp_path) -> None:
    classes(tmp_path / "PetImages")
    assert load(tmp_path).classes == ("cat", "dog")
    classes(tmp_path / "deep/inner/train", 20)
    classes(tmp_path / "deep/inner/test", 5)
    assert sizes(load(tmp_path / "deep")) == (32, 8, 10)


def test_the_order_of_the_files_is_that_of_torchvision(tmp_path) -> None:
    """So that a study goes on with the same splits."""
    for name in ("b", "a c", "a", "Z"):
        put(tmp_path / "x" / name, 6, 20)
        put(tmp_path / "x", 12, 40)
        put(tmp_path / "y", 12, 120)
    theirs = ImageFolder(str(tmp_path))
    from nasopt.data.folders import list_folders

    _, splits, _ = list_folders(tmp_path)
    assert splits["train"].files == [path for path, _ in theirs.samples]
    assert splits["train"].labels == [label for _, label in theirs.samples]


def test_the_committed_folders(tmp_path, reference) -> None:
    script = (reference / "cases/second/images/make_folders.py").resolve()
    subprocess.run([sys.executable, str(script)], cwd=tmp_path, check=True)
    found = {name: load(tmp_path / "d" / name) for name in sorted(os.listdir(tmp_path / "d"))}
    assert {name: data.classes for name, data in found.items()} == dict.fromkeys(found, ("cat", "dog"))
    assert {name: sum(sizes(data)) for name, data in found.items()} == {
        "capitals": 56,
        "checkpoints": 40,
        "endings": 200,
        "link_into_itself": 40,
        "training_testing": 56,
    }
    assert np.unique(found["capitals"].test.labels.numpy(), return_counts=True)[1].tolist() == [8, 8]
