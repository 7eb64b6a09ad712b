"""Every command as its user types it."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from PIL import Image

from nasopt.data import load_data
from nasopt.data.sources import SOURCES
from nasopt.spec.data import DATA_SETS, DataSpec

from .conftest import Nasopt, Said

ROOT = Path(__file__).parents[2]
COMMANDS = [
    "run",
    "init",
    "space",
    "schema",
    "status",
    "report",
    "compare",
    "export",
    "measure",
    "transfer",
    "confirm",
    "devices",
    "dashboard",
]


def content(said: Said) -> Any:
    """JSON of standard output, by the letter: no NaN, no Infinity."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    assert said.code == 0, said.err
    return json.loads(said.out, parse_constant=refuse)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(nasopt: Nasopt, command: str) -> None:
    said = nasopt(command, "--help")
    assert said.code == 0
    assert f"nasopt {command}" in said.out.replace("\n", " ")
    assert command in nasopt("--help").out


def test_the_version_is_that_of_the_package(nasopt: Nasopt) -> None:
    said = nasopt("--version")
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert (said.code, said.out, said.err) == (0, f"nasopt {declared}\n", "")
    assert "--version" in nasopt("--help").out


@pytest.mark.parametrize("arguments", [["frob"], ["run"], ["run", "x.yaml", "--trails", "3"], ["export", "x"]])
def test_a_wrong_call_is_usage(nasopt: Nasopt, arguments: list[str]) -> None:
    said = nasopt(*arguments)
    assert said.code == 2
    assert "Usage" in said.err


