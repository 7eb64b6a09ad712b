"""Does ONNX `If` cost anything, and does the branch that is not taken cost nothing?

Exports pairs of three sizes, measures four graphs of each in one interleaved run (the easy and the hard path alone, and
the routed graph with a threshold that always and never lets the little network answer) and prints the overhead.

    python benchmarks/if_graph.py [--seconds 2]

The routed graph's easy path must be within 1.1 times, or 10 us, of the little-plus-router graph alone.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch

from nasopt.export import compose_routed, export_easy, export_hard, set_tau
from nasopt.hardware import backend_for, device_lock, fingerprint, load_profile
from nasopt.hardware.backends.onnx_runtime import OnnxRuntimeBackend
from nasopt.networks import build, count
from nasopt.records import Candidate, LossWeights, Measurement, NetworkLayout, RouterKind, StageChoice, TimingProtocol

LOSS = LossWeights(alpha=1, beta=1, gamma=0, lambda_=0, temperature=2, eta=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    name: str
    layout: NetworkLayout
    candidate: Candidate


def case(name: str, size: int, channels: tuple[int, ...], router: RouterKind, *, image_channels: int = 3) -> Case:
    layout = NetworkLayout(
        in_channels=image_channels,
        classes=10,
        stem_channels=16,
        stem_stride=1,
        channels=channels,
        strides=(1, 2, 2, 1),
        widths=(0.25, 1.0),
        depths=(1, 3),
        kernels=(3, 5),
        expansions=(1, 4),
        resolutions=(size,),
    )
    little = (StageChoice(width=0.25, depth=1, kernel=3, expansion=1),) * 4
    big = (StageChoice(width=1.0, depth=3, kernel=5, expansion=4),) * 4
    candidate = Candidate(little=little, big=big, router=router, tau=0.5, loss=LOSS, resolution=size)
    return Case(name=name, layout=layout, candidate=candidate)


CASES = (
    case("digits 8x8", 8, (16, 24, 32, 48), "confidence", image_channels=1),
    case("32x32", 32, (16, 24, 40, 64), "learned"),
    case("64x64", 64, (16, 24, 40, 64), "difficulty"),
)


def measure(case: Case, backend: OnnxRuntimeBackend, protocol: TimingProtocol, folder: Path) -> list[Measurement]:
    """Costs of: easy alone, routed and always leaving, hard alone, routed and never leaving."""
    network = build(case.layout, case.candidate)
    shape = (1, case.layout.in_channels, case.candidate.resolution, case.candidate.resolution)
    with torch.no_grad():
        features = network.stem(torch.zeros(shape))
    easy = export_easy(network, shape, folder / "easy.onnx")
    hard = export_hard(network, tuple(features.shape), folder / "hard.onnx")
    leaving = compose_routed(easy, hard, folder / "leaving.onnx", 0.0)
    staying = set_tau(leaving, folder / "staying.onnx", 2.0)
    return backend.measure_together([easy, leaving, hard, staying], protocol)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0, help="least counted time for each graph")
    seconds = parser.parse_args().seconds
    profile = load_profile("local")
    backend = backend_for(profile, meter="none")
    assert isinstance(backend, OnnxRuntimeBackend)
    protocol = TimingProtocol(min_s=seconds, max_s=4 * seconds + 2, blocks=20)
    print(f"{fingerprint()['cpu']}, {fingerprint()['cores']} cores; {backend.signature()['runtime']}, one thread")
    print("medians with their 95% intervals, in microseconds\n")
    failed = 0
    for chosen in CASES:
        with tempfile.TemporaryDirectory() as folder, device_lock(profile):
            easy, leaving, hard, staying = (m.latency for m in measure(chosen, backend, protocol, Path(folder)))
        macs = count(chosen.layout, chosen.candidate)
        print(
            f"{chosen.name}, router {chosen.candidate.router}, MACs {macs.macs_easy:,} easy and {macs.macs_hard:,} hard"
        )
        for name, latency in (
            ("easy graph alone", easy),
            ("routed, little answers", leaving),
            ("hard graph alone", hard),
            ("routed, big answers", staying),
        ):
            low, high = (1e3 * bound for bound in latency.ci95_ms)
            note = "" if latency.valid else "  (reference drifted: not a quiet machine)"
            print(f"  {name:24}{1e3 * latency.median_ms:9.1f}  [{low:.1f}, {high:.1f}]{note}")
        gap_us = 1e3 * (leaving.median_ms - easy.median_ms)
        both_ms = easy.median_ms + hard.median_ms
        good = leaving.median_ms <= 1.1 * easy.median_ms or gap_us <= 10
        failed += not good
        verdict = "ok" if good else "TOO SLOW"
        print(f"  easy path in `If`: x{leaving.median_ms / easy.median_ms:.3f}, {gap_us:+.1f} us: {verdict}")
        print(f"  hard path in `If`: x{staying.median_ms / both_ms:.3f} of easy + hard alone\n")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
