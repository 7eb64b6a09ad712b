"""Meters on directory trees in the real layouts, against a process that follows a known power curve."""

from __future__ import annotations

import os
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nasopt.errors import MeasurementError, SensorError, UsageError, WindowError
from nasopt.hardware.agent.refusals import SensorRefusedError, WindowRefusedError
from nasopt.hardware.agent.sampling import Sampler
from nasopt.hardware.backends.options import build
from nasopt.hardware.meters import EnergyMeter, IioMeter, Ina3221Meter, PiPmicMeter, RaplMeter, TraceFileMeter
from nasopt.spec.hardware import PluginSpec
from nasopt.testing import MeterSuite
from tests.hardware import sensors
from tests.hardware.sensors import Machine, write

pytestmark = pytest.mark.timed

WATTS = "{unix:.6f},{watts:.6f}\n"
INTERVAL_S = 0.03


class Watched(MeterSuite):
    """The suite, with the truth that the writer follows."""

    window_s = 0.2
    energy_tolerance = 0.02

    @contextmanager
    def machine_and_meter(self, root: Path) -> Iterator[tuple[Machine, EnergyMeter]]:
        raise NotImplementedError

    @pytest.fixture
    def running(self, tmp_path: Path) -> Iterator[tuple[Machine, EnergyMeter]]:
        with self.machine_and_meter(tmp_path) as pair:
            yield pair

    @pytest.fixture
    def meter(self, running: tuple[Machine, EnergyMeter]) -> EnergyMeter:
        return running[1]

    @pytest.fixture
    def true_joules(self, running: tuple[Machine, EnergyMeter]) -> Callable[[float], float]:
        return running[0].joules

    def work(self, seconds: float) -> None:
        time.sleep(seconds)  # the curve does not hang on the load


class TestRapl(Watched):
    energy_tolerance = 0.01

    @contextmanager
    def machine_and_meter(self, root: Path) -> Iterator[tuple[Machine, EnergyMeter]]:
        machine = Machine()
        sensors.powercap(machine, root)
        with machine.running():
            yield machine, RaplMeter(root)


class TestJetsonNano(Watched):
    @contextmanager
    def machine_and_meter(self, root: Path) -> Iterator[tuple[Machine, EnergyMeter]]:
        machine = Machine()
        sensors.jetson_nano(machine, root)
        with machine.running():
            yield machine, Ina3221Meter(root=root, interval_s=INTERVAL_S)


class TestOrinNano(Watched):
    @contextmanager
    def machine_and_meter(self, root: Path) -> Iterator[tuple[Machine, EnergyMeter]]:
        machine = Machine()
        sensors.orin_nano(machine, root)
        with machine.running():
            yield machine, Ina3221Meter(root=root, interval_s=INTERVAL_S)


class TestPi5(Watched):
    @contextmanager
    def machine_and_meter(self, root: Path) -> Iterator[tuple[Machine, EnergyMeter]]:
        machine = Machine()
        command = sensors.raspberry_pi_5(machine, root)
        with machine.running():
            yield machine, PiPmicMeter(command=str(command), interval_s=0.1)


class TestPixel(Watched):
    energy_tolerance = 0.01

    @contextmanager
    def machine_and_meter(self, root: Path) -> Iterator[tuple[Machine, EnergyMeter]]:
        machine = Machine()
        sensors.pixel_6(machine, root)
        with machine.running():
            yield machine, IioMeter(rails=["S2M_VDD_CPUCL2", "S3M_VDD_CPUCL1"], root=root)


class TestTraceFile(Watched):
    @contextmanager
    def machine_and_meter(self, root: Path) -> Iterator[tuple[Machine, EnergyMeter]]:
        with trace(root) as (machine, path):
            yield machine, TraceFileMeter(path, interval_s=0.02)


@contextmanager
def trace(root: Path) -> Iterator[tuple[Machine, Path]]:
    machine = Machine(tick_s=0.01)
    path = write(root / "meter.csv", "time,watts")
    machine.rows(path, WATTS, ticks=1)
    with machine.running():
        time.sleep(0.05)
        yield machine, path


