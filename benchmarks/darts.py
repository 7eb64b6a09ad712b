"""What an architecture prior is worth: `darts` against its controls and another sampler, on CIFAR-10, at equal cost.

    python benchmarks/darts.py [--folder darts-benchmark] [--budget 900] [--seeds 1] [--hours 1] [--report FILE]

Networks of at most 5 million multiply-accumulates, 10,000 training images, three preferences between accuracy and the
latency that a datasheet model of a Raspberry Pi 4 gives. All arms search one supernet and inherit its weights; an arm
may spend `--budget` seconds of processor time on its trials, and the training of the prior is charged to those that
need it. Trials of the arms take turns, so that a busy machine slows all alike. Interrupted, it goes on where it was.
NASOPT_DATA names the folder with cifar10.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from nasopt import plugins
from nasopt.cache import Cache
from nasopt.database import open_storage
from nasopt.prior import ArchitecturePrior
from nasopt.problems.big_little import BigLittleProblem
from nasopt.report import load_view
from nasopt.report.hypervolume import hypervolume
from nasopt.spec.study import StudySpec
from nasopt.study import run
from nasopt.study.events import Event, TrialEnded

HERE = Path(__file__).parent
STUDY: dict[str, Any] = {
    "data": {"name": "cifar10", "train_images": 12500, "validation": 0.2, "augment": {"crop": 4, "flip": True}},
    "space": {
        "stem_channels": 12,
        "stem_stride": 2,
        "channels": [12, 20, 32, 48],
        "strides": [2, 1, 2, 1],
        "little": {"width": [0.25, 0.5, 0.75], "depth": [1, 2], "kernel": [3, 5], "expansion": [1, 2, 3]},
        "big": {"width": [0.5, 0.75, 1.0], "depth": [1, 2, 3], "kernel": [3, 5], "expansion": [1, 2, 3]},
        "router": {"kind": "confidence", "tau": {"low": 0.3, "high": 0.99}},
        "loss": {"alpha": 1.0, "beta": 1.0, "gamma": 0.0, "lambda": 0.0, "temperature": 2.0, "eta": 0.0},
    },
    "training": {
        "device": "cpu",
        "threads": 1,
        "supernet": {
            "epochs": 16,
            "batch_size": 96,
            "learning_rate": 4e-3,
            "warmup_epochs": 1,
            "ema": 0.995,
            "shrink": {"kernel": False, "depth": False, "width": False},
        },
        "cotrain": {"epochs": 0},
        "relaxation": {"epochs": 2, "batch_size": 64},
    },
    "hardware": {"device": str(HERE / "raspberry_pi_4.yaml")},
    "objectives": ["accuracy", "latency_ms"],
}
ARMS: dict[str, dict[str, Any]] = {
    "darts": {"name": "darts"},
    "darts, uniform p": {"name": "darts", "options": {"control": "uniform"}},
    "darts, shuffled p": {"name": "darts", "options": {"control": "shuffled"}},
}
PRIOR_NEEDED = ("darts", "darts, shuffled p")
ARMS["evolution"] = {"name": "evolution", "options": {"population_size": 12}}
if "predictor" in plugins.names("samplers"):
    ARMS["predictor"] = {"name": "predictor"}


class TurnTakenError(Exception):
    """One trial more is done; the next arm's turn."""


@dataclass
class Arm:
    """One sampler with one seed, and what it has spent."""

    label: str
    seed: int
    spec: StudySpec
    problem: BigLittleProblem
    ledger: Path
    charged: float = 0.0
    """Processor seconds of the prior."""
    spent: dict[int, float] = field(default_factory=dict)
    """Processor seconds by trial, the draw included."""

    @property
    def total(self) -> float:
        return self.charged + sum(self.spent.values())

    def turn(self) -> None:
        """Draw and evaluate until one more trial has been trained and measured."""
        begun = time.process_time()

        def listen(event: Event) -> None:
            nonlocal begun
            if isinstance(event, TrialEnded):
                now = time.process_time()
                self.spent[event.number] = now - begun
                begun = now
                line = json.dumps(
                    {"arm": self.label, "seed": self.seed, "trial": event.number, "cpu": self.spent[event.number]}
                )
                with self.ledger.open("a") as file:
                    file.write(line + "\n")
                if event.ended == "completed":
                    raise TurnTakenError
            elif type(event).__name__ in ("StudyOpened", "PreparationProgress"):
                begun = time.process_time()  # opening the study is no work of the sampler

        try:
            run(self.spec, problem=self.problem, listener=listen)
        except TurnTakenError:
            return


