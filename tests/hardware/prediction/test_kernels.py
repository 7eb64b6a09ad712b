from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from nasopt.errors import MeasurementError
from nasopt.hardware.prediction.domain import Domain, expansions
from nasopt.hardware.prediction.kernels import Kernel, kernels

Write = Callable[..., Path]
SHAPE = [1, 4, 6, 6]


@pytest.fixture
def write_model(tmp_path: Path) -> Write:
    from tests.hardware.conftest import _write_model

    return lambda name, *args, **more: _write_model(tmp_path / name, *args, **more)


def conv(x: str, y: str, weight: str = "w", **attributes: object) -> object:
    return helper.make_node("Conv", [x, weight], [y], **attributes)


W = {"w": np.ones((4, 4, 1, 1), np.float32), "v": np.ones((4, 4, 1, 1), np.float32)}


def kinds(found: tuple[Kernel, ...]) -> list[str]:
    return [k.kind for k in found]


def test_an_activation_joins_the_convolution_whose_only_reader_it_is(write_model: Write) -> None:
    nodes = [conv("x", "a"), helper.make_node("Relu", ["a"], ["y"])]
    alone = kernels(write_model("a.onnx", nodes, {"x": SHAPE}, {"y": SHAPE}, {"w": W["w"]}))
    assert kinds(alone) == ["pointwise", "fused-activation"]
    both = [*nodes, helper.make_node("Add", ["a", "y"], ["z"])]
    shared = kernels(write_model("b.onnx", both, {"x": SHAPE}, {"z": SHAPE}, {"w": W["w"]}))
    assert kinds(shared) == ["pointwise", "activation", "add"]


def test_a_residual_joins_its_convolution_and_lets_an_activation_follow(write_model: Write) -> None:
    nodes = [conv("x", "a"), helper.make_node("Add", ["x", "a"], ["b"]), helper.make_node("Relu", ["b"], ["y"])]
    found = kernels(write_model("r.onnx", nodes, {"x": SHAPE}, {"y": SHAPE}, {"w": W["w"]}))
    assert kinds(found) == ["pointwise", "fused-add", "fused-activation"]


def test_equal_work_runs_once_and_names_are_free(write_model: Write) -> None:
    pool = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    nodes = [
        helper.make_node("AveragePool", ["x"], ["a"], **pool),
        helper.make_node("Identity", ["x"], ["same"]),
        helper.make_node("AveragePool", ["same"], ["b"], **pool),
        conv("a", "c"),
        conv("b", "d", "v"),
        helper.make_node("Add", ["c", "d"], ["y"]),
    ]
    found = kernels(write_model("e.onnx", nodes, {"x": SHAPE}, {"y": SHAPE}, W))
    assert kinds(found) == ["pool", "pointwise", "pointwise", "fused-add"]  # other weights, another convolution


def test_shapes_of_kernels_by_hand(write_model: Write) -> None:
    weights = {"w": np.ones((8, 1, 5, 5), np.float32), "g": np.ones((8, 10), np.float32)}
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], group=8, strides=[2, 2], pads=[2, 2, 2, 2]),
        helper.make_node("GlobalAveragePool", ["a"], ["b"]),
        helper.make_node("Flatten", ["b"], ["c"]),
        helper.make_node("Gemm", ["c", "g"], ["y"]),
    ]
    depthwise, mean, dense = kernels(write_model("s.onnx", nodes, {"x": [1, 8, 12, 12]}, {"y": [1, 10]}, weights))
    assert (depthwise.kind, depthwise.channels, depthwise.side, depthwise.size, depthwise.stride) == (
        "depthwise", (8, 8), 6, 5, 2
    )  # fmt: skip
    assert depthwise.operations == 2 * 8 * 36 * 25
    assert (depthwise.read, depthwise.written, depthwise.weights) == (8 * 144, 8 * 36, 8 * 25 + 8)
    assert (mean.kind, mean.read, mean.written) == ("mean", 8 * 36, 8)
    assert (dense.operations, dense.read, dense.weights, dense.channels) == (160, 8, 80, (8, 10))


def test_an_unknown_operator_is_refused_by_name(write_model: Write) -> None:
    nodes = [helper.make_node("Fancy", ["x"], ["y"], name="odd")]
    path = write_model("u.onnx", nodes, {"x": SHAPE}, {"y": SHAPE})
    with pytest.raises(MeasurementError, match=r"no cost is known for operator Fancy at odd.*measure this graph on"):
        kernels(path)


def pointwise(inputs: int, outputs: int, side: int = 8) -> Kernel:
    return Kernel(kind="pointwise", read=1, written=1, channels=(inputs, outputs), side=side)


def depthwise(channels: int, size: int = 3, side: int = 8) -> Kernel:
    return Kernel(kind="depthwise", read=1, written=1, channels=(channels, channels), side=side, size=size)


def block(inputs: int, expansion: int, size: int = 3) -> list[Kernel]:
    hidden = inputs * expansion
    joined = Kernel(kind="fused-activation", read=1, written=1)
    return [pointwise(inputs, hidden), joined, depthwise(hidden, size), joined, pointwise(hidden, inputs)]


def test_what_lies_outside_is_named() -> None:
    seen = Domain.of([block(8, 3), block(16, 6, 5), block(16, 1)])
    assert expansions([*block(8, 3), *block(8, 6)]) == [3, 6]
    assert seen.expansions == [1, 3, 6]
    assert seen.outside(block(12, 3)) == ()
    assert seen.outside(block(12, 4)) == ("expansion 4 (seen: 1, 3, 6)",)
    assert seen.outside(block(12, 3, 7)) == ("depthwise 7x7 (seen: 3, 5)",)
    assert "pointwise with 120 output channels (seen: 8 to 96)" in seen.outside(block(20, 6))
    alone = "a graph without convolutions and matrix products"
    assert seen.outside([Kernel(kind="pool", read=1, written=1)]) == ("pool kernels", alone)
    assert "batch 8 (seen: 1)" in seen.outside([replace(k, batch=8) for k in block(12, 3)])
