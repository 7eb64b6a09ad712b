"""What a search itself took: hours of which hardware, kilowatt-hours and CO2."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from nasopt.report.view import Session, StudyView


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchCost:
    """Sessions, summed."""

    sessions: int
    seconds: float
    """Process time by the clock; two processes side by side for an hour are two hours."""
    hardware: tuple[tuple[str, float], ...]
    """Seconds on each hardware, most first."""
    energy_kwh: float | None
    """Sum over the sessions that have a figure; None when none has."""
    co2_kg: float | None
    metered: int
    """Sessions that have an energy figure."""
    methods: tuple[str, ...]
    """How the energy figures came about."""

    def __str__(self) -> str:
        if not self.sessions:
            return "no session has been recorded yet"
        spent = " and ".join(f"{hours(s)} on {name or 'unnamed hardware'}" for name, s in self.hardware)
        return f"{spent}; {self.energy_text()}"

    def lines(self) -> list[str]:
        """Time, energy and CO2, one each; a dash where nothing is recorded."""
        if not self.sessions:
            return ["–"]
        energy = [] if self.energy_kwh is None else [_small(self.energy_kwh, "kWh", "Wh")]
        co2 = [] if self.co2_kg is None else [f"{_small(self.co2_kg, 'kg', 'g')} CO2"]
        return [hours(self.seconds), *energy, *co2]

    def energy_text(self) -> str:
        """Energy and CO2 with their method, or why there are none."""
        if self.energy_kwh is None:
            return "energy not recorded"
        co2 = "" if self.co2_kg is None else f", {_small(self.co2_kg, 'kg', 'g')} CO2"
        partly = "" if self.metered == self.sessions else f", {self.metered} of {self.sessions} sessions"
        method = ", ".join(self.methods) or "unnamed method"
        return f"{_small(self.energy_kwh, 'kWh', 'Wh')}{co2} ({method}{partly})"


def search_cost(*views: StudyView) -> SearchCost:
    """Sum up the sessions of a study, or of several."""
    sessions = [session for view in views for session in view.sessions]
    metered = [s for s in sessions if s.energy_kwh is not None]
    co2 = [s.co2_kg for s in sessions if s.co2_kg is not None]
    return SearchCost(
        sessions=len(sessions),
        seconds=sum(s.seconds for s in sessions),
        hardware=_by_hardware(sessions),
        energy_kwh=sum(s.energy_kwh or 0.0 for s in metered) if metered else None,
        co2_kg=sum(co2) if co2 else None,
        metered=len(metered),
        methods=tuple(dict.fromkeys(s.method for s in metered if s.method)),
    )


def _by_hardware(sessions: Iterable[Session]) -> tuple[tuple[str, float], ...]:
    seconds: dict[str, float] = {}
    for session in sessions:
        seconds[session.hardware] = seconds.get(session.hardware, 0.0) + session.seconds
    return tuple(sorted(seconds.items(), key=lambda item: -item[1]))


def hours(seconds: float) -> str:
    """`2.35 hours`; minutes below a tenth of an hour."""
    return f"{seconds / 3600:.2f} hours" if seconds >= 360 else f"{seconds / 60:.1f} minutes"


def _small(value: float, unit: str, thousandth: str) -> str:
    return f"{value:.3g} {unit}" if value >= 0.1 else f"{value * 1000:.3g} {thousandth}"
