"""A stream of inputs: the true order, the decisions of the graph itself, and figures that add up where they should."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from nasopt.errors import MeasurementError
from nasopt.export import compose_routed, export_easy, export_hard
from nasopt.hardware import RoutedGraphs, TimesStreams, backend_for, load_profile
from nasopt.hardware.timing.stream import Images, time_stream
from nasopt.hardware.timing.summary import Reference
from nasopt.networks import build
from nasopt.records import Candidate, LossWeights, NetworkLayout, StageChoice, TimingProtocol
from nasopt.records.stream import RoutedStream, Way

pytestmark = pytest.mark.timed

PROTOCOL = TimingProtocol(warmup_runs=3, warmup_s=0.01, min_runs=20, min_s=0.06, max_s=0.5, blocks=6, drift_limit=0.5)
LOSS = LossWeights(alpha=1, beta=1, gamma=0, lambda_=0, temperature=2, eta=0)


def busy(microseconds: float) -> None:
    end = time.perf_counter_ns() + int(1000 * microseconds)
    while time.perf_counter_ns() < end:
        pass


class Clockwork:
    """A routed network whose costs are known: every third input is hard, and switching may cost something."""

    way: Way = "host-router"

    def __init__(self, overhead: float) -> None:
        self.overhead = overhead
        self.loaded: list[int] = []

    def load(self, index: int) -> None:
        self.loaded.append(index)
        self.easy = index % 3 > 0

    def run(self) -> None:
        busy((60 if self.easy else 210) * self.overhead)

    def exited(self) -> bool:
        return self.easy


@pytest.mark.parametrize("overhead", [1.0, 1.6])
def test_a_stream_of_known_cost(overhead: float) -> None:
    stream = Clockwork(overhead)
    reference = Reference(lambda: busy(40))
    times = time_stream(stream, 60, lambda: busy(60), lambda: busy(150), reference, PROTOCOL)
    assert times.exit_rate == pytest.approx(2 / 3)
    assert times.weighted_ms == pytest.approx(times.easy_ms + times.hard_ms / 3)
    assert times.difference == pytest.approx(overhead - 1, abs=0.25)  # both cores may be busy
    assert times.difference_ci95[0] <= times.difference <= times.difference_ci95[1]
    assert times.difference == pytest.approx(times.stream_ms / times.weighted_ms - 1)
    assert stream.loaded[: 2 * times.images] == [*range(times.images), *range(times.images)]


def test_a_long_stream_is_cut_to_the_time_there_is() -> None:
    stream = Clockwork(1.0)
    protocol = TimingProtocol(warmup_runs=3, warmup_s=0.0, min_runs=4, min_s=0.01, max_s=0.3, blocks=4, drift_limit=9)
    start = time.perf_counter()
    times = time_stream(stream, 100_000, lambda: busy(60), lambda: busy(150), Reference(lambda: busy(40)), protocol)
    assert 100 < times.images < 1000
    assert times.exit_rate == pytest.approx(2 / 3, abs=0.01)
    assert time.perf_counter() - start < 30 * protocol.max_s  # 100,000 images would take 11 s a pass


@pytest.fixture(scope="module")
def routed(tmp_path_factory: pytest.TempPathFactory) -> tuple[RoutedGraphs, Images, np.ndarray]:
    """A small routed network, images of which half leave, and the scores that its easy graph gives them."""
    layout = NetworkLayout(
        in_channels=1, classes=10, stem_channels=8, stem_stride=1, channels=(8, 12), strides=(1, 2), widths=(0.5, 1.0),
        depths=(1, 2), kernels=(3, 5), expansions=(1, 4), resolutions=(8,),
    )  # fmt: skip
    small, large = (StageChoice(width=w, depth=d, kernel=3, expansion=e) for w, d, e in ((0.5, 1, 1), (1.0, 2, 4)))
    candidate = Candidate(
        little=(small,) * 2, big=(large,) * 2, router="learned", tau=0.5, loss=LOSS, resolution=8
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("routed")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build(layout, candidate).eval()
        images = torch.randn(40, 1, 8, 8).numpy()
    with torch.inference_mode():
        features = network.stem(torch.zeros(1, 1, 8, 8))
    easy = export_easy(network, (1, 1, 8, 8), folder / "easy.onnx")
    hard = export_hard(network, tuple(features.shape), folder / "hard.onnx")
    session = onnxruntime.InferenceSession(str(easy.path), providers=["CPUExecutionProvider"])
    scores = np.array([session.run(["score"], {"image": i[None]})[0].item() for i in images], dtype=np.float32)
    tau = float(np.median(scores))
    graphs = RoutedGraphs(easy=easy, hard=hard, routed=compose_routed(easy, hard, folder / "routed.onnx", tau), tau=tau)
    return graphs, images, scores


@pytest.fixture(scope="module")
def take(routed: tuple[RoutedGraphs, Images, np.ndarray]) -> Callable[[Images], RoutedStream]:
    backend = backend_for(load_profile("local"), meter="none")
    assert isinstance(backend, TimesStreams)
    return lambda images: backend.time_stream(routed[0], images, PROTOCOL)


def test_onnxruntime_decides_as_the_graph_does(
    routed: tuple[RoutedGraphs, Images, np.ndarray], take: Callable[[Images], RoutedStream]
) -> None:
    graphs, images, scores = routed
    taken = take(images)
    assert taken.images == len(images)
    assert taken.exit_rate == np.mean(scores >= np.float32(graphs.tau))
    assert taken.way == "if-graph"
    assert taken.easy_ms < taken.stream_ms < 2 * (taken.easy_ms + taken.hard_ms)
    assert RoutedStream.from_json(taken.to_json()) == taken
    easy_only = take(np.ascontiguousarray(images[scores >= np.float32(graphs.tau)]))
    assert easy_only.exit_rate == 1.0
    assert easy_only.stream_ms < taken.stream_ms


def test_images_of_another_shape_are_refused(
    routed: tuple[RoutedGraphs, Images, np.ndarray], take: Callable[[Images], RoutedStream]
) -> None:
    with pytest.raises(MeasurementError, match=r"takes \[1, 1, 8, 8\] .*expected a routed graph that takes \[1, 3, 8"):
        take(np.zeros((4, 3, 8, 8), dtype=np.float32))


def test_what_computes_costs_times_no_stream(tmp_path: Path) -> None:
    assert not isinstance(backend_for(load_profile("jetson_nano")), TimesStreams)
