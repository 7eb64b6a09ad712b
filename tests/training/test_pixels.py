"""Pixels of every kind, brought to one frame: channels, side and levels are the same in all splits."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from nasopt.data import ImageData, load_data
from nasopt.data.decoding import Frame, decode, pixels_bounded, read_header
from nasopt.errors import DataError
from nasopt.spec.data import DataSpec
from tests.training.pictures import encoded, noisy, put, write_parquet

DRAW = np.random.default_rng(0)


def load(root: Path, name: str = "imagefolder", seed: int = 0, **keys: Any) -> ImageData:
    return load_data(DataSpec(name=name, root=str(root), **keys), seed=seed)


def deep_folder(
    root: Path, dtype: str, ending: str, low: float, step: float, parts: tuple[str, ...] = ("train", "test")
):
    """Two classes that differ by their level, far above 255, or within 0 and 1."""
    for part in parts:
        for label, level in (("dark", 0), ("light", 8)):
            folder = root / part / label
            folder.mkdir(parents=True)
            for i in range(20):
                pixels = low + step * (DRAW.integers(0, 6, (16, 16)) + level)
                Image.fromarray(pixels.astype(dtype)).save(folder / f"{i}.{ending}")


@pytest.mark.parametrize(
    ("dtype", "ending", "low", "step", "mode"),
    [
        ("uint16", "png", 300, 4000, "I;16"),
        ("uint16", "tif", 300, 20, "I;16"),  # 12 bits in 16
        ("int32", "tif", -500, 1_000_000, "I"),
        ("float32", "tiff", 0.0, 0.01, "F"),
    ],
)
def test_deep_pixels_are_scaled_by_the_range_of_the_training_images(tmp_path, dtype, ending, low, step, mode) -> None:
    deep_folder(tmp_path, dtype, ending, low, step)
    data = load(tmp_path)
    assert data.channels == 1
    assert data.pixel_range == pytest.approx((low, low + 13 * step))
    for split in (data.train, data.validation, data.test):
        means = split.images.float().flatten(1).mean(1)
        assert means[split.labels == 0].max() < 128 < means[split.labels == 1].min()
    assert (int(data.train.images.min()), int(data.train.images.max())) == (0, 255)
    assert any(f"mode {mode}" in notice and "data.pixel_range" in notice for notice in data.notices)


def test_levels_are_the_same_in_all_splits_and_with_every_seed(tmp_path) -> None:
    deep_folder(tmp_path, "uint16", "png", 1000, 100, ("train",))
    folder = tmp_path / "test" / "light"
    folder.mkdir(parents=True)
    Image.fromarray(np.full((16, 16), 1650, dtype=np.uint16)).save(folder / "half.png")
    Image.fromarray(np.full((16, 16), 60000, dtype=np.uint16)).save(folder / "over.png")
    for seed in range(3):
        data = load(tmp_path, seed=seed, train_images=24)
        assert data.pixel_range == (1000, 2300)
        assert [int(image.max()) for image in data.test.images] == [round(650 / 1300 * 255), 255]


def test_the_same_pictures_in_eight_and_in_sixteen_bits_are_the_same(tmp_path) -> None:
    for label, level in (("a", 0), ("b", 100)):
        for bits in ("8", "16"):
            (tmp_path / bits / label).mkdir(parents=True)
        for i in range(12):
            pixels = DRAW.integers(0, 156, (8, 8)) + level
            pixels[0, :2] = 0, 255
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / f"8/{label}/{i}.png")
            Image.fromarray((pixels * 100 + 3000).astype(np.uint16)).save(tmp_path / f"16/{label}/{i}.png")
    assert load(tmp_path / "8").fingerprint == load(tmp_path / "16").fingerprint


def test_levels_can_be_given_and_are_refused_for_pixels_of_eight_bits(tmp_path) -> None:
    deep_folder(tmp_path / "deep", "uint16", "png", 0, 100)
    assert load(tmp_path / "deep", pixel_range=(0, 65535)).train.images.max() == round(1300 / 257)
    put(tmp_path / "flat/a", 10, 20)
    put(tmp_path / "flat/b", 10, 120)
    with pytest.raises(DataError, match=r"data\.pixel_range is for pixels of more than 8 bits"):
        load(tmp_path / "flat", pixel_range=(0, 65535))
    with pytest.raises(ValidationError, match="the lower level first"):
        DataSpec(pixel_range=(5.0, 5.0))


def test_the_committed_ramp_of_sixteen_bits(tmp_path, reference) -> None:
    ramp = (reference / "cases/images/ramp16.png").read_bytes()
    stored = np.asarray(Image.open(io.BytesIO(ramp))).astype(np.float64)
    write_parquet(tmp_path / "train.parquet", [ramp] * 40, [0, 1] * 20)
    data = load(tmp_path, "parquet")
    expected = np.rint((stored - stored.min()) * 255 / (stored.max() - stored.min()))
    assert np.array_equal(data.train.images[0, 0].numpy(), expected)


def test_images_of_unlike_depth_are_refused_with_both_files(tmp_path) -> None:
    deep_folder(tmp_path, "uint16", "png", 0, 1000, ("train",))
    noisy(100, DRAW, channels=1).save(tmp_path / "train/dark/eight.png")
    with pytest.raises(DataError, match=r"unlike depth.*\.png in mode I;16.*eight\.png in mode L \(1 such\)"):
        load(tmp_path)


def test_pixels_that_are_no_numbers_or_all_the_same_are_refused(tmp_path) -> None:
    deep_folder(tmp_path, "float32", "tif", 0, 1, ("train",))
    Image.fromarray(np.full((16, 16), np.nan, dtype=np.float32)).save(tmp_path / "train/dark/3.tif")
    with pytest.raises(DataError, match=r"dark/3\.tif \(mode F\) has pixels that are no finite numbers"):
        load(tmp_path)
    deep_folder(tmp_path / "even", "uint16", "png", 7, 0, ("train",))
    with pytest.raises(DataError, match="all pixels of the training images have the level 7"):
        load(tmp_path / "even")


@pytest.mark.parametrize("seed", range(3))
def test_one_odd_image_neither_splits_the_channels_nor_the_side(tmp_path, seed) -> None:
    files = [encoded(noisy(20 + 100 * (i % 2), DRAW, 8, channels=1)) for i in range(80)]
    files[3] = encoded(noisy(120, DRAW, 64))
    write_parquet(tmp_path / "train.parquet", files, [i % 2 for i in range(80)])
    data = load(tmp_path, "parquet", seed)
    for split in (data.train, data.validation, data.test):
        assert split.images.shape[1:] == (3, 8, 8)
    said = " ".join(data.notices)
    assert "1 of 80 images is in colour" in said
    assert "1 of 80 images is not 8x8" in said
    assert said.count("train.parquet, row 3") == 2
    assert load(tmp_path, "parquet", seed, channels=1).channels == 1


def test_the_committed_odd_image(reference) -> None:
    shapes = [load(reference / "cases/parquet/one_colour", "parquet", seed).train.images.shape[1:] for seed in range(3)]
    assert shapes == [(3, 8, 8)] * 3


def test_images_of_many_sizes_are_brought_to_one_and_it_is_said(tmp_path) -> None:
    for side in (20, 30, 40):
        put(tmp_path / f"a/{side}", 6, 30, side=side)
        put(tmp_path / f"b/{side}", 6, 130, side=side)
    data = load(tmp_path)
    assert data.size == 64
    assert any("3 different sizes" in notice for notice in data.notices)
    assert load(tmp_path, image_size=16).notices == ()


def one(image: Image.Image, channels: int, form: str = "PNG", **options: Any) -> np.ndarray:
    return decode(encoded(image, form, **options), "x", Frame(channels, image.width))


def test_transparent_parts_lie_on_white_and_opaque_ones_stay() -> None:
    pixels = np.zeros((16, 16, 4), dtype=np.uint8)
    pixels[:8] = (10, 20, 30, 255)
    shown = one(Image.fromarray(pixels), 3)
    assert shown[:, 0, 0].tolist() == [10, 20, 30]
    assert (shown[:, 8:] == 255).all()
    grey = Image.fromarray(DRAW.integers(0, 256, (16, 16), dtype=np.uint8))
    assert np.array_equal(one(Image.merge("LA", (grey, Image.new("L", (16, 16), 255))), 1)[0], np.asarray(grey))
    keyed = Image.new("P", (16, 16), 0)
    keyed.putpalette([0, 0, 0, 255, 0, 0])
    assert (one(keyed, 3, transparency=0) == 255).all()


def test_palettes_are_grey_or_in_colour_as_their_colours_are() -> None:
    grey = Image.fromarray(DRAW.integers(0, 256, (16, 16), dtype=np.uint8))
    palette = grey.convert("P")
    assert read_header(encoded(palette), "x").kind == "grey"
    assert np.array_equal(one(palette, 1)[0], np.asarray(grey))
    colour = noisy(100, DRAW).quantize(16)
    assert read_header(encoded(colour), "x").kind == "colour"
    assert np.array_equal(one(colour, 3), np.asarray(colour.convert("RGB")).transpose(2, 0, 1))


def test_one_bit_and_printed_colours() -> None:
    bits = Image.fromarray(DRAW.integers(0, 2, (16, 16)).astype(bool))
    assert set(np.unique(one(bits, 1))) == {0, 255}
    printed = noisy(100, DRAW).convert("CMYK")
    assert read_header(encoded(printed, "TIFF"), "x").kind == "colour"
    assert np.array_equal(one(printed, 3, "TIFF"), np.asarray(printed.convert("RGB")).transpose(2, 0, 1))
    assert one(printed, 1, "TIFF").shape == (1, 16, 16)


def test_colours_of_sixteen_bits_are_scaled_by_their_depth() -> None:
    """Written by hand, as Pillow writes no such PNG: its channels become their higher byte."""
    levels = np.array([0, 257, 32768, 65535], dtype=">u2")
    rows = b"".join(b"\0" + np.repeat(levels, 3).tobytes() for _ in range(4))
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    file = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
    assert read_header(file, "x").kind == "colour"
    assert decode(file, "x", Frame(3, 4))[0, 0].tolist() == [0, 1, 128, 255]


def test_pictures_are_turned_upright() -> None:
    pixels = np.zeros((16, 16, 3), dtype=np.uint8)
    pixels[0] = 255  # a white row on top
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    turned = one(Image.fromarray(pixels), 3, exif=exif)
    assert (turned[:, :, -1] == 255).all()
    assert (turned[:, :, :-1] == 0).all()


def test_the_first_of_several_frames_is_used_and_it_is_said(tmp_path) -> None:
    put(tmp_path / "a", 10, 20, "gif")
    put(tmp_path / "b", 10, 120, "gif")
    frames = [Image.new("L", (16, 16), level) for level in (50, 200)]
    for ending in ("gif", "tif"):
        frames[0].save(tmp_path / f"a/moving.{ending}", save_all=True, append_images=frames[1:])
    data = load(tmp_path)
    assert any("2 of 22 images (first: " in n and "several frames or pages" in n for n in data.notices)
    everything = torch.cat([data.train.images, data.validation.images, data.test.images])
    assert sum(bool((image == 50).all()) for image in everything) == 2


@pytest.mark.parametrize("damage", ["empty", "cut", "text", "flipped"])
def test_damaged_images_are_named_in_one_line(tmp_path, damage) -> None:
    put(tmp_path / "a", 10, 20, "jpg")
    put(tmp_path / "b", 10, 120, "jpg")
    file = tmp_path / "b/4.jpg"
    whole = file.read_bytes()
    harmed = {"empty": b"", "cut": whole[: len(whole) // 2], "text": b"hello", "flipped": whole[:2] + whole[:1:-1]}
    file.write_bytes(harmed[damage])
    with pytest.raises(DataError, match=r"b/4\.jpg.*remove or replace it$") as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_decompression_bomb_is_named_with_the_bound_and_its_key(tmp_path, recwarn) -> None:
    put(tmp_path / "a", 10, 20)
    put(tmp_path / "b", 10, 120)
    Image.new("1", (20000, 20000)).save(tmp_path / "a/bomb.png")
    with pytest.raises(DataError, match=r"a/bomb\.png unpacks to 400 million pixels, .*179.*data\.max_megapixels"):
        load(tmp_path)
    Image.new("1", (1500, 1500)).save(tmp_path / "a/bomb.png")
    with pytest.raises(DataError, match=r"2 million pixels, and at most 1 "):
        load(tmp_path, max_megapixels=1.0)
    before = Image.MAX_IMAGE_PIXELS
    with pixels_bounded(1.2), pytest.raises(DataError):
        read_header((tmp_path / "a/bomb.png").read_bytes(), "x")
    assert before == Image.MAX_IMAGE_PIXELS
    assert load(tmp_path, max_megapixels=3.0).size == 16
    assert not [w for w in recwarn if "ombWarning" in w.category.__name__]


def test_a_data_set_too_large_is_refused_before_it_is_decoded(tmp_path) -> None:
    put(tmp_path / "a", 40, 20, side=200)
    put(tmp_path / "b", 40, 120, side=200)
    with pytest.raises(
        DataError, match=r"80 images of 200x200 pixels in 3 channels take 10 MB.*max_memory_mb allows 5"
    ):
        load(tmp_path, max_memory_mb=5)
    assert load(tmp_path, max_memory_mb=5, image_size=64).size == 64
    assert load(tmp_path, max_memory_mb=5, train_images=20).size == 200


def test_nothing_is_handed_to_other_programs(tmp_path) -> None:
    """An EPS file runs under Ghostscript, whatever its name ends in."""
    put(tmp_path / "a", 10, 20)
    put(tmp_path / "b", 10, 120)
    (tmp_path / "a/3.png").write_bytes(encoded(noisy(30, DRAW), "EPS"))
    with pytest.raises(DataError, match=r"a/3\.png: not an image"):
        load(tmp_path)
