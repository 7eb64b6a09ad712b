"""The energy loop: windows of a meter around many runs, each between windows of idling."""

import math
import time
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, Type, TypeVar

from .refusals import RefusedError, SensorRefusedError, WindowRefusedError
from .throttling import ThrottleWatch
from .windows import FULL_WINDOW_UPDATES, Window

_IDLE_SHARE = 0.2
"""Length of an idle window as a share of a busy one."""
_LOOK_MS = 5.0

T = TypeVar("T")


def take_windows(
    run: Callable[[], object],
    typical_ms: float,
    meter: Any,
    protocol: Mapping[str, Any],
    watch: ThrottleWatch,
    gaps: Type[Exception] = WindowRefusedError,
) -> List[Dict[str, float]]:
    """Windows around calls of `run`, which takes some `typical_ms`: {energy_mj, seconds, runs, idle_w} of each.

    `idle_w` is the mean power of the idle windows before and after. A window lasts `energy_window_s`, or 50 updates of
    the sensor if that is longer. A window with gaps (the exception `gaps`) is taken again, at most as often as there
    are windows.

    Args:
        run: what is measured.
        typical_ms: about how long it takes.
        meter: has `name` and `window()`, and `update_s` and `shortest_s` where it is paced.
        protocol: fields of `nasopt.records.TimingProtocol`.
        watch: sees throttling.
        gaps: what the meter raises for a window that another one may stand in for.

    Raises:
        RefusedError: windows with gaps again and again, a figure that is not positive and finite, or throttling.
    """
    busy_s, idle_s = _lengths(meter, protocol)
    wanted = max(2, protocol["energy_windows"])
    batch = max(1, round(_LOOK_MS / typical_ms))
    patience = _Patience(wanted, gaps)

    def idle_w() -> float:
        return patience.until_whole(lambda: _idle_power(meter, idle_s))

    taken: List[Dict[str, float]] = []
    before_w = idle_w()
    while len(taken) < wanted:
        window = patience.attempt(lambda: _busy(run, batch, busy_s, meter, watch))
        after_w = idle_w()
        if window is not None:
            taken.append(dict(window, idle_w=(before_w + after_w) / 2))
        before_w = after_w
    return taken


class _Patience:
    """Takes windows, and bears so many with gaps."""

    def __init__(self, spare: int, gaps: Type[Exception]) -> None:
        self._spare, self._gaps = spare, gaps
        self._tried = self._refused = 0

    def until_whole(self, take: Callable[[], T]) -> T:
        while True:
            found = self.attempt(take)
            if found is not None:
                return found

    def attempt(self, take: Callable[[], T]) -> Optional[T]:
        """A window, or None for one with gaps."""
        self._tried += 1
        try:
            return take()
        except self._gaps as error:
            self._refused += 1
            if self._refused > self._spare:
                seen = f"{getattr(error, 'seen', error)}; {self._refused} of {self._tried} windows had gaps"
                raise SensorRefusedError(seen, getattr(error, "remedy", ""))
        return None


def _lengths(meter: Any, protocol: Mapping[str, Any]) -> Tuple[float, float]:
    """Seconds of a busy window and of an idle one."""
    update_s, shortest_s = getattr(meter, "update_s", 0.0), getattr(meter, "shortest_s", 0.0)
    busy_s = max(protocol["energy_window_s"], FULL_WINDOW_UPDATES * update_s, shortest_s)
    return busy_s, max(_IDLE_SHARE * busy_s, shortest_s)


def _busy(run: Callable[[], object], batch: int, seconds: float, meter: Any, watch: ThrottleWatch) -> Dict[str, float]:
    count = 0
    earlier = watch.look()
    with meter.window() as window:
        deadline = time.perf_counter() + seconds
        while time.perf_counter() < deadline:
            for _ in range(batch):
                run()
            count += batch
    watch.refuse(earlier)
    _refuse_nonsense(meter, window)
    return {"energy_mj": window.energy_mj, "seconds": window.seconds, "runs": count}


def _idle_power(meter: Any, seconds: float) -> float:
    """Power in watts while this process sleeps."""
    with meter.window() as window:
        # a little more than asked: the meter may start its clock after, and stop it before, this one
        time.sleep(1.01 * seconds)
    _refuse_nonsense(meter, window)
    return float(window.energy_mj / 1e3 / window.seconds)


def _refuse_nonsense(meter: Any, window: Window) -> None:
    if not (math.isfinite(window.energy_mj) and window.energy_mj > 0):
        raise RefusedError(
            f"the meter {meter.name} gave {window.energy_mj} mJ for a window of {window.seconds:.2f} s",
            "expected a positive figure: check how it is connected and which rail it reads",
        )
