from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from nasopt.records import TimingProtocol

QUICK = TimingProtocol(
    warmup_runs=3, warmup_s=0.0, min_runs=20, min_s=0.02, max_s=0.5, blocks=6, drift_limit=0.5, tight_enough=1.0
)


def _write_model(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: dict[str, Sequence[int | str]],
    outputs: dict[str, Sequence[int | str]],
    weights: dict[str, np.ndarray] | None = None,
    opsets: Sequence[tuple[str, int]] = (("", 17),),
) -> Path:
    def values(shapes: dict[str, Sequence[int | str]]) -> list[onnx.ValueInfoProto]:
        return [helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, s) for n, s in shapes.items()]

    tensors = [numpy_helper.from_array(np.asarray(w), n) for n, w in (weights or {}).items()]
    graph = helper.make_graph(list(nodes), "test", values(inputs), values(outputs), initializer=tensors)
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid(d, v) for d, v in opsets])
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture
def write_model(tmp_path: Path) -> Callable[..., Path]:
    """(file name, nodes, inputs, outputs, weights, opsets) -> path of the ONNX file."""

    def write(name: str, *args: Any, **kwargs: Any) -> Path:
        return _write_model(tmp_path / name, *args, **kwargs)

    return write


@pytest.fixture
def convolution(tmp_path: Path) -> Callable[..., Path]:
    """One 3x3 convolution and a ReLU: batch x channels x side x side, `channels` to `channels`."""

    def make(channels: int = 16, side: int = 16, batch: int = 1) -> Path:
        nodes = [
            helper.make_node("Conv", ["x", "w", "b"], ["y"], name="conv", pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["y"], ["z"], name="relu"),
        ]
        weights = {
            "w": np.full((channels, channels, 3, 3), 0.01, np.float32),
            "b": np.zeros(channels, np.float32),
        }
        shape = (batch, channels, side, side)
        return _write_model(tmp_path / f"c{channels}s{side}b{batch}.onnx", nodes, {"x": shape}, {"z": shape}, weights)

    return make


@pytest.fixture
def quick() -> TimingProtocol:
    return QUICK
