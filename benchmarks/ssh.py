"""Does measuring over SSH give what measuring here gives, and what does it cost?

Starts an OpenSSH server of its own on loopback, measures networks of five sizes in turns by the backends `ssh` and
`onnxruntime` on this machine, and writes benchmarks/ssh.md.

    python benchmarks/ssh.py [--rounds 4]

Calibrated latencies (ratios to the interleaved reference) must agree within 3%, and a measurement over SSH, from the
second on, must take at most 1 s beside what the protocol itself takes on the device.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnxruntime

sys.path.insert(0, str(Path(__file__).parent.parent))  # the server of the tests

from nasopt.hardware import backend_for, device_lock, fingerprint, load_profile
from nasopt.hardware.backends.base import Backend
from nasopt.hardware.backends.ssh.backend import SshBackend
from nasopt.records import ExportedModel, Latency, TimingProtocol
from nasopt.spec.device import DeviceProfile
from nasopt.testing import graphs
from tests.hardware.sshd import Server, why_not

PROTOCOL = TimingProtocol(min_s=0.5, max_s=2.5)
SIZES = ((16, 16), (24, 32), (48, 32), (64, 48), (96, 56))
"""Channels and side of the networks."""
REPORT = Path(__file__).with_suffix(".md")


class Timed(SshBackend):
    """Notes what each measurement took beside the work on the device and waiting for others who measure there."""

    overheads_s: list[float]

    def _taken(self, models: Sequence[ExportedModel], protocol: TimingProtocol) -> dict[str, Any]:
        start = time.perf_counter()
        taken = super()._taken(models, protocol)
        self.overheads_s.append(time.perf_counter() - start - taken["seconds"] - taken["waited_s"])
        return taken


def over_ssh(server: Server, folder: Path) -> Timed:
    choice = server.backend(folder)
    content = {"name": "loopback", "description": "", "processor": "", "reach": server.reach(), "backend": choice}
    options: dict[str, Any] = {**choice["options"], "known_hosts": server.known_hosts}  # type: ignore[dict-item]
    backend = Timed(DeviceProfile.model_validate(content), **options)
    backend.overheads_s = []
    return backend


def in_turns(local: Backend, ssh: Backend, models: Sequence[ExportedModel], rounds: int) -> list[list[list[Latency]]]:
    """Latencies by network, round, and backend (here, over SSH); who comes first changes from turn to turn."""
    profile = load_profile("local")
    found: list[list[list[Latency]]] = [[] for _ in models]
    for turn in range(rounds):
        for place, model in enumerate(models):
            pair: dict[bool, Latency] = {}
            for remote in (True, False) if (turn + place) % 2 else (False, True):
                if remote:
                    pair[True] = ssh.measure(model, PROTOCOL).latency
                else:
                    with device_lock(profile):
                        pair[False] = local.measure(model, PROTOCOL).latency
            found[place].append([pair[False], pair[True]])
    return found


def calibrated(latency: Latency) -> float:
    assert latency.reference_ratio is not None
    return latency.reference_ratio


def report(found: Sequence[Sequence[Sequence[Latency]]], overheads_s: Sequence[float]) -> str:
    rows, differences = [], []
    for (channels, side), rounds in zip(SIZES, found, strict=True):
        here = [statistics.median(calibrated(r[i]) for r in rounds) for i in (0, 1)]
        medians = [statistics.median(r[i].median_ms for r in rounds) for i in (0, 1)]
        differences.append(abs(here[1] / here[0] - 1))
        valid = sum(latency.valid for r in rounds for latency in r)
        rows.append(
            f"| {channels} channels, {side}x{side} | {medians[0]:.4g} | {medians[1]:.4g} | {here[0]:.4f} | "
            f"{here[1]:.4f} | {here[1] / here[0] - 1:+.2%} | {valid} of {2 * len(rounds)} |"
        )
    later = overheads_s[1:]
    met = max(differences) <= 0.03 and max(later) <= 1.0
    cpu, rounds = fingerprint(), len(found[0])
    lines = [
        "# Measuring over SSH",
        "",
        f"Written by `python benchmarks/ssh.py --rounds {rounds}`: an OpenSSH server on loopback, networks of five",
        "sizes measured in turns here (backend `onnxruntime`) and over SSH (backend `ssh`), medians over the rounds,",
        f"on {cpu['cores']} cores of an {cpu['cpu']} with onnxruntime {onnxruntime.__version__}, one thread, other",
        "programs running. The calibrated latency is the ratio to the interleaved reference.",
        "",
        "| network | here, ms | over SSH, ms | calibrated here | over SSH | difference | valid |",
        "|---|---|---|---|---|---|---|",
        *rows,
        "",
        f"Largest difference of calibrated latencies: {max(differences):.2%} (at most 3% wanted). What a measurement",
        "took beside the work on the device and waiting for others who measured there:",
        f"{overheads_s[0]:.2f} s the first time (connecting, copying the package), then",
        f"{statistics.median(later):.3f} s in the median and {max(later):.3f} s at most of {len(later)}",
        "(at most 1 s wanted).",
        "Both are met." if met else "Not both are met.",
        "",
        "That a server killed in the middle of a study loses no trial is shown by `tests/hardware/test_ssh_study.py`.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=4)
    rounds = parser.parse_args().rounds
    if (reason := why_not()) is not None:
        raise SystemExit(reason)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        models = [
            graphs.write_classifier(folder / f"{channels}-{side}.onnx", channels=channels, side=side)
            for channels, side in SIZES
        ]
        server = Server(folder / "sshd").start()
        try:
            ssh = over_ssh(server, folder / "board")
            found = in_turns(backend_for(load_profile("local"), meter="none"), ssh, models, rounds)
        finally:
            server.stop()
    text = report(found, ssh.overheads_s)
    REPORT.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
