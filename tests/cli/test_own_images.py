"""Images of one's own, from a folder or a parquet file to a report, as a user runs them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import Nasopt
from tests.cli.test_commands import content
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


def test_the_card_of_deep_images_says_how_their_values_are_spread(nasopt: Nasopt, here: Path) -> None:
    """Its program, without nasopt, on the files themselves: levels of 12 bits in files of 16."""
    rng = np.random.default_rng(3)
    for split, count in (("train", 150), ("val", 24), ("test", 4)):
        for label, level in (("dark", 600), ("light", 2400)):
            folder = here / f"d/{split}/{label}"
            folder.mkdir(parents=True)
            for i in range(count):
                Image.fromarray((level + rng.integers(0, 1500, (8, 8))).astype(np.uint16)).save(folder / f"{i}.png")
    ours = ("--set", "data={name: imagefolder, root: d, pixel_range: [500, 4000]}")
    assert nasopt("run", "tiny.yaml", "--trials", 1, "--set", "training.supernet.epochs=20", *ours).code == 0
    assert nasopt("export", "tiny", "--storage", "sqlite:///tiny.db", "--trial", 0, "--to", "out").code == 0
    card = (here / "out/README.md").read_text()
    assert "go from 500 to 4000" in card
    (program,) = re.findall(r"^```python\n(.*?)^```", card, re.M | re.S)
    (here / "out/classify.py").write_text(program)
    files = [str(p) for p in sorted((here / "d/val").rglob("*.png"))]
    command = [sys.executable, "-I", "out/classify.py", *files]
    told = subprocess.run(command, cwd=here, capture_output=True, text=True, check=True, timeout=120).stdout
    right = [line.split()[0] == Path(file).parent.name for line, file in zip(told.splitlines(), files, strict=True)]
    stored = content(nasopt("status", "--json"))[0]["front"][0]["outcome"]["quality"]["accuracy"]
    assert np.mean(right) == pytest.approx(stored)
    assert stored > 0.7
