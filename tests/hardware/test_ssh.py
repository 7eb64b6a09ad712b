"""The backend `ssh` against a real OpenSSH server on loopback."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from nasopt.errors import DeviceLostError, DeviceRefusedError, MeasurementError, SensorError, SpecError
from nasopt.hardware import Backend, backend_for, check_device, device_lock, load_profile
from nasopt.hardware.backends.packing import agent_file
from nasopt.hardware.backends.ssh.backend import SshBackend
from nasopt.hardware.devices.findings import Diagnosis, Finding
from nasopt.records import ExportedModel, TimingProtocol
from nasopt.spec.device import DeviceProfile
from nasopt.testing import BackendSuite, graphs
from tests.hardware import sensors
from tests.hardware.sensors import Machine
from tests.hardware.sshd import Server, why_not

pytestmark = [pytest.mark.timed, pytest.mark.skipif(why_not() is not None, reason=str(why_not()))]

Make = Callable[..., SshBackend]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("sshd")).start()
    yield running
    running.stop()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """One that a test may kill or change."""
    running = Server(tmp_path / "sshd").start()
    yield running
    running.stop()


def profile(server: Server, there: Path, meter: Any = "none", **options: object) -> DeviceProfile:
    """The server as a device; `reach` among the options replaces parts of its address."""
    reach = server.reach() | dict(options.pop("reach", {}))  # type: ignore[call-overload]
    values = {"name": "bench", "description": "", "processor": "", "meter": meter, "reach": reach}
    return DeviceProfile.model_validate(values | {"backend": server.backend(there, **options)})


def built(server: Server, there: Path, **options: Any) -> SshBackend:
    backend = backend_for(profile(server, there, **options))
    assert isinstance(backend, SshBackend)
    return backend


@pytest.fixture
def model(tmp_path: Path) -> ExportedModel:
    return graphs.write_classifier(tmp_path / "model.onnx")


class TestOverSsh(BackendSuite):
    @pytest.fixture(scope="class")
    def backend(self, server: Server, tmp_path_factory: pytest.TempPathFactory) -> Backend:
        return built(server, tmp_path_factory.mktemp("board"))


class TestConnection:
    def test_is_used_again_and_copies_things_once(
        self, server: Server, tmp_path: Path, model: ExportedModel, quick: TimingProtocol
    ) -> None:
        backend, folder = built(server, tmp_path / "board"), tmp_path / "board"
        backend.measure(model, quick)
        agent = backend.board.facts["pid"]
        times = {path: path.stat().st_ctime_ns for path in folder.glob("agent-*.pyz")}
        assert [path.name for path in times] == [agent_file().name]
        assert len(list((folder / "models").iterdir())) == 2  # the reference and the graph
        start = time.perf_counter()
        again = backend.measure(model, quick)
        assert time.perf_counter() - start < 3.0
        assert again.latency.runs >= quick.min_runs
        assert backend.board.facts["pid"] == agent
        other = built(server, folder)
        other.measure(model, quick)
        assert other.board.facts["pid"] != agent
        assert {path: path.stat().st_ctime_ns for path in folder.glob("agent-*.pyz")} == times
        backend.board.close()
        assert backend.measure(model, quick).latency.median_ms > 0

    def test_the_process_on_the_device_ends_with_the_connection(self, server: Server, tmp_path: Path) -> None:
        backend = built(server, tmp_path)
        process = psutil.Process(backend.board.facts["pid"])
        backend.board.close()
        process.wait(10)

    def test_a_login_shell_that_talks_is_no_harm(self, server: Server, tmp_path: Path) -> None:
        talking = tmp_path / "talking"
        talking.write_text(f'#!/bin/sh\necho "Welcome to the board"\nexec {sys.executable} "$@"\n')
        talking.chmod(0o755)
        assert built(server, tmp_path / "board", python=str(talking)).signature()["runtime"].startswith("onnxruntime")

    def test_old_graphs_are_removed(self, server: Server, tmp_path: Path, quick: TimingProtocol) -> None:
        backend = built(server, tmp_path / "board", store_mb=1)
        models = [graphs.write_classifier(tmp_path / f"{n}.onnx", channels=370 + n) for n in range(3)]
        assert 2 * models[0].size_bytes > 1e6
        for model in models:
            backend.measure(model, quick)
        left = sum(path.stat().st_size for path in (tmp_path / "board" / "models").iterdir())
        assert models[2].size_bytes < left < 1e6


class TestRefusals:
    @pytest.fixture
    def refusal(self, tmp_path: Path) -> Callable[..., str]:
        def refusal(server: Server, **options: Any) -> str:
            start = time.perf_counter()
            with pytest.raises(DeviceLostError) as seen:
                built(server, tmp_path / "board", **options).signature()
            assert time.perf_counter() - start < 20
            assert "\n" not in str(seen.value)
            return str(seen.value)

        return refusal

    def test_an_unknown_host_key(self, own_server: Server, refusal: Callable[..., str]) -> None:
        own_server.known_hosts.unlink()
        assert "is not in" in refusal(own_server)
        own_server.known_hosts.write_text("")
        assert "compare the fingerprint: ssh -p" in refusal(own_server)
        assert not own_server.known_hosts.read_text()  # nothing was accepted

    def test_a_changed_host_key(self, own_server: Server, refusal: Callable[..., str]) -> None:
        own_server.stop()
        own_server.change_host_key()
        own_server.start()
        said = refusal(own_server)
        assert "is not the one in" in said
        assert f"ssh-keygen -R '{own_server.listed}'" in said

    def test_a_key_that_is_not_authorised(self, server: Server, refusal: Callable[..., str], tmp_path: Path) -> None:
        foreign = server.new_key(tmp_path / "foreign")
        assert f"refuses this user with the key {foreign}" in refusal(server, reach={"key": str(foreign)})

    def test_a_key_that_is_none(self, server: Server, refusal: Callable[..., str], tmp_path: Path) -> None:
        (tmp_path / "text").write_text("no key")
        assert "cannot use the private key" in refusal(server, reach={"key": str(tmp_path / "text")})
        assert "no private key at" in refusal(server, reach={"key": str(tmp_path / "absent")})

    def test_nobody_there(self, own_server: Server, refusal: Callable[..., str]) -> None:
        own_server.stop()
        assert "does not answer: " in refusal(own_server)
        assert "no host is called board.invalid" in refusal(own_server, reach={"host": "board.invalid"})

    def test_no_python(self, server: Server, refusal: Callable[..., str], tmp_path: Path) -> None:
        assert "has no command python9" in refusal(server, python="python9")
        old = tmp_path / "old"
        old.write_text("#!/bin/sh\nexit 3\n")
        old.chmod(0o755)
        assert "does not start on" in refusal(server, python=str(old))

    def test_a_python_without_numpy_or_runtime(
        self, server: Server, refusal: Callable[..., str], tmp_path: Path
    ) -> None:
        bare = tmp_path / "bare"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
        python = str(bare / "bin" / "python")
        assert f"has no numpy; install it there: {python} -m pip install numpy" in refusal(server, python=python)
        site = next((bare / "lib").glob("python3*/site-packages"))
        (site / "numpy.py").write_text("__version__ = '1.13.3'\n")
        backend = built(server, tmp_path / "other", python=python)
        with pytest.raises(MeasurementError, match=f"onnxruntime cannot be imported by {python}.*pip install onnx"):
            backend.signature()

    def test_a_folder_that_cannot_be_written(self, server: Server, refusal: Callable[..., str], tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        assert "set the option folder" in refusal(server, folder=str(tmp_path / "file" / "nasopt"))

    def test_a_provider_that_the_device_lacks(self, server: Server, tmp_path: Path) -> None:
        lacking = profile(server, tmp_path / "board").model_copy(update={"providers": ["TensorrtExecutionProvider"]})
        with pytest.raises(MeasurementError, match="wants TensorrtExecutionProvider; onnxruntime"):
            SshBackend(lacking, **lacking.backend.options | {"known_hosts": server.known_hosts}).signature()

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a small file system")
    def test_a_full_disk_loses_nothing(
        self, server: Server, tmp_path: Path, model: ExportedModel, quick: TimingProtocol
    ) -> None:
        folder = tmp_path / "small"
        folder.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], check=False)
        if mounted.returncode:
            pytest.skip("no file system can be mounted here")
        try:
            backend = built(server, folder)
            large = graphs.write_classifier(tmp_path / "large.onnx", channels=256)
            with pytest.raises(DeviceRefusedError, match=r"the device's disk is full: .*free some space there"):
                backend.measure(large, quick)
            assert backend.measure(model, quick).latency.median_ms > 0  # the small one still fits
            (folder / "ballast").write_bytes(bytes(40_000))
            (folder / agent_file().name).unlink()
            with pytest.raises(OSError, match="No space"):
                (folder / "ballast").write_bytes(bytes(400_000))
            with pytest.raises(DeviceRefusedError, match="the device's disk is full; free some space"):
                built(server, folder).signature()
        finally:
            subprocess.run(["umount", str(folder)], check=True)

    def test_options_are_checked_with_file_and_line(self, server: Server, tmp_path: Path) -> None:
        file = tmp_path / "bench.yaml"
        text = "name: bench\ndescription: x\nprocessor: x\nreach: {way: ssh, host: 127.0.0.1}\n"
        file.write_text(text + "backend:\n  name: ssh\n  options: {pyton: python3}\n")
        with pytest.raises(SpecError, match=r"bench\.yaml:7: .*no option 'pyton'; did you mean 'python'"):
            load_profile(file)
        file.write_text(text.replace("ssh, host: 127.0.0.1", "local") + "backend: ssh\n")
        with pytest.raises(SpecError, match=r"backend 'ssh' measures .*, and reach is 'local'"):
            load_profile(file)


class TestDroppedConnection:
    LONG = TimingProtocol(warmup_runs=3, warmup_s=0, min_runs=10, min_s=2.0, max_s=2.5, drift_limit=9, tight_enough=9)

    def test_a_measurement_that_lost_its_server_is_taken_when_it_is_back(
        self, own_server: Server, tmp_path: Path, model: ExportedModel
    ) -> None:
        backend = built(own_server, tmp_path / "board", patience_s=30.0)
        backend.signature()
        agent = psutil.Process(backend.board.facts["pid"])

        def fail() -> None:
            own_server.stop()
            time.sleep(1.5)
            own_server.start()

        timer = threading.Timer(1.0, fail)
        timer.start()
        taken = backend.measure(model, self.LONG)
        timer.join()
        agent.wait(5)
        assert taken.latency.runs > 100
        assert taken.seconds > 3.0
        assert backend.board.facts["pid"] != agent.pid

    def test_a_device_that_does_not_come_back_is_lost(
        self, own_server: Server, tmp_path: Path, model: ExportedModel
    ) -> None:
        backend = built(own_server, tmp_path / "board", patience_s=2.0)
        backend.signature()
        timer = threading.Timer(0.5, own_server.stop)
        timer.start()
        with pytest.raises(DeviceLostError, match=r"bench was away for \d s: .* does not answer") as lost:
            backend.measure(model, self.LONG)
        assert not isinstance(lost.value, DeviceRefusedError)

    def test_the_process_that_dies_on_a_graph_is_not_a_lost_device(
        self, server: Server, tmp_path: Path, model: ExportedModel
    ) -> None:
        backend = built(server, tmp_path / "board")
        timer = threading.Timer(0.5, psutil.Process(backend.board.facts["pid"]).kill)
        timer.start()
        with pytest.raises(MeasurementError, match="run out of memory") as died:
            backend.measure(model, self.LONG)
        assert not isinstance(died.value, DeviceLostError)
        assert backend.measure(model, replace(self.LONG, min_s=0.0)).latency.median_ms > 0


class TestDiagnosis:
    def findings(self, diagnosis: Diagnosis) -> dict[str, Finding]:
        return {finding.subject: finding for finding in diagnosis.findings}

    def test_looks_on_the_device(self, server: Server, tmp_path: Path) -> None:
        machine = Machine()
        root = sensors.powercap(machine, tmp_path / "powercap")
        meter = {"name": "rapl", "options": {"root": str(root)}}
        with machine.running():
            diagnosis = check_device(profile(server, tmp_path / "board", meter=meter))
        found = self.findings(diagnosis)
        assert diagnosis.works
        assert f"port {server.port} answers: " in found["reachability"].seen
        assert found["python"].seen.startswith(sys.executable)
        assert "CPUExecutionProvider" in found["runtime there"].seen
        assert "W now (domains package-0+package-1)" in found["sensor"].seen
        assert {"lease", "lease there", "governor", "throttling", "verification"} <= set(found)

    def test_tells_each_obstacle_with_its_remedy(self, server: Server, own_server: Server, tmp_path: Path) -> None:
        found = self.findings(check_device(profile(server, tmp_path / "board", meter="ina3221", runtime="absent")))
        assert found["runtime there"].state == found["sensor"].state == "failed"
        assert found["sensor"].remedy == "use this meter on a Jetson board, or name another one"
        own_server.known_hosts.write_text("")
        found = self.findings(check_device(profile(own_server, tmp_path / "board")))
        assert found["reachability"].state == "failed"
        assert "compare the fingerprint" in found["reachability"].remedy

    def test_a_predicted_profile_with_a_host_is_looked_at_too(self, server: Server, tmp_path: Path) -> None:
        paper = {"peak_gflops": {"fp32": 10.0}, "bandwidth_gb_s": 2.0}
        predicted = profile(server, tmp_path).model_dump(exclude_unset=True) | {
            "backend": "predicted",
            "datasheet": paper,
        }
        found = self.findings(check_device(DeviceProfile.model_validate(predicted)))
        assert found["reachability"].state == "failed"  # not in this user's known_hosts
        assert "is not in" in found["reachability"].seen
        assert found["runtime"].state == "ok"
        assert found["measuring"].state == "skipped"


class TestLease:
    def test_who_measures_is_named_to_those_that_do_not_wait(
        self, server: Server, tmp_path: Path, model: ExportedModel
    ) -> None:
        backend, other = built(server, tmp_path / "board"), built(server, tmp_path / "board")
        backend.signature()
        protocol = TestDroppedConnection.LONG
        thread = threading.Thread(target=lambda: backend.measure(model, protocol))
        thread.start()
        time.sleep(1.0)
        with pytest.raises(DeviceRefusedError, match=r"process .* there \(process \d+, since 20.*wait for it"):
            other.board.ask("lease", who="a test", wait_s=0.1)
        thread.join()
        assert other.board.ask("lease", who="a test", wait_s=30.0)

    def test_a_device_is_one_for_all_processes_here_and_not_this_machine(
        self, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("NASOPT_LOCKS", str(tmp_path / "locks"))
        there = profile(server, tmp_path)
        renamed = there.model_copy(update={"name": "same"})
        with device_lock(there, timeout_s=0), device_lock(load_profile("local"), timeout_s=0):
            refused = pytest.raises(MeasurementError, match="another process has been measuring on same")
            with refused, device_lock(renamed, timeout_s=0.1):
                pass


class TestSensors:
    PROTOCOL = TimingProtocol(
        warmup_s=0.05, min_s=0.1, max_s=1, drift_limit=0.5, tight_enough=1, energy_windows=3, energy_window_s=0.6
    )

    def test_counters_on_the_device(self, server: Server, tmp_path: Path, model: ExportedModel) -> None:
        machine = Machine(swing_w=0.0)
        root = sensors.powercap(machine, tmp_path / "powercap")
        meter = {"name": "rapl", "options": {"root": str(root)}}
        with machine.running():
            backend = built(server, tmp_path / "board", meter=meter)
            # the machine draws 8 W whatever runs, so net of idling only noise is left, and that passes for work once
            # in forty times
            noise: Any = None
            with contextlib.suppress(SensorError):
                noise = backend.measure(model, self.PROTOCOL).energy
            assert noise is None or abs(noise.net_mj) < 0.03 * noise.gross_mj
            windows = backend._taken([model], self.PROTOCOL)["windows"][0]
            assert backend.signature()["meter_details"] == {"domains": "package-0+package-1"}
        assert len(windows) == 3
        for window in windows:
            assert window["energy_mj"] / 1e3 / window["seconds"] == pytest.approx(8.0, rel=0.01)
            assert window["idle_w"] == pytest.approx(8.0, rel=0.03)  # short windows

    def test_sampled_rails_on_the_device(self, server: Server, tmp_path: Path) -> None:
        machine = Machine()
        root = sensors.orin_nano(machine, tmp_path / "drivers")
        meter = {"name": "ina3221", "options": {"root": str(root), "interval_s": 0.03}}
        with machine.running():
            backend = built(server, tmp_path / "board", meter=meter)
            backend.signature()
            for attempt in range(3):  # on a busy machine a sampled sensor loses readings, and says so
                start = time.monotonic()
                try:
                    seen = backend.board.ask("power", name="ina3221", options=meter["options"], least_s=2.0)
                except SensorError:
                    assert attempt < 2
                    continue
                end = time.monotonic()
                break
        mean_w = (machine.joules(end) - machine.joules(start)) / (end - start)
        assert seen["watts"] == pytest.approx(mean_w, rel=0.05)

    @pytest.mark.parametrize(
        ("meter", "message"),
        [
            ({"name": "rapl", "options": {"root": "/nowhere"}}, "no RAPL package counter under /nowhere"),
            ("codecarbon", "the meter codecarbon is not read on the device itself; name one of rapl"),
        ],
    )
    def test_what_cannot_be_read_there(self, meter: Any, message: str, server: Server, tmp_path: Path) -> None:
        with pytest.raises(SensorError, match=message):
            built(server, tmp_path / "board", meter=meter).signature()


def test_the_command_line_measures_over_ssh(server: Server, tmp_path: Path, model: ExportedModel) -> None:
    from typer.testing import CliRunner

    from nasopt.cli import app

    file = tmp_path / "bench.yaml"
    values = json.loads(profile(server, tmp_path / "board").model_dump_json(exclude_defaults=True))
    protocol = {"warmup_s": 0.02, "min_s": 0.05, "max_s": 1.0, "drift_limit": 0.5, "tight_enough": 1.0}
    file.write_text(json.dumps(values | {"protocol": protocol}))
    said = CliRunner().invoke(app, ["measure", str(model.path), "--device", str(file), "--json"])
    assert said.exit_code == 0, said.output
    taken = json.loads(said.output)
    assert (taken["device"], taken["backend"]) == ("bench", "ssh")
    assert taken["latency"]["provenance"] == "measured"
