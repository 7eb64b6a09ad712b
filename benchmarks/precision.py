"""What fp16 and int8 cost in accuracy, and bring in size and time, for trained pairs on this machine.

Trains a supernet, co-trains two pairs, converts each, and runs the converted graphs under ONNX Runtime: accuracy of
each path and of the routed pair over the whole validation split, answers that agree with fp32, size, and calibrated
latency. All graphs of a pair are timed in one interleaved run, so that their ratios hold on a noisy machine. The
threshold is where a given share of the validation images leaves early in fp32; the others keep it. Then it looks where
the runtime spends its time, and from which size on int8 is worth it.

    python benchmarks/precision.py [--data digits] [--epochs 20] [--markdown benchmarks/precision.md]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime
from precision_operators import larger_networks, time_by_operator

from nasopt.cache import Cache
from nasopt.data import load_data
from nasopt.evaluation import EvaluationContext
from nasopt.evaluation.conversion import obtain_scored, predict_graphs, stored_graphs
from nasopt.evaluation.pairs import obtain_pair
from nasopt.hardware import Backend, backend_for, device_lock, load_profile, measure_all
from nasopt.networks import count
from nasopt.records import ArtifactNames, Candidate, Cost, Interval, Precision, StageChoice, TimingProtocol
from nasopt.routing.costs import PathCosts, expected
from nasopt.routing.decisions import decide, route
from nasopt.routing.statistics import routed_quality
from nasopt.space import BigLittleSpace
from nasopt.spec.data import DataSpec
from nasopt.spec.space import SpaceSpec
from nasopt.spec.training import TrainingSpec
from nasopt.training import Predictions, train_supernet

VERSIONS: tuple[tuple[str, Precision, bool], ...] = (
    ("fp32", "fp32", False),
    ("fp16", "fp16", False),
    ("int8", "int8", False),
    ("int8, weights in 7 bits", "int8", True),
)
"""Name, precision, and `training.quantization.reduce_range`."""
HEADS = ("little", "big")
PROTOCOL = TimingProtocol(warmup_s=0.1, min_s=0.3, max_s=3.0, drift_limit=0.1)
_STAGES = {"width": [0.25, 0.5, 1.0], "kernel": [3, 5], "expansion": [1, 2, 4]}
SPACES = {
    "digits": {"channels": [16, 24, 32, 48], "strides": [1, 2, 1, 2]},
    "cifar10": {"channels": [16, 24, 40, 64], "strides": [1, 2, 2, 1], "stem_stride": 2},
}
PAIRS = (
    ("small", (0.25, 1, 3, 1), (0.5, 1, 3, 4)),
    ("large", (0.5, 1, 3, 2), (1.0, 2, 5, 4)),
)
"""Name, then width, depth, kernel and expansion of every stage of the little and of the big network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One pair in one version."""

    pair: str
    version: str
    macs: tuple[int, int]
    accuracy: dict[str, float]
    """Of the little head, the big head and the routed pair, as shares of the validation images."""
    agreement: dict[str, float]
    """Of their answers with those in fp32."""
    exit_rate: float
    size_kb: dict[str, float]
    """Of the easy path's graph, the hard path's and the routed one."""
    latency: dict[str, Cost]
    """Of the easy path, of the hard path's second part, and expected over the validation images, in ms."""
    seconds: float
    """What conversion and its answers took."""
    plain: dict[str, float]
    """Accuracy of the little and the big head with the runtime's optimisations of the graph switched off."""
    apart: dict[str, float]
    """Largest difference of a logit between optimisations on and off."""


def make_context(name: str, args: argparse.Namespace, cache: Cache) -> tuple[EvaluationContext, BigLittleSpace]:
    training = TrainingSpec.model_validate(
        {
            "threads": 1,
            "supernet": {"epochs": args.epochs, "batch_size": 64, "learning_rate": 4e-3},
            "cotrain": {"epochs": args.cotrain},
            "quantization": {"method": args.method},
        }
    )
    data = load_data(DataSpec(name=name, train_images=args.images if name == "cifar10" else None), seed=0)
    stages = _STAGES | {"depth": [1, 2]}
    spec = SpaceSpec.model_validate({**SPACES[name], "little": stages, "big": stages})
    space = BigLittleSpace(spec, native_resolution=data.size)
    layout = space.layout(in_channels=data.channels, classes=len(data.classes))
    trained = train_supernet(layout, data, training, seed=0, cache=cache, progress=_say)
    context = EvaluationContext(
        layout=layout, data=data, trained=trained, training=training, devices=(), seed=0, cache=cache
    )
    return context, space


