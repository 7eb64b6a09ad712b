from __future__ import annotations

import io
import pickle

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from scipy.io import savemat
from torchvision import datasets

from nasopt.data import load_data
from nasopt.data.augment import augment, random_crop, seeded
from nasopt.data.decoding import jpeg_quality
from nasopt.errors import DataError, UnknownPluginError
from nasopt.spec.data import AugmentSpec, DataSpec


@pytest.fixture(autouse=True)
def _no_data_of_the_user(monkeypatch):
    monkeypatch.delenv("NASOPT_DATA", raising=False)


def encode(pixels: np.ndarray, form: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form, **options)
    return buffer.getvalue()


def write_parquet(path, count=60, column="img", form="PNG", classes=3, **options):
    generator = np.random.default_rng(0)
    images = [encode(generator.integers(0, 255, (32, 32, 3), dtype=np.uint8), form, **options) for _ in range(count)]
    rows = [{"bytes": data, "path": None} for data in images]
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({column: rows, "label": [i % classes for i in range(count)]}), path)


def test_digits_have_three_stratified_splits_and_a_test_split_that_no_seed_moves():
    first, second = load_data(DataSpec(), seed=0), load_data(DataSpec(), seed=1)
    assert (len(first.train), len(first.validation), len(first.test)) == (1149, 288, 360)
    assert torch.equal(first.test.images, second.test.images)
    assert not torch.equal(first.validation.images, second.validation.images)
    assert first.fingerprint != second.fingerprint
    assert first.fingerprint == load_data(DataSpec(), seed=0).fingerprint
    assert torch.bincount(first.validation.labels).min() >= 27
    assert first.train.images.dtype == torch.uint8
    assert first.train.images.max() == 255


def test_normalisation_comes_from_the_training_split(digits):
    prepared = digits.prepare(digits.train.images)
    assert abs(float(prepared.mean())) < 1e-4
    assert float(prepared.std()) == pytest.approx(1.0, abs=1e-3)
    assert abs(float(digits.prepare(digits.validation.images).mean())) > 1e-4


def test_resizing_keeps_the_mean_and_changes_the_side(digits):
    small, large = digits.prepare(digits.test.images), digits.prepare(digits.test.images, 20)
    assert large.shape[-2:] == (20, 20)
    assert float(large.mean()) == pytest.approx(float(small.mean()), abs=0.05)


def test_train_images_limits_training_and_validation_not_test():
    data = load_data(DataSpec(train_images=200), seed=0)
    assert len(data.train) + len(data.validation) == 200
    assert len(data.test) == 360


@pytest.mark.parametrize("quality", [10, 50, 75, 92])
def test_jpeg_quality_is_read_from_the_quantisation_table(quality):
    pixels = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    assert jpeg_quality(encode(pixels, "JPEG", quality=quality)) == quality
    assert jpeg_quality(encode(pixels)) is None


def test_cifar10_is_found_as_parquet_and_shown_with_its_jpeg_quality(tmp_path):
    write_parquet(tmp_path / "cifar10" / "train.parquet", form="JPEG", quality=75)
    write_parquet(tmp_path / "cifar10" / "test.parquet", 12, form="JPEG", quality=75)
    data = load_data(DataSpec(name="cifar10", root=str(tmp_path), download=False), seed=0)
    assert (data.name, data.requested) == ("cifar10 (jpeg75)", "cifar10")
    assert (len(data.train), len(data.validation), len(data.test)) == (48, 12, 12)
    assert data.train.images.shape[1:] == (3, 32, 32)


def test_environment_wins_over_root(tmp_path, monkeypatch):
    write_parquet(tmp_path / "cifar10" / "train.parquet")
    monkeypatch.setenv("NASOPT_DATA", str(tmp_path))
    data = load_data(DataSpec(name="cifar10", root="/nowhere", download=False), seed=0)
    assert data.name == "cifar10"
    assert len(data.test) == 12


