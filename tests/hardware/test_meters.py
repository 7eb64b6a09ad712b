from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nasopt.errors import MeasurementError
from nasopt.hardware.energy import metered_energy
from nasopt.hardware.meters import CodeCarbonMeter, EnergyMeter, NoMeter, RaplMeter, meter_for
from nasopt.records import Latency, TimingProtocol
from nasopt.testing import MeterSuite

LATENCY = Latency(median_ms=1.0, p90_ms=1, min_ms=1, mad_ms=0, ci95_ms=(1, 1), runs=10, provenance="measured")


class Powercap:
    """A powercap folder in the layout of a two-socket Linux machine, filled by a thread that follows a power curve."""

    RANGE_UJ = 262_143_328_850

    def __init__(self, root: Path, joules: Callable[[float], float], *, offset_uj: int = 0) -> None:
        self.root, self.joules, self.offset = root, joules, offset_uj
        self.start = time.perf_counter()
        self._files: dict[str, int] = {}
        self._domain("intel-rapl", None)
        for name, label in (("0", "package-0"), ("0:0", "core"), ("0:1", "dram"), ("1", "package-1"), ("2", "psys")):
            self._domain(f"intel-rapl:{name}", label)

    def _domain(self, name: str, label: str | None) -> None:
        folder = self.root / name
        folder.mkdir(parents=True)
        (folder / "enabled").write_text("1\n")
        if label is None:
            return
        (folder / "name").write_text(f"{label}\n")
        (folder / "max_energy_range_uj").write_text(f"{self.RANGE_UJ}\n")
        (folder / "energy_uj").write_text(f"{0:020d}\n")
        self._files[label] = os.open(folder / "energy_uj", os.O_WRONLY)

    def write(self) -> None:
        used = self.joules(time.perf_counter() - self.start) * 1e6
        shares = {"package-0": 0.7, "package-1": 0.3, "core": 0.5, "dram": 0.1, "psys": 1.5}
        for label, share in shares.items():
            value = (self.offset + int(share * used)) % self.RANGE_UJ
            os.pwrite(self._files[label], f"{value:020d}\n".encode(), 0)

    @contextmanager
    def running(self) -> Iterator[Powercap]:
        stop = threading.Event()

        def follow() -> None:
            while not stop.is_set():
                self.write()
                time.sleep(0.0005)

        self.write()
        thread = threading.Thread(target=follow)
        thread.start()
        try:
            yield self
        finally:
            stop.set()
            thread.join()
            for file in self._files.values():
                os.close(file)


def wave(t: float) -> float:
    """Energy in joules up to t of the power 40 + 25 sin(7 t) watts."""
    return 40 * t + 25 / 7 * (1 - math.cos(7 * t))


class TestRapl:
    @pytest.mark.parametrize("offset", [0, Powercap.RANGE_UJ - 5_000_000])
    def test_within_one_percent_of_a_known_power_curve_and_across_a_wrap(self, tmp_path: Path, offset: int) -> None:
        with Powercap(tmp_path, wave, offset_uj=offset).running() as cap:
            meter = RaplMeter(tmp_path)
            for seconds in (0.6, 0.9):
                before = time.perf_counter() - cap.start
                with meter.window() as window:
                    time.sleep(seconds)
                truth_mj = (wave(time.perf_counter() - cap.start) - wave(before)) * 1e3
                assert window.energy_mj == pytest.approx(truth_mj, rel=0.01)
                assert window.seconds == pytest.approx(seconds, rel=0.02)
        assert meter.describe() == {"domains": "package-0+package-1"}
        assert isinstance(meter, EnergyMeter)
        assert meter.provenance == "measured"

    def test_a_counter_that_stands_still_is_refused(self, tmp_path: Path) -> None:
        cap = Powercap(tmp_path, lambda t: 100.0)
        with cap.running():
            meter = RaplMeter(tmp_path)
            with pytest.raises(MeasurementError, match=r"counter of package-0 .* did not move in 0\.0"), meter.window():
                time.sleep(0.02)

    def test_a_host_without_counters_says_so(self, tmp_path: Path) -> None:
        with pytest.raises(MeasurementError, match=r"no RAPL package counter under .*codecarbon"):
            RaplMeter(tmp_path)
        (tmp_path / "intel-rapl:0").mkdir()
        with pytest.raises(MeasurementError, match="cannot read the RAPL domain"):
            RaplMeter(tmp_path)

    def test_no_permission_comes_with_its_remedy(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with Powercap(tmp_path, wave).running():
            plain = Path.read_text

            def guarded(path: Path, *args: object, **kwargs: object) -> str:
                if path.name == "energy_uj":
                    raise PermissionError(13, "Permission denied", str(path))
                return plain(path)

            monkeypatch.setattr(Path, "read_text", guarded)  # tests may run as root, whom no mode bits stop
            with pytest.raises(
                MeasurementError, match=r"no permission to read .*sudo chmod a\+r .*intel-rapl:0/energy_uj"
            ):
                RaplMeter(tmp_path)

    def test_a_counter_that_vanishes_fails_the_window(self, tmp_path: Path) -> None:
        with Powercap(tmp_path, wave).running():
            meter = RaplMeter(tmp_path)
            with pytest.raises(MeasurementError, match="cannot read the energy counter"), meter.window():
                (tmp_path / "intel-rapl:1" / "energy_uj").unlink()


class TestRaplConforms(MeterSuite):
    window_s = 0.1

    @pytest.fixture
    def meter(self, tmp_path: Path) -> Iterator[EnergyMeter]:
        with Powercap(tmp_path, wave).running():
            yield RaplMeter(tmp_path)


class TestEnergyLoop:
    def test_gross_and_net_of_a_machine_that_idles_at_ten_watts(self, tmp_path: Path) -> None:
        """Idle power 10 W, and each run costs 20 mJ on top of it."""
        runs = 0

        def run() -> None:
            nonlocal runs
            time.sleep(0.001)
            runs += 1

        with Powercap(tmp_path, lambda t: 10 * t + 0.02 * runs).running():
            protocol = TimingProtocol(energy_windows=4, energy_window_s=0.4)
            energy = metered_energy(run, LATENCY, RaplMeter(tmp_path), protocol)
        assert energy.windows == 4
        assert (energy.meter, energy.provenance) == ("rapl", "measured")
        assert energy.net_mj == pytest.approx(20, rel=0.03)
        assert 30 < energy.gross_mj < 40  # a run takes little more than the millisecond it sleeps
        assert energy.ci95_mj[0] <= energy.gross_mj <= energy.ci95_mj[1]

    def test_net_energy_lost_in_noise_is_not_told(self, tmp_path: Path) -> None:
        with Powercap(tmp_path, lambda t: 10 * t + 0.5 * math.sin(40 * t) ** 2).running():
            protocol = TimingProtocol(energy_windows=3, energy_window_s=0.1)
            energy = metered_energy(lambda: time.sleep(0.001), LATENCY, RaplMeter(tmp_path), protocol)
        assert energy.gross_mj > 5
        assert energy.net_mj is None or energy.net_mj < 1


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
            end = time.perf_counter() + 0.3
            while time.perf_counter() < end:
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
    with Powercap(tmp_path, wave).running():
        monkeypatch.setattr(RaplMeter.__init__, "__defaults__", (tmp_path,))
        assert meter_for("auto").name == "rapl"
    monkeypatch.setattr(RaplMeter.__init__, "__defaults__", (tmp_path / "absent",))
    assert meter_for("auto").name == "codecarbon"
