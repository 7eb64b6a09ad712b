"""Mistakes of users and of their machines: one clear line each, the right exit code, nothing stored lost."""

from __future__ import annotations

import gc
import io
import json
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from onnx import TensorProto, helper
from PIL import Image

from .conftest import TINY, Nasopt


def one_line(nasopt: Nasopt, code: int, pattern: str, *arguments: object) -> None:
    """The command fails with this exit code and one line that matches."""
    said = nasopt(*arguments)
    assert said.code == code, said
    assert len(said.mistakes) == 1, said.err
    assert re.search(pattern, said.mistakes[0]), said.mistakes[0]


EDITS = [
    ("trials: 4", "trails: 4", r"tiny\.yaml:4: study\.trails: unknown key; did you mean 'trials'\?"),
    ("trials: 4", "trials: 0", r"tiny\.yaml:4: study\.trials: expected at least 1, not number 0"),
    ("trials: 4", "trials: four", "study.trials: expected a whole number, not text 'four'"),
    ("trials: 4", "trials: true", "study.trials: expected a (whole )?number, not true"),
    ("name: tiny", "name: 12", "study.name: expected text, not number 12; put it in quotes"),
    ("name: tiny", f"name: {'x' * 300}", r"at most 200 characters, not text 'x{70,80}\.\.\.$"),
    ("name: tiny", 'name: "a\\nb"', "no line breaks or control characters"),
    ("data: digits", "data: digitz", r"tiny\.yaml:5: data: no data set named 'digitz'; did you mean 'digits'"),
    ("data: digits", "data: {name: digits, otherwise: cifr}", "no data set named 'cifr'"),
    ("data: digits", "data: digits\ndata: svhn", r"tiny\.yaml:6: the key 'data' stands here twice"),
    ("width: [0.5]", "width: []", "space.little.width: an empty list leaves nothing to choose from"),
    ("width: [0.5]", "width: {low: 1, high: 0.5}", "empty range: low 1.0 is above high 0.5"),
    ("width: [0.5]", "width: {low: 0.2, high: 1, step: 1.0e-9}", "a range of more than 100,000 values"),
    ("depth: [1]", "depth: {low: 1, high: 100000000000}", "a range of more than 100,000 values"),
    ("kernel: [3]", "kernel: [4]", "kernel is 3, 5 or 7, not 4"),
    ("strides: [2, 1]", "strides: [2, 1]\n  resolution: 7", "resolution is 8 to 224 pixels, not 7"),
    ("strides: [2, 1]", "strides: [2, 1]\n  resolution: 300", "resolution is 8 to 224 pixels, not 300"),
    ("strides: [2, 1]", "strides: [2, 1]\n  router: {kind: []}", "router.kind: an empty list"),
    ("channels: [8, 12]", "channels: [8, 100000000000]", "4 to 8192 channels"),
    ("jetson_nano", "jetson_nan", r"hardware\.device: no device named 'jetson_nan'; did you mean 'jetson_nano'"),
    ("jetson_nano", "[jetson_nano, jetson_nano]", "the device jetson_nano stands twice"),
    ("jetson_nano", "jetson_nano\n  meter: rappl", "hardware.meter: no meter named 'rappl'; did you mean 'rapl'"),
    ("[accuracy, latency_ms]", "[acuracy]", r"objectives\[0\]: no metric 'acuracy'; did you mean 'accuracy'\?"),
    ("[accuracy, latency_ms]", "[]", "objectives: expected at least 1 item"),
    ("latency_ms]", "latency_ms]\nsampler: nsga", "no sampler named 'nsga'; did you mean"),
    (
        "latency_ms]",
        "latency_ms]\nconstraints: [{metric: macs, min: 5, max: 1}]",
        r"constraints\[0\]: nothing satisfies macs of at least 5\.0 and at most 1\.0",
    ),
    ("study:\n", "study: &a\n  x: *a\n", "nested .*deep.*, or an alias that contains itself"),
]


@pytest.mark.parametrize(("old", "new", "pattern"), EDITS, ids=[new[:40] for _, new, _ in EDITS])
def test_a_mistake_in_the_file(nasopt: Nasopt, here: Path, old: str, new: str, pattern: str) -> None:
    assert old in TINY
    (here / "tiny.yaml").write_text(TINY.replace(old, new, 1))
    one_line(nasopt, 2, pattern, "run", "tiny.yaml")
    assert not (here / "tiny.db").exists()


