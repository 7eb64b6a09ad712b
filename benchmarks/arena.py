"""Samplers on pymoo's test problems: numbers, unordered choices and mixed spaces, two and three objectives.

    nice python benchmarks/arena.py [--seeds 5] [--trials 80] [--samplers NAME ...] [--only WORD ...]
                                    [--cache benchmarks/arena.jsonl] [--cached] [--report FILE]

Score: hypervolume of the feasible trials over that of the box from the ideal to the problem's reference point.
Milliseconds a trial: ask and tell, in-memory storage, processor time of this process, one thread. Runs go seed by seed
and are kept in the cache under their settings and the source of the sampler, so that an interrupted command goes on;
the report benchmarks/arena.md is written from it, with `--cached` from the newest runs there are.

`auto` is the rule that Optuna Hub's AutoSampler states for several objectives, composed of Optuna's own samplers.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from statistics import mean, pstdev
from typing import Any

import numpy as np
import optuna
import torch
from arena_problems import Problem, problems
from optuna.samplers import BaseSampler, GPSampler, NSGAIIISampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial

from nasopt import samplers as sources
from nasopt.spec.study import SamplerSpec
from nasopt.study.sampling import build_sampler

REPORT = Path(__file__).with_suffix(".md")
MANY = 250
"""From so many complete trials on the rule of `auto` takes a genetic algorithm."""


class AutoRule(BaseSampler):
    """Optuna Hub's rule for several objectives.

    Below 250 complete trials multivariate TPE with constant liar where a choice is categorical, the space
    conditional or objectives are four or more, else a Gaussian process; NSGA-II, from four objectives NSGA-III, after.
    """

    def __init__(self, seed: int, *, conditional: bool) -> None:
        self._tpe = TPESampler(seed=seed, multivariate=True, constant_liar=True, warn_independent_sampling=False)
        self._gp = GPSampler(seed=seed, warn_independent_sampling=False)
        self._nsga2, self._nsga3 = NSGAIISampler(seed=seed), NSGAIIISampler(seed=seed)
        self._conditional = conditional

    def _member(self, study: optuna.Study) -> BaseSampler:
        done = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
        many = len(study.directions) >= 4
        if len(done) >= MANY:
            return self._nsga3 if many else self._nsga2
        spaces = [d for t in done for d in t.distributions.values()]
        names = any(isinstance(d, optuna.distributions.CategoricalDistribution) for d in spaces)
        return self._tpe if many or names or self._conditional else self._gp

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, Any]:
        return self._member(study).infer_relative_search_space(study, trial)

    def sample_relative(self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, Any]) -> dict[str, Any]:
        return self._member(study).sample_relative(study, trial, search_space)

    def sample_independent(self, study: optuna.Study, trial: FrozenTrial, param_name: str, distribution: Any) -> Any:
        return self._member(study).sample_independent(study, trial, param_name, distribution)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        self._member(study).before_trial(study, trial)

    def after_trial(self, study: optuna.Study, trial: FrozenTrial, state: Any, values: Any) -> None:
        self._member(study).after_trial(study, trial, state, values)


OPTUNAS: dict[str, Callable[[int, Problem], BaseSampler]] = {
    "random": lambda seed, problem: RandomSampler(seed=seed),
    "tpe": lambda seed, problem: TPESampler(seed=seed, multivariate=True, warn_independent_sampling=False),
    "nsga2": lambda seed, problem: NSGAIISampler(seed=seed, population_size=20),
    "gp": lambda seed, problem: GPSampler(seed=seed, warn_independent_sampling=False),
    "auto": lambda seed, problem: AutoRule(seed, conditional=problem.conditional is not None),
}
SAMPLERS = ("random", "nsga2", "tpe", "auto", "gp", "botorch", "predictor")


def run(problem: Problem, sampler: str, seed: int, trials: int) -> dict[str, Any]:
    """Share of the box, milliseconds a trial, and how many points were different."""
    made = (
        OPTUNAS[sampler](seed, problem)
        if sampler in OPTUNAS
        else build_sampler(SamplerSpec(name=sampler), seed=seed, trials=trials, search_space=problem.space)
    )
    study = optuna.create_study(directions=["minimize"] * problem.objectives, sampler=made)
    losses: list[Any] = []
    points = set()
    began, spent = time.perf_counter(), 0.0
    for _ in range(trials):
        start = time.process_time()
        trial = study.ask()
        params = problem.ask(trial)
        spent += time.process_time() - start
        values, broken = problem.evaluate(params)
        for i, value in enumerate(broken):
            trial.set_constraint(f"g{i}", float(value))
        start = time.process_time()
        study.tell(trial, values.tolist())
        spent += time.process_time() - start
        points.add(tuple(params.values()))
        if (broken <= 0).all():
            losses.append(values)
    return {
        "share": problem.share(np.array(losses)),
        "ms": spent / trials * 1e3,
        "wall_ms": (time.perf_counter() - began) / trials * 1e3,
        "unique": len(points),
    }


def _same(problem: Problem, sampler: str, trials: int) -> str:
    """`gp` where the rule of `auto` takes nothing else throughout: the same draws need not be made twice."""
    names = any(isinstance(d, optuna.distributions.CategoricalDistribution) for d in problem.space.values())
    plain = not names and problem.conditional is None and problem.objectives < 4 and trials <= MANY
    return "gp" if sampler == "auto" and plain else sampler


def _version(sampler: str) -> str:
    """Optuna's version, or the digest of a sampler's own source."""
    if sampler in OPTUNAS:
        return optuna.__version__
    files = sorted((Path(sources.__file__).parent / sampler).glob("*.py"))
    return hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest()[:16]


class Cache:
    """Results by problem, sampler, seed and version, a line of JSON each; the newest line counts."""

    def __init__(self, path: Path, trials: int, *, closed: bool) -> None:
        """A `closed` one measures nothing, and takes the newest run of any version."""
        self._path, self._trials, self._closed = path, trials, closed
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text().splitlines() if path.exists() else []
        self._known: dict[str, dict[str, Any]] = {}
        for entry in map(json.loads, lines):
            self._known[json.dumps(entry["key"] if not closed else entry["key"][:-1])] = entry["result"]

    def get(self, problem: Problem, sampler: str, seed: int) -> dict[str, Any] | None:
        """The result of a run, measured where it is not known."""
        sampler = _same(problem, sampler, self._trials)
        key = [problem.name, problem.reference.tolist(), self._trials, sampler, seed]
        if self._closed:
            return self._known.get(json.dumps(key))
        key.append(_version(sampler))
        text = json.dumps(key)
        if text not in self._known:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._known[text] = run(problem, sampler, seed, self._trials)
            with self._path.open("a") as file:
                file.write(json.dumps({"key": key, "result": self._known[text]}) + "\n")
            print(f"{problem.name} {sampler} {seed}: {self._known[text]}", file=sys.stderr, flush=True)
        return self._known[text]


Runs = Mapping[tuple[str, str], list[dict[str, Any]]]


def measure(cases: list[Problem], samplers: Iterable[str], seeds: int, cache: Cache) -> Runs:
    """All runs by problem and sampler."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for seed in range(seeds):  # seed by seed, so that an interrupted command has all problems alike
        for sampler in samplers:
            for problem in cases:
                if (result := cache.get(problem, sampler, seed)) is not None:
                    found.setdefault((problem.name, sampler), []).append(result)
    return found


