"""Calibrate this machine and judge the fit on networks that it did not see: writes calibration.md.

python benchmarks/calibration.py [--ssh | --device PROFILE] [--spaces NAME ...] [--again 4] [--minutes 12]

Measurements are kept in data/calibration, so that the command can be interrupted and goes on.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from nasopt.evaluation import Device
from nasopt.evaluation.calibration import Calibrated, Progress, calibrate
from nasopt.evaluation.calibration.fitting import latencies_of, yardstick
from nasopt.evaluation.calibration.journal import Journal
from nasopt.evaluation.calibration.taking import Taken, bounded, take
from nasopt.hardware import backend_for, load_profile
from nasopt.hardware.prediction.model import fit, network
from nasopt.hardware.prediction.validation import errors

HERE = Path(__file__).parent
DATA = HERE.parent / "data" / "calibration"
SPACES = {"broad": None, "cifar10_local": HERE.parent / "studies" / "cifar10_local.yaml"}
TOLD_BY = {"median": "median by the clock", "ratio": "ratio by the clock", "processor time": "ratio in processor time"}


class OutOfTimeError(Exception):
    """The minutes of this call are over."""


@contextmanager
def loopback() -> Iterator[Path]:
    """The profile of this machine behind an SSH server of its own."""
    sys.path.insert(0, str(HERE.parent))
    from tests.hardware.sshd import Server, why_not

    if reason := why_not():
        raise SystemExit(reason)
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "server").start()
        try:
            profile = {"name": "loopback", "description": "this machine over ssh", "processor": "the host's CPU"}
            profile |= {"reach": server.reach(), "backend": server.backend(Path(folder) / "board"), "meter": "none"}
            file = Path(folder) / "loopback.yaml"
            file.write_text(yaml.safe_dump(profile))
            yield file
        finally:
            server.stop()


def within(deadline: float) -> Callable[[Progress], None]:
    """A listener that prints now and then, and ends the run at the deadline."""

    def listen(progress: Progress) -> None:
        if progress.done % 20 == 0:
            print(f"{progress.done} of {progress.total}, {progress.measured} measured now", flush=True)
        if time.monotonic() > deadline and progress.done < progress.total:
            raise OutOfTimeError

    return listen


def again(found: Calibrated, device: str | Path, given: argparse.Namespace, name: str, deadline: float) -> list[Taken]:
    """Held-out networks measured a second time."""
    profile = load_profile(device)
    protocol = bounded(profile.protocol.protocol(), given.seconds)
    ready = Device(name=profile.name, profile=profile, backend=backend_for(profile, meter="none"), protocol=protocol)
    samples = [t.sample for t in found.held_out[: given.repeat]]
    return take(samples, ready, Journal(DATA / name / "again.jsonl"), within(deadline), again=given.again)


def judged(found: Calibrated, second: Sequence[Taken], by: str) -> str:
    """A table row: a fit to the design with this yardstick, judged by it, and how well the yardstick repeats."""
    everything = [t.measurement.latency for t in (*found.designed, *found.held_out)]
    reference_ms = None if by == "median" else yardstick(everything)[1]
    designed, held = (latencies_of(taken, by, reference_ms) for taken in (found.designed, found.held_out))
    model = fit([network(t.kernels) for t in found.designed], designed.costs, spread=designed.spread)
    found_errors = errors(model.predict([network(t.kernels) for t in found.held_out]), held.costs, 1.1, "")
    once = latencies_of(found.held_out[: len(second)], by, reference_ms).costs
    off = np.abs(latencies_of(second, by, reference_ms).costs / once - 1)
    return (
        f"| {TOLD_BY[by]} | {found_errors.within_10:.1%} | {found_errors.median:.1%} | {found_errors.worst:.0%} | "
        f"{found_errors.spearman:.4f} | {np.median(off):.1%} | {off.max():.1%} |"
    )


def report(name: str, found: Calibrated, second: Sequence[Taken]) -> list[str]:
    """The section of one space."""
    held, origin = found.calibration.quantities["latency_ms"].held_out, found.calibration.origin
    assert origin is not None
    latencies = [t.measurement.latency.median_ms for t in found.held_out]
    lines = [f"## Space: {name}", "", f"{len(found.designed)} samples, {len(found.held_out)} held-out networks, "]
    lines[-1] += (
        f"{min(latencies):.3f} to {max(latencies):.1f} ms, {origin.seconds / 60:.0f} minutes of measuring with "
    )
    lines[-1] += (
        f"{found.calibration.runtime} through `{origin.backend}`; {origin.steady:.0%} of the measurements steady."
    )
    attempts = len(found.measurements.read_text().splitlines())
    lines[-1] += (
        f" {attempts} measurements in all: what others disturbed was measured again, and the least disturbed attempt "
        "counts, told by the reference network and the interval alone."
    )
    lines += ["", f"**{held}.**", "", f"The fit learns from: {TOLD_BY[origin.by]}.", ""]
    lines += ["What the fit learns from, and what it is judged by, told differently; the last two columns are of "]
    lines[-1] += f"{len(second)} held-out networks measured anew, with as many attempts:"
    lines += ["", "| yardstick | within 10% | median error | worst | Spearman | repeats within, median | worst |"]
    lines += ["|---|---|---|---|---|---|---|", *(judged(found, second, by) for by in TOLD_BY), ""]
    batches: dict[Any, list[bool]] = {}
    target = latencies_of(found.held_out, origin.by, origin.reference_ms)
    model = found.calibration.quantities["latency_ms"].model()
    off = np.abs(model.predict([network(t.kernels) for t in found.held_out]) / target.costs - 1)
    for taken, error in zip(found.held_out, off, strict=True):
        batches.setdefault(taken.sample.batch, []).append(bool(error <= 0.1))
    parts = [f"batch {b}: {np.mean(v):.1%} of {len(v)}" for b, v in sorted(batches.items())]
    return [*lines, f"Within 10% by batch: {'; '.join(parts)}.", ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="local", help="profile, by name or path")
    parser.add_argument("--ssh", action="store_true", help="this machine through an SSH server on loopback instead")
    parser.add_argument("--spaces", nargs="+", choices=SPACES, default=list(SPACES))
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--holdout", type=int, default=200)
    parser.add_argument("--repeat", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--again", type=int, default=4, help="measure so often anew what others disturbed, at most")
    parser.add_argument("--minutes", type=float, default=12, help="end after so long; the same command goes on")
    parser.add_argument("--to", type=Path, default=HERE / "calibration.md")
    given = parser.parse_args()
    deadline = time.monotonic() + 60 * given.minutes
    sections = []
    try:
        for name in given.spaces:
            with loopback() if given.ssh else _named(given.device) as device:
                sections += _section(name, device, given, deadline)
    except OutOfTimeError:
        raise SystemExit("the minutes are over; the same command goes on") from None
    options = f"{' --ssh' if given.ssh else ''} --spaces {' '.join(given.spaces)} --again {given.again}"
    head = ["# Calibrating this machine", "", f"`python benchmarks/calibration.py{options}` wrote this page; see "]
    head[-1] += "docs/calibrating.md. A virtual machine with two shared cores of an AMD EPYC, other programs running."
    given.to.write_text("\n".join([*head, "", *sections]))
    print(f"wrote {given.to}")


@contextmanager
def _named(device: str) -> Iterator[str]:
    yield device


def _section(name: str, device: str | Path, given: argparse.Namespace, deadline: float) -> list[str]:
    folder = DATA / name
    found = calibrate(
        device,
        study=SPACES[name],
        samples=given.samples,
        holdout=given.holdout,
        seconds=given.seconds,
        again=given.again,
        folder=folder,
        force=True,
        meter="none",
        listener=within(deadline),
    )
    return report(name, found, again(found, device, given, name, deadline))


if __name__ == "__main__":
    main()
