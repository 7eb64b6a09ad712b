"""A small frozen network that runs between the blocks of every measurement, to see how the machine feels.

Its graph and weights never change: figures relative to it can be compared between days and versions.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

NAME = "reference-1"
INPUT = ("image", (1, 3, 32, 32))


@cache
def reference_file() -> Path:
    """A file that holds the graph for as long as this process lives."""
    folder = tempfile.mkdtemp(prefix="nasopt-reference-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = Path(folder) / f"{NAME}.onnx"
    path.write_bytes(reference_graph())
    return path


@cache
def reference_graph() -> bytes:
    """The serialised ONNX graph: four convolutions and a classifier, 2.9 million multiply-accumulates."""
    draw = np.random.default_rng(20240229)

    def weights(name: str, *shape: int) -> onnx.TensorProto:
        fan_in = int(np.prod(shape[1:])) or 1
        array = draw.standard_normal(shape).astype(np.float32) / np.float32(np.sqrt(fan_in))
        return numpy_helper.from_array(array, name)

    layers: list[tuple[str, tuple[int, ...], dict[str, Any]]] = [
        ("conv1", (16, 3, 3, 3), {"strides": [2, 2], "pads": [1] * 4}),
        ("depthwise", (16, 1, 3, 3), {"group": 16, "pads": [1] * 4}),
        ("pointwise", (32, 16, 1, 1), {}),
        ("conv2", (32, 32, 3, 3), {"pads": [1] * 4}),
    ]
    nodes, tensors, value = [], [], INPUT[0]
    for name, shape, attributes in layers:
        tensors += [weights(f"{name}.weight", *shape), weights(f"{name}.bias", shape[0])]
        wired = [value, f"{name}.weight", f"{name}.bias"]
        nodes.append(helper.make_node("Conv", wired, [name], name=name, **attributes))
        nodes.append(helper.make_node("Relu", [name], [f"{name}.relu"], name=f"{name}.relu"))
        value = f"{name}.relu"
    tensors += [weights("classifier.weight", 32, 10), weights("classifier.bias", 10)]
    nodes += [
        helper.make_node("GlobalAveragePool", [value], ["pooled"], name="pool"),
        helper.make_node("Flatten", ["pooled"], ["flat"], name="flatten"),
        helper.make_node("Gemm", ["flat", "classifier.weight", "classifier.bias"], ["logits"], name="classifier"),
    ]
    graph = helper.make_graph(
        nodes,
        NAME,
        [helper.make_tensor_value_info(INPUT[0], onnx.TensorProto.FLOAT, list(INPUT[1]))],
        [helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, [1, 10])],
        initializer=tensors,
    )
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
    return bytes(model.SerializeToString(deterministic=True))