def write(cases: list[Problem], samplers: list[str], runs: Runs, trials: int) -> str:
    """The report in Markdown."""
    lines = [
        "# Samplers on pymoo's problems",
        "",
        f"Written by `python benchmarks/arena.py`. Hypervolume of the feasible trials after {trials} as a share of the",
        "box between the ideal (0 but for ZDT3's second objective, -0.8) and the reference point: mean over seeds,",
        "standard deviation after ±. `front` is the share of the true front; where choices are names or steps, that of",
        "the problem without them, which may be out of reach. `auto` is the rule that Optuna Hub's AutoSampler states,",
        "composed of Optuna's samplers. *unordered*: every other number became one of five names in a shuffled order.",
        "*mixed*: integers, logarithmic numbers and names, and one number that exists under one choice only.",
        "",
        "Nearly thirty variants of `predictor` were tried on problems of the first list, the last few on the seeds",
        "that are shown, and the best kept: its figures there favour it. No variant was tried on the second list, but",
        "one that was dropped had been seen there, too. Columns rest on as many seeds as the last paragraph says,",
        "`botorch` on few: differences of a hundredth or so are open.",
        "",
    ]
    for held, title in ((False, "Problems at which the defaults were settled"), (True, "Problems held out of that")):
        rows = [p for p in cases if p.held_out == held]
        if rows:
            lines += [f"## {title}", "", *_shares(rows, samplers, runs), ""]
    lines += ["## Milliseconds a trial", "", "Processor time of ask and tell, one thread.", ""]
    lines += [f"| problem | {' | '.join(samplers)} |", "|---|" + "---|" * len(samplers)]
    for problem in cases:
        times = [runs.get((problem.name, s)) for s in samplers]
        cells = [f"{mean(r['ms'] for r in t):.0f}" if t else "" for t in times]
        lines.append(f"| {problem.name} | " + " | ".join(cells) + " |")
    seeds = sorted({(s, len(r)) for (_, s), r in runs.items()})
    repeats = sum(trials - r["unique"] for (_, s), found in runs.items() if s == "predictor" for r in found)
    counts = {s: sorted({n for name, n in seeds if name == s}) for s in samplers}
    told = ", ".join(f"{s} {' or '.join(map(str, n))}" for s, n in counts.items() if n)
    lines += ["", f"Seeds: {told}. Points that `predictor` tried twice: {repeats}."]
    return "\n".join(lines) + "\n"


