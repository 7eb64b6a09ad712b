"""Predict published costs from 100 networks: writes predictors.md, and with --ship the calibrations in hardware/.

python benchmarks/predictors.py [--splits 20] [--ship]
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import published
from pyarrow import parquet
from scipy.stats import spearmanr
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold

from nasopt.hardware.prediction.calibration import Calibration, Predictor
from nasopt.hardware.prediction.domain import Domain
from nasopt.hardware.prediction.kernels import Kernel
from nasopt.hardware.prediction.model import Network, fit
from nasopt.hardware.prediction.validation import Errors, cross_validated, errors, interval_factor

Array = np.ndarray[Any, np.dtype[np.float64]]
Predict = Callable[[Array, Array], Array]
HERE = Path(__file__).parent
REFERENCE = Path(os.environ.get("NASOPT_REFERENCE", HERE / "../../shared")) / "benchmarks"
TRAIN = 100
SHIPPED_ROWS = 500
DEVICES = {"raspi4_ms": ("raspberry_pi_4", "Raspberry Pi 4"), "pixel3_ms": ("pixel_3", "Pixel 3")}


class Fbnet:
    """The table `fbnet_latency`, its networks as kernels."""

    def __init__(self) -> None:
        self.table = parquet.read_table(REFERENCE / "fbnet_latency.parquet")
        self.layers = published.fbnet_layers()
        columns = [self.table[f"layer_{i}"].to_pylist() for i in range(len(self.layers))]
        self.choices = list(zip(*columns, strict=True))
        self.options = sorted({c for column in columns for c in column})
        self.blocks = {(o, s): published.fbnet_block(o, *s) for s in set(self.layers) for o in self.options}
        self.frame = published.fbnet_frame()
        self.networks = [self.network(row) for row in self.choices]
        self.ridges = self._ridges()

    def _ridges(self) -> dict[str, Array]:
        """Columns of ridges: one-hot choices alone, and with counts, which let layers share what a choice costs."""
        hot, total = one_hot(self.choices, self.options), counts(self.choices, self.options)
        ends = np.cumsum([0, *published.FBNET_BLOCKS])
        stages = [counts([r[a:b] for r in self.choices], self.options) for a, b in pairwise(ends)]
        return {
            "ridge on choices": hot,
            "ridge on choices and counts": np.hstack([hot, total]),
            "ridge on choices, counts, counts by stage": np.hstack([hot, total, *stages]),
        }

    def kernels(self, row: Sequence[str]) -> list[Kernel]:
        return [*self.frame, *(k for o, s in zip(row, self.layers, strict=True) for k in self.blocks[o, s])]

    def network(self, row: Sequence[str]) -> Network:
        return Counter(self.kernels(row))

    def costs(self, column: str) -> Array:
        return np.array(self.table[column])

    def block_costs(self, column: str) -> tuple[list[dict[str, float]], float]:
        """Milliseconds of each choice above `skip` in each layer, and the largest residual of this additive model."""
        names = [o for o in self.options if o != "skip"]
        hot = np.array([[1.0, *(c == n for c in row for n in names)] for row in self.choices])
        costs = self.costs(column)
        solution = np.linalg.lstsq(hot, costs, rcond=None)[0]
        layers = solution[1:].reshape(len(self.layers), -1)
        found = [{**dict(zip(names, map(float, layer), strict=True)), "skip": 0.0} for layer in layers]
        return found, float(np.abs(hot @ solution - costs).max())


class Cells:
    """The table `nb201_pi5_cifar100`, its cells as kernels; every cell runs five times in each of three stages."""

    def __init__(self) -> None:
        table = parquet.read_table(REFERENCE / "nb201_pi5_cifar100.parquet")
        edges = [table[f"edge_{a}_{b}"].to_pylist() for a, b in published.CELL_EDGES]
        self.choices = list(zip(*edges, strict=True))
        self.measured = np.flatnonzero(table["measured"])
        self.latency, self.energy = np.array(table["latency_ms"]), np.array(table["energy_mj"])
        self.networks = [self.network(row) for row in self.choices]
        options = sorted(set(edges[0]))
        hot = one_hot(self.choices, options)
        self.ridges = {
            "ridge on choices": hot,
            "ridge on choices and counts": np.hstack([hot, counts(self.choices, options)]),
        }

    def network(self, row: Sequence[str]) -> Network:
        counted: Counter[Kernel] = Counter()
        for channels, side in published.CELL_STAGES:
            for kernel in published.cell(row, channels, side):
                counted[kernel] += published.CELLS_IN_STAGE
        return counted


def scores(predicted: Array, truth: Array) -> tuple[float, float]:
    return float(np.mean(np.abs(predicted / truth - 1) <= 0.1)), float(spearmanr(predicted, truth)[0])


def ours(networks: Sequence[Network], costs: Array) -> tuple[Predict, Callable[[Array], float]]:
    """A predictor of rows from training rows, and the interval's factor from the training rows alone."""

    def predict(train: Array, test: Array) -> Array:
        return fit([networks[i] for i in train], costs[train]).predict([networks[i] for i in test])

    def factor(train: Array) -> float:
        inner = cross_validated([networks[i] for i in train], costs[train])
        return interval_factor(inner, costs[train])

    return predict, factor