def spec_of(folder: Path, label: str, seed: int) -> StudySpec:
    name = f"{label.replace(', ', '-').replace(' ', '-')}-{seed}"
    study = {"name": name, "storage": f"sqlite:///{folder}/darts.db", "seed": seed, "trials": 100_000}
    return StudySpec.model_validate({**STUDY, "study": study, "sampler": ARMS[label]})


def prepare(folder: Path) -> tuple[Path, ArchitecturePrior]:
    """The supernet and the prior, trained or found again in the shared cache."""
    cache = folder / "cache"
    problem = BigLittleProblem(spec_of(folder, "darts", 0), Cache(cache))
    problem.prepare(lambda step: print(step, flush=True))
    return cache, problem.architecture_prior(lambda step: print(step, flush=True))


def arms(folder: Path, cache: Path, prior: ArchitecturePrior, seeds: int) -> Iterator[Arm]:
    """All arms, each with a cache of its own but for supernet and prior, so that none finds another's work."""
    ledger = folder / "cpu.jsonl"
    entries = [json.loads(line) for line in ledger.read_text().splitlines()] if ledger.exists() else []
    for label in ARMS:
        own = folder / label.replace(", ", "-").replace(" ", "-")
        for kind in ("supernet", "priors"):
            shutil.copytree(cache / kind, own / kind, dirs_exist_ok=True)
        problem = BigLittleProblem(spec_of(folder, label, 0), Cache(own))
        problem.prepare(lambda _: None)
        for seed in range(seeds):
            yield Arm(
                label=label,
                seed=seed,
                spec=spec_of(folder, label, seed),
                problem=problem,
                ledger=ledger,
                charged=float(prior.provenance["cpu_seconds"]) if label in PRIOR_NEEDED else 0.0,
                spent={e["trial"]: e["cpu"] for e in entries if e["arm"] == label and e["seed"] == seed},
            )


def search(competitors: list[Arm], budget: float, hours: float) -> None:
    """Turns in order of what was spent: whoever is behind goes next, until all have spent the budget or time is up."""
    ends = time.monotonic() + 3600 * hours
    while time.monotonic() < ends:
        behind = min(competitors, key=lambda arm: arm.total)
        if behind.total >= budget:
            return
        behind.turn()
        print(f"{behind.label}, seed {behind.seed}: {len(behind.spent)} trials, {behind.total:.0f} s", flush=True)


def front(folder: Path, arm: Arm, limit: float) -> tuple[np.ndarray, int]:
    """Losses (n, 2) of the trials that were done within `limit` seconds, and how many."""
    view = load_view(open_storage(f"sqlite:///{folder}/darts.db"), arm.spec.study.name)
    used, kept = arm.charged, []
    for trial in sorted(view.trials, key=lambda t: t.number):
        used += arm.spent.get(trial.number, trial.seconds)
        if used <= limit and trial.finished_trial and trial.feasible:
            kept.append(trial)
    return (view.losses(kept) if kept else np.empty((0, 2))), len(kept)