def test_parquet_by_path_keeps_pixels_and_labels(tmp_path):
    write_parquet(tmp_path / "data" / "train-00000-of-00001.parquet", column="image")
    data = load_data(DataSpec(name="parquet", root=str(tmp_path)), seed=0)
    original = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    everything = torch.cat([data.train.images, data.validation.images, data.test.images])
    assert any(torch.equal(image, torch.from_numpy(original).permute(2, 0, 1)) for image in everything)
    assert data.classes == ("0", "1", "2")


def test_damaged_parquet_and_damaged_images_are_named(tmp_path):
    path = tmp_path / "train.parquet"
    path.write_bytes(b"not a table")
    with pytest.raises(DataError, match=r"train\.parquet cannot be read as parquet"):
        load_data(DataSpec(name="parquet", root=str(tmp_path)), seed=0)
    pq.write_table(pa.table({"img": [{"bytes": b"junk"}] * 40, "label": [0, 1] * 20}), path)
    with pytest.raises(DataError, match=r"cannot decode the image .*train\.parquet, row \d+"):
        load_data(DataSpec(name="parquet", root=str(tmp_path)), seed=0)
    pq.write_table(pa.table({"picture": [1], "label": [0]}), path)
    with pytest.raises(DataError, match=r"expected a column img or image .*found picture, label"):
        load_data(DataSpec(name="parquet", root=str(tmp_path)), seed=0)


def make_folder(root, parts=("train", "test"), shape=(20, 24, 3)):
    generator = np.random.default_rng(0)
    for part in parts:
        for name in ("cat", "dog"):
            folder = root / part / name
            folder.mkdir(parents=True)
            for i in range(15):
                Image.fromarray(generator.integers(0, 255, shape, dtype=np.uint8)).save(folder / f"{i}.png")


def test_image_folder(tmp_path):
    make_folder(tmp_path)
    data = load_data(DataSpec(name="imagefolder", root=str(tmp_path)), seed=0)
    assert data.classes == ("cat", "dog")
    assert data.size == 64
    assert len(data.test) == 30
    assert load_data(DataSpec(name="imagefolder", root=str(tmp_path), image_size=16), seed=0).size == 16


def test_unreadable_image_and_empty_folder_are_named(tmp_path):
    make_folder(tmp_path, ("train",))
    (tmp_path / "train" / "cat" / "3.png").write_bytes(b"\x89PNG broken")
    with pytest.raises(DataError, match=r"cat/3\.png"):
        load_data(DataSpec(name="imagefolder", root=str(tmp_path)), seed=0)
    with pytest.raises(DataError, match="one folder of images a class"):
        load_data(DataSpec(name="imagefolder", root=str(tmp_path / "train" / "dog")), seed=0)


def test_missing_data_falls_back_or_says_the_way_out(tmp_path):
    missing = DataSpec(name="cifar10", root=str(tmp_path), download=False)
    with pytest.raises(DataError, match=r"cifar10 is not in .*NASOPT_DATA.*data\.otherwise"):
        load_data(missing, seed=0)
    data = load_data(missing.model_copy(update={"otherwise": "digits"}), seed=0)
    assert (data.name, data.requested, data.used) == ("digits", "cifar10", "digits")
    with pytest.raises(UnknownPluginError, match="no data set named 'mnits'"):
        load_data(DataSpec(name="mnits"), seed=0)


def test_failed_download_falls_back(tmp_path, monkeypatch):
    def offline(self):
        raise OSError("no route to host")

    monkeypatch.setattr(datasets.CIFAR10, "download", offline)
    spec = DataSpec(name="cifar10", root=str(tmp_path), otherwise="digits")
    assert load_data(spec, seed=0).used == "digits"
    with pytest.raises(DataError, match="no route to host"):
        load_data(spec.model_copy(update={"otherwise": None}), seed=0)