def ridge(features: Array, costs: Array) -> Predict:
    """An additive ridge; its penalty, and whether it is fitted to relative errors, by cross-validation."""

    def fitted(rows: Array, alpha: float, power: int) -> Ridge:
        weights = (costs[rows].mean() / costs[rows]) ** power
        return Ridge(alpha=alpha).fit(features[rows], costs[rows], sample_weight=weights)

    def error(train: Array, alpha: float, power: int) -> float:
        folds = KFold(5, shuffle=True, random_state=0).split(train)
        off = [fitted(train[a], alpha, power).predict(features[train[b]]) / costs[train[b]] - 1 for a, b in folds]
        return float(np.mean(np.abs(np.concatenate(off))))

    def predict(train: Array, test: Array) -> Array:
        settings = [(alpha, power) for alpha in np.logspace(-3, 3, 13) for power in (0, 2)]
        alpha, power = min(settings, key=lambda s: error(train, *s))
        return np.asarray(fitted(train, alpha, power).predict(features[test]))

    return predict


def counts(rows: Sequence[Sequence[str]], options: Sequence[str]) -> Array:
    """How often each option occurs in each row (n, options)."""
    return np.array([[r.count(o) for o in options] for r in rows], dtype=float)


def one_hot(rows: Sequence[Sequence[str]], options: Sequence[str]) -> Array:
    """Which option each place of each row holds (n, places times options)."""
    return np.array([[c == o for c in r for o in options] for r in rows], dtype=float)


def splits(rows: Array, number: int) -> list[tuple[Array, Array]]:
    drawn = (np.random.default_rng(seed).permutation(rows) for seed in range(number))
    return [(order[:TRAIN], order[TRAIN:]) for order in drawn]


def row(name: str, found: Sequence[Sequence[float]], coverage: Sequence[float] | None = None) -> str:
    within, rank = np.array(found).T
    held = f"{np.mean(coverage):.1%} ({np.min(coverage):.1%})" if coverage else ""
    shares = f"{within.mean():.2%} | {within.std():.2%} | {within.min():.2%}"
    return f"| {name} | {shares} | {rank.mean():.4f} | {rank.min():.4f} | {held} |"


HEADER = [
    "| predictor | within 10%, mean | spread | worst | Spearman, mean | worst | 95% interval holds (worst) |",
    "|---|---|---|---|---|---|---|",
]


