from __future__ import annotations

from pathlib import Path

import pytest

from nasopt.errors import SpecError, UnknownPluginError, UsageError
from nasopt.hardware import backend_for, load_profile, profiles

VALID = """
name: bench
description: a test bench
processor: something
backend: predicted
power: {idle_w: 1, active_w: 5}
datasheet:
  peak_gflops: {fp32: 10}
  bandwidth_gb_s: 4
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "bench.yaml"
    path.write_text(text.strip() + "\n")
    return path


def test_every_shipped_profile_is_valid_and_named_as_its_file() -> None:
    assert {"local", "jetson_nano"} <= set(profiles())
    for name in profiles():
        profile = load_profile(name)
        assert profile.name == name
        if profile.backend == "predicted":
            assert profile.sources, f"{name} must name the sources of its figures"
            assert profile.how_to_measure
            backend_for(profile)


def test_a_profile_by_path(tmp_path: Path) -> None:
    profile = load_profile(write(tmp_path, VALID))
    assert profile.name == "bench"
    assert load_profile(str(tmp_path / "bench.yaml")) == profile
    assert not profile.verified


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("bandwidth_gb_s: 4", "bandwith_gb_s: 4", r"bench\.yaml:8: .*bandwith_gb_s"),
        ("bandwidth_gb_s: 4", "bandwidth_gb_s: -4", r"bench\.yaml:8: datasheet\.bandwidth_gb_s"),
        ("fp32: 10", "fp32: 0", r"above 0 Gflop/s"),
        ("fp32: 10", "fp33: 10", r"fp33"),
        ("fp32: 10", "fp16: 10", r"precision 'fp32' has no peak .*\(fp16\)"),
        ("active_w: 5", "active_w: 0.5", r"active_w 0\.5 is below idle_w 1"),
        ("name: bench", "name: a/b", "expected letters, digits"),
        ("processor: something\n", "", "processor"),
        ("backend: predicted", "backend: predicted\nprotocol: {min_runs: 1}", r"protocol\.min_runs"),
    ],
)
def test_mistakes_name_file_and_line(old: str, new: str, message: str, tmp_path: Path) -> None:
    assert old in VALID
    with pytest.raises(SpecError, match=message):
        load_profile(write(tmp_path, VALID.replace(old, new)))


def test_predicted_needs_a_datasheet(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="backend 'predicted' needs a section 'datasheet'"):
        load_profile(write(tmp_path, VALID[: VALID.index("datasheet")]))


def test_unknown_names_list_what_exists(tmp_path: Path) -> None:
    for name in ("jetson_nona", "../hardware/local", "hardware/local", ""):
        with pytest.raises(UnknownPluginError, match=r"no device named .*jetson_nano.*local"):
            load_profile(name)
    with pytest.raises(SpecError, match=r"no device profile .*absent\.yaml; known by name"):
        load_profile(tmp_path / "absent.yaml")
    with pytest.raises(UnknownPluginError, match=r"bench\.yaml:4: no backend named 'abacus'; installed: .*onnxruntime"):
        load_profile(write(tmp_path, VALID.replace("predicted", "abacus")))
    with pytest.raises(UnknownPluginError, match=r"no meter named 'guess'; installed: auto, codecarbon"):
        load_profile(write(tmp_path, VALID + "meter: guess"))


def test_unsafe_yaml_is_not_executed(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        load_profile(write(tmp_path, VALID + f"meter: !!python/object/apply:os.mkdir ['{tmp_path}/made']"))
    assert not (tmp_path / "made").exists()