@pytest.mark.parametrize(("name", "key"), [("cifar10", b"labels"), ("cifar100", b"fine_labels")])
def test_torchvision_cifar_files(tmp_path, monkeypatch, name, key):
    loader = datasets.CIFAR10 if name == "cifar10" else datasets.CIFAR100
    folder = tmp_path / loader.base_folder
    folder.mkdir()
    generator = np.random.default_rng(0)
    for file, _ in [*loader.train_list, *loader.test_list]:
        pixels = generator.integers(0, 255, (40, 3072), dtype=np.uint8)
        (folder / file).write_bytes(pickle.dumps({key.decode(): [i % 4 for i in range(40)], "data": pixels}))
    names = {loader.meta["key"]: ["a", "b", "c", "d"]}
    (folder / loader.meta["filename"]).write_bytes(pickle.dumps(names))
    monkeypatch.setattr(
        loader, "_check_integrity", lambda self: True
    )  # the published checksums are not those of these files
    monkeypatch.setattr("torchvision.datasets.cifar.check_integrity", lambda *_: True)
    data = load_data(DataSpec(name=name, root=str(tmp_path), download=False), seed=0)
    assert data.name == name
    assert data.classes == ("a", "b", "c", "d")
    assert len(data.train) + len(data.validation) == 40 * len(loader.train_list)
    assert len(data.test) == 40


def test_torchvision_svhn_files(tmp_path, monkeypatch):
    for part in ("train", "test"):
        pixels = np.random.default_rng(0).integers(0, 255, (32, 32, 3, 50), dtype=np.uint8)
        savemat(tmp_path / f"{part}_32x32.mat", {"X": pixels, "y": (np.arange(50) % 10 + 1).reshape(-1, 1)})
    monkeypatch.setattr(datasets.SVHN, "_check_integrity", lambda self: True)
    data = load_data(DataSpec(name="svhn", root=str(tmp_path), download=False), seed=0)
    assert (len(data.train), len(data.validation), len(data.test)) == (40, 10, 50)
    assert int(data.test.labels.max()) == 9


def test_every_augmentation_keeps_shape_and_range_and_is_repeatable():
    images = torch.randint(0, 256, (40, 3, 16, 16), dtype=torch.uint8)
    labels = torch.arange(40) % 4
    spec = AugmentSpec(crop=2, flip=True, color_jitter=0.4, randaugment=2, cutout=5, mixup=0.4, cutmix=1.0)
    for seed in range(4):
        with seeded(seed):
            once = augment(images, labels, spec, 4)
        with seeded(seed):
            again = augment(images, labels, spec, 4)
        assert torch.equal(once[0], again[0])
        assert once[0].shape == images.shape
        assert 0 <= once[0].min() <= once[0].max() <= 255
        torch.testing.assert_close(once[1].sum(1), torch.ones(40))


def test_switched_off_augmentation_changes_nothing():
    images, labels = torch.randint(0, 256, (8, 1, 8, 8), dtype=torch.uint8), torch.arange(8)
    same, targets = augment(images, labels, AugmentSpec(), 8)
    assert same is images
    assert targets is labels


def test_crop_moves_pixels_and_cutout_and_flip_do_what_they_say():
    images = torch.full((64, 1, 8, 8), 200, dtype=torch.uint8)
    with seeded(0):
        moved = random_crop(images, 2)
        cut, _ = augment(images, torch.zeros(64).long(), AugmentSpec(cutout=3), 2)
        ramp = torch.arange(8, dtype=torch.uint8).expand(64, 1, 8, 8)
        flipped, _ = augment(ramp, torch.zeros(64).long(), AugmentSpec(flip=True), 2)
    assert int((moved == 0).flatten(1).sum(1).max()) == 28  # two rows and two columns of 8, less the corner
    holes = (cut == 0).flatten(1).sum(1)
    assert holes.max() == 9
    assert holes.min() >= 1
    mirrored = (flipped[:, 0, 0, 0] == 7).float().mean()
    assert 0.2 < mirrored < 0.8