def compare(
    drawn: Sequence[tuple[Array, Array]], networks: Sequence[Network], costs: Array, others: dict[str, Predict]
) -> tuple[list[str], dict[str, list[tuple[float, float]]]]:
    """Table rows: ours and the others on the same splits."""
    predict, factor = ours(networks, costs)
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ("kernels", *others)}
    held = []
    for train, test in drawn:
        predicted = predict(train, test)
        held.append(errors(predicted, costs[test], factor(train), "").coverage)
        found["kernels"].append(scores(predicted, costs[test]))
        for name, other in others.items():
            found[name].append(scores(other(train, test), costs[test]))
    return [row(name, values, held if name == "kernels" else None) for name, values in found.items()], found


def held_out_stage(fbnet: Fbnet, column: str, stage: int) -> tuple[Errors, Errors, Array]:
    """Errors on a stage's blocks, and on whole networks, without this stage; the blocks' log ratios.

    What such a network costs follows from the additivity of the table.
    """
    ends = np.cumsum([0, *published.FBNET_BLOCKS])
    inside = range(ends[stage], ends[stage + 1])
    blocks, _ = fbnet.block_costs(column)
    order = np.random.default_rng(stage).permutation(len(fbnet.choices))
    train, test = order[:SHIPPED_ROWS], order[SHIPPED_ROWS:]
    rows = [["skip" if i in inside else c for i, c in enumerate(fbnet.choices[n])] for n in train]
    costs = fbnet.costs(column)
    reduced = np.array([costs[n] - sum(blocks[i][fbnet.choices[n][i]] for i in inside) for n in train])
    model = fit([fbnet.network(r) for r in rows], reduced)
    skip, chosen, truth = [], [], []
    for shape, layer in {fbnet.layers[i]: i for i in inside}.items():
        for option, cost in blocks[layer].items():
            if option != "skip":
                skip.append(Counter(fbnet.blocks["skip", shape]))
                chosen.append(Counter(fbnet.blocks[option, shape]))
                truth.append(cost)
    above = np.maximum(model.predict(chosen) - model.predict(skip), 1e-6)
    whole = model.predict([fbnet.networks[i] for i in test])
    name = f"{published.FBNET_CHANNELS[stage]} channels that the fit never saw"
    of_blocks = errors(above, np.array(truth), 1.0, f"blocks of a stage of {name}")
    of_networks = errors(whole, costs[test], 1.0, f"networks with a stage of {name}")
    return of_blocks, of_networks, np.abs(np.log(above / np.array(truth)))


def calibration(fbnet: Fbnet, column: str) -> Calibration:
    """What ships for a device: fitted to 500 networks, checked on the other 4,500 and on held-out stages."""
    device, title = DEVICES[column]
    costs = fbnet.costs(column)
    order = np.random.default_rng(0).permutation(len(costs))
    train, test = order[:SHIPPED_ROWS], order[SHIPPED_ROWS:]
    networks = [fbnet.networks[i] for i in train]
    factor = interval_factor(cross_validated(networks, costs[train]), costs[train])
    model = fit(networks, costs[train])
    predicted = model.predict([fbnet.networks[i] for i in test])
    held = errors(predicted, costs[test], factor, "published networks not fitted")
    stages = [held_out_stage(fbnet, column, s) for s in range(len(published.FBNET_BLOCKS))]
    beyond = float(np.exp(np.quantile(np.concatenate([ratios for _, _, ratios in stages]), 0.95)))  # of blocks
    outside = [blocks for blocks, _, _ in stages]
    predictor = Predictor.of(model, factor=factor, factor_outside=beyond, held_out=held, outside=outside)
    return Calibration(
        device=device,
        description=(
            f"{title}, sums of published block latencies (HW-NAS-Bench and HELP, MIT): MBConv blocks of the FBNet "
            "space at 32x32 pixels, batch 1; stem, classifier and the start of a run are only known together"
        ),
        runtime="TensorFlow Lite as HW-NAS-Bench ran it (version not stated)",
        networks=len(train),
        domain=Domain.of([fbnet.kernels(fbnet.choices[i]) for i in train]),
        quantities={"latency_ms": predictor},
    )


