"""Samplers on tables whose true fronts are known, and on disguises of these tables.

    python benchmarks/samplers.py [--seeds 10] [--trials 200] [--samplers NAME ...] [--only TABLE ...] [--report FILE]
                                  [--parts long disguises] [--cache data/samplers.jsonl] [--cached] [--json]

Every run is kept in the cache under its settings and the source of our samplers, so that an interrupted command goes on
and changed code is measured anew; the report benchmarks/samplers.md is written from it. Needs NASOPT_REFERENCE
(default ../shared). Score: hypervolume of the trials over that of the true front, each objective scaled by the true
front's ideal and nadir, reference 1.1. Milliseconds a trial: ask and tell, in-memory storage, processor
time of this process.

The disguises ask whether the defaults lean on these tables: choices in an order of their own in each layer, metrics
bent by powers, parameters that do nothing (a space too large to be enumerated), noise, and a layer held fixed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import mean, pstdev
from typing import Any

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler
from tables import OBJECTIVES, Table, folder, load

from nasopt import plugins
from nasopt import samplers as sources
from nasopt.spec.study import SamplerSpec
from nasopt.study.sampling import build_sampler

Row = dict[str, Any]
REPORT = Path(__file__).with_suffix(".md")
GOALS = (
    ("nb201_pi5_cifar100", 200, 0.980, 0.987),
    ("nb201_devices_cifar100", 200, 0.988, 0.992),
    ("nas_bench_macro_cifar10", 50, 0.985, None),
    ("nas_bench_macro_cifar10", 200, 0.995, 0.997),
    ("channel_bench_mobilenet_cifar10", 200, 0.960, 0.975),
)
"""Table, trials, floor and aim of `predictor`."""
PYMOO = ("nsga2", "nsga3", "smsemoa", "agemoea", "spea2", "ctaea", "moead")
MARKS = (50, 100, 200)
LONG, LONG_ASKED = 5000, 100
PARTS = ("long", "disguises")


OURS = ("predictor", "portfolio", *(f"pymoo-{n}" for n in PYMOO), "evolution")
OPTUNAS: dict[str, Callable[[int], BaseSampler]] = {
    "TPE multivariate": lambda seed: TPESampler(multivariate=True, seed=seed),
    "NSGA-II (20)": lambda seed: NSGAIISampler(population_size=20, seed=seed),
    "random": lambda seed: RandomSampler(seed=seed),
}
"""Optuna's, with the settings that are usual in comparisons; all other names are plug-ins with their defaults."""
DISGUISED = ("predictor", "TPE multivariate")


def _shuffled(table: Table, rng: np.random.Generator) -> Table:
    space = {n: CategoricalDistribution(tuple(rng.permutation(d.choices).tolist())) for n, d in table.space.items()}
    return replace(table, name=f"{table.name}, shuffled", space=space)


def _bent(table: Table, rng: np.random.Generator) -> Table:
    low, high = table.losses.min(axis=0), table.losses.max(axis=0)
    powers = np.array([0.5, 2.0, 1.5])[: table.losses.shape[1]]
    return replace(table, name=f"{table.name}, bent", losses=((table.losses - low) / (high - low)) ** powers)


def _idle(table: Table, rng: np.random.Generator) -> Table:
    return replace(table, name=f"{table.name}, 3 idle", idle=3)


def _noisy(table: Table, rng: np.random.Generator) -> Table:
    noise = rng.standard_normal(table.losses.shape) * 0.02 * table.losses.std(axis=0)
    return replace(table, name=f"{table.name}, noisy", losses=table.losses + noise)


def _held(table: Table, rng: np.random.Generator) -> Table:
    """The second layer at its first choice."""
    held = list(table.space.values())[1].choices[0]
    kept = [row for row in table.rows if row[1] == held]
    losses = table.losses[[table.rows[row] for row in kept]]
    space = {n: d for i, (n, d) in enumerate(table.space.items()) if i != 1}
    rows = {row[:1] + row[2:]: i for i, row in enumerate(kept)}
    return replace(table, name=f"{table.name}, one layer held", space=space, rows=rows, losses=losses)


DISGUISES = (_shuffled, _bent, _idle, _noisy, _held)


def make_study(table: Table, sampler: str, seed: int, trials: int) -> optuna.Study:
    """A study in memory with one of Optuna's samplers above, else with the plug-in of this name."""
    made = (
        OPTUNAS[sampler](seed)
        if sampler in OPTUNAS
        else build_sampler(SamplerSpec(name=sampler), seed=seed, trials=trials, search_space=table.full_space())
    )
    return optuna.create_study(directions=["minimize"] * table.losses.shape[1], sampler=made)


