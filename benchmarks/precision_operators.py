"""Why int8 is slower or faster than fp32: time by operator in the runtime's profile, and networks of growing size."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime
import torch

from nasopt.export import export_hard, observe_ranges, to_fp16, to_int8
from nasopt.hardware import Backend, device_lock, measure_all
from nasopt.networks import build, count
from nasopt.records import Candidate, ExportedModel, LossWeights, NetworkLayout, StageChoice, TimingProtocol
from nasopt.spec.training import QuantizationSpec

RUNS = 300
WARMUP = 50
DIGITS = ((16, 24, 32, 48), 1, 8)
"""Channels of the stages, channels and side of the images: those of the large pair on digits."""
SIZES = (
    DIGITS,
    ((16, 24, 32, 48), 3, 32),
    ((32, 48, 64, 96), 3, 32),
    ((64, 96, 128, 192), 3, 32),
    ((64, 96, 128, 192), 3, 64),
)
STAGE = StageChoice(width=1.0, depth=2, kernel=5, expansion=4)


def time_by_operator() -> str:
    """Where the hard path of the large pair on digits spends its time, as a section of the report."""
    with TemporaryDirectory(prefix="nasopt-") as folder:
        graphs, _ = _hard_path(*DIGITS, Path(folder))
        profiles = {m.precision: _profile(m, Path(folder)) for m in graphs if m.precision != "fp16"}
    lines = ["| precision | operator | nodes | us a run | us a node |", "|" + "---|" * 5]
    for precision, found in profiles.items():
        for operator, (nodes, us) in sorted(found.items(), key=lambda item: -item[1][1]):
            lines.append(f"| {precision} | {operator} | {nodes} | {us:.1f} | {us / nodes:.1f} |")
        whole = sum(us for _, us in found.values())
        lines.append(f"| {precision} | all | {sum(n for n, _ in found.values())} | {whole:.1f} | |")
    return (
        "## Where the time goes\n\nThe hard path of the large pair on digits, fresh weights, after ONNX Runtime's own "
        f"optimisations; medians of {RUNS} runs under its profiler, which itself takes some microseconds a node.\n\n"
        + "\n".join(lines)
        + "\n"
    )


def larger_networks(backend: Backend, protocol: TimingProtocol) -> str:
    """Calibrated latency of the hard path at growing sizes, as a section of the report."""
    lines = ["| channels | input | MACs | fp32 (ms) | fp16 | int8 |", "|" + "---|" * 6]
    for channels, colours, side in SIZES:
        with TemporaryDirectory(prefix="nasopt-") as folder:
            graphs, macs = _hard_path(channels, colours, side, Path(folder))
            with device_lock(backend.profile):  # type: ignore[attr-defined]
                taken = [m.latency for m in measure_all(backend, graphs, protocol)]
        full = taken[0].figure_ms
        cells = [
            f"{t.figure_ms:.3f} ({t.figure_ci95_ms[0]:.3f} to {t.figure_ci95_ms[1]:.3f}), x{t.figure_ms / full:.2f}"
            for t in taken
        ]
        lines.append(f"| {'/'.join(map(str, channels))} | {side}x{side} | {macs / 1e6:.1f}M | {' | '.join(cells)} |")
    return (
        "## From which size on\n\nThe same path with more channels and on larger inputs, fresh weights; calibrated "
        "latencies with 95% intervals.\n\n" + "\n".join(lines) + "\n"
    )


def _hard_path(channels: tuple[int, ...], colours: int, side: int, folder: Path) -> tuple[list[ExportedModel], int]:
    """The second part of a hard path in fp32, fp16 and int8 with fresh weights, and its MACs."""
    layout = NetworkLayout(
        in_channels=colours,
        classes=10,
        stem_channels=16,
        stem_stride=1,
        channels=channels,
        strides=(1, 2, 1, 2),
        widths=(1.0,),
        depths=(STAGE.depth,),
        kernels=(STAGE.kernel,),
        expansions=(STAGE.expansion,),
        resolutions=(side,),
    )
    weights = LossWeights(alpha=1.0, beta=1.0, gamma=0.5, lambda_=0.5, temperature=2.0, eta=0.1)
    stages = (STAGE,) * len(channels)
    candidate = Candidate(little=stages, big=stages, router="confidence", tau=0.8, loss=weights, resolution=side)
    torch.manual_seed(0)
    network = build(layout, candidate).eval()
    with torch.inference_mode():
        shape = tuple(network.stem(torch.zeros(1, colours, side, side)).shape)
    plain = export_hard(network, shape, folder / "fp32.onnx")
    options = QuantizationSpec()
    noise = np.random.default_rng(0).standard_normal((4, *shape[1:])).astype(np.float32)
    converted = [
        to_fp16(plain, folder / "fp16.onnx"),
        to_int8(plain, observe_ranges(plain, noise, options), folder / "int8.onnx", options),
    ]
    counts = count(layout, candidate)
    return [plain, *converted], counts.macs_hard - counts.macs_easy


def _profile(model: ExportedModel, folder: Path) -> dict[str, tuple[int, float]]:
    """Nodes and microseconds a run of each kind of operator, in the order of the graph."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.enable_profiling = True
    options.profile_file_prefix = str(folder / model.precision)
    session = onnxruntime.InferenceSession(str(model.path), options, providers=["CPUExecutionProvider"])
    feeds = {name: np.random.default_rng(0).standard_normal(shape).astype(np.float32) for name, shape in model.inputs}
    for _ in range(WARMUP + RUNS):
        session.run(None, feeds)
    events = json.loads(Path(session.end_profiling()).read_text())
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            times[event["args"]["op_name"], event["name"]].append(event["dur"])
    nodes = Counter(operator for operator, _ in times)
    spent: dict[str, float] = defaultdict(float)
    for (operator, _), taken in times.items():
        spent[operator] += median(taken[WARMUP:])
    return {operator: (nodes[operator], us) for operator, us in spent.items()}
