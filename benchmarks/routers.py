"""Each router against random routing at equal exit rate.

    python benchmarks/routers.py [--data digits|cifar10] [--seeds 3] [--pairs 4] [--epochs 12] [--cotrain 0 1] [--json]

For every seed a supernet is trained, pairs are drawn from it, and each pair is co-trained with each router. Inputs
then leave in order of their score; the curve of accuracy over exit rate is compared with that of random routing,
which is the straight line from the big network's accuracy (nobody leaves) to the little one's (all leave). `gain` is
the mean height above that line in percentage points of accuracy, `oracle` the same for the optimal decisions, `AUC`
how well the score ranks the inputs that may leave above those that should not (0.5 is random). Scores are those of
the validation split; routers are fitted on train. `cifar10` needs NASOPT_REFERENCE (default ../shared), which holds
datasets/cifar10/train.parquet.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import mean

import numpy as np
from sklearn.metrics import roc_auc_score

from nasopt.cache import Cache
from nasopt.data import ImageData, load_data
from nasopt.records import Candidate, LossWeights, NetworkLayout, RouterKind
from nasopt.spec.data import AugmentSpec, DataSpec
from nasopt.spec.training import CotrainSpec, SupernetSpec, TrainingSpec
from nasopt.training import Predictions, TrainedSupernet, cotrain, predict, train_supernet
from nasopt.training.shrinking import draw

KINDS: tuple[RouterKind, ...] = ("confidence", "learned", "difficulty")
LOSS = LossWeights(alpha=1.0, beta=1.0, gamma=0.5, lambda_=0.5, temperature=2.0, eta=0.1)


def data_spec(name: str) -> DataSpec:
    """The section for this data set; CIFAR-10 is cut to 6,000 images so that a run takes minutes."""
    if name == "digits":
        return DataSpec()
    reference = Path(os.environ.get("NASOPT_REFERENCE", "../shared")) / "datasets"
    if not (reference / "cifar10" / "train.parquet").exists():
        raise SystemExit(f"no cifar10/train.parquet in {reference}: set NASOPT_REFERENCE, or use --data digits")
    augment = AugmentSpec(crop=4, flip=True)
    return DataSpec(name="cifar10", root=str(reference), download=False, train_images=6000, augment=augment)


def layout_for(data: ImageData) -> NetworkLayout:
    """The quickstart's networks; larger images are reduced by the stem as well."""
    return NetworkLayout(
        in_channels=data.channels,
        classes=len(data.classes),
        stem_channels=16,
        stem_stride=1 if data.size < 16 else 2,
        channels=(16, 24, 32, 48),
        strides=(2, 1, 2, 1),
        widths=(0.25, 0.5, 0.75, 1.0),
        depths=(1, 2, 3, 4),
        kernels=(3, 5, 7),
        expansions=(1, 2, 4, 6),
        resolutions=(data.size,),
    )


def gains(said: Predictions, labels: np.ndarray) -> dict[str, float]:
    """Area between the router's and random routing's accuracy over exit rate, in percentage points; the oracle's
    too."""
    little, big = said.little.argmax(1) == labels, said.big.argmax(1) == labels
    may_leave = little | ~big
    change = little.astype(float) - big.astype(float)  # what an input adds to the accuracy by leaving
    return {
        "little": 100 * float(little.mean()),
        "big": 100 * float(big.mean()),
        "gain": area(change[np.argsort(-said.scores, kind="stable")]),
        "oracle": area(np.sort(change)[::-1]),
        "auc": float(roc_auc_score(may_leave, said.scores)) if 0 < may_leave.mean() < 1 else float("nan"),
    }


def area(ordered: np.ndarray) -> float:
    """Mean over all exit rates of the accuracy above the straight line, of changes (n,) in the order of leaving."""
    curve = np.concatenate([[0.0], np.cumsum(ordered)]) / len(ordered)
    line = np.linspace(0.0, curve[-1], len(curve))
    return 100 * float((curve - line).mean())


def pairs(trained: TrainedSupernet, count: int, seed: int) -> Iterator[Candidate]:
    """The smallest with the largest network first, then little ones with a narrow first half against random big
    ones."""
    layout, generator = trained.supernet.layout, random.Random(seed)
    small = replace(layout, widths=layout.widths[:2], depths=layout.depths[:2], expansions=layout.expansions[:2])
    for number in range(count):
        yield Candidate(
            little=draw(small, generator) if number else layout.smallest(),
            big=draw(layout, generator) if number else layout.largest(),
            router="confidence",
            tau=0.5,
            loss=LOSS,
            resolution=layout.resolutions[-1],
        )


def run(options: argparse.Namespace) -> list[dict[str, object]]:
    """All rows: one for each seed, pair, budget and router."""
    rows: list[dict[str, object]] = []
    cache = Cache(options.cache)
    for seed in range(options.seeds):
        data = load_data(data_spec(options.data), seed=seed)
        recipe = SupernetSpec(epochs=options.epochs, learning_rate=4e-3, batch_size=64)
        trained = train_supernet(layout_for(data), data, TrainingSpec(supernet=recipe), seed=seed, cache=cache)
        labels = data.validation.labels.numpy()
        for number, pair in enumerate(pairs(trained, options.pairs, seed)):
            for epochs in options.cotrain:
                spec = TrainingSpec(supernet=recipe, cotrain=CotrainSpec(epochs=epochs))
                for kind in KINDS:
                    candidate = replace(pair, router=kind)
                    network = cotrain(trained, candidate, data, spec, seed=seed)
                    said = predict(network, data.validation.images, data, candidate.resolution)
                    found = gains(said, labels)
                    exits = {f"exit@{tau}": float((said.scores >= tau).mean()) for tau in (0.3, 0.6, 0.9)}
                    rows.append({"seed": seed, "pair": number, "cotrain": epochs, "router": kind, **found, **exits})
    return rows


def summary(rows: list[dict[str, object]], budgets: list[int]) -> list[str]:
    """The table's lines."""
    lines = ["cotrain router      little   big   gain  oracle  won    AUC  exit rate at tau .3/.6/.9"]
    for epochs in budgets:
        for kind in KINDS:
            mine = [row for row in rows if row["cotrain"] == epochs and row["router"] == kind]
            figure = {
                key: float(np.nanmean([float(str(row[key])) for row in mine])) for key in mine[0] if key != "router"
            }
            won = mean(float(str(row["gain"])) > 0 for row in mine)
            lines.append(
                f"{epochs:7d} {kind:10s} {figure['little']:7.2f} {figure['big']:6.2f} {figure['gain']:6.2f} "
                f"{figure['oracle']:6.2f} "
                f"{won:5.0%} {figure['auc']:6.3f}  {figure['exit@0.3']:.2f} "
                f"{figure['exit@0.6']:.2f} {figure['exit@0.9']:.2f}"
            )
    return lines


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=("digits", "cifar10"), default="digits")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--pairs", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=12, help="of the supernet")
    parser.add_argument("--cotrain", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--cache", type=Path, default=None, help="folder of the supernets; default as for nasopt")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = run(options)
    if options.json:
        json.dump(rows, sys.stdout, indent=1)
        print()
        return
    print(
        f"{options.data}, {options.seeds} seeds, {options.pairs} pairs each, validation split; "
        f"means over seeds and pairs"
    )
    print("\n".join(summary(rows, options.cotrain)))


if __name__ == "__main__":
    main()
