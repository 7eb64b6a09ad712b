"""What cropped kernels and weight gradients in strips save: single gradients, and whole steps of two shipped studies.

    python benchmarks/depthwise.py [--steps 12] [--shapes]

`ONEDNN_MAX_CPU_ISA=AVX2` before the command makes oneDNN behave as on a processor without AVX-512. Times are of this
process's processor, on one thread; before and after take turns on the same draws of sub-networks.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from unittest.mock import patch

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile, record_function

from nasopt.networks import Supernet, depthwise
from nasopt.networks.geometry import cropped
from nasopt.space import BigLittleSpace
from nasopt.spec.study import load_spec
from nasopt.training.sandwich import accumulate, choose

STUDIES = Path(__file__).parent.parent / "studies"
MARK = "depthwise weight gradient"


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=12, help="steps of each study, before and after in turns")
    parser.add_argument("--shapes", action="store_true", help="single gradients of many shapes as well")
    options = parser.parse_args()
    torch.set_num_threads(1)
    isa = os.environ.get("ONEDNN_MAX_CPU_ISA", "all that the processor has")
    print(f"PyTorch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}; oneDNN may use: {isa}")
    print("study           step before  after   times  share of depthwise weight gradients before  after")
    for name in ("quickstart", "jetson_energy"):
        steps(name, options.steps)
    if options.shapes:
        print("side kernel stride channels  oneDNN ms  strips ms   (64 images)")
        for shape in itertools.product((2, 3, 4, 8, 16), (3, 5, 7), (1, 2), (96, 192)):
            if shape[1] < 2 * shape[0]:
                single(*shape)


def steps(name: str, count: int) -> None:
    """One row: a sandwich step of a study's supernet on digits, as it was and as it is."""
    spec = load_spec(STUDIES / f"{name}.yaml")
    space = BigLittleSpace(spec.space, native_resolution=8)
    layout = space.layout(in_channels=1, classes=10)
    recipe = spec.training.supernet
    torch.manual_seed(0)
    supernet = Supernet(layout).to(memory_format=torch.channels_last).train()
    images = torch.randn(recipe.batch_size, 1, 8, 8).contiguous(memory_format=torch.channels_last)
    labels = torch.randint(10, (recipe.batch_size,))

    def step(seed: int) -> None:
        supernet.zero_grad()
        accumulate(supernet, images, labels, choose(layout, recipe, random.Random(seed)), recipe)

    taken: dict[str, list[float]] = {"before": [], "after": []}
    for seed in range(-1, count):  # the first warms up
        for side, seconds in taken.items():
            with as_before() if side == "before" else nullcontext():
                seconds.append(processor_seconds(lambda seed=seed: step(seed)))
    before, after = (statistics.median(seconds[1:]) for seconds in taken.values())
    shares = [share(step, count, before=b) for b in (True, False)]
    print(
        f"{name:15} {1e3 * before:8.1f} ms {1e3 * after:6.1f} {before / after:6.2f}x "
        f"{100 * shares[0]:42.0f}% {100 * shares[1]:5.0f}%"
    )


@contextmanager
def as_before() -> Iterator[None]:
    """Whole kernels, and oneDNN's own weight gradients."""
    with (
        patch("nasopt.networks.geometry.cropped", lambda kernel, side: kernel),
        patch.object(depthwise, "_slow", lambda *_: False),
    ):
        yield


def share(step: Callable[[int], None], count: int, *, before: bool) -> float:
    """Share of the step's time that weight gradients of depthwise convolutions take, by PyTorch's profiler."""
    slow, strips = depthwise._slow, depthwise.weight_gradient

    def marked(x: Tensor, upstream: Tensor, kernel: int, stride: int) -> Tensor:
        with record_function(MARK):
            if not before and slow(x, kernel, stride):
                return strips(x, upstream, kernel, stride)
            return own(x, upstream, kernel, stride)

    with (
        patch("nasopt.networks.geometry.cropped", (lambda kernel, side: kernel) if before else cropped),
        patch.object(depthwise, "_slow", lambda *_: True),
        patch.object(depthwise, "weight_gradient", marked),
    ):
        step(0)
        with profile(activities=[ProfilerActivity.CPU]) as profiled:
            for seed in range(count):
                with record_function("step"):
                    step(seed)
    times = {event.key: event.cpu_time_total for event in profiled.key_averages()}
    return times[MARK] / times["step"]


def own(x: Tensor, upstream: Tensor, kernel: int, stride: int) -> Tensor:
    """oneDNN's weight gradient (c, 1, k, k)."""
    weight, padding = upstream.new_empty(x.shape[1], 1, kernel, kernel), (kernel // 2, kernel // 2)
    return depthwise._backward(upstream, x, weight, stride, padding, 1)


def single(side: int, kernel: int, stride: int, channels: int) -> None:
    """One row: the weight gradient of one convolution of 64 images."""
    outputs = -(-side // stride)
    x, upstream = (
        torch.randn(64, channels, s, s).contiguous(memory_format=torch.channels_last) for s in (side, outputs)
    )
    times = [
        1e3 * min(processor_seconds(lambda f=f: f(x, upstream, kernel, stride)) for _ in range(10))
        for f in (own, depthwise.weight_gradient)
    ]
    chosen = "strips" if depthwise._slow(x, kernel, stride) else "oneDNN"
    print(f"{side:4d} {kernel:6d} {stride:6d} {channels:8d} {times[0]:10.2f} {times[1]:10.2f}   taken: {chosen}")


def processor_seconds(work: Callable[[], object]) -> float:
    """Of this process."""
    started = time.process_time()
    work()
    return time.process_time() - started


if __name__ == "__main__":
    main()