def table(folder: Path, competitors: list[Arm], prior: ArchitecturePrior) -> dict[str, Any]:
    """Hypervolumes at equal cost, as shares of that of all trials together."""
    limit = min(arm.total for arm in competitors)
    everything = np.concatenate([front(folder, arm, np.inf)[0] for arm in competitors])
    low, high = everything.min(axis=0), everything.max(axis=0)
    reference = np.array([-0.1, high[1] + 0.1 * (high[1] - low[1])])  # accuracy as good as guessing
    whole = hypervolume(everything, reference)
    rows = []
    for label in ARMS:
        runs = [arm for arm in competitors if arm.label == label]
        row: dict[str, Any] = {"arm": label, "charged_s": runs[0].charged}
        for fraction in (0.25, 0.5, 1.0):
            losses = [front(folder, arm, fraction * limit) for arm in runs]
            shares = [hypervolume(points, reference) / whole for points, _ in losses]
            row[f"hypervolume_{fraction:g}"] = shares
            row[f"trials_{fraction:g}"] = [count for _, count in losses]
        rows.append(row)
    trials = min(len(front(folder, arm, np.inf)[0]) for arm in competitors)
    for row in rows:
        runs = [arm for arm in competitors if arm.label == row["arm"]]
        row["hypervolume_at_equal_trials"] = [
            hypervolume(front(folder, arm, np.inf)[0][:trials], reference) / whole for arm in runs
        ]
    keys = range(len(prior.preferences))
    return {
        "budget_s": limit,
        "equal_trials": trials,
        "reference": [-reference[0], reference[1]],
        "rows": rows,
        "prior": {**prior.summary(), "modes": [prior.mode(k) for k in keys], "epochs": [dict(e) for e in prior.epochs]},
    }


def spread(values: list[float]) -> str:
    text = f"{mean(values):.4f}"
    return text if len(values) == 1 else f"{text} ({min(values):.4f} to {max(values):.4f})"


def written(result: dict[str, Any]) -> str:
    """The figures as Markdown."""
    lines = [
        f"| arm | charged for the prior (s) | trials | hypervolume at 25% | 50% | 100% of {result['budget_s']:.0f} s "
        f"| at {result['equal_trials']} trials, prior free |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in result["rows"]:
        shares = [spread(row[f"hypervolume_{f}"]) for f in ("0.25", "0.5", "1")]
        count = "/".join(str(n) for n in row["trials_1"])
        equal = spread(row["hypervolume_at_equal_trials"])
        lines.append(f"| {row['arm']} | {row['charged_s']:.0f} | {count} | {' | '.join(shares)} | {equal} |")
    prior = result["prior"]
    lines += ["", "| preference (accuracy, latency) | entropy of p / uniform | smallest choices | mode: little; big |"]
    lines += ["|---|---|---|---|"]
    for weights, entropy, smallest, mode in zip(
        prior["preferences"], prior["entropy"], prior["smallest_share"], prior["modes"], strict=True
    ):
        shown = "; ".join(_mode(mode, role) for role in ("little", "big"))
        lines.append(f"| {', '.join(f'{w:.2f}' for w in weights)} | {entropy:.2f} | {smallest:.2f} | {shown} |")
    return "\n".join(lines)


def _mode(mode: dict[str, Any], role: str) -> str:
    """Stages as width-depth-kernel-expansion."""
    axes = ("width", "depth", "kernel", "expansion")
    return " ".join("-".join(f"{mode[f'{role}.{stage}.{axis}']:g}" for axis in axes) for stage in (1, 2, 3, 4))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("darts-benchmark"))
    parser.add_argument("--budget", type=float, default=900, help="processor seconds of an arm")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--hours", type=float, default=4.0, help="stop searching after so long; run again to go on")
    parser.add_argument("--report", type=Path, help="write the figures there as JSON too")
    given = parser.parse_args()
    folder = given.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["OMP_NUM_THREADS"] = "1"
    cache, prior = prepare(folder)
    competitors = list(arms(folder, cache, prior, given.seeds))
    search(competitors, given.budget, given.hours)
    result = table(folder, competitors, prior)
    if given.report:
        given.report.write_text(json.dumps(result, indent=1))
    print(written(result))


if __name__ == "__main__":
    main()