@pytest.mark.parametrize(
    ("written", "pattern"),
    [
        (b"- a\n- b\n", "expected sections such as 'study:' and 'space:', found a list"),
        (b"hello", "found text"),
        (b"\x00\xff\xfePNG", "expected YAML in UTF-8"),
        (b"study: {name: a\n", r"x\.yaml:2: not valid YAML"),
        (b"study: !!python/object:os.system x\n", r"x\.yaml:1: not valid YAML"),
        (b"[" * 5000, "nested too deeply"),
    ],
)
def test_a_file_that_is_no_study(nasopt: Nasopt, here: Path, written: bytes, pattern: str) -> None:
    (here / "x.yaml").write_bytes(written)
    one_line(nasopt, 2, pattern, "space", "x.yaml")


def test_files_that_are_not_there(nasopt: Nasopt, here: Path) -> None:
    (here / "empty.yaml").write_text("")
    assert [line.split(": ", 1)[1] for line in nasopt("space", "empty.yaml").mistakes] == [
        "study: missing; this key is required",
        "objectives: missing; this key is required",
    ]
    one_line(nasopt, 2, r"no file none\.yaml; .*nasopt init none\.yaml", "run", "none.yaml")
    one_line(nasopt, 2, "Is a directory", "space", str(here))
    one_line(nasopt, 2, "Not a directory", "space", "tiny.yaml/x.yaml")
    one_line(nasopt, 2, "cannot write", "init", "tiny.yaml/x.yaml")


@pytest.mark.parametrize(
    ("assignment", "pattern"),
    [
        ("study.trials=0", r"^--set study\.trials=0: study\.trials: expected at least 1"),
        ("study.trails=3", r"^--set study\.trails=3: study\.trails: unknown key"),
        ("data.validation=2", "expected a number less than 1"),
        ("x", r"expected section\.key=value"),
        ("study.name.x=1", "study.name is text, not a section"),
        ("space.channels=[", "the value is not valid YAML"),
    ],
)
def test_an_assignment_is_named_itself(nasopt: Nasopt, here: Path, assignment: str, pattern: str) -> None:
    one_line(nasopt, 2, pattern, "run", "tiny.yaml", "--set", assignment)


@pytest.mark.parametrize(
    ("sampler", "pattern"),
    [
        ("{name: tpe, options: {n_startup: 3}}", "tpe has no option 'n_startup'; it takes .*n_startup_trials"),
        (
            "{name: tpe, options: {n_startup_trials: x}}",
            "expects a whole number of 0 or more, not 'x'",
        ),
        ("{name: gp, options: {n_startup_trials: -1}}", "expects a whole number of 0 or more, not -1"),
        ("{name: gp, options: {independent_sampler: tpe}}", "has no option 'independent_sampler'"),
        ("{name: nsga2, options: {population_size: 1}}", "refuses its options"),
        ("{name: nsga2, options: {seed: 1}}", "set by nasopt itself"),
    ],
)
def test_options_of_a_sampler(nasopt: Nasopt, here: Path, sampler: str, pattern: str) -> None:
    (here / "tiny.yaml").write_text(f"{TINY}sampler: {sampler}\n")
    one_line(nasopt, 2, pattern, "run", "tiny.yaml")
    assert not (here / "tiny.db").exists()


