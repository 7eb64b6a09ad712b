from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from nasopt.hardware import check_device, device_lock, load_profile, works_now
from nasopt.hardware.devices.findings import Diagnosis, Finding
from nasopt.spec.device import DeviceProfile
from tests.hardware import sensors
from tests.hardware.sensors import Machine, write

PAPER = {"peak_gflops": {"fp32": 10.0}, "bandwidth_gb_s": 2.0}


def profile(**keys: object) -> DeviceProfile:
    content = {"name": "bench", "description": "", "processor": "", "backend": "predicted", "datasheet": PAPER}
    return DeviceProfile.model_validate(content | keys)


def findings(diagnosis: Diagnosis) -> dict[str, Finding]:
    return {finding.subject: finding for finding in diagnosis.findings}


@pytest.fixture(autouse=True)
def no_board_tools(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("NASOPT_LOCKS", str(tmp_path / "locks"))


@pytest.fixture
def listener() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_sensor_is_read_and_its_power_told(tmp_path: Path) -> None:
    machine = Machine()
    sensors.orin_nano(machine, tmp_path)
    options = {"root": str(tmp_path), "interval_s": 0.03}
    with machine.running():
        device = profile(backend="onnxruntime", meter={"name": "ina3221", "options": options})
        found = findings(check_device(device, tmp_path))
    assert found["sensor"].state == "ok"
    watts = float(found["sensor"].seen.removeprefix("ina3221: ").split(" W now")[0])
    assert 4 < watts < 12
    assert "VDD_IN" in found["sensor"].seen
    assert found["runtime"].state == "ok"


def test_an_unknown_rail_is_told_with_those_that_there_are(tmp_path: Path) -> None:
    sensors.orin_nano(Machine(), tmp_path)
    options = {"root": str(tmp_path), "rails": ["VDD_GPU"]}
    diagnosis = check_device(profile(meter={"name": "ina3221", "options": options}), tmp_path)
    assert not diagnosis.works
    found = findings(diagnosis)["sensor"]
    assert (found.state, found.seen) == ("failed", "no INA3221 rail 'VDD_GPU'")
    assert found.remedy.endswith("VDD_CPU_GPU_CV, VDD_IN, VDD_SOC")


def test_meters_without_a_sensor(tmp_path: Path) -> None:
    assert findings(check_device(profile(), tmp_path))["sensor"].state == "skipped"
    found = findings(check_device(profile(meter="codecarbon"), tmp_path))["sensor"]
    assert found.state == "warning"
    assert "estimated, from no sensor" in found.seen


@pytest.mark.parametrize(
    ("governors", "state"), [((), "skipped"), (("performance",) * 2, "ok"), (("performance", "schedutil"), "warning")]
)
def test_the_governor(governors: tuple[str, ...], state: str, tmp_path: Path) -> None:
    for i, name in enumerate(governors):
        write(tmp_path / f"sys/devices/system/cpu/cpufreq/policy{i}/scaling_governor", name)
    found = findings(check_device(profile(), tmp_path))["governor"]
    assert found.state == state
    assert ("cpupower frequency-set -g performance" in found.remedy) == (state == "warning")


def test_throttling_now_fails_and_in_the_past_does_not(tmp_path: Path) -> None:
    write(tmp_path / "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "4")
    found = findings(check_device(profile(), tmp_path))["throttling"]
    assert found.state == "ok"
    assert "since it was switched on: processor core temperature 4" in found.seen
    write(tmp_path / "sys/class/thermal/cooling_device0/type", "cpu-throttle-alert")
    write(tmp_path / "sys/class/thermal/cooling_device0/cur_state", "1")
    found = findings(check_device(profile(), tmp_path))["throttling"]
    assert (found.state, found.seen) == ("failed", "now: cpu-throttle-alert")
    assert "cool it" in found.remedy


def test_a_machine_that_is_measured_on_by_another_process(tmp_path: Path) -> None:
    device = profile(backend="onnxruntime")
    with device_lock(device):
        assert findings(check_device(device, tmp_path))["lease"].state == "warning"
    assert findings(check_device(device, tmp_path))["lease"].state == "ok"


def test_ssh_is_tried(tmp_path: Path) -> None:
    free = socket.create_server(("127.0.0.1", 0))
    port = free.getsockname()[1]
    free.close()
    key = str(tmp_path / "absent")
    diagnosis = check_device(profile(reach={"way": "ssh", "host": "127.0.0.1", "port": port, "key": key}))
    found = findings(diagnosis)
    assert not diagnosis.works
    assert found["reachability"].seen == f"no private key at {key}"
    found = findings(check_device(profile(reach={"way": "ssh", "host": "127.0.0.1", "port": port})))
    assert f"127.0.0.1 port {port} does not answer" in found["reachability"].seen
    assert found["measuring"].state == "skipped"
    assert "sensor" not in found  # this machine's sensors are not the board's
    assert "NASOPT_BENCH_HOST" in findings(check_device(profile(reach="ssh")))["reachability"].remedy


@pytest.mark.parametrize(
    ("listed", "serial", "state", "seen"),
    [
        ("P6\\tdevice\\n", None, "ok", "phone P6 answers"),
        ("", None, "failed", "no phone is attached"),
        ("P6\\tunauthorized\\n", None, "failed", "phone P6 is unauthorized"),
        ("P6\\tdevice\\nP7\\tdevice\\n", None, "failed", "several phones are attached: P6, P7"),
        ("P6\\tdevice\\nP7\\tdevice\\n", "P7", "ok", "phone P7 answers"),
        ("P6\\tdevice\\n", "P9", "failed", "no phone P9 is attached (attached: P6)"),
        ("P6\\toffline\\n", None, "failed", "phone P6 is offline"),
        ("P6\\tno permissions (verify udev rules)\\n", None, "failed", "phone P6: no permissions (verify udev rules)"),
    ],
)
def test_what_adb_lists(listed: str, serial: str | None, state: str, seen: str, tmp_path: Path) -> None:
    adb = write(tmp_path / "bin" / "adb", f"#!/bin/sh\nprintf 'List of devices attached\\n{listed}\\n'")
    adb.chmod(0o755)
    reach = {"way": "adb"} | ({"serial": serial} if serial else {})
    found = findings(check_device(profile(reach=reach)))["reachability"]
    assert (found.state, found.seen) == (state, seen)


def test_without_adb(tmp_path: Path) -> None:
    found = findings(check_device(profile(reach="adb")))["reachability"]
    assert (found.state, found.seen) == ("failed", "there is no command adb")


def test_what_works_now() -> None:
    assert works_now(load_profile("local")) == "measures"
    assert works_now(load_profile("raspberry_pi_5")) == "estimates"
    absent = profile(backend="onnxruntime", providers=["AbsentExecutionProvider"])
    assert works_now(absent).startswith("no: the device wants AbsentExecutionProvider")
    assert findings(check_device(absent))["runtime"].state == "failed"


def test_a_diagnosis_as_json() -> None:
    diagnosis = check_device(profile(reach="ssh"))
    content = diagnosis.to_json()
    assert (content["device"], content["works"]) == ("bench", True)
    assert {"subject", "state", "seen", "remedy"} == set(content["findings"][0])
    assert findings(diagnosis)["verification"].seen == "never verified on hardware"
