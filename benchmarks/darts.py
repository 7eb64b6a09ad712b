"""What an architecture prior is worth: `darts` against its controls and another sampler, on CIFAR-10, at equal cost.

    python benchmarks/darts.py [--folder darts-benchmark] [--budget 900] [--seeds 1] [--hours 4]

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
from statistics import mean, median
from typing import Any

import numpy as np
from optuna.distributions import CategoricalDistribution

from nasopt import plugins
from nasopt.cache import Cache
from nasopt.database import open_storage
from nasopt.networks import count
from nasopt.problems.big_little import BigLittleProblem
from nasopt.records.prior import ArchitecturePrior
from nasopt.report import StudyView, load_view
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
            "epochs": 24,
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


FRACTIONS = (0.5, 1.0)
"""Of the budget that all arms have used up."""
TRIALS = (10, 25, 50, 100)


TURN_S = 8.0
"""Seconds of a turn at least: to open a study takes time that nobody is charged for."""


class TurnTakenError(Exception):
    """The next arm's turn."""


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
        """Draw and evaluate until a trial is trained and measured that ends the turn's seconds."""
        begun = time.process_time()
        enough = self.total + TURN_S

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
                if event.ended == "completed" and self.total >= enough:
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
        for seed in range(seeds):
            own = folder / f"{label.replace(', ', '-').replace(' ', '-')}-{seed}"
            for kind in ("supernet", "priors"):
                shutil.copytree(cache / kind, own / kind, dirs_exist_ok=True)
            problem = BigLittleProblem(spec_of(folder, label, 0), Cache(own))
            problem.prepare(lambda _: None)
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


def used(folder: Path, arm: Arm) -> tuple[StudyView, dict[int, float]]:
    """The study of an arm, and the seconds charged to it when each trial was done.

    A pair that the arm had trained before, for another threshold, is charged what its trials cost in the median.
    """
    view = load_view(open_storage(f"sqlite:///{folder}/darts.db"), arm.spec.study.name)
    typical, total, found = median(arm.spent.values()), arm.charged, {}
    for trial in sorted(view.trials, key=lambda t: t.number):
        if trial.state != "running":
            own = arm.spent.get(trial.number, typical)
            hit = trial.outcome is not None and "train" in trial.outcome.cached
            total += max(own, typical) if hit else own
            found[trial.number] = total
    return view, found


def front(folder: Path, arm: Arm, limit: float) -> tuple[np.ndarray, int]:
    """Losses (n, 2) of the trials that were done within `limit` seconds, and how many."""
    view, at = used(folder, arm)
    kept = [t for t in view.trials if t.finished_trial and t.feasible and at[t.number] <= limit]
    return (view.losses(kept) if kept else np.empty((0, 2))), len(kept)


def table(folder: Path, competitors: list[Arm], prior: ArchitecturePrior) -> dict[str, Any]:
    """Hypervolumes at equal cost and at equal trials, as shares of that of all trials together."""
    limit = min(max(used(folder, arm)[1].values()) for arm in competitors)
    points = {id(arm): front(folder, arm, np.inf)[0] for arm in competitors}
    everything = np.concatenate(list(points.values()))
    low, high = everything.min(axis=0), everything.max(axis=0)
    reference = np.array([-0.1, high[1] + 0.1 * (high[1] - low[1])])  # accuracy as good as guessing
    whole = hypervolume(everything, reference)
    fewest = min(len(p) for p in points.values())
    counts = [n for n in TRIALS if n < fewest] + [fewest]
    rows = []
    for label in dict.fromkeys(arm.label for arm in competitors):
        runs = [arm for arm in competitors if arm.label == label]
        done = {f: [front(folder, arm, f * limit) for arm in runs] for f in FRACTIONS}
        by_cost = {f: [hypervolume(p, reference) / whole for p, _ in found] for f, found in done.items()}
        by_trials = {n: [hypervolume(points[id(arm)][:n], reference) / whole for arm in runs] for n in counts}
        trials = [count for _, count in done[1.0]]
        rows.append(
            {"arm": label, "charged_s": runs[0].charged, "trials": trials, "by_cost": by_cost, "by_trials": by_trials}
        )
    modes = [prior.mode(row) for row in range(len(prior.preferences))]
    return {
        "budget_s": limit,
        "seeds": len({arm.seed for arm in competitors}),
        "best_accuracy": float(-low[0]),
        "latency_ms": [float(low[1]), float(high[1])],
        "reference": [float(-reference[0]), float(reference[1])],
        "rows": rows,
        "prior": {**prior.summary(), "modes": modes, "epochs": [dict(e) for e in prior.epochs]},
    }