@pytest.mark.parametrize(
    ("url", "code", "pattern"),
    [
        ("postgresql://me:s3cret@127.0.0.1:1/db", 1, r"postgresql://me:\*\*\*@127.0.0.1:1/db .*refused"),
        ("mysql://me:s3cret@127.0.0.1:1/db", 1, r"mysql://me:\*\*\*@127.0.0.1:1/db failed: .*connect"),
        ("postgresql://me:${NO_SUCH_VARIABLE}@h/db", 2, r"\$\{NO_SUCH_VARIABLE\}, which is not set"),
        ("oracle://me:s3cret@127.0.0.1:1/db", 1, r"no driver for oracle://me:\*\*\*@"),
        ("nonsense", 2, "'nonsense' is no database URL .*expected one such as sqlite:///study.db"),
        ("redis://x", 2, "'redis://x' is no database URL"),
        ("sqlite://", 2, "would keep nothing; name a file"),
        ("sqlite:///:memory:", 2, "would keep nothing; name a file"),
        ("sqlite:////nope/x.db", 1, "the folder /nope does not exist"),
        ("sqlite:///tiny.yaml", 1, "tiny.yaml failed: file is not a database"),
        ("sqlite:///tiny.yaml/x.db", 1, "the folder .*tiny.yaml does not exist"),
    ],
)
def test_a_database_out_of_reach(nasopt: Nasopt, here: Path, url: str, code: int, pattern: str) -> None:
    pytest.importorskip("psycopg" if url.startswith("postgresql") else "pymysql" if "mysql" in url else "sqlalchemy")
    one_line(nasopt, code, pattern, "run", "tiny.yaml", "--storage", url)
    assert "s3cret" not in nasopt("status", "tiny", "--storage", url).err
    assert (here / "tiny.yaml").read_text() == TINY


def test_a_damaged_database(nasopt: Nasopt, study: Path) -> None:
    with (study / "tiny.db").open("r+b") as file:
        file.seek(5000)
        file.write(b"\x5a" * 60_000)
    for command in (["run", "tiny.yaml"], ["status"], ["report", "tiny.yaml"]):
        one_line(nasopt, 1, r"tiny\.db failed: .*(malformed|disk image)", *command)


def test_status_leaves_other_programs_databases_alone(nasopt: Nasopt, here: Path) -> None:
    one_line(nasopt, 2, r"no \*\.db file .*holds studies", "status")
    with closing(sqlite3.connect("app.db")) as connection:
        connection.execute("CREATE TABLE customers (name TEXT)")
        connection.commit()
    (here / "text.db").write_text("hello")
    before = (here / "app.db").read_bytes()
    one_line(nasopt, 2, r"no \*\.db file .*holds studies", "status")
    assert (here / "app.db").read_bytes() == before
    assert sorted(p.name for p in here.iterdir()) == ["app.db", "text.db", "tiny.yaml"]
    one_line(nasopt, 1, "no database at .*none.db; run a study first", "status", "--storage", "sqlite:///none.db")
    one_line(nasopt, 2, "--storage", "status", "tiny")