def _shares(cases: list[Problem], samplers: list[str], runs: Runs) -> list[str]:
    lines = [
        f"| problem | reference | front | {' | '.join(samplers)} | `predictor` less `botorch` |",
        "|---|---|---|" + "---|" * (len(samplers) + 1),
    ]
    for problem in cases:
        found = {s: [r["share"] for r in runs.get((problem.name, s), [])] for s in samplers}
        means = {s: mean(values) for s, values in found.items() if values}
        best = max(means.values(), default=0.0)
        cells = []
        for s in samplers:
            text = _figure(found[s]) if s in means else ""
            cells.append(f"**{text}**" if text and means[s] > best - 5e-4 else text)
        true = problem.true_share()
        gap = f"{means['predictor'] - means['botorch']:+.3f}" if {"predictor", "botorch"} <= set(means) else ""
        reference = ", ".join(f"{r:g}" for r in problem.reference)
        front = "" if true is None else f"{true:.3f}"
        lines.append(f"| {problem.name} | {reference} | {front} | " + " | ".join(cells) + f" | {gap} |")
    return lines


def _figure(values: list[float]) -> str:
    spread = f"± {pstdev(values):.3f}" if len(values) > 1 else "(1 seed)"
    return f"{mean(values):.3f} {spread}".replace("0.", ".")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=80)
    parser.add_argument("--samplers", nargs="*", default=list(SAMPLERS), metavar="NAME")
    parser.add_argument("--only", nargs="*", metavar="WORD", help="problems whose names contain one of these")
    parser.add_argument("--cache", type=Path, default=Path(__file__).with_suffix(".jsonl"))
    parser.add_argument("--cached", action="store_true", help="report what the cache has and measure nothing")
    parser.add_argument("--report", type=Path, default=REPORT)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    cases = [p for p in problems() if not arguments.only or any(w.lower() in p.name.lower() for w in arguments.only)]
    cache = Cache(arguments.cache, arguments.trials, closed=arguments.cached)
    runs = measure(cases, arguments.samplers, arguments.seeds, cache)
    text = write(cases, arguments.samplers, runs, arguments.trials)
    arguments.report.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
