from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nasopt.errors import MeasurementError
from nasopt.hardware import device_lock, fingerprint, load_profile

HOLDER = """
import sys, time
from nasopt.hardware import device_lock, load_profile
with device_lock(load_profile("local")):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def lock_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NASOPT_LOCKS", str(tmp_path / "locks"))
    return tmp_path / "locks"


def test_fingerprint_is_the_same_for_every_process() -> None:
    code = "import json; from nasopt.hardware import fingerprint; print(json.dumps(fingerprint()))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert json.loads(other) == fingerprint()
    assert fingerprint()["cores"] == os.cpu_count()
    assert {"cpu", "architecture", "system", "physical_cores"} <= set(fingerprint())
    fingerprint()["cpu"] = "changed"
    assert fingerprint()["cpu"] != "changed"


def test_one_measurement_at_a_time_across_processes_and_a_killed_holder_frees_it() -> None:
    local = load_profile("local")
    renamed = local.model_copy(update={"name": "same_machine"})
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        for profile in (local, renamed):
            refused = pytest.raises(MeasurementError, match="another process has been measuring")
            with refused, device_lock(profile, timeout_s=0.1):
                pass
        with device_lock(load_profile("jetson_nano"), timeout_s=0.1):
            pass  # a computed cost needs no device
        holder.kill()
        start = time.perf_counter()
        with device_lock(local, timeout_s=10):
            assert time.perf_counter() - start < 5


def test_the_lock_is_released_after_an_error(lock_folder: Path) -> None:
    local = load_profile("local")
    with pytest.raises(ValueError, match="inside"), device_lock(local):
        raise ValueError("inside")
    with device_lock(local, timeout_s=0.1):
        assert [p.name for p in lock_folder.iterdir()] == ["device-host.lock"]


def test_a_lock_folder_that_cannot_be_made_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NASOPT_LOCKS", str(tmp_path / "file" / "locks"))
    with pytest.raises(MeasurementError, match="set NASOPT_LOCKS"), device_lock(load_profile("local")):
        pass


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = ("torch", "onnx", "onnxruntime", "pandas", "codecarbon", "optuna")
    code = f"import sys, nasopt.hardware; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
