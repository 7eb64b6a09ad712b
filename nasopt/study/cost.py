"""What a search costs: hours on this hardware, and the energy and emissions that codecarbon makes of them."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Self
from uuid import uuid4

import optuna

from nasopt.hardware import fingerprint
from nasopt.records import StudyKeys

log = logging.getLogger(__name__)

WRITE_EVERY_S = 30.0
_WORLD = "WLD"
"""No country's code, for which codecarbon takes the world's average grid."""


@dataclass(slots=True)
class SearchCost:
    """Meters one process's work on studies and keeps it in their attributes, so that a kill loses half a minute.

    Studies that one process serves by turns get shares of its time and energy in proportion to what their trials took.

    Energy is codecarbon's: counters where it can read them, otherwise the processor's thermal design power times its
    load; the record names which. Emissions use the grid of `country` (ISO 3166 alpha-3), or the world's average.
    """

    studies: Sequence[optuna.Study]
    country: str | None
    _trials: Counter[str] = field(default_factory=Counter)
    _used: dict[str, float] = field(default_factory=dict)
    _key: str = field(default_factory=lambda: StudyKeys.SESSION + uuid4().hex[:12])
    _started: float = 0.0
    _began: str = ""
    _written: float = 0.0
    _tracker: Any = None
    _hardware: str = ""

    def __enter__(self) -> Self:
        self._started = self._written = time.monotonic()
        self._began = datetime.now(UTC).isoformat(timespec="seconds")
        self._hardware = str(fingerprint().get("cpu", "unknown processor"))
        self._tracker = _start_tracker(self.country)
        return self

    def __exit__(self, *_: object) -> None:
        self._write(final=True)

    def trial_ended(self, study: str, seconds: float) -> None:
        """Count a trial that took so long, and write what has come together if the last writing is a while ago."""
        self._trials[study] += 1
        self._used[study] = self._used.get(study, 0.0) + seconds
        if time.monotonic() - self._written > WRITE_EVERY_S:
            self._write(final=False)

    def _write(self, *, final: bool) -> None:
        self._written = time.monotonic()
        seconds = self._written - self._started
        read = _read_tracker(self._tracker, final=final, country=self.country)
        host = fingerprint()
        used = sum(self._used.values())
        for study in self.studies:
            name = study.study_name
            share = self._used.get(name, 0.0) / used if used else 1 / len(self.studies)
            if share == 0:
                continue
            record: dict[str, Any] = {
                "host": host,
                "hardware": self._hardware,
                "started": self._began,
                "seconds": round(share * seconds, 3),
                "trials": self._trials[name],
                **read,
            }
            for figure in ("energy_kwh", "co2_kg"):
                record[figure] = None if read[figure] is None else share * read[figure]
            study.set_user_attr(self._key, record)


def _start_tracker(country: str | None) -> Any:
    """A running codecarbon tracker that writes no files; None where codecarbon cannot start, which is logged."""
    from codecarbon import OfflineEmissionsTracker

    logging.getLogger("codecarbon").setLevel(logging.CRITICAL)  # its import set it; its start is chatty
    try:
        tracker = OfflineEmissionsTracker(
            country_iso_code=country or _WORLD,
            measure_power_secs=15,
            save_to_file=False,
            log_level="critical",
            allow_multiple_runs=True,
        )
        tracker.start()
    except Exception as error:  # codecarbon probes hardware; no failure of it may end a search
        log.warning("codecarbon cannot track this search (%s); its energy and emissions stay unknown", error)
        return None
    return tracker


def _read_tracker(tracker: Any, *, final: bool, country: str | None) -> dict[str, Any]:
    if tracker is None:
        return {"energy_kwh": None, "co2_kg": None, "method": "not tracked"}
    co2_kg = tracker.stop() if final else tracker.flush()
    data = tracker.final_emissions_data if final else tracker._prepare_emissions_data()
    modes = {getattr(h, "_mode", None) for h in tracker._hardware} - {None}
    source = "counters" if modes & {"intel_rapl", "intel_power_gadget"} else "thermal design power times load"
    grid = f"grid of {country}" if country else "world average grid"
    method = f"codecarbon {version('codecarbon')}: {source}, {grid}"
    return {"energy_kwh": data.energy_consumed, "co2_kg": co2_kg, "method": method}
