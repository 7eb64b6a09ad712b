"""Small real ONNX graphs for conformance suites to measure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from nasopt.graphs.describe import describe
from nasopt.records import ExportedModel

CLASSES = 10


def write_classifier(path: Path, *, channels: int = 16, side: int = 16, batch: int = 1) -> ExportedModel:
    """A classifier of (batch, 3, side, side) images: two convolutions, one of them depthwise, pooling and a Gemm."""
    _store(path, _classifier((batch, 3, side, side), (batch, CLASSES), channels))
    return describe(path)


def write_dynamic(path: Path, *, channels: int = 16, side: int = 16) -> ExportedModel:
    """The same with a batch dimension that is not fixed, described as though it were 1."""
    _store(path, _classifier(("batch", 3, side, side), ("batch", CLASSES), channels))
    fixed = (("image", (1, 3, side, side)),)
    return ExportedModel(path=path, inputs=fixed, structure="dynamic", size_bytes=path.stat().st_size)


def _classifier(image: tuple[int | str, ...], logits: tuple[int | str, ...], channels: int) -> onnx.ModelProto:
    draw = np.random.default_rng(0)
    shapes = {
        "stem.weight": (channels, 3, 3, 3),
        "stem.bias": (channels,),
        "depthwise.weight": (channels, 1, 5, 5),
        "depthwise.bias": (channels,),
        "pointwise.weight": (channels, channels, 1, 1),
        "pointwise.bias": (channels,),
        "head.weight": (channels, CLASSES),
        "head.bias": (CLASSES,),
    }
    weights = [numpy_helper.from_array(draw.normal(0, 0.1, s).astype(np.float32), n) for n, s in shapes.items()]
    nodes = [
        helper.make_node("Conv", ["image", "stem.weight", "stem.bias"], ["a"], pads=[1] * 4),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "depthwise.weight", "depthwise.bias"], ["c"], pads=[2] * 4, group=channels),
        helper.make_node("Conv", ["c", "pointwise.weight", "pointwise.bias"], ["d"]),
        helper.make_node("Relu", ["d"], ["e"]),
        helper.make_node("GlobalAveragePool", ["e"], ["f"]),
        helper.make_node("Flatten", ["f"], ["g"]),
        helper.make_node("Gemm", ["g", "head.weight", "head.bias"], ["logits"]),
    ]
    inputs = [helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, image)]
    outputs = [helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, logits)]
    graph = helper.make_graph(nodes, "classifier", inputs, outputs, initializer=weights)
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])


def _store(path: Path, model: onnx.ModelProto) -> None:
    onnx.checker.check_model(model)
    path.write_bytes(onnx.shape_inference.infer_shapes(model).SerializeToString())
