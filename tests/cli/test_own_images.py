"""Images of one's own, from a folder or a parquet file to a report, as a user runs them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.cli.conftest import Nasopt
from tests.training.pictures import encoded, noisy, put, write_parquet

DRAW = np.random.default_rng(0)
FEW = ("--trials", 1, "--set", "training.supernet.epochs=1")


def test_a_folder_is_described_before_it_is_trained_on(nasopt: Nasopt, here: Path) -> None:
    for label, level in (("cat", 20), ("dog", 120)):
        put(here / f"d/Training/{label}", 20, level, side=8)
        put(here / f"d/Testing/{label}", 6, level, side=8)
    put(here / "d/Training/.ipynb_checkpoints", 4, 90)
    ours = ("--set", "data={name: imagefolder, root: d}")
    said = nasopt("run", "tiny.yaml", *FEW, *ours)
    assert said.code == 0
    opened = said.out[: said.out.index("trials finished")]
    assert "data imagefolder (d): 32 train, 8 validation and 12 test images of 8x8 pixels, RGB, in 2 classes" in opened
    assert "(cat 26, dog 26)" in opened
    assert "! data: left out: 1 hidden (.ipynb_checkpoints)" in opened
    put(here / "d/Testing/Dog", 3, 120, side=8)
    (mistake,) = nasopt("run", "tiny.yaml", *FEW, *ours).mistakes
    assert "Dog is none of cat, dog; they differ by their case alone" in mistake


def test_a_report_says_why_it_lacks_test_scores(nasopt: Nasopt, here: Path) -> None:
    files = [encoded(noisy(100 * (i % 2) + 20, DRAW, 8)) for i in range(60)]
    for part, count in (("train", 60), ("validation", 20), ("test", 10)):
        labels = [-1] * count if part == "test" else [i % 2 for i in range(count)]
        write_parquet(here / f"d/{part}-00000-of-00001.parquet", files[:count], labels, ["cat", "dog"])
    said = nasopt("run", "tiny.yaml", *FEW, "--set", "data={name: parquet, root: d}")
    assert said.code == 0
    assert "60 train, 20 validation and 0 test images" in said.out
    (lacks,) = nasopt("report", "tiny", "--storage", "sqlite:///tiny.db", "--no-stream", "--to", "out").mistakes
    reason = "the test split of parquet (d) (test-00000-of-00001.parquet, 10 images) has no labels"
    assert lacks == f"the report lacks scores on the test split: {reason}"
    written = (here / "out/report.md").read_text()
    assert f"Nothing can be scored on test: {reason}" in written
    assert "images found" in written
