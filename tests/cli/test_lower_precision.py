"""A study over precisions, from the search to the files: what each command says of int8."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import TINY, Nasopt

PROFILE = """\
name: paper
description: a device that computes in every precision
processor: paper
backend: predicted
precision: fp32
datasheet:
  peak_gflops: {fp32: 10, fp16: 20, int8: 40}
  bandwidth_gb_s: 1
"""


def test_int8_from_search_to_files(nasopt: Nasopt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("paper.yaml").write_text(PROFILE)
    study = TINY.replace("jetson_nano", "paper.yaml").replace("precision: fp32", "precision: [fp32, int8]")
    Path("tiny.yaml").write_text(study)
    said = nasopt("run", "tiny.yaml", "--sampler", "random", "--trials", 6, "--json")
    assert said.code == 0, said.err
    assert json.loads(said.out)["ended"] == {"completed": 6}
    assert nasopt("report", "tiny.yaml", "--to", "out").code == 0
    assert "int8" in Path("out/report.md").read_text()

    front = json.loads(nasopt("status", "--json").out)[0]["front"]
    (trial, *_) = [t for t in front if t["outcome"]["details"]["precision"] == "int8"]
    said = nasopt("export", "tiny.yaml", "--trial", trial["number"], "--to", "files")
    assert said.code == 0, said.err
    assert "precision: int8" in Path("files/README.md").read_text()

    said = nasopt("measure", "files/hard.onnx", "--device", "paper.yaml", "--json")
    assert said.code == 0, said.err
    assert "int8" in said.out
    said = nasopt("measure", "files/easy.onnx", "--device", "raspberry_pi_4")
    assert said.code != 0
    assert "not in int8" in " ".join(said.mistakes)
