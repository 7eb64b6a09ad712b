from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from nasopt.errors import SpecError, UnknownPluginError, UsageError
from nasopt.hardware import backend_for, load_profile, profile_with
from nasopt.hardware.devices.profiles import profiles
from nasopt.hardware.meters import meter_for
from nasopt.spec.device import Reach
from nasopt.spec.hardware import HardwareSpec, PluginSpec

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
        if profile.backend.name == "predicted":
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
        ("bandwidth_gb_s: 4", "bandwidth_gb_s: 25600", r"bench\.yaml:8: .*25600 is in GB/s, .* was it MB/s\?"),
        ("fp32: 10", "fp32: 0.472", r"bench\.yaml:7: .*0\.472 is in Gflop/s, .* was it Tflop/s\?"),
        ("active_w: 5", "active_w: 10000", r"bench\.yaml:5: power\.active_w: 10000 is in watts, .* milliwatts\?"),
        ("backend: predicted", "backend: predicted\nmemory_mb: 4", r"bench\.yaml:5: memory_mb: 4 is .* gigabytes\?"),
        (
            "backend: predicted",
            "backend: predicted\nmemory_gb: 4",
            r"bench\.yaml:5: memory_gb: .*did you mean 'memory_mb'",
        ),
        ("backend: predicted", "backend: predicted\npower_budget_w: 2", r"active_w 5.* is above power_budget_w 2"),
        ("backend: predicted", "backend: predicted\nreach: telnet", r"bench\.yaml:5: reach.*'local', 'ssh' or 'adb'"),
        (
            "backend: predicted",
            "backend: predicted\nreach: {way: adb, host: a}",
            r"host has no meaning where way is 'adb'",
        ),
        ("backend: predicted", "backend: onnxruntime\nreach: ssh", "runs on this machine, and reach is 'ssh'"),
        (
            "backend: predicted",
            "backend: predicted\nmeter: {name: ina3221, options: {rail: VDD_IN}}",
            r"bench\.yaml:5: meter ina3221 has no option 'rail'; did you mean 'rails'\?",
        ),
        (
            "backend: predicted",
            "backend: predicted\nmeter:\n  name: ina3221\n  options:\n    interval_s: soon",
            r"bench\.yaml:8: meter ina3221: option interval_s: expected a valid number.*, not 'soon'",
        ),
        (
            "backend: predicted",
            "backend: predicted\nmeter: {name: trace-file, options: {watts: P}}",
            r"bench\.yaml:5: meter trace-file needs the option 'path'",
        ),
        (
            "backend: predicted",
            "backend: {name: predicted, options: {speed: 2}}",
            r"bench\.yaml:4: backend predicted has no option 'speed'; it takes none",
        ),
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


def test_options_reach_the_meter_that_they_are_for(tmp_path: Path) -> None:
    rows = "meter.csv"
    (tmp_path / rows).write_text("t,P\n")
    text = VALID.replace("predicted", "onnxruntime")
    options = f"{{path: {tmp_path / rows}, time: t, watts: P, interval_s: 0.5}}"
    profile = load_profile(write(tmp_path, f"{text}meter: {{name: trace-file, options: {options}}}"))
    backend = backend_for(profile)
    assert backend.meter == "trace-file"
    assert backend.signature()["meter_details"]["power"] == "P in W"
    assert meter_for(profile.meter).update_s == 0.5
    assert profile.model_dump(mode="json")["meter"]["options"]["time"] == "t"
    assert backend_for(profile, meter="none").meter == "none"
    with pytest.raises(UsageError, match=r"meter ina3221 has no option 'rail'"):
        backend_for(profile, meter=PluginSpec(name="ina3221", options={"rail": "VDD_IN"}))
    with pytest.raises(UsageError, match="auto takes no options"):
        meter_for(PluginSpec(name="auto", options={"index": 1}))


def test_a_plugin_without_options_is_stored_as_its_name(tmp_path: Path) -> None:
    stored = load_profile(write(tmp_path, VALID + "meter: {name: rapl}")).model_dump(mode="json")
    assert (stored["backend"], stored["meter"]) == ("predicted", "rapl")


def test_what_a_profile_leaves_out_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASOPT_JETSON_NANO_HOST", "nano.example")
    monkeypatch.setenv("NASOPT_JETSON_NANO_USER", "me")
    reach = load_profile("jetson_nano").reach.resolved("jetson_nano")
    assert (reach.way, reach.host, reach.user, reach.key, reach.port) == ("ssh", "nano.example", "me", None, 22)
    named = Reach(way="ssh", host="other.example").resolved("jetson_nano")
    assert (named.host, named.user) == ("other.example", "me")
    assert Reach.model_validate("adb").resolved("jetson_nano") == Reach(way="adb")


def test_only_this_machine_was_ever_verified() -> None:
    verified = [name for name in profiles() if load_profile(name).verified]
    assert verified == ["local"]
    expected = {"coral_dev_board", "jetson_nano", "jetson_orin_nano", "local", "nvidia_gpu", "pixel"}
    assert set(profiles()) == expected | {"pixel_3", "raspberry_pi_4", "raspberry_pi_5"}


def test_unsafe_yaml_is_not_executed(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        load_profile(write(tmp_path, VALID + f"meter: !!python/object/apply:os.mkdir ['{tmp_path}/made']"))
    assert not (tmp_path / "made").exists()


def test_a_study_may_measure_where_a_profile_predicts() -> None:
    shipped = load_profile("raspberry_pi_5")
    assert profile_with(shipped, None) is shipped
    measured = profile_with(shipped, PluginSpec(name="ssh", options={"python": "python3.11"}))
    assert (measured.backend.name, measured.meter.name, measured.reach) == ("ssh", "pi5-pmic", shipped.reach)
    with pytest.raises(UsageError, match=r"hardware\.backend: backend 'onnxruntime' runs on this machine"):
        profile_with(shipped, PluginSpec(name="onnxruntime"))
    spec = HardwareSpec.model_validate({"device": "raspberry_pi_5", "backend": "ssh"})
    assert spec.backend == PluginSpec(name="ssh")
    with pytest.raises(ValidationError, match="telnet"):
        HardwareSpec.model_validate({"backend": "telnet"})
