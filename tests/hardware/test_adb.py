"""The real adb client and server, a stand-in for the phone, and a stand-in for the benchmark binary.

No phone has ever run this. The stand-in of `onnxruntime_perf_test` times the graph with ONNX Runtime for Python and
writes its result file as the benchmark's source does: a row `model,seconds,peak bytes,share of the processor,run` for
each run.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from nasopt.errors import DeviceLostError, DeviceRefusedError, MeasurementError, NasoptError
from nasopt.graphs.describe import describe
from nasopt.hardware import Backend, backend_for
from nasopt.hardware.backends.adb.perf_test import _times_ns
from nasopt.hardware.backends.adb.phone import Phone
from nasopt.records import TimingProtocol
from nasopt.spec.device import DeviceProfile
from nasopt.testing import BackendSuite, graphs
from tests.hardware.adb_phone import AdbPhone

Make = Callable[..., Path]
pytestmark = [pytest.mark.timed, pytest.mark.skipif(shutil.which("adb") is None, reason="there is no adb here")]

QUICK = TimingProtocol(warmup_runs=3, warmup_s=0, min_runs=12, min_s=0.01, max_s=4.0, blocks=3, drift_limit=5.0)

FRONT = f"""#!{sys.executable} -IS
import socket, sys, os
with socket.socket(socket.AF_UNIX) as link:
    link.connect({{address!r}})
    link.sendall("\\0".join([os.getcwd(), *sys.argv[1:]]).encode())
    link.shutdown(socket.SHUT_WR)
    said = link.makefile().read()
