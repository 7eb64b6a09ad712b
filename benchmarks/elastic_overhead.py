"""What weight sharing costs: a sandwich step of the supernet against the same sub-networks as plain modules.

    python benchmarks/elastic_overhead.py [--json] [--pairs 10] [--batch 32] [--threads N] [--clock cpu]

One step: forward, losses and backward of the largest, the smallest and two random sub-networks on one batch of 32x32
images, with in-place distillation and both heads, no optimiser on either side. The plain side has its own weights for
every sub-network, extracted beforehand (not timed), and runs its stem once as well: sharing the stem is no advantage
of the elastic side here. Steps are interleaved in pairs, each on new random sub-networks, the order within a pair
drawn. A ratio above 1 says that the elastic step is faster.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from nasopt.networks import SubNetwork, Supernet, extract_path
from nasopt.records import Architecture, NetworkLayout
from nasopt.spec.training import SupernetSpec
from nasopt.training.losses import distillation
from nasopt.training.sandwich import accumulate, choose

LAYOUT = NetworkLayout(
    in_channels=3,
    classes=10,
    stem_channels=16,
    stem_stride=1,
    channels=(16, 24, 40, 64),
    strides=(1, 2, 2, 1),
    widths=(0.25, 0.5, 0.75, 1.0),
    depths=(1, 2, 3, 4),
    kernels=(3, 5, 7),
    expansions=(1, 2, 4, 6),
    resolutions=(32,),
)
SPEC = SupernetSpec()


class PlainPaths(nn.Module):
    """The four sub-networks as plain modules, each with two heads as in the supernet."""

    def __init__(self, supernet: Supernet, architectures: tuple[Architecture, ...]) -> None:
        super().__init__()
        self.paths = nn.ModuleList(extract_path(supernet, a, "big", 32) for a in architectures)
        self.heads = nn.ModuleList(extract_path(supernet, a, "little", 32).head for a in architectures)
        self.to(memory_format=torch.channels_last)


def plain_step(stem: nn.Module, plain: PlainPaths, images: Tensor, labels: Tensor) -> Tensor:
    """The same forward passes, losses and backward passes as `accumulate`, on plain modules."""
    features = stem(images)
    shared = features.detach().requires_grad_()
    targets = torch.cat([labels, labels])
    teacher: Tensor | None = None
    total = torch.zeros(())
    for path, head in zip(plain.paths, plain.heads, strict=True):
        assert isinstance(path, SubNetwork)
        big, pooled = path(shared)
        logits = torch.cat([head(pooled), big])
        if teacher is None:
            loss = functional.cross_entropy(logits, targets, label_smoothing=SPEC.label_smoothing)
            teacher = logits.detach().softmax(1)
        else:
            loss = distillation(logits, teacher)
        loss = loss / len(plain.paths)
        loss.backward()
        total += loss.detach()
    features.backward(shared.grad)
    return total


CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "cpu": time.process_time}


def timed(clock: Callable[[], float], step: Callable[[], Tensor], *modules: nn.Module) -> tuple[float, float]:
    """Seconds of one step, gradients cleared before it, and its loss."""
    for module in modules:
        module.zero_grad(set_to_none=True)
    started = clock()
    loss = step()
    return clock() - started, float(loss)


def run_pairs(pairs: int, batch: int, seed: int, clock: Callable[[], float]) -> list[dict[str, float]]:
    """Time interleaved pairs of steps; checks that both sides compute the same loss."""
    torch.manual_seed(seed)
    generator = random.Random(seed)
    supernet = Supernet(LAYOUT).to(memory_format=torch.channels_last).train()
    images = torch.randn(batch, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    labels = torch.randint(LAYOUT.classes, (batch,))
    rows = []
    for pair in range(-1, pairs):  # the first pair warms up
        chosen = choose(LAYOUT, SPEC, generator)
        plain = PlainPaths(supernet, chosen).train()
        sides = {
            "elastic": lambda chosen=chosen: timed(
                clock, lambda: accumulate(supernet, images, labels, chosen, SPEC), supernet
            ),
            "plain": lambda plain=plain: timed(
                clock, lambda: plain_step(supernet.stem, plain, images, labels), supernet, plain
            ),
        }
        order = list(sides)
        generator.shuffle(order)
        seen = {name: sides[name]() for name in order}
        (elastic, elastic_loss), (plainly, plain_loss) = seen["elastic"], seen["plain"]
        if abs(elastic_loss - plain_loss) > 1e-3:
            raise SystemExit(f"the two sides compute different losses: {elastic_loss} and {plain_loss}")
        if pair >= 0:
            rows.append({"elastic": batch / elastic, "plain": batch / plainly, "ratio": plainly / elastic})
    return rows


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--clock",
        choices=CLOCKS,
        default="wall",
        help="cpu counts this process only, for a machine that others use too",
    )
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    rows = run_pairs(options.pairs, options.batch, options.seed, CLOCKS[options.clock])
    median = statistics.median(row["ratio"] for row in rows)
    if options.json:
        json.dump(
            {"pairs": rows, "median_ratio": median, "threads": torch.get_num_threads(), "clock": options.clock},
            sys.stdout,
            indent=1,
        )
        print()
        return
    print(
        f"images/s of a sandwich step at 32x32, batch {options.batch}, {torch.get_num_threads()} threads, "
        f"{options.clock} clock"
    )
    print("pair  elastic    plain  elastic/plain")
    for number, row in enumerate(rows):
        print(f"{number:4d} {row['elastic']:8.1f} {row['plain']:8.1f}  {row['ratio']:.3f}")
    print(f"median ratio {median:.3f} over {len(rows)} interleaved pairs")


if __name__ == "__main__":
    main()