def agrees(meter: EnergyMeter, machine: Machine, tolerance: float, seconds: float = 1.5) -> bool:
    def drawn_mj(window: object) -> float:
        start = time.monotonic()
        time.sleep(seconds)
        return 1e3 * (machine.joules(time.monotonic()) - machine.joules(start))

    window, truth_mj = MeterSuite().around(meter, drawn_mj)
    return window.energy_mj == pytest.approx(truth_mj, rel=tolerance)


class TestCounters:
    def test_a_wrap_is_put_right(self, tmp_path: Path) -> None:
        machine = Machine()
        sensors.powercap(machine, tmp_path, wrap=9_000_000)
        with machine.running():
            meter = RaplMeter(tmp_path)
            first = [int((tmp_path / f"intel-rapl:{n}" / "energy_uj").read_text()) for n in "01"]
            assert agrees(meter, machine, 0.01, seconds=1.55)
            last = [int((tmp_path / f"intel-rapl:{n}" / "energy_uj").read_text()) for n in "01"]
        assert last[0] < first[0] + 9_000_000 * 0.99  # wrapped, since 0.7 x 8 W x 1.55 s is 8.7 J
        assert meter.describe() == {"domains": "package-0+package-1"}

    def test_a_counter_that_goes_backwards_is_refused(self, tmp_path: Path) -> None:
        device = tmp_path / "iio:device0"
        write(device / "energy_value", "t=900\nCH0(T=900)[RAIL], 5000000")
        meter = IioMeter(rails=["RAIL"], root=tmp_path)
        with pytest.raises(SensorError, match=r"RAIL went from 5000000 to 12 uJ; .* reset"), meter.window():
            write(device / "energy_value", "t=2\nCH0(T=2)[RAIL], 12")

    def test_a_counter_that_stands_still_is_refused(self, tmp_path: Path) -> None:
        write(tmp_path / "iio:device0" / "energy_value", "t=900\nCH0(T=900)[RAIL], 5000000")
        meter = IioMeter(rails=["RAIL"], root=tmp_path)
        with pytest.raises(SensorError, match=r"counter of RAIL did not move in 0\.0.*longer windows"), meter.window():
            time.sleep(0.02)

    def test_too_short_a_window_is_refused(self, tmp_path: Path) -> None:
        machine = Machine()
        sensors.pixel_6(machine, tmp_path)
        with machine.running():
            meter = IioMeter(rails=["S2S_VDD_G3D"], root=tmp_path)
            with (
                pytest.raises(SensorError, match=r"0\.[12]\d* s is too short, expected at least 0\.5 s"),
                meter.window(),
            ):
                time.sleep(0.1)

    def test_generic_counters_are_scaled_to_joules(self, tmp_path: Path) -> None:
        device = tmp_path / "iio:device0"
        write(device / "in_energy1_raw", "1000")
        write(device / "in_energy1_scale", "0.0005")
        write(device / "in_energy1_label", "VDD_CPU")
        meter = IioMeter(rails=["VDD_CPU"], root=tmp_path)
        meter.sensor.shortest_s = 0.0
        with meter.window() as window:
            write(device / "in_energy1_raw", "3000")
        assert window.energy_mj == pytest.approx(1000)

    @pytest.mark.parametrize(
        ("rails", "message"), [((), "name some of A, B"), (("A", "C"), "no rail 'C'; .* those here: A, B")]
    )
    def test_rails_of_a_phone_are_named(self, rails: tuple[str, ...], message: str, tmp_path: Path) -> None:
        write(tmp_path / "iio:device0" / "energy_value", "t=9\nCH0(T=9)[A], 5\nCH1(T=9)[B], 6")
        with pytest.raises(SensorError, match=message):
            IioMeter(rails=rails, root=tmp_path)

    def test_no_counter(self, tmp_path: Path) -> None:
        with pytest.raises(SensorError, match="no energy counter under"):
            IioMeter(rails=["A"], root=tmp_path)


