"""What the guides say, held against the product: keys, defaults, study files, commands, and the plug-in examples."""

from __future__ import annotations

import inspect
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
import yaml
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from nasopt import plugins
from nasopt.cli import app
from nasopt.hardware import DeviceProfile, load_profile
from nasopt.hardware.devices.profiles import profiles
from nasopt.records import TimingProtocol
from nasopt.records.metrics import METRICS
from nasopt.spec import shipped
from nasopt.spec.contest import ContestSection, ContestSpec, file_schema, load_file
from nasopt.spec.study import StudySpec

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "benchmarks").glob("*.md"))]
STUDIES = ROOT / "docs" / "studies.md"
EXTENDING = ROOT / "docs" / "extending.md"


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.M | re.S)


def rows(page: Path) -> Iterator[list[str]]:
    for line in page.read_text().splitlines():
        if line.startswith("| `"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every key of a study file, dotted, with its default; PydanticUndefined where it is required."""
    for name, field in model.model_fields.items():
        default = field.get_default(call_default_factory=True)
        key = f"{prefix}{field.alias or name}"
        inner = field.annotation
        branches = [b for b in get_args(inner) if isinstance(b, type) and issubclass(b, BaseModel)]
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from keys(inner, f"{key}.")
        elif len(branches) > 1:  # a section whose keys depend on its kind
            yield from keys(branches[0], f"{key}.")
            for branch in branches[1:]:
                yield from ((k, d) for k, d in keys(branch, f"{key}.") if k != f"{key}.kind")
        elif not (key in ("objectives", "constraints") and not prefix):
            yield key, default


def plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return {k: v for k, v in value.model_dump().items() if v not in (None, False)}
    return value


def test_every_key_is_listed_with_its_default() -> None:
    listed: dict[str, str] = {}
    for row in rows(STUDIES):
        for key in re.findall(r"`([a-z_.]+)`", row[0]):
            listed.setdefault(key, row[2] if len(row) > 2 else "")
    protocol = TimingProtocol()
    for key, default in (*keys(StudySpec), *keys(ContestSection, "contest.")):
        assert key in listed, f"{key} is not in docs/studies.md"
        if default is PydanticUndefined:
            assert listed[key] == "required", key
            continue
        if key.startswith("hardware.protocol."):
            default = getattr(protocol, key.rpartition(".")[2])
        assert yaml.safe_load(listed[key].strip("`")) == plain(default), key


def test_no_key_is_listed_that_does_not_exist() -> None:
    known = {key for key, _ in (*keys(StudySpec), *keys(ContestSection, "contest."))}
    sections = tuple(f"{name}." for name in ContestSpec.model_fields)
    listed = {key for row in rows(STUDIES) for key in re.findall(r"`([a-z_.]+)`", row[0])}
    assert {key for key in listed if key.startswith(sections)} <= known


def test_every_metric_is_listed_with_its_unit_and_direction() -> None:
    listed = {row[0].strip("`"): row for row in rows(STUDIES) if len(row) == 5}
    assert set(listed) == set(METRICS)
    for name, metric in METRICS.items():
        assert listed[name][2] == metric.direction
        if metric.unit:
            assert listed[name][1] == metric.unit


def test_the_schema_has_no_key_that_the_guide_leaves_out() -> None:
    schema = file_schema()
    words = set(re.findall(r"[a-z_0-9]+", STUDIES.read_text()))
    for model in schema["$defs"].values():
        assert set(model["properties"]) <= words


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_full_study_files_in_a_page_are_valid(page: Path, tmp_path: Path) -> None:
    for text in blocks(page, "yaml"):
        if "objectives:" in text:
            file = tmp_path / "study.yaml"
            file.write_text(text)
            load_file(file)


@pytest.mark.parametrize("name", shipped.listed("studies"))
def test_shipped_studies_are_valid_and_find_their_devices(name: str) -> None:
    from nasopt.hardware import load_profile

    spec = load_file(shipped.folder("studies") / f"{name}.yaml")
    for device in spec.hardware.device:
        load_profile(device)


def command_lines(page: Path) -> Iterator[str]:
    text = page.read_text()
    fenced = [line for block in re.findall(r"^```(?:\w*)\n(.*?)^```", text, re.M | re.S) for line in block.splitlines()]
    inline = re.findall(r"`(nasopt [a-z][^`\n]*)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))
    for line in [*fenced, *inline]:
        for part in line.partition("   #")[0].split("&&"):
            if re.match(r"nasopt [a-z]", part.strip()):
                yield part.strip()


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_commands_exist_with_their_options(page: Path) -> None:
    group: Any = typer.main.get_command(app)
    for line in command_lines(page):
        name, *arguments = shlex.split(line, comments=True)[1:]
        assert name in group.commands, line
        command = group.commands[name]
        if not arguments and any(p.required for p in command.params):
            continue  # a mention of the command
        if arguments == ["--trial", "..."]:
            continue
        values = ["1" if a in ("N", "...") else a for a in arguments]
        command.make_context(name, list(values), resilient_parsing=False)


def test_pages_link_to_what_is_there() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of docs/extending.md, laid out as pip would install it."""
    root = tmp_path_factory.mktemp("site")
    text = EXTENDING.read_text()
    for name, content in re.findall(r"`(my_nasopt/\w+\.py)`:\n\n```python\n(.*?)^```", text, re.M | re.S):
        file = root / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(content)
    (root / "my_nasopt" / "__init__.py").touch()
    project = tomllib.loads(blocks(EXTENDING, "toml")[0])["project"]
    info = root / "my_nasopt-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    lines = [
        f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in e.items()) for group, e in project["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(lines))
    script, suites = blocks(EXTENDING, "python")[-2:]
    (root / "search.py").write_text(script)
    (root / "test_plugins.py").write_text(suites)
    (root / "plain.yaml").write_text(blocks(EXTENDING, "yaml")[0])
    return root


def test_the_guide_to_devices_is_true(tmp_path: Path) -> None:
    page = ROOT / "docs" / "devices.md"
    listed = {row[0].strip("`"): row for row in rows(page) if len(row) == 4}
    assert set(listed) == set(profiles())
    for name, row in listed.items():
        profile = load_profile(name)
        computed = "estimated" if profile.calibration is None else "[predicted]"
        assert row[1].startswith(computed if profile.backend.name == "predicted" else "measured")
        assert profile.meter.name == "none" or f"`{profile.meter.name}`" in row[2]
        assert row[3] == ("yes" if profile.verified else "never verified on hardware")
    examples = [text for text in blocks(page, "yaml") if text.startswith("name: ")]
    for number, text in enumerate(examples):
        (tmp_path / f"{number}.yaml").write_text(text)
    written = {p.name: p for p in (load_profile(tmp_path / f"{n}.yaml") for n in range(len(examples)))}
    assert written["bench_board"].meter.options["watts"] == "power_w"
    assert written["bench_pi"].backend.name == "ssh"
    keys_listed = {k for row in rows(page) if len(row) == 2 for k in re.findall(r"`(\w+)`", row[0])}
    assert set(DeviceProfile.model_fields) <= keys_listed
    for meter in ("rapl", "nvml", "ina3221", "pi5-pmic", "iio", "trace-file"):
        (row,) = (row for row in rows(page) if row[0] == f"`{meter}`")
        named = set(re.findall(r"`(\w+)`", row[1]))
        taken = set(inspect.signature(plugins.load("meters", meter)).parameters)
        assert taken <= named <= taken | {"rails", "fit"}, meter  # values of pi5-pmic's total


def python(folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(folder), "WATTMETER_W": "35"}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_examples_pass_their_suites(plugin: Path) -> None:
    printed = python(plugin, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "ignore", "test_plugins.py")
    assert int(re.findall(r"(\d+) passed", printed)[-1]) > 40


def test_the_example_problem_runs(plugin: Path) -> None:
    printed = python(plugin, "search.py")
    best = max(float(v) for v in re.findall(r"\(([\d.]+), ", printed.replace("[", "(")))
    assert best > 0.8


def test_the_example_sampler_backend_and_meter_serve_a_study(plugin: Path) -> None:
    content = {
        "study": {"name": "plugged", "storage": "sqlite:///plugged.db", "trials": 2},
        "data": {"name": "digits", "train_images": 200},
        "space": {
            "channels": [8, 12],
            "strides": [2, 1],
            "little": {"width": 0.25, "depth": 1},
            "big": {"depth": [1, 2]},
        },
        "training": {"supernet": {"epochs": 1}, "cotrain": {"epochs": 0}, "device": "cpu", "threads": 1},
        "hardware": {
            "device": ["local", "plain.yaml"],
            "meter": "wattmeter",
            "protocol": {
                "warmup_s": 0.0,
                "min_runs": 20,
                "min_s": 0.02,
                "max_s": 0.3,
                "blocks": 4,
                "tight_enough": 1.0,
            },
        },
        "objectives": ["accuracy", "latency_ms@plain", "energy_mj@local"],
        "sampler": {"name": "mutation", "options": {"start": 1, "changes": 3}},
    }
    (plugin / "study.yaml").write_text(yaml.safe_dump(content))
    result = json.loads(python(plugin, "-m", "nasopt.cli", "run", "study.yaml", "--json"))
    assert result["ended"]["completed"] == 2
    assert [(d["name"], d["provenance"]) for d in result["devices"]] == [("local", "measured"), ("plain", "measured")]
    outcome = result["front"][0]["outcome"]
    energy, latency = outcome["costs"]["energy_mj@local"], outcome["costs"]["latency_ms@local"]
    assert energy["provenance"] == "estimated"
    assert energy["value"] == pytest.approx(35 * latency["value"], rel=1e-6)
    assert outcome["details"]["devices"]["plain"]["backend"] == "plain-loop"


def test_the_example_installs_beside_other_folders(plugin: Path, tmp_path: Path) -> None:
    """By pip, as the page says, in a folder that also has profiles and studies."""
    pytest.importorskip("setuptools")
    for folder in ("boards", "studies"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.yaml").touch()
    (tmp_path / "pyproject.toml").write_text(blocks(EXTENDING, "toml")[0])
    shutil.copytree(plugin / "my_nasopt", tmp_path / "my_nasopt")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [*command, "--target", "site", "."], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in (tmp_path / "site").iterdir() if p.suffix != ".dist-info") == ["my_nasopt"]
    listed = "from nasopt import plugins; print(*plugins.names('samplers'), *plugins.names('meters'))"
    assert {"mutation", "wattmeter"} <= set(python(tmp_path / "site", "-c", listed).split())
