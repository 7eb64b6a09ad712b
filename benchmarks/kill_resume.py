"""Kill a running study ten times with SIGKILL, let it finish, and hold it against one that was left alone.

    python benchmarks/kill_resume.py [--kills 10] [--trials 24] [--json]

The real command on digits with deterministic objectives (accuracy and multiply-accumulates). Some kills come at random
moments, some at the moment when the database shows a trial that is only half drawn.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import optuna
import yaml

from nasopt.records import TrialKeys

STUDY: dict[str, Any] = {
    "training": {"threads": 1, "supernet": {"epochs": 3, "batch_size": 128}, "cotrain": {"epochs": 1}},
    "hardware": "jetson_nano",
    "objectives": ["accuracy", "macs"],
}
DRAWING = """
SELECT COUNT(p.param_id) FROM trials t LEFT JOIN trial_params p ON p.trial_id = t.trial_id
WHERE t.state = 'RUNNING' GROUP BY t.trial_id ORDER BY t.trial_id DESC LIMIT 1
"""


def command(folder: Path, name: str, sampler: str, trials: int) -> list[str]:
    file = folder / f"{name}.yaml"
    study = {"name": name, "storage": f"sqlite:///{folder}/{name}.db", "trials": trials, "seed": 5}
    file.write_text(yaml.safe_dump({"study": study, "sampler": sampler, **STUDY}))
    return [sys.executable, "-m", "nasopt.cli", "run", str(file), "-q"]


def half_drawn(database: Path) -> bool:
    """Whether a trial is running that has some of its parameters only."""
    try:
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=0.1) as connection:
            row = connection.execute(DRAWING).fetchone()
    except sqlite3.Error:
        return False
    return row is not None and 0 < row[0] < 30


def kill_once(arguments: list[str], database: Path, draw: random.Random, *, while_drawing: bool) -> str:
    """Start the command and kill it; what happened."""
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = draw.uniform(3, 12)
    started = time.monotonic()
    while process.poll() is None:
        elapsed = time.monotonic() - started
        if (while_drawing and half_drawn(database)) or (not while_drawing and elapsed > after):
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            return "drawing" if half_drawn(database) else "elsewhere"
        time.sleep(0.001 if while_drawing else 0.01)
    return f"ended by itself ({process.returncode})"


def finished(folder: Path, name: str) -> list[optuna.trial.FrozenTrial]:
    study = optuna.load_study(study_name=name, storage=f"sqlite:///{folder}/{name}.db")
    return [t for t in study.get_trials() if t.user_attrs.get(TrialKeys.ENDED) == "completed"]


def compare(sampler: str, kills: int, trials: int, folder: Path) -> dict[str, Any]:
    """One sampler's row of the table."""
    draw = random.Random(sampler)
    subprocess.run(command(folder, f"quiet-{sampler}", sampler, trials), check=True, stdout=subprocess.DEVNULL)
    name = f"killed-{sampler}"
    arguments = command(folder, name, sampler, trials)
    ends = [kill_once(arguments, folder / f"{name}.db", draw, while_drawing=number % 3 == 1) for number in range(kills)]
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)
    quiet, killed = finished(folder, f"quiet-{sampler}"), finished(folder, name)
    return {
        "sampler": sampler,
        "killed_while_drawing": ends.count("drawing"),
        "killed_elsewhere": ends.count("elsewhere"),
        "finished": len(killed),
        "asked": trials,
        "same_parameters": [t.params for t in killed] == [t.params for t in quiet],
        "same_values": [t.values for t in killed] == [t.values for t in quiet],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--samplers", nargs="+", default=["nsga2", "tpe", "gp"])
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NASOPT_CACHE"] = f"{folder}/cache"
        rows = [compare(sampler, given.kills, given.trials, Path(folder)) for sampler in given.samplers]
    if given.json:
        print(json.dumps(rows, indent=2))
    else:
        for row in rows:
            print(", ".join(f"{key.replace('_', ' ')}: {value}" for key, value in row.items()))
    sys.exit(not all(r["same_parameters"] and r["same_values"] and r["finished"] == r["asked"] for r in rows))


if __name__ == "__main__":
    main()