print(said)
sys.exit(1 if said.startswith("error") else 0)
"""


class Benchmark:
    """Does the work of the stand-in binary, which would take a second to import ONNX Runtime in every process."""

    def __init__(self, folder: Path) -> None:
        address = str(folder / "s")
        self.binary = folder / "onnxruntime_perf_test"
        self.binary.write_text(FRONT.format(address=address))
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(address)
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                link, _ = self._listener.accept()
                with link, link.makefile("rb") as stream:
                    asked = stream.read().decode().split("\0")
                    link.sendall(self._answer(Path(asked[0]), asked[1:]).encode())

    @staticmethod
    def _answer(folder: Path, words: list[str]) -> str:
        value = {k: words[words.index(k) + 1] for k in ("-m", "-e", "-r", "-x", "-y")}
        if value["-m"] != "times" or value["-y"] != "1" or not {"-I", "-D"} <= set(words):
            return f"error: unexpected options {words}"
        if value["-e"] != "cpu":
            return "error: nodes are assigned to the default CPU EP, and fallback is disabled"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = int(value["-x"]), 4
        try:
            session = onnxruntime.InferenceSession(str(folder / words[-2]), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            return f"error: {error}"
        draw = np.random.default_rng(0)
        feed = {i.name: draw.random(i.shape, dtype=np.float32) for i in session.get_inputs()}
        session.run(None, feed)
        with (folder / words[-1]).open("a") as result:
            for run in range(int(value["-r"])):
                start = time.perf_counter()
                session.run(None, feed)
                result.write(f"model,{time.perf_counter() - start:g},50000000,99,{run}\n")
        return "Average inference time cost:1 ms, and other words"

    def close(self) -> None:
        self._listener.close()


@pytest.fixture(scope="module", autouse=True)
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An adb server on a port of its own, with keys of its own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANDROID_ADB_SERVER_PORT", str(port))
        patch.setenv("HOME", str(home))
        patch.setenv("ADB_MDNS", "0")
        yield
        adb("kill-server")


def adb(*words: str) -> str:
    done = subprocess.run(["adb", *words], capture_output=True, text=True, timeout=30, check=False)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def phone() -> Iterator[AdbPhone]:
    phone = AdbPhone()
    assert "connected to" in adb("connect", phone.address)
    yield phone
    adb("disconnect", phone.address)
    phone.close()


@pytest.fixture
def other() -> Iterator[AdbPhone]:
    """A phone that a test may break."""
    phone = AdbPhone()
    adb("connect", phone.address)
    yield phone
    adb("disconnect", phone.address)
    phone.close()


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    benchmark = Benchmark(tmp_path_factory.mktemp("b"))
    yield benchmark.binary
    benchmark.close()


def profile(phone: AdbPhone | None, binary: Path, where: Path, **options: Any) -> DeviceProfile:
    return DeviceProfile.model_validate(
        {
            "name": "stand_in",
            "description": "",
            "processor": "",
            "reach": {"way": "adb", "serial": phone.address} if phone else "adb",
            "backend": {"name": "adb", "options": {"benchmark": str(binary), "folder": str(where / "p"), **options}},
        }
    )


class TestConformance(BackendSuite):
    protocol = QUICK
    tolerance = 4.0  # each block is a process of its own, on a busy host

    @pytest.fixture(scope="class")
    def backend(self, phone: AdbPhone, binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Backend:
        return backend_for(profile(phone, binary, tmp_path_factory.mktemp("phone")))


def test_what_is_sent_runs_there(phone: AdbPhone, binary: Path, convolution: Make, tmp_path: Path) -> None:
    backend = backend_for(profile(phone, binary, tmp_path))
    phone.commands.clear()
    model = describe(convolution())
    taken = backend.measure(model, replace(QUICK, threads=2))
    assert (taken.backend, taken.provider) == ("adb", "cpu")
    assert taken.runtime.startswith("onnxruntime_perf_test ")
    assert taken.latency.runs >= 12
    assert taken.latency.reference_ratio is not None
    assert taken.memory_provenance == "estimated"
    runs = [c for c in phone.commands if "./perf_test-" in c]
    assert all("-I -m times -e cpu -x 2 -y 1 -D -r " in c for c in runs)
    assert len(list((tmp_path / "p").glob("*.onnx"))) == 2, "the graph and the reference, by their content"
    assert os.access(next((tmp_path / "p").glob("perf_test-*")), os.X_OK)
    again = backend_for(profile(phone, binary, tmp_path))
    before = {f: f.stat().st_mtime_ns for f in (tmp_path / "p").iterdir() if f.suffix == ".onnx"}
    again.measure(model, QUICK)
    assert {f: f.stat().st_mtime_ns for f in before} == before, "copied once"


def test_words_are_quoted(phone: AdbPhone, tmp_path: Path) -> None:
    words = Phone(phone.address).shell(["printf", "%s", "a b; touch " + str(tmp_path / "x") + " $(id) 'q'"])
    assert words == f"a b; touch {tmp_path / 'x'} $(id) 'q'"
    assert not (tmp_path / "x").exists()


class TestRefusals:
    def test_a_phone_that_does_not_trust_this_computer(self, binary: Path, tmp_path: Path, convolution: Make) -> None:
        stranger = AdbPhone(trusts=False)
        adb("connect", stranger.address)
        backend = backend_for(profile(stranger, binary, tmp_path))
        with pytest.raises(DeviceRefusedError, match=r"is unauthorized; unlock it and accept this computer's key"):
            backend.measure(describe(convolution()), QUICK)
        adb("disconnect", stranger.address)
        stranger.close()

    def test_no_phone_of_this_number(self, phone: AdbPhone, binary: Path, tmp_path: Path) -> None:
        wanted = profile(phone, binary, tmp_path)
        wanted = wanted.model_copy(update={"reach": wanted.reach.model_copy(update={"serial": "R58M1234"})})
        with pytest.raises(DeviceLostError, match=r"no phone R58M1234 is attached \(attached: 127.*\); connect it"):
            backend_for(wanted).signature()

    def test_several_phones(self, phone: AdbPhone, other: AdbPhone, binary: Path, tmp_path: Path) -> None:
        with pytest.raises(DeviceRefusedError, match=r"several phones are attached: .*; set reach.serial to one"):
            backend_for(profile(None, binary, tmp_path)).signature()

    def test_a_phone_that_goes_away_while_it_measures(
        self, other: AdbPhone, binary: Path, tmp_path: Path, convolution: Make
    ) -> None:
        backend = backend_for(profile(other, binary, tmp_path))
        model = describe(convolution())
        assert backend.measure(model, QUICK).latency.median_ms > 0
        other.drops_on = "-m times"
        with pytest.raises(DeviceLostError) as lost:
            backend.measure(model, QUICK)
        assert not isinstance(lost.value, DeviceRefusedError), "it may come back"
        assert "; " in str(lost.value)

    def test_a_full_phone(self, other: AdbPhone, binary: Path, tmp_path: Path, convolution: Make) -> None:
        other.full = True
        with pytest.raises(DeviceRefusedError, match="the phone's storage is full; remove something"):
            backend_for(profile(other, binary, tmp_path)).measure(describe(convolution()), QUICK)

    def test_a_binary_that_does_not_run(self, phone: AdbPhone, tmp_path: Path, convolution: Make) -> None:
        broken = tmp_path / "broken"
        broken.write_text("#!/bin/sh\necho 'CANNOT LINK EXECUTABLE: library libc++_shared.so not found' >&2; exit 1\n")
        with pytest.raises(MeasurementError, match=r"on the phone, CANNOT LINK EXECUTABLE.*\(status 1\)"):
            backend_for(profile(phone, broken, tmp_path)).measure(describe(convolution()), QUICK)

    def test_operators_that_a_provider_leaves_to_the_cpu(
        self, phone: AdbPhone, binary: Path, tmp_path: Path, convolution: Make
    ) -> None:
        backend = backend_for(profile(phone, binary, tmp_path, provider="nnapi"))
        with pytest.raises(MeasurementError, match="fallback is disabled"):
            backend.measure(describe(convolution()), QUICK)
        assert "session.disable_cpu_ep_fallback|1" in phone.commands[-1]

    def test_an_adb_that_hangs(
        self, binary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, convolution: Make
    ) -> None:
        hanging = tmp_path / "adb"
        hanging.write_text("#!/bin/sh\nexec sleep 60\n")
        hanging.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        monkeypatch.setattr("nasopt.hardware.backends.adb.phone._PATIENCE_S", 0.2)
        with pytest.raises(DeviceLostError, match=r"adb devices did not end within 0 s; unplug .* or adb kill-server"):
            backend_for(profile(None, binary, tmp_path)).measure(describe(convolution()), QUICK)

    def test_times_that_are_missing(self) -> None:
        rows = "".join(f"m,0.001,1,1,{i}\n" for i in range(15))
        assert _times_ns("words, and more\n\n" + rows, 5, "m").tolist() == [1_000_000] * 5
        for bad in (rows[:-9], rows.replace("m,0.001,1,1,14", "m,0,1,1,14"), ""):
            with pytest.raises(MeasurementError, match=r"usable times of m instead of 15"):
                _times_ns(bad, 5, "m")

    def test_no_adb(self, binary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(DeviceRefusedError, match="no command adb; install Android's platform tools"):
            backend_for(profile(None, binary, tmp_path)).signature()

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"benchmark": "/nowhere"}, "no benchmark binary /nowhere; build onnxruntime_perf_test for Android"),
            ({"cores": "0-3"}, "expected a hexadecimal mask such as f0, not '0-3'"),
            ({"folder": "/tmp/$(id)"}, r"expected an absolute path of plain characters, not '/tmp/\$\(id\)'"),
        ],
    )
    def test_options(self, options: dict[str, str], message: str, binary: Path, tmp_path: Path) -> None:
        with pytest.raises(NasoptError, match=message):
            backend_for(profile(None, binary, tmp_path, **options))

    def test_a_profile_of_no_phone(self) -> None:
        with pytest.raises(ValueError, match="backend 'adb' measures on a phone, and reach is 'local'; use reach: adb"):
            DeviceProfile(name="b", description="", processor="", backend="adb")

    def test_a_meter(self, binary: Path, tmp_path: Path) -> None:
        with pytest.raises(DeviceRefusedError, match="reads no energy, and the profile's meter is codecarbon"):
            backend_for(profile(None, binary, tmp_path), meter="codecarbon")

    def test_dynamic_shapes_are_refused_before_anything_is_sent(self, binary: Path, tmp_path: Path) -> None:
        with pytest.raises(NasoptError, match="fixed"):
            backend_for(profile(None, binary, tmp_path)).measure(graphs.write_dynamic(tmp_path / "d.onnx"), QUICK)