def candidate_of(space: BigLittleSpace, little: tuple[float, ...], big: tuple[float, ...]) -> Candidate:
    params = {n: d.to_external_repr(0) for n, d in space.distributions.items() if n != "router.tau"}
    plain = space.decode({**params, "router.tau": 0.8})

    def stages(choice: tuple[float, ...]) -> tuple[StageChoice, ...]:
        width, depth, kernel, expansion = choice
        stage = StageChoice(width=width, depth=int(depth), kernel=int(kernel), expansion=int(expansion))
        return (stage,) * space.stages

    return replace(plain, little=stages(little), big=stages(big), router="confidence")


def rows_of(
    context: EvaluationContext, backend: Backend, name: str, candidate: Candidate, exit_rate: float
) -> Iterator[Row]:
    pair = obtain_pair(context, candidate)
    tau = float(np.quantile(pair.predictions.scores, 1.0 - exit_rate))
    candidate = replace(candidate, tau=tau)
    labels = context.data.validation.labels.numpy()
    counts = count(context.layout, candidate)
    shape = (1, context.layout.in_channels, candidate.resolution, candidate.resolution)
    scored, graphs = [], []
    with TemporaryDirectory(prefix="nasopt-") as folder:
        for i, (_, precision, reduced) in enumerate(VERSIONS):
            version = replace(candidate, precision=precision)
            scored.append(obtain_scored(_with(context, reduced), version, pair))
            own = Path(folder) / str(i)
            own.mkdir()
            graphs += stored_graphs({ArtifactNames.WEIGHTS: pair.weights, **scored[-1].files}, version, shape, own)
        images = context.data.validation.images
        plain = [
            predict_graphs(*graphs[2 * i : 2 * i + 2], images, context.data, optimized=False)
            for i in range(len(VERSIONS))
        ]
        with device_lock(backend.profile):  # type: ignore[attr-defined]
            taken = [m.latency for m in measure_all(backend, graphs, PROTOCOL)]
    costs = [Cost(value=t.figure_ms, ci95=t.figure_ci95_ms, provenance=t.provenance) for t in taken]
    truth = _answers(pair.predictions, tau)
    for i, (version, _, _) in enumerate(VERSIONS):
        answers = _answers(scored[i].predictions, tau)
        rate = routed_quality(*_logits(scored[i].predictions), labels, tau)["exit_rate"]
        easy, hard = costs[2 * i], costs[2 * i + 1]
        yield Row(
            pair=name,
            version=version,
            macs=(counts.macs_easy, counts.macs_hard - counts.macs_easy),
            accuracy={k: float((v == labels).mean()) for k, v in answers.items()},
            agreement={k: float((v == truth[k]).mean()) for k, v in answers.items()},
            exit_rate=rate,
            size_kb={
                "easy": graphs[2 * i].size_bytes / 1e3,
                "hard": graphs[2 * i + 1].size_bytes / 1e3,
                "routed": scored[i].size_bytes / 1e3,
            },
            latency={
                "easy": easy,
                "hard": hard,
                "expected": expected(PathCosts(easy=easy, big=hard), exit_rate=rate, inputs=len(labels)),
            },
            seconds=scored[i].seconds,
            plain={head: float((getattr(plain[i], head).argmax(1) == labels).mean()) for head in HEADS},
            apart={
                head: float(np.abs(getattr(plain[i], head) - getattr(scored[i].predictions, head)).max())
                for head in HEADS
            },
        )


def _with(context: EvaluationContext, reduced: bool) -> EvaluationContext:
    quantization = context.training.quantization.model_copy(update={"reduce_range": reduced})
    return replace(context, training=context.training.model_copy(update={"quantization": quantization}))


def _logits(p: Predictions) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return p.little, p.big, p.scores


def _answers(p: Predictions, tau: float) -> dict[str, np.ndarray]:
    routed = route(p.little, p.big, decide(p.scores, tau))
    return {"little": p.little.argmax(1), "big": p.big.argmax(1), "routed": routed.argmax(1)}


def answers_table(rows: list[Row]) -> str:
    lines = [
        "| pair | precision | little | big | routed | exit rate | little agrees | big agrees | routed agrees |",
        "|" + "---|" * 9,
    ]
    for row in rows:
        shares = [*row.accuracy.values(), row.exit_rate, *row.agreement.values()]
        lines.append(f"| {_label(row)} | {row.version} | " + " | ".join(f"{100 * s:.1f}%" for s in shares) + " |")
    return "\n".join(lines)