def run(table: Table, sampler: str, seed: int, trials: int) -> dict[str, Any]:
    """Scores at the marks, milliseconds a trial, and how many points were different."""
    space = table.full_space()
    names = list(table.space)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = make_study(table, sampler, seed, trials)
        found: list[int] = []
        points = set()
        began = time.process_time()
        for _ in range(trials):
            trial = study.ask(space)
            found.append(table.rows[tuple(trial.params[n] for n in names)])
            study.tell(trial, table.losses[found[-1]].tolist())
            points.add(tuple(trial.params.values()))
        seconds = time.process_time() - began
    scores = {str(n): table.score(table.losses[found[:n]]) for n in sorted({*MARKS, trials}) if n <= trials}
    return {"scores": scores, "ms": seconds / trials * 1e3, "unique": len(points)}


def run_long(table: Table, sampler: str, seed: int) -> dict[str, Any]:
    """Milliseconds a trial on top of thousands of random ones."""
    space, names = table.full_space(), list(table.space)
    study = make_study(table, sampler, seed, LONG)
    chosen = np.random.default_rng(seed).choice(len(table.losses), LONG - LONG_ASKED, replace=False)
    every = list(table.rows)
    study.add_trials(
        [
            optuna.create_trial(
                params=dict(zip(names, every[i], strict=True)), distributions=space, values=table.losses[i].tolist()
            )
            for i in chosen
        ]
    )
    began = time.process_time()
    for _ in range(LONG_ASKED):
        trial = study.ask(space)
        study.tell(trial, table.losses[table.rows[tuple(trial.params[n] for n in names)]].tolist())
    return {"ms": (time.process_time() - began) / LONG_ASKED * 1e3}


def _version(sampler: str) -> str:
    """Optuna's version, or the digest of what a sampler of ours consists of."""
    if sampler in OPTUNAS:
        return optuna.__version__
    folder = Path(sources.__file__).parent
    own = sorted(folder.iterdir() if sampler == "portfolio" else folder.glob(f"{sampler.partition('-')[0]}*"))
    shared = [folder / f"{n}.py" for n in ("breeding", "encoding", "history", "starting")]
    files = [f for path in (*own, *shared) for f in (sorted(path.glob("*.py")) if path.is_dir() else [path])]
    return hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest()[:16]


class Cache:
    """Results by their settings, a line of JSON each."""

    def __init__(self, path: Path, *, closed: bool) -> None:
        """A `closed` one measures nothing."""
        self._path = path
        self._closed = closed
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text().splitlines() if path.exists() else []
        self._known = {json.dumps(entry["key"]): entry["result"] for entry in map(json.loads, lines)}

    def get(self, what: str, table: Table, sampler: str, seed: int, make: Callable[[], dict[str, Any]]) -> Any:
        shape = hashlib.sha256(table.losses.tobytes()).hexdigest()[:12]
        key = [what, table.name, shape, sampler, _version(sampler), seed]
        text = json.dumps(key)
        if text not in self._known and not self._closed:
            self._known[text] = make()
            with self._path.open("a") as file:
                file.write(json.dumps({"key": key, "result": self._known[text]}) + "\n")
            print(f"{what} {table.name} {sampler} {seed}: {self._known[text]}", file=sys.stderr, flush=True)
        return self._known.get(text)


def _summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    marks = runs[0]["scores"]
    return {
        "score": {n: mean(r["scores"][n] for r in runs) for n in marks},
        "spread": {n: pstdev(r["scores"][n] for r in runs) for n in marks},
        "least": {n: min(r["scores"][n] for r in runs) for n in marks},
        "ms": mean(r["ms"] for r in runs),
        "unique": min(r["unique"] for r in runs),
        "seeds": len(runs),
    }


def measure(
    tables: list[Table], cache: Cache, seeds: int, trials: int, samplers: list[str], parts: list[str]
) -> Iterator[Row]:
    """The rows of the tables, then as far as asked for those of long studies and of the disguises."""

    def several(part: str, table: Table, sampler: str, count: int) -> Iterator[Row]:
        asked = (
            cache.get(f"{trials} trials", table, sampler, s, partial(run, table, sampler, s, trials))
            for s in range(count)
        )
        if runs := [r for r in asked if r is not None]:
            yield {"part": part, "table": table.name, "sampler": sampler, **_summary(runs)}

    for count in range(1, seeds):  # seed by seed, so that an interrupted run has all tables alike
        for sampler in samplers:
            for table in tables:
                list(several("tables", table, sampler, count))
    for sampler in samplers:
        for table in tables:
            yield from several("tables", table, sampler, seeds)
    for table in tables:
        if "long" in parts and "predictor" in samplers and len(table.losses) > LONG:
            result = cache.get(f"to {LONG} trials", table, "predictor", 0, partial(run_long, table, "predictor", 0))
            if result is not None:
                yield {"part": "long", "table": table.name, "sampler": "predictor", **result}
    for table in tables if "disguises" in parts else ():
        for number, disguise in enumerate(DISGUISES):
            other = disguise(table, np.random.default_rng(number))
            for sampler in (n for n in DISGUISED if n in samplers):
                yield from several("disguises", other, sampler, min(3, seeds))


