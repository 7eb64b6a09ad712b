"""The botorch sampler against BoTorchSampler of optuna-integration and Optuna's GPSampler, on two tables.

    python benchmarks/botorch_sampler.py [--seeds 3] [--own-seeds 10] [--trials 60] [--cache FILE] [--report]

Every trial is kept in the cache, botorch_sampler.jsonl beside this script, so that an interrupted command goes on where
it stopped: BoTorchSampler takes an hour and a half, so its trials are committed. Changed code of ours is measured
anew. `--report` measures nothing and writes the report from what has finished. Needs optuna-integration, botorch and
NASOPT_REFERENCE (default ../shared). Score: hypervolume of the trials over that of the true front, each objective
scaled by the true front's ideal and nadir, reference 1.1. All have their defaults: the other two begin with 10 random
trials, ours with 10 that it spreads itself. Seconds an ask: this process's processor time from `ask` to the last
parameter, these first 10 left out.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import mean, median, pstdev
from typing import Any

import numpy as np
import optuna
import torch
from optuna.samplers import BaseSampler
from tables import Space, Table, folder, load

REPORT = Path(__file__).with_suffix(".md")
TABLES = ("nas_bench_macro_cifar10", "nb201_devices_cifar100")
STARTUP = 10
"""Trials with which all of them begin before they model anything."""


def _integration(seed: int, space: Space) -> BaseSampler:
    import botorch.acquisition.multi_objective.logei as logei
    from optuna_integration import BoTorchSampler

    logei._load_attempted = True  # else it compiles at first use, and hangs where a killed process left a lock
    return BoTorchSampler(seed=seed)


def _gp(seed: int, space: Space) -> BaseSampler:
    return optuna.samplers.GPSampler(seed=seed)


def _own(seed: int, space: Space) -> BaseSampler:
    from nasopt.samplers.botorch import botorch

    return botorch(seed=seed, search_space=space)


OWN = "botorch"
SAMPLERS: dict[str, Callable[[int, Space], BaseSampler]] = {
    OWN: _own,
    "GPSampler": _gp,
    "BoTorchSampler": _integration,
}


class Trials:
    """Finished trials of all runs, a line of JSON each."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._runs: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        for line in path.read_text().splitlines() if path.exists() else []:
            entry = json.loads(line)
            self._runs.setdefault(tuple(entry["run"]), []).append(entry)

    def of(self, table: str, sampler: str, seed: int) -> list[dict[str, Any]]:
        """Trials of a run in their order, those of changed code left out."""
        return self._runs.setdefault((table, sampler, _version(sampler), str(seed)), [])

    def add(self, table: str, sampler: str, seed: int, params: dict[str, str], seconds: float) -> None:
        run = (table, sampler, _version(sampler), str(seed))
        entry = {"run": run, "params": params, "seconds": seconds}
        self.of(table, sampler, seed).append(entry)
        with self._path.open("a") as file:
            file.write(json.dumps(entry) + "\n")


def _version(sampler: str) -> str:
    """Of what is measured: a library's number, or a digest of our source."""
    if sampler != OWN:
        return optuna.__version__
    folder = Path(__file__).parents[1] / "nasopt" / "samplers"
    files = sorted(
        {*folder.glob("botorch/*.py"), *(folder / f"{n}.py" for n in ("breeding", "encoding", "history", "starting"))}
    )
    return hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest()[:16]