def page(result: dict[str, Any], supernet: dict[str, Any], options: str) -> str:
    """The report as Markdown."""
    prior, accuracies = result["prior"], supernet["subnet_accuracy"]
    by_arm = {row["arm"]: mean(row["by_cost"][1.0]) for row in result["rows"]}
    few = min(result["rows"][0]["by_trials"])
    early = {row["arm"]: mean(row["by_trials"][few]) for row in result["rows"]}
    return "\n".join(
        [
            "# What an architecture prior is worth",
            "",
            f"Written by `python benchmarks/darts.py {options}` when all arms had spent {result['budget_s']:.0f} s: "
            f"{supernet['data']}, {supernet['images']:,} training images, "
            "objectives accuracy (validation, weights inherited from the supernet) and estimated latency of "
            f"{supernet['device']}. The largest pair has {supernet['largest_macs'] / 1e6:.2f} million "
            "multiply-accumulates. The supernet is the same for all arms and charged to none; 20 random sub-networks "
            f"of it reach {min(accuracies):.1%} to {max(accuracies):.1%}. Processor seconds on a busy "
            f"machine; arms took turns. {result['seeds']} seeds of the samplers on one supernet and one prior: mean "
            "(smallest to largest).",
            "",
            "Hypervolume as a share of that of all arms' trials together, up to accuracy "
            f"{result['reference'][0]:.0%} and {result['reference'][1]:.3f} ms. Trials reached "
            f"{result['best_accuracy']:.1%} and {result['latency_ms'][0]:.3f} to {result['latency_ms'][1]:.3f} ms.",
            "",
            *cost_lines(result),
            "",
            "The same at equal trials, the prior for free:",
            "",
            *trial_lines(result),
            "",
            f"Verdict, in the order of the means: at {result['budget_s']:.0f} s {ranking(by_arm)}; after {few} trials "
            f"each, the prior for free, {ranking(early)}.",
            "",
            f"The prior ({prior['method']}, {prior['cpu_seconds']:.0f} s) says:",
            "",
            *prior_lines(prior),
            "",
            "Modes are width-depth-kernel-expansion of each stage. After each epoch entropy of p (share of the uniform "
            "one's) and mean probability of the smallest choices were "
            + ", ".join(f"{e['entropy']:.2f} and {e['smallest_share']:.2f}" for e in prior["epochs"])
            + ".",
            "",
        ]
    )


def ranking(means: dict[str, float]) -> str:
    ordered = sorted(means.items(), key=lambda item: -item[1])
    return ", ".join(f"{arm} {value:.3f}" for arm, value in ordered)


def cost_lines(result: dict[str, Any]) -> list[str]:
    lines = [
        f"| arm | charged for the prior (s) | trials | at 50% | at 100% of {result['budget_s']:.0f} s |",
        "|---|---|---|---|---|",
    ]
    for row in result["rows"]:
        shares = " | ".join(spread(row["by_cost"][f]) for f in FRACTIONS)
        lines.append(f"| {row['arm']} | {row['charged_s']:.0f} | {', '.join(map(str, row['trials']))} | {shares} |")
    return lines


def trial_lines(result: dict[str, Any]) -> list[str]:
    counts = list(result["rows"][0]["by_trials"])
    lines = [f"| arm | {' | '.join(f'{n} trials' for n in counts)} |", "|---" * (1 + len(counts)) + "|"]
    for row in result["rows"]:
        lines.append(f"| {row['arm']} | {' | '.join(spread(row['by_trials'][n]) for n in counts)} |")
    return lines


def prior_lines(prior: dict[str, Any]) -> list[str]:
    lines = [
        "| preference (accuracy, latency) | entropy of p / uniform | smallest choices | mode of little; of big |",
        "|---|---|---|---|",
    ]
    rows = zip(prior["preferences"], prior["entropy"], prior["smallest_share"], prior["modes"], strict=True)
    for weights, entropy, smallest, mode in rows:
        shown = "; ".join(_mode(mode, role) for role in ("little", "big"))
        lines.append(f"| {', '.join(f'{w:.2f}' for w in weights)} | {entropy:.2f} | {smallest:.2f} | {shown} |")
    return lines


def spread(values: list[float]) -> str:
    text = f"{mean(values):.3f}"
    return text if len(values) == 1 else f"{text} ({min(values):.3f} to {max(values):.3f})"


def _mode(mode: dict[str, Any], role: str) -> str:
    axes = ("width", "depth", "kernel", "expansion")
    return " ".join("-".join(f"{mode[f'{role}.{stage}.{axis}']:g}" for axis in axes) for stage in (1, 2, 3, 4))


def described(problem: BigLittleProblem) -> dict[str, Any]:
    """What the report says of data, device and supernet."""
    facts = problem.facts()
    layout, space = problem.layout, problem.space
    largest = {n: d.choices[-1] for n, d in space.distributions.items() if isinstance(d, CategoricalDistribution)}
    return {
        "data": facts["data"]["name"],
        "images": facts["data"]["train"],
        "device": problem.devices[0].profile.description,
        "largest_macs": count(layout, space.decode({**largest, "router.tau": 0.5})).macs_hard,
        "subnet_accuracy": facts["supernet"]["subnet_accuracy"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("darts-benchmark"))
    parser.add_argument("--budget", type=float, default=900, help="processor seconds of an arm")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--hours", type=float, default=4.0, help="stop searching after so long; run again to go on")
    parser.add_argument("--report", type=Path, default=HERE / "darts.md")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    given = parser.parse_args()
    folder = given.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["OMP_NUM_THREADS"] = "1"
    cache, prior = prepare(folder)
    competitors = list(arms(folder, cache, prior, given.seeds))
    search(competitors, given.budget, given.hours)
    result = table(folder, competitors, prior)
    if given.json:
        given.json.write_text(json.dumps(result, indent=1))
    options = f"--budget {given.budget:g} --seeds {given.seeds}"
    given.report.write_text(page(result, described(competitors[0].problem), options))


if __name__ == "__main__":
    main()