def test_init_space_schema_and_devices(nasopt: Nasopt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert nasopt("init", "mine.yaml").code == 0
    again = nasopt("init", "mine.yaml")
    assert again.code == 2
    assert "--force" in again.mistakes[0]
    assert nasopt("init", "mine.yaml", "--force").code == 0
    assert "points" in nasopt("space", "mine.yaml").out
    assert int(content(nasopt("space", "mine.yaml", "--json"))["cardinality"]["discrete"]) > 10**6
    fixed = content(nasopt("space", "mine.yaml", "--json", "--set", "space.router.tau=0.5"))
    assert "router.tau" not in fixed["distributions"]
    assert set(content(nasopt("schema"))["$defs"]["StudySpec"]["required"]) == {"study", "objectives"}
    assert {"jetson_nano", "local"} <= {device["name"] for device in content(nasopt("devices", "--json"))}
    listed = nasopt("devices").out
    assert "jetson_nano" in listed
    assert "never" in listed
    checked = content(nasopt("devices", "check", "local", "--json"))
    assert checked["device"] == "local"
    assert {"runtime", "sensor", "governor", "throttling"} <= {f["subject"] for f in checked["findings"]}
    assert "ONNX" in listed


def test_run_says_where_it_is_and_what_to_type(nasopt: Nasopt, study: Path) -> None:
    said = nasopt("run", "tiny.yaml")
    assert said.code == 0
    for expected in ("estimated, not measured", "sqlite:///tiny.db", "nasopt report tiny.yaml", "nasopt dashboard"):
        assert expected in said.out


def test_run_as_json_keeps_its_output_clean(nasopt: Nasopt, study: Path) -> None:
    result = content(nasopt("run", "tiny.yaml", "--json"))
    assert result["ended"] == {"completed": 4}
    assert result["front"]
    assert all(math.isfinite(v) for trial in result["front"] for v in trial["values"])


def test_quiet_says_warnings_and_the_result(nasopt: Nasopt, here: Path) -> None:
    said = nasopt("run", "tiny.yaml", "-q", "--trials", 1)
    assert said.code == 0
    assert "estimated" in said.out
    assert "Pareto front" in said.out
    assert "study tiny in" not in said.out
    assert "epoch" not in said.out


def test_the_log_goes_to_its_file_too(nasopt: Nasopt, study: Path) -> None:
    assert nasopt("run", "tiny.yaml", "--log-file", "run.log", "--trials", 5).code == 0
    assert (study / "run.log").exists()
    missing = nasopt("run", "tiny.yaml", "--log-file", "nowhere/run.log")
    assert missing.code == 2
    assert "nowhere/run.log" in missing.mistakes[0]


def test_running_again_continues(nasopt: Nasopt, study: Path) -> None:
    before = content(nasopt("status", "--json"))[0]
    assert before["ended"] == {"completed": 4}
    assert nasopt("run", "tiny.yaml").code == 0
    assert content(nasopt("status", "--json"))[0] == before
    assert nasopt("run", "tiny.yaml", "--trials", 6).code == 0
    after = content(nasopt("status", "tiny", "--storage", "sqlite:///tiny.db", "--json"))[0]
    assert after["ended"] == {"completed": 6}
    assert "6 of 6" in nasopt("status").out


def test_a_changed_file_is_refused_by_key(nasopt: Nasopt, study: Path) -> None:
    change = ("--set", "training.cotrain.router_epochs=3")
    said = nasopt("run", "tiny.yaml", *change)
    assert said.code == 2
    assert "training.cotrain.router_epochs (was 1, now 3)" in said.mistakes[0]
    assert "--allow-changes" in said.mistakes[0]
    said = nasopt("run", "tiny.yaml", "--sampler", "tpe")
    assert "sampler.name (was 'nsga2', now 'tpe')" in said.mistakes[0]
    said = nasopt("run", "tiny.yaml", "--set", "space.router.tau=0.5", "--allow-changes")
    assert said.code == 2
    assert "another name" in said.mistakes[0]
    assert nasopt("run", "tiny.yaml", *change, "--allow-changes", "--trials", 5).code == 0
    assert content(nasopt("status", "--json"))[0]["ended"] == {"completed": 5}


def test_shorthands_of_run(nasopt: Nasopt, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDY_FOLDER", str(here))
    url = "sqlite:///${STUDY_FOLDER}/other.db"
    said = nasopt("run", "tiny.yaml", "--storage", url, "--trials", 2, "--sampler", "random", "--json")
    assert content(said)["ended"] == {"completed": 2}
    assert (here / "other.db").exists()
    assert not (here / "tiny.db").exists()
    monkeypatch.setenv("NASOPT_STORAGE", url)
    assert content(nasopt("status", "tiny", "--json"))[0]["trials"] == 2


def test_report_writes_both_formats_once(nasopt: Nasopt, study: Path) -> None:
    said = nasopt("report", "tiny.yaml", "--to", "out")
    assert said.code == 0
    assert "test" in (study / "out/report.md").read_text()
    assert (study / "out/report.html").read_text().lstrip().lower().startswith("<!doctype html")
    assert nasopt("report", "tiny", "--storage", "sqlite:///tiny.db", "--no-test").code == 0
    assert (study / "report-tiny/report.md").exists()


def test_compare_studies_and_trials(nasopt: Nasopt, study: Path) -> None:
    assert nasopt("run", "tiny.yaml", "--set", "study.name=other", "--set", "study.seed=1", "-q").code == 0
    where = ("--storage", "sqlite:///tiny.db")
    said = content(nasopt("compare", "tiny", "other", *where, "--json"))
    assert "tiny" in json.dumps(said)
    assert "other" in nasopt("compare", "tiny", "other", *where, "--to", "figures").out
    assert list((study / "figures").iterdir())
    assert content(nasopt("compare", "tiny", *where, "--trial", 0, "--trial", 1, "--json"))
    for wrong in (["tiny"], ["tiny", "tiny"], ["tiny", "other", "--trial", 0], ["tiny", "--trial", 0, "--trial", 99]):
        assert nasopt("compare", *wrong, *where).code == 2
    assert "--to" in nasopt("compare", "tiny", *where, "--trial", 0, "--trial", 1, "--to", "x").mistakes[0]


def test_an_export_decides_as_the_study_says(nasopt: Nasopt, study: Path) -> None:
    best = content(nasopt("status", "--json"))[0]["front"][0]
    assert nasopt("export", "tiny.yaml", "--trial", best["number"], "--to", "out").code == 0
    assert {"routed.onnx", "easy.onnx", "hard.onnx", "README.md", "config.json"} == {
        file.name for file in (study / "out").iterdir()
    }
    recipe = json.loads((study / "out/config.json").read_text())["preprocessing"]
    session = onnxruntime.InferenceSession(str(study / "out/routed.onnx"), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    held = load_data(DataSpec(), seed=0).validation
    right = exited = 0
    for image, label in zip(held.images.numpy(), held.labels.numpy(), strict=True):
        scaled = (image[None].astype(np.float32) * recipe["scale"] - recipe["mean"]) / recipe["std"]
        logits, left = session.run(None, {name: scaled.astype(np.float32)})
        right += int(logits.argmax() == label)
        exited += int(np.asarray(left).item())
    quality = best["outcome"]["quality"]
    assert right / len(held.labels) == pytest.approx(quality["accuracy"], abs=0.01)
    assert exited / len(held.labels) == pytest.approx(quality["exit_rate"], abs=0.01)


def test_the_model_card_leads_from_an_image_file_to_its_class(nasopt: Nasopt, study: Path) -> None:
    """Its program as it stands, and its words: without nasopt, with the accuracy that the study says."""
    best = content(nasopt("status", "--json"))[0]["front"][0]
    assert nasopt("export", "tiny.yaml", "--trial", best["number"], "--to", "out").code == 0
    card = (study / "out/README.md").read_text()
    (program,) = re.findall(r"^```python\n(.*?)^```", card, re.M | re.S)
    assert "nasopt" not in program
    (study / "out" / "classify.py").write_text(program)
    held = load_data(DataSpec(), seed=0).validation
    for number, image in enumerate(held.images.numpy()):
        Image.fromarray(image[0]).save(study / f"{number}.png")
    files = [f"{n}.png" for n in range(len(held.labels))]
    command = [sys.executable, "-I", "out/classify.py", *files]
    told = subprocess.run(command, cwd=study, capture_output=True, text=True, check=True, timeout=120).stdout
    answers = [line.split() for line in told.splitlines()]
    quality = best["outcome"]["quality"]
    right = [answer == str(int(label)) for (answer, _), label in zip(answers, held.labels, strict=True)]
    assert len(right) > 250
    assert np.mean(right) == pytest.approx(quality["accuracy"], abs=1e-9)
    assert np.mean([left == "True" for _, left in answers]) == pytest.approx(quality["exit_rate"], abs=0.004)
    config = json.loads((study / "out/config.json").read_text())
    graph = onnx.load(study / "out/routed.onnx")
    assert config["opset"] == graph.opset_import[0].version
    assert f"opset {config['opset']}" in card
    assert config["input"]["shape"] == [1, 1, 8, 8]
    assert config["classes"] == list("0123456789")
    assert config["tau"] == config["candidate"]["tau"]
    assert set(config["runtimes_tried"].values()) == {"runs"}
    for said in ("(1, 1, 8, 8)", "grey", "0 to 255", "times 255 / 16", "`exited`", f"{config['tau']:.6g}", "0 0, 1 1"):
        assert said in card


def test_measure_an_onnx_model(nasopt: Nasopt, tmp_path: Path) -> None:
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 3, 8, 8]) for n in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", values[:1], values[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "m.onnx")
    taken = content(nasopt("measure", tmp_path / "m.onnx", "--device", "jetson_nano", "--json"))
    assert taken["latency"]["median_ms"] > 0
    assert "estimated" in json.dumps(taken)
    assert "estimated" in nasopt("measure", tmp_path / "m.onnx", "--device", "jetson_nano").out


def test_trackers_are_there_or_said_to_be_missing(nasopt: Nasopt, here: Path) -> None:
    said = nasopt("run", "tiny.yaml", "--tracker", "tensorboard", "--trials", 1)
    try:
        import tensorboard  # noqa: F401
    except ImportError:
        assert said.code == 2
        assert said.mistakes == ["the tracker tensorboard is not installed; pip install 'nasopt[tensorboard]'"]
        assert not (here / "tiny.db").exists()
    else:
        assert said.code == 0
        assert list((here / "runs").glob("tiny-*/*"))
    assert "tensorboard, wandb" in nasopt("run", "tiny.yaml", "--tracker", "mlflow").mistakes[0]


def test_the_study_file_knows_the_data_sets() -> None:
    assert set(DATA_SETS) == set(SOURCES)
