"""What was looked at on a device, and what stands in the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from nasopt.errors import NasoptError, SensorError

State = Literal["ok", "warning", "failed", "skipped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    state: State
    seen: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """All findings about a device."""

    device: str
    findings: tuple[Finding, ...]

    @property
    def works(self) -> bool:
        """Whether nothing failed."""
        return all(f.state != "failed" for f in self.findings)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"device": self.device, "works": self.works, "findings": [asdict(f) for f in self.findings]}


def governor(found: Sequence[str]) -> Finding:
    """What the frequency governors of a machine mean."""
    if not found:
        return Finding(subject="governor", state="skipped", seen="the machine shows no frequency governor")
    if list(found) == ["performance"]:
        return Finding(subject="governor", state="ok", seen="performance")
    return Finding(
        subject="governor",
        state="warning",
        seen=f"{', '.join(found)}: clocks follow the load, and short networks see slow ones",
        remedy="sudo cpupower frequency-set -g performance (on a Jetson: sudo nvpmodel -m 0 && sudo jetson_clocks)",
    )


def throttling(events: Mapping[str, int], active: Sequence[str]) -> Finding:
    """What a machine says of its throttling: counts since it was switched on, and what holds now."""
    if active:
        remedy = "cool it, give it a stronger power supply, or lower its clocks to what it can keep up"
        return Finding(subject="throttling", state="failed", seen=f"now: {', '.join(active)}", remedy=remedy)
    if not events:
        return Finding(subject="throttling", state="skipped", seen="the machine does not tell")
    past = [f"{name} {count}" for name, count in events.items() if count]
    seen = f"none now; since it was switched on: {', '.join(past) or 'none'}"
    return Finding(subject="throttling", state="ok", seen=seen)


def failed(subject: str, error: NasoptError, state: State = "failed") -> Finding:
    """An obstacle that an error tells."""
    return Finding(subject=subject, state=state, **_split(error))


def _split(error: NasoptError) -> dict[str, str]:
    """What was seen and the remedy; in most messages the last clause is the remedy."""
    if isinstance(error, SensorError):
        return {"seen": error.seen, "remedy": error.remedy}
    seen, _, remedy = str(error).replace("\n", " ").rpartition("; ")
    return {"seen": seen or remedy, "remedy": remedy if seen else ""}