def _number(value: float, spread: float | None = None) -> str:
    text = f"{value:.4f}".lstrip("0")
    return text if spread is None else f"{text} ± {f'{spread:.4f}'.lstrip('0')}"


def write(rows: list[Row], trials: int) -> str:
    """The report in Markdown."""
    parts = {name: [r for r in rows if r["part"] == name] for name in ("tables", "disguises", "long")}
    lines = _tables(parts["tables"], trials)
    if parts["disguises"]:
        lines += _disguises(parts["disguises"], trials)
    if parts["long"]:
        lines += [
            "",
            f"## At {LONG:,} trials",
            "",
            f"`predictor`, {LONG - LONG_ASKED:,} random trials added, then {LONG_ASKED} asked for.",
            "",
            "| table | ms a trial |",
            "|---|---|",
            *(f"| {r['table']} | {r['ms']:.0f} |" for r in parts["long"]),
        ]
    return "\n".join(lines) + "\n"


def _tables(rows: list[Row], trials: int) -> list[str]:
    marks = list(rows[0]["score"])
    lines = [
        "# Samplers on tables with known fronts",
        "",
        f"Written by `python benchmarks/samplers.py`. Hypervolume after {trials} trials over that of the true front,",
        "mean and standard deviation over seeds; `unique` is the least number of different points,",
        "ms is the processor time of ask and tell a trial, one thread.",
        "",
        f"| table | sampler | {' | '.join(f'{n} trials' for n in marks)} | lowest seed | unique | ms | seeds |",
        "|---|---|" + "---|" * (len(marks) + 4),
    ]
    for r in sorted(rows, key=lambda r: (list(OBJECTIVES).index(r["table"]), -r["score"][marks[-1]])):
        figures = [_number(r["score"][n], r["spread"][n] if n == marks[-1] else None) for n in marks]
        tail = [_number(r["least"][marks[-1]]), str(r["unique"]), f"{r['ms']:.0f}", str(r["seeds"])]
        lines.append("| " + " | ".join([r["table"], r["sampler"], *figures, *tail]) + " |")
    lines += ["", "| `predictor` | at | reached | floor | aim |", "|---|---|---|---|---|"]
    found = {r["table"]: r["score"] for r in rows if r["sampler"] == "predictor"}
    for table, mark, floor, aim in GOALS:
        if str(mark) in found.get(table, {}):
            reached = _number(found[table][str(mark)])
            lines.append(f"| {table} | {mark} | {reached} | {_number(floor)} | {_number(aim) if aim else ''} |")
    return lines


def _disguises(rows: list[Row], trials: int) -> list[str]:
    samplers = [n for n in DISGUISED if any(r["sampler"] == n for r in rows)]
    lines = [
        "",
        "## Disguised tables",
        "",
        f"Defaults unchanged, {max(r['seeds'] for r in rows)} seeds; see the head of the script for what each means.",
        "",
        "| table | " + " | ".join(samplers) + " |",
        "|---|" + "---|" * len(samplers),
    ]
    found = {(r["table"], r["sampler"]): _number(r["score"][str(trials)], r["spread"][str(trials)]) for r in rows}
    for name in dict.fromkeys(r["table"] for r in rows):
        lines.append("| " + " | ".join([name, *(found.get((name, s), "") for s in samplers)]) + " |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--cache", type=Path, default=Path("data/samplers.jsonl"))
    parser.add_argument("--only", nargs="*", choices=list(OBJECTIVES), default=list(OBJECTIVES), metavar="TABLE")
    names = [*OPTUNAS, *plugins.names("samplers")]
    parser.add_argument("--samplers", nargs="*", choices=names, default=[*OURS, *OPTUNAS], metavar="NAME")
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=list(PARTS), help="besides the tables")
    parser.add_argument("--cached", action="store_true", help="report what the cache has and measure nothing")
    parser.add_argument("--report", type=Path, default=REPORT)
    parser.add_argument("--json", action="store_true", help="print figures as JSON and write no report")
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    tables = [load(name, folder()) for name in arguments.only]
    cache = Cache(arguments.cache, closed=arguments.cached)
    rows = list(measure(tables, cache, arguments.seeds, arguments.trials, arguments.samplers, arguments.parts))
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return
    text = write(rows, arguments.trials)
    arguments.report.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