def test_places_that_cannot_be_written(nasopt: Nasopt, study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one_line(nasopt, 2, "cannot write the report to tiny.yaml", "report", "tiny.yaml", "--to", "tiny.yaml")
    one_line(nasopt, 1, "cannot write to tiny.yaml", "export", "tiny.yaml", "--trial", 0, "--to", "tiny.yaml")
    with monkeypatch.context() as patch:
        patch.setenv("NASOPT_CACHE", str(study / "tiny.yaml"))
        one_line(nasopt, 1, "set NASOPT_CACHE to another folder", "run", "tiny.yaml", "--trials", 5, "-q")
    new = ("--storage", "sqlite:///new.db", "--set", "study.artifacts=tiny.yaml/a")
    one_line(nasopt, 1, "set study.artifacts", "run", "tiny.yaml", *new, "-q")
    shutil.rmtree("new.db.nasopt", ignore_errors=True)
    assert nasopt("run", "tiny.yaml", "--trials", 5, "-q").code == 0


def test_a_full_disk_keeps_the_trial_for_the_next_run(
    nasopt: Nasopt, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ("run", "tiny.yaml", "--storage", "sqlite:///full.db", "-q")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("nasopt.study.trials.upload_artifact", full)
        one_line(nasopt, 1, "cannot store the files of trial 0 in .*No space left.*free some space", *run)
    assert nasopt(*run).code == 0
    assert json.loads(nasopt("status", "tiny", "--storage", "sqlite:///full.db", "--json").out)[0]["ended"] == {
        "completed": 4
    }


def test_trials_that_are_not_there(nasopt: Nasopt, study: Path) -> None:
    one_line(nasopt, 2, "no finished trial 77; finished: 0, 1, 2, 3", "export", "tiny.yaml", "--trial", 77, "--to", "x")
    where = ("--storage", "sqlite:///tiny.db")
    one_line(nasopt, 2, "no study 'nope'.*it holds tiny", "report", "nope", *where)
    one_line(nasopt, 2, "no study 'nope'.*it holds tiny", "compare", "tiny", "nope", *where)
    one_line(nasopt, 2, "no study 'nope'.*it holds tiny", "dashboard", "nope", *where)


def test_lost_or_damaged_artifacts(nasopt: Nasopt, here: Path) -> None:
    assert nasopt("run", "tiny.yaml", "-q").code == 0
    for file in (here / "tiny.db.nasopt/artifacts").iterdir():
        file.write_bytes(b"garbage")
    one_line(nasopt, 1, "cannot restore a network from", "export", "tiny.yaml", "--trial", 0, "--to", "x")
    shutil.rmtree(here / "tiny.db.nasopt")
    one_line(nasopt, 1, "pair.safetensors of trial 0 is not in", "export", "tiny.yaml", "--trial", 0, "--to", "x")
    said = nasopt("report", "tiny.yaml")
    assert said.code == 0
    assert "the report lacks scores on the test split" in said.mistakes[0]
    assert (here / "report-tiny/report.html").exists()
    assert nasopt("run", "tiny.yaml", "--trials", 5, "-q").code == 0
    assert nasopt("export", "tiny.yaml", "--trial", 4, "--to", "x").code == 0


def test_a_study_moves_with_its_artifacts(nasopt: Nasopt, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert nasopt("run", "tiny.yaml", "-q", "--trials", 1).code == 0
    gc.collect()  # closes the database, as the end of a process does
    (here / "moved").mkdir()
    for name in ("tiny.yaml", "tiny.db", "tiny.db.nasopt"):
        shutil.move(name, f"moved/{name}")
    monkeypatch.chdir(here / "moved")
    assert nasopt("export", "tiny.yaml", "--trial", 0, "--to", "x").code == 0


def test_a_damaged_cache_is_made_anew(
    nasopt: Nasopt, here: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NASOPT_CACHE", str(here / "cache"))
    first = json.loads(nasopt("run", "tiny.yaml", "-q", "--json").out)
    for kind, damage in (
        ("supernet", b"garbage"),
        ("pairs", b"hi"),
        ("measurements", b'{"latency": 3'),
        ("classes", b""),
    ):
        files = [file for file in (here / "cache" / kind).iterdir() if file.suffix != ".lock"]
        assert files
        for file in files:
            file.write_bytes(damage)
    said = nasopt("run", "tiny.yaml", "-q", "--storage", "sqlite:///again.db", "--json")
    assert said.code == 0, said.err
    assert "damaged checkpoint" in caplog.text
    again = json.loads(said.out)
    assert [t["values"] for t in again["front"]] == [t["values"] for t in first["front"]]


def test_losses_that_are_not_finite(nasopt: Nasopt, here: Path) -> None:
    wild = ("--set", "training.supernet.learning_rate=1e9", "--set", "training.supernet.clip_norm=1e30")
    one_line(nasopt, 1, "supernet training diverged in epoch 1.*learning_rate", "run", "tiny.yaml", "-q", *wild)
    wild = ("--set", "training.cotrain.epochs=1", "--set", "training.cotrain.learning_rate=1e30")
    where = ("--storage", "sqlite:///wild.db")
    one_line(nasopt, 1, "4 trials in a row failed, .*co-training diverged", "run", "tiny.yaml", "-q", *where, *wild)
    state = json.loads(nasopt("status", "tiny", *where, "--json").out)[0]
    assert state["ended"] == {"diverged": 4}
    assert state["front"] == []
    assert nasopt("report", "tiny", *where).code == 0


def test_constraints_that_nothing_satisfies(nasopt: Nasopt, here: Path) -> None:
    (here / "tiny.yaml").write_text(f"{TINY}constraints: [{{metric: params, max: 1}}]\n")
    one_line(nasopt, 1, "params<=1 refused 80 of them: relax it", "run", "tiny.yaml", "-q")
    one_line(nasopt, 2, "no finished trial 0; finished: none", "export", "tiny.yaml", "--trial", 0, "--to", "x")
    assert "no finished feasible trial" in nasopt("report", "tiny.yaml").out
    assert json.loads(nasopt("status", "--json").out)[0]["ended"] == {"infeasible": 80}


@pytest.mark.parametrize("name", ["../../up/x", "a b/c", "<script>alert(1)</script>", "研究😀" * 50, "[bold]x[/bold]"])
def test_odd_names_stay_names(nasopt: Nasopt, here: Path, name: str) -> None:
    work = here / "work"
    work.mkdir()
    (work / "s.yaml").write_text(TINY.replace("name: tiny", f"name: {json.dumps(name, ensure_ascii=False)}"))
    url = f"sqlite:///{work}/s.db"
    assert nasopt("run", work / "s.yaml", "-q", "--trials", 1, "--storage", url).code == 0
    assert nasopt("report", name, "--storage", url).code == 0
    reports = list(here.glob("report-*/report.html"))
    assert len(reports) == 1
    assert "<script>alert" not in reports[0].read_text()
    assert json.loads(nasopt("status", name, "--storage", url, "--json").out)[0]["study"] == name


def png(seed: int) -> bytes:
    out = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 255, (12, 12, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def classes(root: Path, *names: str) -> None:
    for name in names:
        (root / name).mkdir(parents=True)
        for number in range(12):
            (root / name / f"{number}.png").write_bytes(png(number))


def test_image_folders(nasopt: Nasopt, here: Path) -> None:
    def refused(pattern: str, root: str = "images") -> None:
        data = ("--set", "data.name=imagefolder", "--set", f"data.root={root}")
        one_line(nasopt, 1, pattern, "run", "tiny.yaml", "-q", *data)
        assert not (here / "tiny.db").exists()

    refused("no folder images: set data.root")
    (here / "images").mkdir()
    refused("one folder of images a class")
    classes(here / "images", "a")
    refused(r"expected images of two classes or more, found one \(a\)")
    classes(here / "images", "b")
    broken = here / "images/b/3.png"
    broken.write_bytes(png(3)[:200])
    refused("cannot decode the image images/b/3.png: .*truncated; remove or replace it")
    broken.write_bytes(b"hello")
    refused("cannot decode the image images/b/3.png: not an image; remove or replace it")
    broken.unlink()
    refused("no folder tiny.yaml", root="tiny.yaml")
    broken.symlink_to("/nowhere")
    said = nasopt(
        "run", "tiny.yaml", "-q", "--trials", 1, "--set", "data.name=imagefolder", "--set", "data.root=images"
    )
    assert said.code == 0
    assert "left out: 1 broken links" in said.out


COLUMNS: list[tuple[dict[str, list[object]], str]] = [
    ({"pixels": [1, 2] * 2, "label": [0, 1] * 2}, "expected a column img or image .*found pixels, label"),
    ({"image": ["x"] * 4, "label": [0, 1] * 2}, "column image holds string, expected encoded images"),
    ({"image": [b"x"] * 4, "label": ["cat", "dog"] * 2}, "cannot hold out 0.2 of 4 images in 2 classes"),
    ({"image": [b"x"] * 4, "label": [0.5, 1] * 2}, "column label must hold whole numbers or names.*found 0.5 in row 0"),
    ({"image": [b"x"] * 4, "label": [None, 1, 0, 1]}, "1 training images have no label, the first in row 0"),
    ({"image": [b"x"] * 4, "label": [-1, 1, 0, 1]}, "1 training images have no label, the first in row 0"),
    ({"image": [b"x"] * 4, "label": [0] * 4}, "expected images of two classes or more"),
    ({"image": [b"x"] * 40, "label": [0, 1] * 20}, r"cannot decode the image .*train\.parquet, row \d+: not an image"),
]


@pytest.mark.parametrize(("columns", "pattern"), COLUMNS, ids=[pattern[:30] for _, pattern in COLUMNS])
def test_parquet_files(nasopt: Nasopt, here: Path, columns: dict[str, list[object]], pattern: str) -> None:
    pq.write_table(pa.table(columns), here / "train.parquet")
    data = ("--set", "data.name=parquet", "--set", "data.root=.")
    one_line(nasopt, 1, pattern, "run", "tiny.yaml", "-q", *data)
    (here / "train.parquet").write_bytes(b"PAR1 no")
    one_line(nasopt, 1, r"train\.parquet cannot be read as parquet.*replace the file", "run", "tiny.yaml", "-q", *data)


def test_a_parquet_test_split_with_other_classes(nasopt: Nasopt, here: Path) -> None:
    for name, count in (("train", 2), ("test", 5)):
        table = {"image": [png(i) for i in range(20)], "label": [i % count for i in range(20)]}
        pq.write_table(pa.table(table), here / f"{name}.parquet")
    data = ("--set", "data.name=parquet", "--set", "data.root=.")
    one_line(
        nasopt,
        1,
        r"test.parquet: the classes 2, 3, 4 are none of the training split's \(0, 1\)",
        "run",
        "tiny.yaml",
        *data,
    )


def test_data_that_is_not_there(nasopt: Nasopt, here: Path) -> None:
    data = ("--set", "data.name=cifar10", "--set", "data.root=nowhere", "--set", "data.download=false")
    one_line(nasopt, 1, "cifar10 is not in nowhere.*data.otherwise", "run", "tiny.yaml", *data)
    said = nasopt("run", "tiny.yaml", *data, "--set", "data.otherwise=digits", "--trials", 1, "-q")
    assert said.code == 0
    assert "tiny@digits" in said.out


def test_models_that_cannot_be_measured(nasopt: Nasopt, here: Path) -> None:
    def model(name: str, operator: str, shape: list[object]) -> None:
        values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n in "xy"]
        graph = helper.make_graph([helper.make_node(operator, ["x"], ["y"])], "g", values[:1], values[1:])
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), here / name)

    model("dynamic.onnx", "Relu", [3, "n"])
    model("huge.onnx", "Relu", [1_000_000_000, 4])
    model("unknown.onnx", "Frobnicate", [1, 3])
    (here / "empty.onnx").write_bytes(b"")
    for name, pattern in (
        ("none.onnx", "none.onnx: No such file"),
        ("tiny.yaml", "tiny.yaml is not an ONNX model"),
        ("empty.onnx", "empty.onnx is not an ONNX model"),
        ("dynamic.onnx", "input 'x' has a dynamic shape 3xn .*--shape x=3x1"),
        ("huge.onnx", "takes 16,000 MB; at most 1,024 MB are allowed .*--largest-mb"),
        ("unknown.onnx", "does not take unknown.onnx.*Frobnicate"),
    ):
        one_line(nasopt, 1, pattern, "measure", name)
    one_line(nasopt, 2, "no device named 'nope'; known: ", "measure", "dynamic.onnx", "--device", "nope")
    for option, pattern in (
        (("--shape", "x=3x"), "--shape x=3x: expected NAME=SIZExSIZE"),
        (("--shape", "z=3x4"), "has no input 'z'; it has 'x', and open sizes called 'n'"),
        (("--shape", "x=4x4"), "input 'x' is 3xn, which 4x4 does not fit"),
        (("--input", "x=much"), "--input x=much: expected NAME=NUMBER"),
        (("--input", "x=1"), "only inputs of a single number are given a value"),
    ):
        one_line(nasopt, 2, pattern, "measure", "dynamic.onnx", "--device", "jetson_nano", *option)
    said = nasopt("measure", "dynamic.onnx", "--device", "jetson_nano", "--shape", "n=5", "--json")
    assert said.code == 0


def test_a_device_profile_with_a_mistake(nasopt: Nasopt, here: Path) -> None:
    from nasopt.spec.shipped import folder

    profile = (folder("hardware") / "jetson_nano.yaml").read_text()
    (here / "board.yaml").write_text(profile.replace("\nprecision:", "\nprecison:", 1))
    device = ("run", "tiny.yaml", "--set", "hardware.device=board.yaml")
    one_line(nasopt, 2, r"board\.yaml:\d+: precison: unknown key; did you mean 'precision'\?", *device)
    (here / "board.yaml").write_text(profile.replace("backend: predicted", "backend: abacus", 1))
    one_line(nasopt, 2, r"board\.yaml:\d+: no backend named 'abacus'; installed: .*predicted", *device)
    (here / "board.yaml").unlink()
    one_line(nasopt, 2, r"no device profile board\.yaml; known by name: ", *device)