class TestRails:
    def test_one_total_rail_is_read_alone(self, tmp_path: Path) -> None:
        sensors.orin_nano(Machine(), tmp_path)
        meter = Ina3221Meter(root=tmp_path, interval_s=INTERVAL_S)
        assert meter.describe() == {"rails": "VDD_IN", "total": "the rail that feeds the module"}

    def test_the_module_rails_of_an_agx_are_summed_without_unconnected_channels(self, tmp_path: Path) -> None:
        machine = Machine()
        sensors.agx_orin(machine, tmp_path)
        with machine.running():
            meter = Ina3221Meter(root=tmp_path, interval_s=INTERVAL_S)
            assert agrees(meter, machine, 0.02)
        assert meter.describe() == {
            "rails": "VDDQ_VDD2_1V8AO+VDD_CPU_CV+VDD_GPU_SOC+VIN_SYS_5V0",
            "total": "sum of the module's rails; this board has no total rail",
        }

    def test_named_rails(self, tmp_path: Path) -> None:
        sensors.orin_nano(Machine(), tmp_path)
        meter = Ina3221Meter(rails=["VDD_SOC", "VDD_CPU_GPU_CV"], root=tmp_path, interval_s=INTERVAL_S)
        assert meter.describe()["rails"] == "VDD_SOC+VDD_CPU_GPU_CV"

    @pytest.mark.parametrize(
        ("rails", "message"),
        [
            (["VDD_GPU"], r"no INA3221 rail 'VDD_GPU'; .*: VDD_CPU_GPU_CV, VDD_IN, VDD_SOC$"),
            (["VDD_IN", "VDD_SOC"], r"VDD_IN holds the others already; .*\[VDD_IN\] alone"),
        ],
    )
    def test_rails_that_cannot_be_read(self, rails: list[str], message: str, tmp_path: Path) -> None:
        sensors.orin_nano(Machine(), tmp_path)
        with pytest.raises(SensorError, match=message):
            Ina3221Meter(rails=rails, root=tmp_path)

    def test_a_board_without_a_known_total_lists_its_rails(self, tmp_path: Path) -> None:
        sensors.hwmon_chip(Machine(), tmp_path, "1-0040", {1: ("5V_A", 1.0), 2: ("NC", 1.0)})
        with pytest.raises(SensorError, match=r"known as a total; set the option rails; found: 5V_A$"):
            Ina3221Meter(root=tmp_path)
        with pytest.raises(SensorError, match="no INA3221 rail under"):
            Ina3221Meter(root=tmp_path / "absent")

    def test_a_slow_chip_is_read_at_its_own_pace(self, tmp_path: Path) -> None:
        sensors.orin_nano(Machine(), tmp_path)
        write(tmp_path / "ina3221" / "1-0040" / "hwmon" / "hwmon0" / "update_interval", "430")
        assert Ina3221Meter(root=tmp_path).update_s == pytest.approx(0.43)

    def test_what_a_sensor_may_not_show_comes_with_a_remedy(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sensors.orin_nano(Machine(), tmp_path)
        current = tmp_path / "ina3221" / "1-0040" / "hwmon" / "hwmon0" / "curr1_input"
        if os.geteuid():
            current.chmod(0)
        else:  # no mode bits stop root
            plain = Path.read_text

            def guarded(path: Path, *args: object, **kwargs: object) -> str:
                if path == current:
                    raise PermissionError(13, "Permission denied", str(path))
                return plain(path, *args, **kwargs)  # type: ignore[arg-type]

            monkeypatch.setattr(Path, "read_text", guarded)
        with pytest.raises(SensorError, match=r"no permission to read .*curr1_input; .*sudo chmod a\+r"):
            Ina3221Meter(root=tmp_path)

    def test_a_broken_sensor(self, tmp_path: Path) -> None:
        sensors.orin_nano(Machine(), tmp_path)
        current = tmp_path / "ina3221" / "1-0040" / "hwmon" / "hwmon0" / "curr1_input"
        current.write_text("N/A")
        with pytest.raises(SensorError, match=r"curr1_input holds 'N/A', expected a whole number"):
            Ina3221Meter(root=tmp_path)
        current.unlink()
        current.mkdir()
        with pytest.raises(SensorError, match=r"cannot read .*curr1_input: Is a directory; .*driver"):
            Ina3221Meter(root=tmp_path)


class TestSampling:
    def test_readings_that_fail_are_counted_and_refused(self, tmp_path: Path) -> None:
        machine = Machine()
        sensors.orin_nano(machine, tmp_path)
        current = tmp_path / "ina3221" / "1-0040" / "hwmon" / "hwmon0" / "curr1_input"
        with machine.running():
            meter = Ina3221Meter(root=tmp_path, interval_s=INTERVAL_S)

            def lose_the_sensor() -> None:
                time.sleep(0.4)
                current.rename(current.with_name("aside"))
                time.sleep(0.16)
                current.with_name("aside").rename(current)
                time.sleep(0.4)

            missing = r"[2-9] of \d+ readings are missing .*curr1_input.*interval_s"
            with pytest.raises(WindowError, match=missing), meter.window():
                lose_the_sensor()

    def test_a_sensor_that_stalls_is_refused(self) -> None:
        count = 0

        def read() -> float:
            nonlocal count
            count += 1
            if count == 20:
                time.sleep(0.2)
            return 5.0 + count % 2

        sampler = Sampler(read, sensor="slow rail", interval_s=INTERVAL_S)
        with pytest.raises(WindowRefusedError, match=r"slow rail: [4-9] of \d+ readings are missing"), sampler.window():
            time.sleep(1.2)

    def test_a_stuck_sensor_is_refused(self) -> None:
        sampler = Sampler(lambda: 5.0, sensor="stuck rail", interval_s=0.01)
        with (
            pytest.raises(SensorRefusedError, match=r"stuck rail: 1 different readings among \d+ .*is stuck"),
            sampler.window(),
        ):
            time.sleep(0.75)

    def test_readings_take_little_of_a_core(self) -> None:
        def read() -> float:
            end = time.thread_time() + 0.005
            while time.thread_time() < end:
                pass
            return time.monotonic()

        sampler = Sampler(read, sensor="a costly rail", interval_s=0.001)
        assert 0.1 <= sampler.update_s < 0.2
        assert Sampler(time.monotonic, sensor="a cheap rail", interval_s=0.05).update_s == 0.05

    def test_the_thread_ends_with_the_window(self) -> None:
        sampler = Sampler(time.monotonic, sensor="clock", interval_s=0.01)
        with pytest.raises(KeyError), sampler.window():
            raise KeyError
        assert not [t for t in threading.enumerate() if t.name == "nasopt-meter"]

    def test_negative_power_is_refused(self) -> None:
        sampler = Sampler(lambda: -time.monotonic(), sensor="reversed rail", interval_s=0.01)
        with pytest.raises(SensorRefusedError, match="expected a positive energy; check which way"), sampler.window():
            time.sleep(0.3)


class TestPi5Chip:
    def test_the_fit_is_named_and_predicted(self, tmp_path: Path) -> None:
        command = sensors.raspberry_pi_5(Machine(), tmp_path)
        write(tmp_path / "adc", sensors.PMIC.format(watts=2.0))
        rails, whole = (PiPmicMeter(total=t, command=str(command), interval_s=0.1) for t in ("rails", "fit"))
        for meter, watts in ((rails, 6.0), (whole, 1.1451 * 6.0 + 0.5879)):
            window = Watched().read(meter, 1.05 * meter.shortest_s)
            assert window.energy_mj == pytest.approx(1e3 * watts * window.seconds)
        assert (rails.provenance, whole.provenance) == ("measured", "predicted")
        assert "community fit 1.1451 x sum(V I) + 0.5879 W; without loads on 5 V" in str(whole.describe()["total"])
        assert rails.describe()["rails"] == "0V8_AON+3V3_SYS+3V7_WL_SW+VDD_CORE"  # EXT5V and BATT have no amperes

    @pytest.mark.parametrize(
        ("script", "message"),
        [
            ("echo 'VCHI initialization failed' >&2; exit 255", r"VCHI initialization failed; .*usermod -aG video"),
            (
                "echo 'error=1 error_msg=\"Command not registered\"'",
                r"Command not registered.*before the Raspberry Pi 5",
            ),
            ("echo", "names no rail with volts and amperes; only the Raspberry Pi 5"),
        ],
    )
    def test_refusals(self, script: str, message: str, tmp_path: Path) -> None:
        command = write(tmp_path / "vcgencmd", f"#!/bin/sh\n{script}")
        command.chmod(0o755)
        with pytest.raises(SensorError, match=message):
            PiPmicMeter(command=str(command))

    def test_no_tool(self, tmp_path: Path) -> None:
        with pytest.raises(SensorError, match=r"no command .*vcgencmd; only Raspberry Pi OS"):
            PiPmicMeter(command=str(tmp_path / "vcgencmd"))


class TestTraceFileRefusals:
    def test_volts_and_amperes_by_a_clock_that_is_ahead(self, tmp_path: Path) -> None:
        machine = Machine(tick_s=0.01)
        path = write(tmp_path / "meter.csv", "t;U;I;note")
        machine.rows(path, "{unix:.6f};2.0;{watts:.6f};ok\n", ticks=1, share=0.5, ahead_s=3600.0)
        with machine.running():
            time.sleep(0.05)
            options = {"time": "t", "volts": "U", "amperes": "I", "delimiter": ";", "interval_s": 0.02}
            assert agrees(TraceFileMeter(path, clock_offset_s=3600.0, **options), machine, 0.02)
            unaware = TraceFileMeter(path, **options)
            with (
                pytest.raises(SensorError, match=r"begins 3\.6e\+03 s after the window; .*clock_offset_s"),
                unaware.window(),
            ):
                time.sleep(0.25)

    def test_a_gap_is_refused(self, tmp_path: Path) -> None:
        with trace(tmp_path) as (machine, path):
            meter = TraceFileMeter(path, interval_s=0.02)

            def stop_for_a_while() -> None:
                time.sleep(0.2)
                machine.pause_rows()
                time.sleep(0.25)
                machine.resume_rows()
                time.sleep(0.2)

            missing = r"rows are missing in 0\.\d+ s, the longest gap is 0\.[23]"
            with pytest.raises(WindowError, match=missing), meter.window():
                stop_for_a_while()

    def test_a_meter_that_stopped_is_refused(self, tmp_path: Path) -> None:
        with trace(tmp_path) as (machine, path):
            meter = TraceFileMeter(path, interval_s=0.02, patience_s=0.1)
            machine.pause_rows()
            with pytest.raises(SensorError, match=r"did not reach the window: its last row is 0\.[23]"), meter.window():
                time.sleep(0.25)

    @pytest.mark.parametrize(
        ("rows", "message"),
        [
            ("{0},8\n{1},eight\n{2},8", "'[^']*,eight' is not understood"),
            ("2026-01-31T12:00:00,8\n{2},8", "no offset from UTC"),
            ("{1},8\n{0},8\n{2},8", "do not rise"),
            (
                "{0},8\n{0},8\n{2},8",
                r"1 of 3 rows in .* repeat the time .*: its clock shows steps of 61 s",
            ),
            (
                "{0},8\n{1},inf\n{2},8",
                r"meter\.csv:3: .*,inf' is not understood: 'inf' is no finite number",
            ),
            ("{0},8\n{1},1e400\n{2},8", r"meter\.csv:3: .*'1e400' is no finite number"),
            ("{0},8\n{1},nan\n{2},8", "'nan' is no finite number"),
            ("{0},8\n{1},8_0\n{2},8", "'8_0' is no finite number"),
            ("{0},8\n{1},5,0\n{2},8", r"meter\.csv:3: .*3 cells below a header of 2 \(a decimal comma\?\)"),
            ("{0},8\n{1}\n{2},8", r"meter\.csv:3: .*1 cells below a header of 2"),
            ('{0},"5,0"\n{2},8', r"meter\.csv:2: .*'5,0' is no finite number"),
            ("{0}000,8\n{2}000,8", r"looks like milliseconds since 1970.*set the option time_unit to ms"),
            ("{0}000000,8\n{2}000000,8", r"looks like microseconds since 1970.*set the option time_unit to us"),
            ("{0},0\n{1},0\n{2},0", "0 J in a window"),
        ],
    )
    def test_rows_that_say_nothing(self, rows: str, message: str, tmp_path: Path) -> None:
        now = time.time()
        times = [f"{now + dt:.0f}" for dt in (-1.0, 0.0, 60.0)]
        path = write(tmp_path / "meter.csv", "time,watts\n" + rows.format(*times))
        meter = TraceFileMeter(path, interval_s=100.0, patience_s=0.0)
        meter.shortest_s = 0.0
        with pytest.raises(SensorError, match=message), meter.window():
            time.sleep(0.01)

    @pytest.mark.parametrize(
        ("header", "row", "options"),
        [
            ("time,watts", "{s},8.0", {}),
            ("t (ms),p [mW]", "{ms},8000", {"time": "t (ms)", "watts": "p [mW]"}),
            ("time_us,power_uW", "{us},8e6", {"time": "time_us", "watts": "power_uW"}),
            ("time,power", "{s},8000", {"watts": "power", "watts_unit": "mW"}),
            ("time,Current (mA),Voltage (mV)", "{s},2000,4000", {"volts": "Voltage (mV)", "amperes": "Current (mA)"}),
            ("time,volts,amperes", "{s},4,2e6", {"amperes_unit": "uA"}),
            ("time,milliamps,V", "{s},2000,4.0", {"volts": "V", "amperes": "milliamps"}),
            ("t,w,", "{ms},8.0,", {"time": "t", "watts": "w", "time_unit": "ms"}),
            ("time\twatts", "{s}\t8.0", {"delimiter": "\\t"}),
            ("time;watts", "{s};8.0", {"delimiter": ";"}),
        ],
    )
    def test_units_by_header_or_option(self, header: str, row: str, options: dict[str, Any], tmp_path: Path) -> None:
        now = time.time()
        rows = [row.format(s=repr(t), ms=repr(t * 1e3), us=repr(t * 1e6)) for t in (now - 2, now + 60)]
        path = write(tmp_path / "meter.csv", "\n".join([header, *rows]))
        meter = TraceFileMeter(path, interval_s=100.0, **options)
        meter.shortest_s = 0.0
        with meter.window() as window:
            time.sleep(0.05)
        assert window.energy_mj == pytest.approx(8000 * window.seconds)
        assert " in " in str(meter.describe()["power"])

    @pytest.mark.parametrize(
        ("header", "options", "message"),
        [
            ("time,p_mW", {"watts": "p_mW", "watts_unit": "W"}, "watts_unit says W, and the column 'p_mW' mW"),
            ("time,watts", {"watts_unit": "mA"}, "'mA' is no unit of watts; expected one of nW, uW, mW, W, kW"),
            ("time,watts", {"delimiter": ";;"}, "option delimiter: expected one sign between columns"),
            ("time,watts", {"delimiter": "\\n"}, "option delimiter"),
            ("time,watts", {"interval_s": 0}, "option interval_s: expected greater than 0|interval_s.*greater than 0"),
            ("time,watts", {"interval_s": float("nan")}, "option interval_s"),
            ("time,watts", {"patience_s": -1}, "option patience_s"),
        ],
    )
    def test_options_that_are_none(self, header: str, options: dict[str, Any], message: str, tmp_path: Path) -> None:
        path = write(tmp_path / "meter.csv", header)
        with pytest.raises((UsageError, SensorError), match=message):
            build("meter", PluginSpec(name="trace-file", options={"path": str(path), **options}))

    def test_iso_times(self, tmp_path: Path) -> None:
        now = datetime.now(UTC)
        lines = [f"{(now + timedelta(seconds=dt)).isoformat()},8.0" for dt in (-2, 60)]
        meter = TraceFileMeter(write(tmp_path / "meter.csv", "\n".join(["time,watts", *lines])), interval_s=100.0)
        meter.shortest_s = 0.0
        with meter.window() as window:
            time.sleep(0.05)
        assert window.energy_mj == pytest.approx(8000 * window.seconds)

    def test_files_that_are_no_trace(self, tmp_path: Path) -> None:
        with pytest.raises(SensorError, match=r"cannot read .*absent\.csv: No such file"):
            TraceFileMeter(tmp_path / "absent.csv")
        path = write(tmp_path / "meter.csv", "seconds,power")
        with pytest.raises(SensorError, match=r"columns seconds, power; expected 'time' and either 'watts' or 'volts'"):
            TraceFileMeter(path)


def test_every_refusal_is_a_measurement_error() -> None:
    assert issubclass(SensorError, MeasurementError)
    assert str(SensorError("what was seen", "the way out")) == "what was seen; the way out"
    assert pickle.loads(pickle.dumps(SensorError("seen", "remedy"))).remedy == "remedy"
