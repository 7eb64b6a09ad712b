"""Does a latency come out the same again, next to a neighbour that keeps a core busy half of the time?

python benchmarks/repeatability.py [--networks 24] [--to repeatability.md]

Measures networks of the space whose neighbours lie at least 8% apart in latency, twice, each pass in a process of its
own; during the second, another process keeps one core busy half of the time. Writes repeatability.md.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from optuna.samplers import RandomSampler
from optuna.study import Study, create_study
from scipy.stats import kendalltau

from nasopt.database import quiet_optuna
from nasopt.export import export_easy, export_hard
from nasopt.graphs.describe import describe
from nasopt.hardware import backend_for, device_lock, fingerprint, load_profile, measure_all
from nasopt.hardware.backends.onnx_runtime import OnnxRuntimeBackend
from nasopt.hardware.timing.summary import time_interleaved
from nasopt.networks import RoutedNetwork, build
from nasopt.networks import count as count_of
from nasopt.records import ExportedModel, NetworkLayout, TimingProtocol
from nasopt.space import BigLittleSpace
from nasopt.spec.space import SpaceSpec

HERE = Path(__file__).parent
APART = 1.08
AIMED_APART = (1.12, 1.11, 1.1, 1.09)
"""Networks are chosen by a hasty measurement, whose errors must not bring neighbours closer than `APART`."""
DRAWN = 200
MACS_APART = 1.035
RESOLUTIONS = [16, 32]
HASTY = TimingProtocol(warmup_runs=3, warmup_s=0.01, min_runs=20, min_s=0.06, max_s=0.3, blocks=4, tight_enough=0.05)
PERIOD_S = 0.1
LIMITS = {"median": 0.03, "worst": 0.08, "tau": 0.95}


def draw_networks(folder: Path, count: int) -> list[ExportedModel]:
    """Paths of random candidates, each some 10% dearer than the one before, cheapest first."""
    space = BigLittleSpace(SpaceSpec.model_validate({"resolution": RESOLUTIONS}), native_resolution=32)
    layout = space.layout(in_channels=3, classes=10)
    with quiet_optuna():
        study = create_study(sampler=RandomSampler(seed=0))
    backend = backend_for(load_profile("local"), meter="none")
    assert isinstance(backend, OnnxRuntimeBackend)
    reference = backend._reference(1)
    found = []
    for number, (network, side, path) in enumerate(_spread(space, layout, study)):
        shape = (1, 3, side, side)
        with torch.inference_mode():
            features = network.stem(torch.zeros(shape))
        file = folder / f"{number}.onnx"
        model = export_easy(network, shape, file) if path == "easy" else export_hard(network, features.shape, file)
        (latency,) = time_interleaved([backend.runner(model, 1)], reference, HASTY)
        found.append((latency.calibrated_ms or 0.0, model))
    ladders = (_ladder(sorted(found, key=lambda pair: pair[0]), apart) for apart in AIMED_APART)
    ladder = next((models for models in ladders if len(models) >= count), None)
    if ladder is None:
        raise SystemExit(f"fewer than {count} networks are far enough apart; draw more than {DRAWN}")
    return ladder[-count:]


def _ladder(ranked: Sequence[tuple[float, ExportedModel]], apart: float) -> list[ExportedModel]:
    chosen: list[tuple[float, ExportedModel]] = []
    for ratio, model in ranked:
        if not chosen or ratio >= apart * chosen[-1][0]:
            chosen.append((ratio, model))
    return [model for _, model in chosen]


def _spread(space: BigLittleSpace, layout: NetworkLayout, study: Study) -> Iterator[tuple[RoutedNetwork, int, str]]:
    """Paths of random candidates whose operations lie some percent apart, so that few have to be measured."""
    paths = []
    for _ in range(DRAWN):
        candidate = space.decode(study.ask(dict(space.distributions)).params)
        counts = count_of(layout, candidate)
        paths += [(counts.macs_easy, candidate, "easy"), (counts.macs_hard - counts.macs_easy, candidate, "hard")]
    last = 0.0
    for macs, candidate, path in sorted(paths, key=lambda entry: entry[0]):
        if macs >= MACS_APART * last:
            last = macs
            yield build(layout, candidate).eval(), candidate.resolution, path


def measure(paths: Sequence[Path], target: Path) -> None:
    """One pass over the networks in this process, in random order: records to `target`."""
    backend = backend_for(load_profile("local"), meter="none")
    taken: list[Any] = [None] * len(paths)
    before = os.getloadavg()
    for index in np.random.default_rng(os.getpid()).permutation(len(paths)):
        (measurement,) = measure_all(backend, [describe(paths[index])], TimingProtocol())
        taken[index] = {**asdict(measurement.latency), "seconds": measurement.seconds}
    target.write_text(json.dumps({"taken": taken, "load": [before[0], os.getloadavg()[0]]}))


def keep_busy(core: int) -> None:
    """Keep one core busy half of the time, for ever."""
    os.sched_setaffinity(0, {core})
    while True:
        end = time.perf_counter() + PERIOD_S / 2
        while time.perf_counter() < end:
            sum(range(1000))
        time.sleep(PERIOD_S / 2)


@contextmanager
def neighbour(core: int) -> Iterator[None]:
    process = multiprocessing.get_context("spawn").Process(target=keep_busy, args=(core,), daemon=True)
    process.start()
    time.sleep(5.0)  # until it has imported what it needs
    try:
        yield
    finally:
        process.terminate()
        process.join()


def one_pass(models: Sequence[ExportedModel], target: Path) -> dict[str, Any]:
    worker = multiprocessing.get_context("spawn").Process(target=measure, args=([m.path for m in models], target))
    worker.start()
    worker.join()
    if worker.exitcode:
        raise SystemExit(f"a pass failed (exit code {worker.exitcode})")
    record: dict[str, Any] = json.loads(target.read_text())
    return record


def agreement(first: Sequence[float], second: Sequence[float]) -> dict[str, float]:
    apart = np.abs(np.array(second) / np.array(first) - 1)
    return {
        "median": float(np.median(apart)),
        "worst": float(apart.max()),
        "tau": float(kendalltau(first, second)[0]),
        "shift": float(np.median(np.array(second) / np.array(first)) - 1),
    }


def overlapping(first: Sequence[dict[str, Any]], second: Sequence[dict[str, Any]], key: str) -> int:
    return sum(a[key][0] <= b[key][1] and b[key][0] <= a[key][1] for a, b in zip(first, second, strict=True))


def meets(found: dict[str, float]) -> bool:
    within = found["median"] <= LIMITS["median"] and found["worst"] <= LIMITS["worst"]
    return within and found["tau"] >= LIMITS["tau"]


def lines(first: dict[str, Any], second: dict[str, Any], core: int) -> Iterator[str]:
    """The report in Markdown."""
    a, b = first["taken"], second["taken"]
    order = sorted(range(len(a)), key=lambda i: a[i]["calibrated_ms"])
    a, b = [a[i] for i in order], [b[i] for i in order]
    gaps = [y["calibrated_ms"] / x["calibrated_ms"] for x, y in pairwise(a)]
    host = fingerprint()
    yield "# Repeatability of latency"
    yield ""
    yield (
        f"`python benchmarks/repeatability.py` on {host['cpu']}, {host['cores']} cores, onnxruntime "
        f"{onnxruntime.__version__}, one thread, default protocol. {len(a)} networks of the space (paths of random "
        f"candidates at 16x16 and 32x32 pixels), neighbours at least {100 * (min(gaps) - 1):.1f}% apart, each measured "
        "once in two passes, in random order, each pass a process of its own. During the second another process kept "
        f"core {core} busy half of the time ({1e3 * PERIOD_S / 2:.0f} ms of every {1e3 * PERIOD_S:.0f} ms)."
    )
    yield ""
    yield (
        f"Load average (1 min) at the start and the end of the passes: {_loads(first)} and {_loads(second)}; the "
        "measurement itself is 1 of it, the neighbour half. What is above that is other work on the machine."
    )
    yield ""
    yield "| figure | median difference | worst | Kendall tau | median shift | intervals that overlap | wanted |"
    yield "|---|---|---|---|---|---|---|"
    for name, key, interval in (
        ("calibrated latency", "calibrated_ms", "calibrated_ci95_ms"),
        ("raw median", "median_ms", "ci95_ms"),
        ("ratio to the reference by the clock", "reference_ratio", "ratio_ci95"),
        ("ratio to the reference by processor time", "processor_ratio", "processor_ratio_ci95"),
    ):
        if any(x[key] is None for x in (*a, *b)):
            continue
        found = agreement([x[key] for x in a], [x[key] for x in b])
        wanted = f"3%, 8%, .95: {'met' if meets(found) else 'missed'}" if key == "calibrated_ms" else "for comparison"
        yield (
            f"| {name} | {found['median']:.2%} | {found['worst']:.2%} | {found['tau']:.3f} | {found['shift']:+.2%} | "
            f"{overlapping(a, b, interval)} of {len(a)} | {wanted} |"
        )
    yield ""
    valid = [sum(x["valid"] for x in taken) for taken in (a, b)]
    seconds = [np.median([x["seconds"] for x in taken]) for taken in (a, b)]
    yield (
        f"Valid: {valid[0]} and {valid[1]} of {len(a)}. A measurement, its memory probe included, took "
        f"{seconds[0]:.1f} s and {seconds[1]:.1f} s in the median."
    )
    yield ""
    yield "| calibrated (ms) | again | apart | raw median (ms) | again | apart |"
    yield "|---|---|---|---|---|---|"
    for x, y in zip(a, b, strict=True):
        cells = []
        for key in ("calibrated_ms", "median_ms"):
            cells += [f"{x[key]:.4f}", f"{y[key]:.4f}", f"{y[key] / x[key] - 1:+.1%}"]
        yield f"| {' | '.join(cells)} |"


def _loads(record: dict[str, Any]) -> str:
    return " to ".join(f"{load:.1f}" for load in record["load"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=24)
    parser.add_argument("--core", type=int, default=0, help="which core the neighbour keeps busy")
    parser.add_argument("--to", type=Path, default=HERE / "repeatability.md")
    parser.add_argument("--records", type=Path, help="also write both passes as JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, device_lock(load_profile("local")):
        models = draw_networks(Path(folder), options.networks)
        first = one_pass(models, Path(folder) / "first.json")
        with neighbour(options.core):
            second = one_pass(models, Path(folder) / "second.json")
    text = "\n".join(lines(first, second, options.core)) + "\n"
    options.to.write_text(text)
    if options.records is not None:
        options.records.write_text(json.dumps([first, second]))
    print(text)
    taken = ([x["calibrated_ms"] for x in record["taken"]] for record in (first, second))
    return 0 if meets(agreement(*taken)) else 1


if __name__ == "__main__":
    raise SystemExit(main())
