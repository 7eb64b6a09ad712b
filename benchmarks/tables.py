"""The reference tables as search problems whose true front is known; found through NASOPT_REFERENCE."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import moocore
import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from optuna.distributions import CategoricalDistribution

from nasopt.problems.true_front import REFERENCE, true_front

Space = dict[str, CategoricalDistribution]
OBJECTIVES = {
    "nb201_pi5_cifar100": ("accuracy", "latency_ms", "energy_mj"),
    "nb201_devices_cifar100": ("accuracy", "raspi4_ms", "pixel3_ms"),
    "nas_bench_macro_cifar10": ("accuracy", "macs"),
    "channel_bench_mobilenet_cifar10": ("accuracy", "macs", "params"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A complete table: choices (n, d) as names, losses (n, m) all minimised."""

    name: str
    space: Space
    rows: dict[tuple[str, ...], int]
    losses: NDArray[np.float64]
    idle: int = 0
    """Parameters that do nothing."""

    def full_space(self) -> Space:
        return self.space | {f"idle_{i}": CategoricalDistribution(("a", "b", "c")) for i in range(self.idle)}

    def score(self, losses: NDArray[np.float64]) -> float:
        """Hypervolume of losses (k, m) over that of the true front."""
        front = true_front(self.losses)
        found = moocore.hypervolume(front.scaled(losses), ref=np.full(losses.shape[1], REFERENCE))
        return float(found) / front.hypervolume


def folder() -> Path:
    """Where the tables are; ends the program with a word where they are not."""
    found = Path(os.environ.get("NASOPT_REFERENCE", "../shared")) / "benchmarks"
    if not found.is_dir():
        raise SystemExit(f"no tables in {found}: set NASOPT_REFERENCE to the folder that holds benchmarks/")
    return found


def load(name: str, folder: Path) -> Table:
    """One of the tables, its accuracy turned into a loss."""
    columns = pq.read_table(folder / f"{name}.parquet").to_pydict()
    choices = [n for n, values in columns.items() if isinstance(values[0], str)]
    losses = np.column_stack([np.array(columns[o], dtype=float) for o in OBJECTIVES[name]])
    losses[:, 0] *= -1.0
    rows = {row: i for i, row in enumerate(zip(*(columns[n] for n in choices), strict=True))}
    space = {n: CategoricalDistribution(tuple(sorted(set(columns[n])))) for n in choices}
    return Table(name=name, space=space, rows=rows, losses=losses)
