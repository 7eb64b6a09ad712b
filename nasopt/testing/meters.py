"""What every energy meter must do."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from contextlib import suppress
from typing import ClassVar, TypeVar, get_args

import pytest

from nasopt.errors import MeasurementError
from nasopt.hardware.meters import EnergyMeter, LoadModel, Paced, Window
from nasopt.records import Provenance

T = TypeVar("T")


class MeterSuite:
    """Conformance of a `nasopt.hardware.meters.EnergyMeter`.

    Subclass it and give the fixture `meter`. The suite keeps one core busy while a window is open.
    """

    window_s: ClassVar[float] = 0.3
    """Length of a window, in seconds. Lengthen it for a sensor that is read seldom."""
    time_tolerance: ClassVar[float] = 0.1
    """Largest difference between the meter's seconds and the wall clock's, as a share."""
    reads_energy: ClassVar[bool] = True
    """False for a meter that reads nothing: then each window must be refused."""
    attempts: ClassVar[int] = 3
    """Tries for a window that the meter refuses: on a busy machine a sampled sensor loses readings, and says so."""
    true_window_s: ClassVar[float] = 1.5
    """Length of the window that is compared with `true_joules`."""
    energy_tolerance: ClassVar[float] = 0.02
    """Largest difference from `true_joules`, as a share: 0.01 suits a counter, 0.02 a sensor that is sampled."""

    @pytest.fixture
    def meter(self) -> EnergyMeter:
        """The meter under test."""
        raise NotImplementedError("give the fixture `meter` in your subclass")

    @pytest.fixture
    def true_joules(self) -> Callable[[float], float] | None:
        """Energy drawn until a moment of `time.monotonic`, where the sensor is one that the test drives."""
        return None

    def work(self, seconds: float) -> None:
        """What runs inside a window: one busy core."""
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            math.sqrt(2.0)

    def read(self, meter: EnergyMeter, seconds: float) -> Window:
        """One window around `work`."""
        return self.around(meter, lambda window: self.work(seconds))[0]

    def around(self, meter: EnergyMeter, inside: Callable[[Window], T]) -> tuple[Window, T]:
        """One window around a call, and what it gave; a refused one is tried again, `attempts` times in all."""
        for _ in range(self.attempts - 1):
            with suppress(MeasurementError):
                return self._once(meter, inside)
        return self._once(meter, inside)

    def _once(self, meter: EnergyMeter, inside: Callable[[Window], T]) -> tuple[Window, T]:
        with meter.window() as window:
            given = inside(window)
        return window, given

    def length_s(self, meter: EnergyMeter) -> float:
        """`window_s`, or more where the sensor's pace needs it."""
        return max(self.window_s, 1.1 * meter.shortest_s) if isinstance(meter, Paced) else self.window_s

    def test_has_the_interface(self, meter: EnergyMeter) -> None:
        """It is an `EnergyMeter` with a name and a known provenance."""
        assert isinstance(meter, EnergyMeter)
        assert meter.name
        assert meter.provenance in get_args(Provenance)

    def test_description_is_json_and_stable(self, meter: EnergyMeter) -> None:
        """The description is a part of a measurement's key, so it may not hold readings."""
        before = json.dumps(meter.describe(), sort_keys=True, allow_nan=False)
        if self.reads_energy:
            self.read(meter, self.length_s(meter))
        assert json.dumps(meter.describe(), sort_keys=True, allow_nan=False) == before

    def test_a_window_is_filled_when_it_closes(self, meter: EnergyMeter) -> None:
        """Energy is positive and finite afterwards and not a number before: an open window is never read as zero."""
        self._needs_readings()

        def look(window: Window) -> float:
            self.work(self.length_s(meter))
            return window.energy_mj

        window, while_open = self.around(meter, look)
        assert math.isnan(while_open)
        assert 0 < window.energy_mj < math.inf

    def test_seconds_are_those_of_the_window(self, meter: EnergyMeter) -> None:
        """The meter's own timestamps agree with the wall clock within `time_tolerance`."""
        self._needs_readings()

        def timed(window: Window) -> float:
            start = time.perf_counter()
            self.work(self.length_s(meter))
            return time.perf_counter() - start

        window, wall_s = self.around(meter, timed)
        assert window.seconds == pytest.approx(wall_s, rel=self.time_tolerance)

    def test_windows_are_independent(self, meter: EnergyMeter) -> None:
        """A window three times as long holds more energy than a short one, whichever comes first."""
        self._needs_readings()
        first, long, last = (self.read(meter, factor * self.length_s(meter)).energy_mj for factor in (1, 3, 1))
        assert max(first, last) < long

    def test_an_error_inside_a_window_comes_out(self, meter: EnergyMeter) -> None:
        """What fails inside a window is not swallowed, and the next window works."""
        self._needs_readings()
        with pytest.raises(KeyError), meter.window():
            raise KeyError("from inside")
        assert self.read(meter, self.length_s(meter)).energy_mj > 0

    def test_an_empty_window_is_never_zero(self, meter: EnergyMeter) -> None:
        """A window without time in it is refused, or holds a positive energy; it is never zero or negative."""
        with suppress(MeasurementError):
            with meter.window() as window:
                pass
            assert 0 < window.energy_mj < math.inf

    def test_energy_is_the_true_one(self, meter: EnergyMeter, true_joules: Callable[[float], float] | None) -> None:
        """Within `energy_tolerance` of what was drawn, where the test knows that."""
        if true_joules is None:
            pytest.skip("the truth is not known for this meter")

        def drawn_mj(window: Window) -> float:
            start = time.monotonic()
            self.work(max(self.true_window_s, self.length_s(meter)))
            return 1e3 * (true_joules(time.monotonic()) - true_joules(start))

        window, truth_mj = self.around(meter, drawn_mj)
        assert window.energy_mj == pytest.approx(truth_mj, rel=self.energy_tolerance)

    def test_its_pace_is_possible(self, meter: EnergyMeter) -> None:
        """A meter that tells its sensor's pace tells one that a measurement can wait for."""
        if not isinstance(meter, Paced):
            pytest.skip("this meter tells no pace")
        assert 0 < meter.update_s <= meter.shortest_s < math.inf

    def test_a_load_model_is_a_power(self, meter: EnergyMeter) -> None:
        """`load_power_w`, where there is one, is positive, finite and does not fall with the threads."""
        if not isinstance(meter, LoadModel):
            pytest.skip("this meter is no load model")
        powers = [meter.load_power_w(threads) for threads in (1, 2, 4, 1024)]
        assert 0 < powers[0] <= powers[-1] < math.inf
        assert powers == sorted(powers)

    def test_without_a_reading_there_is_an_error(self, meter: EnergyMeter) -> None:
        """A meter that reads nothing refuses with a MeasurementError of one line; it never says zero."""
        if self.reads_energy:
            pytest.skip("this meter reads energy")
        with pytest.raises(MeasurementError) as refusal, meter.window():
            self.work(self.window_s)
        assert str(refusal.value)
        assert "\n" not in str(refusal.value)

    def _needs_readings(self) -> None:
        if not self.reads_energy:
            pytest.skip("this meter reads nothing")