def run(table: Table, sampler: str, seed: int, count: int, cache: Trials) -> None:
    """Go on with a run until it has `count` trials."""
    done = cache.of(table.name, sampler, seed)
    if len(done) >= count:
        return
    names = list(table.space)

    def losses_of(params: dict[str, str]) -> list[float]:
        return table.losses[table.rows[tuple(params[n] for n in names)]].tolist()  # type: ignore[no-any-return]

    study = optuna.create_study(
        directions=["minimize"] * table.losses.shape[1],
        sampler=SAMPLERS[sampler](1000 * seed + len(done), table.space),
    )
    for entry in done:
        params = entry["params"]
        study.add_trial(optuna.create_trial(params=params, distributions=dict(table.space), values=losses_of(params)))
    for _ in range(count - len(done)):
        began = time.process_time()
        trial = study.ask(dict(table.space))
        seconds = time.process_time() - began
        study.tell(trial, losses_of(trial.params))
        cache.add(table.name, sampler, seed, trial.params, seconds)
    score = table.score(np.array([losses_of(entry["params"]) for entry in done]))
    print(f"{table.name} {sampler} {seed}: {score:.4f}", file=sys.stderr, flush=True)


def summary(table: Table, sampler: str, seeds: int, count: int, cache: Trials) -> dict[str, Any] | None:
    """Figures over the runs that have finished; None where none has."""
    runs = [entries[:count] for s in range(seeds) if len(entries := cache.of(table.name, sampler, s)) >= count]
    if not runs:
        return None
    names = list(table.space)
    found = [[table.rows[tuple(e["params"][n] for n in names)] for e in entries] for entries in runs]
    scores = [table.score(table.losses[rows]) for rows in found]
    return {
        "table": table.name,
        "sampler": sampler,
        "seeds": len(runs),
        "score": mean(scores),
        "spread": pstdev(scores),
        "lowest": min(scores),
        "half": mean(table.score(table.losses[rows[: count // 2]]) for rows in found),
        "unique": min(len(set(rows)) for rows in found),
        "seconds": mean(e["seconds"] for entries in runs for e in entries[STARTUP:]),
        "median_seconds": median(e["seconds"] for entries in runs for e in entries[STARTUP:]),
    }


def summaries(tables: list[Table], cache: Trials, seeds: dict[str, int], count: int) -> Iterator[dict[str, Any]]:
    for table in tables:
        for sampler in SAMPLERS:
            if row := summary(table, sampler, seeds[sampler], count, cache):
                yield row


def write(rows: list[dict[str, Any]], count: int) -> str:
    """The report in Markdown."""

    def share(value: float) -> str:
        return f"{value:.4f}".removeprefix("0")

    lines = [
        "# botorch against BoTorchSampler and GPSampler",
        "",
        "Written by `python benchmarks/botorch_sampler.py`. Hypervolume after the trials over that of the true",
        "front, mean and standard deviation over the seeds that have finished; `unique` is the smallest number of",
        "different points in a run; seconds are processor time an ask on one thread, the first",
        f"{STARTUP} (before any model) left out.",
        "",
        f"| table | sampler | seeds | {count // 2} trials | {count} trials | lowest | unique | s an ask | median |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        cells = [
            r["table"],
            r["sampler"],
            str(r["seeds"]),
            share(r["half"]),
            f"{share(r['score'])} ± {share(r['spread'])}",
            share(r["lowest"]),
            str(r["unique"]),
            f"{r['seconds']:.2f}",
            f"{r['median_seconds']:.2f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--own-seeds", type=int, default=10)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--cache", type=Path, default=REPORT.with_suffix(".jsonl"))
    parser.add_argument("--samplers", nargs="*", choices=list(SAMPLERS), default=list(SAMPLERS))
    parser.add_argument("--report", action="store_true", help="measure nothing, write up what has finished")
    parser.add_argument("--json", action="store_true", help="print figures as JSON and leave the report alone")
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    tables = [load(name, folder()) for name in TABLES]
    cache = Trials(arguments.cache)
    seeds = {s: arguments.own_seeds if s == OWN else arguments.seeds for s in SAMPLERS}
    for sampler in [] if arguments.report else arguments.samplers:
        for seed in range(seeds[sampler]):
            for table in tables:
                run(table, sampler, seed, arguments.trials, cache)
    rows = list(summaries(tables, cache, seeds, arguments.trials))
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return
    REPORT.write_text(write(rows, arguments.trials))
    print(REPORT.read_text())


if __name__ == "__main__":
    main()