def optimisations_table(rows: list[Row]) -> str:
    lines = ["| pair | precision | little, on and off | big, on and off | logits apart |", "|" + "---|" * 5]
    for row in rows:
        heads = [f"{row.accuracy[h]:.1%}, {row.plain[h]:.1%}" for h in HEADS]
        lines.append(
            f"| {_label(row)} | {row.version} | {' | '.join(heads)} | "
            + ", ".join(f"{row.apart[h]:.2g}" for h in HEADS)
            + " |"
        )
    return "\n".join(lines)


def costs_table(rows: list[Row]) -> str:
    lines = [
        "| pair | precision | easy path | hard path | expected | x fp32 | routed graph | converted in |",
        "|" + "---|" * 8,
    ]
    full: Row | None = None
    for row in rows:
        full = row if row.version == "fp32" or full is None else full
        times = [f"{c.value:.4f} ({_ends(c.ci95)})" for c in row.latency.values()]
        ratios = ", ".join(f"{c.value / full.latency[k].value:.2f}" for k, c in row.latency.items())
        size = "{routed:.1f} ({easy:.1f} and {hard:.1f})".format(**row.size_kb)
        cells = [_label(row), row.version, *times, ratios, size, f"{row.seconds:.1f} s"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _label(row: Row) -> str:
    macs = " and ".join(f"{m / 1e6:.2f}M" for m in row.macs)
    return f"{row.pair}, {macs} MACs" if row.version == "fp32" else ""


def _ends(interval: Interval) -> str:
    return f"{interval[0]:.4f} to {interval[1]:.4f}"


def section(name: str, args: argparse.Namespace, backend: Backend) -> str:
    with TemporaryDirectory(prefix="nasopt-") as folder:
        context, space = make_context(name, args, Cache(Path(folder)))
        rows = []
        for pair, little, big in PAIRS:
            print(f"{name}, pair {pair}: co-training, conversion, timing", flush=True)
            rows += rows_of(context, backend, pair, candidate_of(space, little, big), args.exit_rate)
    data = context.data
    return (
        f"## {data.name}\n\n"
        f"{len(data.train)} training and {len(data.validation.labels)} validation images, {args.epochs} epochs of the "
        f"supernet and {args.cotrain} of each pair, ranges of activations by {args.method}. tau is where "
        f"{args.exit_rate:.0%} of the validation images leave early in fp32, and the same for all.\n\n"
        f"{answers_table(rows)}\n\n"
        "The same networks with the runtime's optimisations of the graph on and off: without them it computes node by "
        "node what the graph says. Largest difference of a logit of the little and of the big head.\n\n"
        f"{optimisations_table(rows)}\n\n"
        "Calibrated latencies in ms with 95% intervals; `expected` is the easy path's and, for those that do not "
        "leave, the hard path's. Sizes in kB, of the routed graph and of both paths'.\n\n"
        f"{costs_table(rows)}\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", choices=sorted(SPACES), nargs="+", default=["digits"])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--cotrain", type=int, default=2, help="epochs of each pair")
    parser.add_argument("--images", type=int, default=4000, help="training images of cifar10")
    parser.add_argument("--exit-rate", type=float, default=0.5, help="share that leaves early in fp32")
    parser.add_argument("--method", choices=("minmax", "percentile", "entropy"), default="minmax")
    parser.add_argument("--markdown", type=Path, help="write the report to this file")
    args = parser.parse_args()
    backend = backend_for(load_profile("local"), meter="none")
    vnni = "with" if _has_vnni() else "without"
    parts = [
        "# Lower precision on this machine\n\n"
        f"`python benchmarks/precision.py --data {' '.join(args.data)}`. ONNX Runtime {onnxruntime.__version__}, one "
        f"thread, {_processor()} {vnni} VNNI.\n",
        *(section(name, args, backend) for name in args.data),
        time_by_operator(),
        larger_networks(backend, PROTOCOL),
    ]
    text = "\n".join(parts)
    print(text)
    if args.markdown:
        args.markdown.write_text(text)


def _say(step: object) -> None:
    print(step, flush=True)


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "a processor")


def _has_vnni() -> bool:
    info = Path("/proc/cpuinfo")
    return info.exists() and "vnni" in info.read_text()


if __name__ == "__main__":
    main()