def report_fbnet(fbnet: Fbnet, number: int) -> list[str]:
    lines = [
        "## fbnet_latency: 100 of 5,000 rows",
        "",
        "Choices alone are more columns than 100 rows determine (200 rows give such a ridge 100% within 10%); how",
        "often a choice occurs in the network, and in a stage, lets a ridge share what it learns between layers.",
        "",
    ]
    rows = np.arange(len(fbnet.choices))
    for column in DEVICES:
        costs = fbnet.costs(column)
        _, residual = fbnet.block_costs(column)
        lines += [f"`{column}`: block costs recovered from all rows explain every row within {residual:.1e} ms.", ""]
        lines += HEADER
        others = {name: ridge(features, costs) for name, features in fbnet.ridges.items()}
        constant: Predict = lambda train, test, y=costs: np.full(len(test), np.median(y[train]))  # noqa: E731
        lines += compare(splits(rows, number), fbnet.networks, costs, others)[0]
        share = np.mean([scores_of_constant(constant(a, b), costs[b]) for a, b in splits(rows, number)])
        lines += ["", f"A constant has {share:.0%} within 10%. A stage held out whole, its costs unseen:", ""]
        lines += ["| stage held out | blocks within 10% | median error | worst | networks within 10% | Spearman |"]
        lines += ["|---|---|---|---|---|---|"]
        for stage, channels in enumerate(published.FBNET_CHANNELS):
            blocks, whole, _ = held_out_stage(fbnet, column, stage)
            lines += [
                f"| {channels} channels | {blocks.within_10:.0%} of {blocks.networks} | {blocks.median:.1%} | "
                f"{blocks.worst:.0%} | {whole.within_10:.1%} | {whole.spearman:.4f} |"
            ]
        lines += [""]
    return lines


def scores_of_constant(predicted: Array, truth: Array) -> float:
    return float(np.mean(np.abs(predicted / truth - 1) <= 0.1))


def report_cells(cells: Cells, number: int) -> list[str]:
    lines = []
    everything = np.arange(len(cells.choices))
    for title, rows in (("measured cells", cells.measured), ("all rows", everything)):
        lines += [f"## nb201_pi5_cifar100: 100 of {len(rows):,} {title}", ""]
        drawn = splits(rows, number)
        for quantity, costs in (("latency", cells.latency), ("energy", cells.energy)):
            others = {name: ridge(features, costs) for name, features in cells.ridges.items()}
            if quantity == "energy":

                def scaled(train: Array, test: Array, costs: Array = costs) -> Array:
                    return cells.latency[test] * np.median(costs[train] / cells.latency[train])

                others["constant times the measured latency"] = scaled
            table, found = compare(drawn, cells.networks, costs, others)
            lines += [f"{quantity.capitalize()}:", "", *HEADER, *table, ""]
            for other in others:
                won = np.mean(np.array(found["kernels"])[:, 0] > np.array(found[other])[:, 0])
                lines += [f"More within 10% than the {other} in {won:.0%} of the splits.", ""]
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--splits", type=int, default=20, help="random splits; 0 writes no report")
    parser.add_argument("--ship", action="store_true", help="write the calibrations in hardware/calibrations too")
    parser.add_argument("--to", type=Path, default=HERE / "predictors.md")
    given = parser.parse_args()
    fbnet = Fbnet()
    if given.ship:
        for column, (device, _) in DEVICES.items():
            file = HERE.parent / "hardware" / "calibrations" / f"{device}.json"
            file.parent.mkdir(exist_ok=True)
            calibration(fbnet, column).save(file)
            print(f"wrote {file}")
    if not given.splits:
        return
    lines = report_fbnet(fbnet, given.splits) + report_cells(Cells(), given.splits)
    command = f"python benchmarks/predictors.py --splits {given.splits}"
    head = ["# Predicting published costs", "", f"`{command}` wrote this page."]
    head += ["Each figure is of rows that the fit did not see, over random splits; see docs/calibrating.md.", ""]
    given.to.write_text("\n".join([*head, *lines]))
    print(f"wrote {given.to}")


if __name__ == "__main__":
    main()
