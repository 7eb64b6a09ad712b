"""What a trial costs outside training, evaluation, export and measuring: on SQLite and in memory.

    python benchmarks/overhead.py [--trials 30] [--json]

Runs a real study of digits (0 co-training epochs, costs from a datasheet) and takes the wall-clock time between the
trials that was not spent in `evaluate`: drawing, claiming, storing, uploading artifacts, telling.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from nasopt.cache import Cache
from nasopt.problems.big_little import BigLittleProblem
from nasopt.records import Inspection, Outcome
from nasopt.spec.study import StudySpec
from nasopt.study import run
from nasopt.study.events import Event, TrialEnded, TrialStarted


class Timed:
    """A problem that notes how long its evaluations take."""

    def __init__(self, problem: BigLittleProblem) -> None:
        self._problem = problem
        self.evaluating: list[float] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._problem, name)

    def inspect(self, params: Mapping[str, Any]) -> Inspection:
        return self._problem.inspect(params)

    def evaluate(self, params: Mapping[str, Any]) -> Outcome:
        started = time.perf_counter()
        try:
            return self._problem.evaluate(params)
        finally:
            self.evaluating.append(time.perf_counter() - started)


def spec_for(storage: str, sampler: str, trials: int) -> StudySpec:
    return StudySpec.model_validate(
        {
            "study": {"name": "overhead", "storage": storage, "trials": trials},
            "training": {"supernet": {"epochs": 2}, "cotrain": {"epochs": 0}},
            "hardware": "jetson_nano",
            "objectives": ["accuracy", "latency_ms", "energy_mj"],
            "sampler": sampler,
        }
    )


def overheads(storage: str, sampler: str, trials: int, cache: Cache) -> dict[str, float]:
    """Milliseconds outside evaluation for finished and for refused trials, and of an evaluation (medians)."""
    spec = spec_for(storage, sampler, trials)
    problem = Timed(BigLittleProblem(spec, cache))
    finished: list[float] = []
    refused: list[float] = []
    last: list[float] = []

    def listen(event: Event) -> None:
        now = time.perf_counter()
        if isinstance(event, TrialStarted) and not last:
            last.append(now)
        if isinstance(event, TrialEnded):
            took = now - last[-1]
            if event.ended == "completed":
                finished.append(took - problem.evaluating[-1])
            else:
                refused.append(took)
            last.append(time.perf_counter())

    run(spec, problem=problem, listener=listen, cache=cache)
    return {
        "finished_ms": 1e3 * median(finished[1:]),
        "refused_ms": 1e3 * median(refused) if refused else float("nan"),
        "evaluation_ms": 1e3 * median(problem.evaluating),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        cache = Cache(Path(folder) / "cache")
        for sampler in ("nsga2", "tpe", "random"):
            for storage in ("memory", f"sqlite:///{folder}/{sampler}.db"):
                row = overheads(storage, sampler, arguments.trials, cache)
                rows.append({"sampler": sampler, "storage": storage.partition(":")[0], **row})
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return
    print("median ms a trial    outside evaluation   refused   (an evaluation)")
    for row in rows:
        name = f"{row['sampler']} on {row['storage']}"
        print(f"{name:22} {row['finished_ms']:16.1f} {row['refused_ms']:9.1f} {row['evaluation_ms']:15.0f}")


if __name__ == "__main__":
    main()
