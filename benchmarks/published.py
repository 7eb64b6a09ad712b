"""The networks behind the reference tables, as ONNX graphs without weights, so that predictors see their shapes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import onnx
from onnx import helper

from nasopt.hardware.prediction.kernels import Kernel, kernels_of

FBNET_BLOCKS = (1, 4, 4, 4, 4, 4, 1)
FBNET_CHANNELS = (16, 24, 32, 64, 112, 184, 352)
FBNET_STRIDES = (1, 1, 2, 2, 1, 2, 1)
FBNET_HEAD = 1504
CELL_EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
CELL_STAGES = ((16, 32), (32, 16), (64, 8))
"""Channels and side of the three stages of NAS-Bench-201, of five cells each."""
CELLS_IN_STAGE = 5


class Drawing:
    """A graph under construction; constants have shapes and no values."""

    def __init__(self, channels: int, side: int) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.shapes: dict[str, tuple[int, ...]] = {"x": (1, channels, side, side)}

    def add(self, op: str, inputs: Sequence[str], shape: tuple[int, ...], **attributes: object) -> str:
        name = f"{op}{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], **attributes))
        self.shapes[name] = shape
        return name

    def same(self, op: str, *inputs: str, **attributes: object) -> str:
        return self.add(op, inputs, self.shapes[inputs[0]], **attributes)

    def constant(self, *shape: int) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(onnx.TensorProto(name=name, dims=shape, data_type=onnx.TensorProto.FLOAT))
        return name

    def convolution(self, x: str, outputs: int, size: int = 1, stride: int = 1, groups: int = 1) -> str:
        _, inputs, side, _ = self.shapes[x]
        weight = self.constant(outputs, inputs // groups, size, size)
        after = -(-side // stride)
        return self.add("Conv", [x, weight], (1, outputs, after, after), strides=[stride] * 2, group=groups)

    def kernels(self, output: str) -> tuple[Kernel, ...]:
        """The kernels of the graph that ends in `output`."""
        values = {n: helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, s) for n, s in self.shapes.items()}
        inner = [v for n, v in values.items() if n not in ("x", output)]
        graph = helper.make_graph(
            self.nodes, "drawn", [values["x"]], [values[output]], self.constants, value_info=inner
        )
        return kernels_of(graph, Path("drawn.onnx"))


def fbnet_layers() -> list[tuple[int, int, int, int]]:
    """Input channels, output channels, input side and stride of each of the 22 layers."""
    layers, inputs, side = [], 16, 32
    for blocks, outputs, stride in zip(FBNET_BLOCKS, FBNET_CHANNELS, FBNET_STRIDES, strict=True):
        for index in range(blocks):
            step = stride if index == 0 else 1
            layers.append((inputs, outputs, side, step))
            inputs, side = outputs, side // step
    return layers


def fbnet_block(choice: str, inputs: int, outputs: int, side: int, stride: int) -> tuple[Kernel, ...]:
    """Kernels of one choice in one layer; a skip that changes the shape is a 1x1 convolution, any other is nothing."""
    drawing = Drawing(inputs, side)
    if choice == "skip":
        if inputs == outputs and stride == 1:
            return ()
        return drawing.kernels(drawing.same("Relu", drawing.convolution("x", outputs, stride=stride)))
    size, expansion, *grouped = choice.split("_")
    groups = 2 if grouped else 1
    hidden = inputs * int(expansion[1:])
    y = drawing.same("Relu", drawing.convolution("x", hidden, groups=groups))
    if grouped:  # the shuffle between groups
        y = drawing.same("Transpose", y, perm=[0, 1, 2, 3])
    y = drawing.same("Relu", drawing.convolution(y, hidden, int(size[1:]), stride, groups=hidden))
    y = drawing.convolution(y, outputs, groups=groups)
    return drawing.kernels(drawing.same("Add", "x", y) if inputs == outputs and stride == 1 else y)


def fbnet_frame() -> tuple[Kernel, ...]:
    """Kernels of what all networks share: stem, last convolution, pooling, classifier of 100 classes."""
    stem = Drawing(3, 32)
    head = Drawing(FBNET_CHANNELS[-1], 4)
    y = head.same("Relu", head.convolution("x", FBNET_HEAD))
    y = head.add("GlobalAveragePool", [y], (1, FBNET_HEAD, 1, 1))
    y = head.add("Flatten", [y], (1, FBNET_HEAD))
    y = head.add("Gemm", [y, head.constant(FBNET_HEAD, 100), head.constant(100)], (1, 100))
    return stem.kernels(stem.same("Relu", stem.convolution("x", 16, 3))) + head.kernels(y)


def cell(operations: Sequence[str], channels: int, side: int) -> tuple[Kernel, ...]:
    """Kernels of a NAS-Bench-201 cell as its exported graph runs it: a `none` multiplies by zero, nothing is pruned."""
    drawing = Drawing(channels, side)
    values = ["x"]
    for node in (1, 2, 3):
        terms = [
            _edge(drawing, operation, values[source])
            for operation, (source, target) in zip(operations, CELL_EDGES, strict=True)
            if target == node
        ]
        total = terms[0]
        for term in terms[1:]:
            total = drawing.same("Add", total, term)
        values.append(total)
    return drawing.kernels(values[3])


def _edge(drawing: Drawing, operation: str, x: str) -> str:
    channels = drawing.shapes[x][1]
    if operation == "skip_connect":
        return x
    if operation == "none":
        return drawing.same("Mul", x, drawing.constant(1))
    if operation == "avg_pool_3x3":
        return drawing.same("AveragePool", x, kernel_shape=[3, 3])
    return drawing.convolution(drawing.same("Relu", x), channels, 3 if operation == "nor_conv_3x3" else 1)
