from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from nasopt.errors import MeasurementError, SensorError, WindowError
from nasopt.hardware.agent.refusals import RefusedError
from nasopt.hardware.agent.throttling import ThrottleWatch
from nasopt.hardware.devices.checking import check_device
from nasopt.hardware.devices.profiles import load_profile
from nasopt.hardware.meters import CodeCarbonMeter, NoMeter, RaplMeter, Window, meter_for
from nasopt.hardware.timing.energy import metered_energy
from nasopt.records import Latency, Provenance, TimingProtocol
from nasopt.spec.hardware import PluginSpec
from tests.hardware import sensors
from tests.hardware.sensors import Machine

LATENCY = Latency(median_ms=1.0, p90_ms=1, min_ms=1, mad_ms=0, ci95_ms=(1, 1), runs=10, provenance="measured")


class TestRapl:
    def test_a_counter_that_stands_still_is_refused(self, tmp_path: Path) -> None:
        sensors.powercap(Machine(), tmp_path)  # nothing writes
        meter = RaplMeter(tmp_path)
        with (
            pytest.raises(SensorError, match=r"counter of package-0 did not move in 0\.0.*longer windows"),
            meter.window(),
        ):
            time.sleep(0.02)

    def test_a_host_without_counters_says_so(self, tmp_path: Path) -> None:
        with pytest.raises(SensorError, match=r"no RAPL package counter under .*codecarbon"):
            RaplMeter(tmp_path)
        (tmp_path / "intel-rapl:0").mkdir()
        with pytest.raises(SensorError, match=r"cannot read .*intel-rapl:0/name"):
            RaplMeter(tmp_path)

    def test_domains_of_a_socket_that_show_one_counter_count_once(self, tmp_path: Path) -> None:
        for die in range(2):
            folder = tmp_path / f"intel-rapl:{die}"
            sensors.write(folder / "name", f"package-0-die-{die}")
            sensors.write(folder / "max_energy_range_uj", "262143328850")
            sensors.write(folder / "energy_uj", "4711")
        meter = RaplMeter(tmp_path)
        assert meter.describe() == {
            "domains": "package-0-die-0",
            "mirrors": "package-0-die-1 shows the counter of package-0-die-0",
        }

    def test_domains_of_one_name_that_differ_are_both_counted(self, tmp_path: Path) -> None:
        machine = Machine()
        for number, offset in enumerate((1_000_000, 9_000_000_000)):
            folder = tmp_path / f"intel-rapl:{number}"
            sensors.write(folder / "name", "package-0")
            sensors.write(folder / "max_energy_range_uj", "262143328850")
            machine.counter(folder / "energy_uj", share=0.5, offset=offset, wrap=262_143_328_850)
        with machine.running():
            time.sleep(0.05)
            meter = RaplMeter(tmp_path)
            assert meter.describe() == {"domains": "package-0+package-0"}
            before = time.monotonic()
            with meter.window() as window:
                time.sleep(0.3)
            after = time.monotonic()
        joules = machine.joules(after) - machine.joules(before)
        assert window.energy_mj / 1e3 == pytest.approx(joules, rel=0.1)

    def test_links_that_a_container_hides(self, tmp_path: Path) -> None:
        (tmp_path / "intel-rapl:0").symlink_to("../devices/virtual/powercap/intel-rapl/intel-rapl:0")
        message = r"a container hides it; mount it \(docker run -v .*/powercap/intel-rapl:/powercap:ro\)"
        with pytest.raises(SensorError, match=message):
            RaplMeter(tmp_path)

    def test_no_permission_comes_with_its_remedy(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        sensors.powercap(Machine(), tmp_path)
        plain = Path.read_text

        def guarded(path: Path, *args: object, **kwargs: object) -> str:
            if path.name == "energy_uj":
                raise PermissionError(13, "Permission denied", str(path))
            return plain(path, *args, **kwargs)  # type: ignore[arg-type]

        monkeypatch.setattr(Path, "read_text", guarded)  # tests may run as root, whom no mode bits stop
        with pytest.raises(SensorError, match=r"no permission to read .*sudo chmod a\+r .*intel-rapl:0/energy_uj"):
            RaplMeter(tmp_path)

    def test_a_counter_that_vanishes_fails_the_window(self, tmp_path: Path) -> None:
        sensors.powercap(Machine(), tmp_path)
        meter = RaplMeter(tmp_path)
        with pytest.raises(SensorError, match=r"cannot read .*energy_uj: No such file"), meter.window():
            (tmp_path / "intel-rapl:1" / "energy_uj").unlink()


class Bench:
    """A meter of a machine that draws `idle_w` and what each run costs, and tells time truly."""

    name = "bench"
    provenance: Provenance = "measured"

    def __init__(
        self, idle_w: float, *, noise: float = 0.0, update_s: float = 0.001, gaps: Collection[int] = ()
    ) -> None:
        """`gaps` are the numbers of the windows, from 0 on, that miss readings."""
        self.gaps, self.opened = gaps, 0
        self.idle_w, self.joules, self.noise = idle_w, 0.0, noise
        self.draw = np.random.default_rng(1)
        self.update_s, self.shortest_s = update_s, 10 * update_s
        self.lengths: list[float] = []

    def describe(self) -> dict[str, str | int | float]:
        return {}

    def run(self) -> None:
        """A network that costs 20 mJ."""
        time.sleep(0.001)
        self.joules += 0.02

    @contextmanager
    def window(self) -> Iterator[Window]:
        window = Window()
        start, joules = time.perf_counter(), self.joules
        yield window
        self.opened += 1
        if self.opened - 1 in self.gaps:
            raise WindowError("bench: 2 of 50 readings are missing", "read it less often")
        window.seconds = time.perf_counter() - start
        flicker = 1 + self.noise * self.draw.standard_normal()
        window.energy_mj = 1e3 * (self.idle_w * window.seconds * flicker + self.joules - joules)
        self.lengths.append(window.seconds)


class TestPowerBound:
    def test_a_reading_that_no_such_device_draws_is_refused(self) -> None:
        bench = Bench(5000.0)
        protocol = TimingProtocol(energy_windows=2, energy_window_s=0.05)
        most_w = load_profile("raspberry_pi_4").most_w
        assert most_w == 45.0
        with pytest.raises(SensorError, match=r"bench: 5\.\d*e\+03 W, more than the 45 W .*mW read as W"):
            metered_energy(bench.run, LATENCY, bench, protocol, most_w=most_w)

    def test_the_check_of_a_device_refuses_it_too(self, tmp_path: Path) -> None:
        now = time.time()
        rows = "".join(f"{now + dt:.3f},5000\n" for dt in range(-2, 60))
        (tmp_path / "power.csv").write_text("time,watts\n" + rows)
        options = {"path": str(tmp_path / "power.csv"), "interval_s": 1.0}
        profile = load_profile("local").model_copy(update={"meter": PluginSpec(name="trace-file", options=options)})
        assert profile.most_w == 1500.0
        found = next(f for f in check_device(profile).findings if f.subject == "sensor")
        assert found.state == "failed"
        assert "5e+03 W, more than the 1500 W" in found.seen


class TestEnergyLoop:
    def test_gross_and_net_of_a_machine_that_idles_at_ten_watts(self) -> None:
        """Each run costs 20 mJ on top of idling."""
        bench = Bench(10.0)
        runs = 0

        def run() -> None:
            nonlocal runs
            time.sleep(0.001)
            bench.joules += 0.02
            runs += 1

        energy = metered_energy(run, LATENCY, bench, TimingProtocol(energy_windows=4, energy_window_s=0.1))
        assert energy.windows == 4
        assert (energy.meter, energy.provenance) == ("bench", "measured")
        assert energy.net_mj == pytest.approx(20, rel=1e-6)
        assert energy.net_ci95_mj == pytest.approx((20, 20), rel=1e-6)
        busy = sum(seconds for seconds in bench.lengths[1::2])
        assert energy.gross_mj == pytest.approx(20 + 1e3 * 10 * busy / runs, rel=0.05)
        assert energy.ci95_mj[0] <= energy.gross_mj <= energy.ci95_mj[1]
        assert len(bench.lengths) == 9  # idle around each of four windows

    def test_net_energy_lost_in_noise_is_refused(self) -> None:
        protocol = TimingProtocol(energy_windows=3, energy_window_s=0.05)
        with pytest.raises(SensorError, match=r"bench: net energy .* not above its uncertainty .*which rail"):
            metered_energy(lambda: time.sleep(0.001), LATENCY, Bench(10.0, noise=0.1), protocol)

    def test_windows_with_gaps_are_taken_again(self) -> None:
        bench = Bench(10.0, gaps={1, 2, 4})
        protocol = TimingProtocol(energy_windows=3, energy_window_s=0.05)
        energy = metered_energy(bench.run, LATENCY, bench, protocol)
        assert energy.windows == 3
        assert energy.net_mj == pytest.approx(20, rel=1e-6)
        assert bench.opened == 12  # i b(gap) i(gap) i b(gap) i b i b i b i

    def test_gaps_again_and_again_are_refused_with_their_number(self) -> None:
        protocol = TimingProtocol(energy_windows=3, energy_window_s=0.02)
        bench = Bench(10.0, gaps=set(range(1, 100, 2)))
        with pytest.raises(SensorError, match=r"2 of 50 readings are missing; 4 of 8 windows had gaps; read it less"):
            metered_energy(bench.run, LATENCY, bench, protocol)

    def test_a_slow_sensor_lengthens_the_windows(self) -> None:
        bench = Bench(10.0, update_s=0.004)

        def run() -> None:
            time.sleep(0.001)
            bench.joules += 0.02

        metered_energy(run, LATENCY, bench, TimingProtocol(energy_windows=2, energy_window_s=0.05))
        assert min(bench.lengths[1::2]) >= 50 * 0.004
        assert min(bench.lengths[0::2]) >= 10 * 0.004

    @pytest.mark.parametrize(
        ("files", "message"),
        [
            ({"sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count": (3, 5)}, r"processor core .*2 more"),
            ({"sys/class/hwmon/hwmon3/oc1_event_cnt": (0, 1)}, r"over-current event oc1 \(1 more\)"),
            ({"sys/class/thermal/cooling_device5/cur_state": (0, 1)}, "gpu-throttle-alert"),
        ],
    )
    def test_throttling_is_refused(self, files: dict[str, tuple[int, int]], message: str, tmp_path: Path) -> None:
        sensors.write(tmp_path / "sys/class/thermal/cooling_device5/type", "gpu-throttle-alert")
        for file, (before, _) in files.items():
            sensors.write(tmp_path / file, str(before))
        bench = Bench(10.0)

        def run() -> None:
            time.sleep(0.001)
            bench.joules += 0.02
            for file, (_, after) in files.items():
                (tmp_path / file).write_text(f"{after}\n")

        protocol = TimingProtocol(energy_windows=2, energy_window_s=0.05)
        with pytest.raises(MeasurementError, match=f"throttled while energy was measured: {message}.*; cool it"):
            metered_energy(run, LATENCY, bench, protocol, watch=ThrottleWatch(tmp_path, command="absent"))

    @pytest.mark.parametrize(
        ("before", "after", "message"),
        [
            ("0x0", "0x10001", r"under-voltage \(1 more\)"),
            ("0x50000", "0x50004", "throttled$|throttled;"),
            ("0x50000", "0x50000", ""),
        ],
    )
    def test_a_raspberry_pi_tells_what_happened_since(
        self, before: str, after: str, message: str, tmp_path: Path
    ) -> None:
        command = sensors.raspberry_pi_5(Machine(), tmp_path)
        watch = ThrottleWatch(tmp_path, command=str(command))
        sensors.write(tmp_path / "throttled", f"throttled={before}")
        seen = watch.look()
        assert seen.known
        sensors.write(tmp_path / "throttled", f"throttled={after}")
        if message:
            with pytest.raises(RefusedError, match=f"Raspberry Pi: {message}"):
                watch.refuse(seen)
        else:
            watch.refuse(seen)

    def test_an_over_current_event_that_slows_nothing_is_no_fault(self, tmp_path: Path) -> None:
        folder = tmp_path / "sys/class/hwmon/hwmon3"
        sensors.write(folder / "oc3_event_cnt", "0")
        sensors.write(folder / "oc3_throt_en", "0")
        watch = ThrottleWatch(tmp_path, command="absent")
        before = watch.look()
        sensors.write(folder / "oc3_event_cnt", "7")
        watch.refuse(before)
        assert not before.known


class TestCodeCarbon:
    def test_follows_its_formula_and_leaves_no_traces(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.chdir(tmp_path)
        level = logging.getLogger("codecarbon").level
        meter = CodeCarbonMeter()
        facts = meter.describe()
        cpu = time.process_time()
        with meter.window() as window:
            while time.process_time() < cpu + 0.3:  # the meter counts in ticks of 10 ms
                pass
        busy = time.process_time() - cpu
        assert window.energy_mj == pytest.approx(facts["tdp_w"] * busy / facts["cpus"] * 1e3, rel=0.15)
        assert meter.load_power_w(1) == pytest.approx(facts["tdp_w"] / facts["cpus"])
        assert meter.load_power_w(10_000) == facts["tdp_w"]
        assert meter.provenance == "estimated"
        assert not list(tmp_path.iterdir())
        assert capfd.readouterr() == ("", "")
        assert logging.getLogger("codecarbon").level in (level, logging.INFO, logging.WARNING)

    def test_a_window_without_work_is_refused(self) -> None:
        with pytest.raises(MeasurementError, match="no CPU time passed"), CodeCarbonMeter().window():
            pass


def test_no_meter_reads_nothing() -> None:
    with pytest.raises(MeasurementError, match="'none' reads no energy"), NoMeter().window():
        pass


def test_auto_prefers_a_counter_and_never_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert meter_for("auto").name in ("rapl", "codecarbon")
    sensors.powercap(Machine(), tmp_path)
    monkeypatch.setattr(RaplMeter.__init__, "__defaults__", (tmp_path,))
    assert meter_for("auto").name == "rapl"
    monkeypatch.setattr(RaplMeter.__init__, "__defaults__", (tmp_path / "absent",))
    assert meter_for("auto").name == "codecarbon"
