"""Graphs as they run: constants computed, shapes inferred with data, decisions taken, and nothing large made."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from nasopt import measure
from nasopt.errors import MeasurementError
from nasopt.graphs.describe import load
from nasopt.graphs.resolving import resolved, shapes_of
from nasopt.graphs.work import graph_cost

Make = Callable[..., Path]


def ops(path: Path) -> list[str]:
    return [node.op_type for node in resolved(load(path), path).graph.node]


def test_shapes_that_a_graph_computes_are_known(write_model: Make) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["y"]),
        helper.make_node("Shape", ["y"], ["s"]),
        helper.make_node("Slice", ["s", "zero", "one"], ["n"]),
        helper.make_node("Concat", ["n", "rest"], ["t"], axis=0),
        helper.make_node("Reshape", ["y", "t"], ["z"]),
        helper.make_node("Softmax", ["z"], ["out"], axis=1),
    ]
    weights = {
        "w": np.ones((4, 3, 1, 1), np.float32),
        "zero": np.array([0]),
        "one": np.array([1]),
        "rest": np.array([-1]),
    }
    path = write_model("s.onnx", nodes, {"x": [2, 3, 8, 8]}, {"out": ["a", "b"]}, weights)
    assert ops(path) == ["Conv", "Reshape", "Softmax"]
    assert shapes_of(resolved(load(path), path).graph)["out"] == (2, 256)
    assert [n.op for n in graph_cost(path).nodes] == ["Conv", "Softmax"]
    assert measure(path, "jetson_nano").latency.median_ms > 0


def test_weights_that_are_made_by_a_node_are_weights_and_never_made(write_model: Make) -> None:
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["w"]),
        helper.make_node("MatMul", ["x", "w"], ["y"]),
    ]
    weights = {"shape": np.array([4096, 250_000])}  # 4 GB
    path = write_model("c.onnx", nodes, {"x": [1, 4096]}, {"y": [1, 250_000]}, weights)
    tracemalloc.start()
    start = time.perf_counter()
    cost = graph_cost(path)
    assert time.perf_counter() - start < 2
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()
    assert [(n.op, n.operations) for n in cost.nodes] == [("MatMul", 2 * 4096 * 250_000)]
    assert cost.weights == 4096 * 250_000


def test_a_decision_on_constants_is_taken(write_model: Make) -> None:
    def branch(name: str, op: str) -> onnx.GraphProto:
        nodes = [helper.make_node(op, ["x"], ["inner"]), helper.make_node("Neg", ["inner"], [f"{name}.out"])]
        return helper.make_graph(nodes, name, [], [helper.make_tensor_value_info(f"{name}.out", 1, [1, 4])])

    nodes = [
        helper.make_node("Size", ["x"], ["n"]),
        helper.make_node("Equal", ["n", "four"], ["flag"]),
        helper.make_node("If", ["flag"], ["y"], then_branch=branch("a", "Tanh"), else_branch=branch("b", "Sin")),
        helper.make_node("Tanh", ["x"], ["inner"]),  # the branches' own name, here of another value
        helper.make_node("Add", ["y", "inner"], ["z"]),
    ]
    path = write_model("i.onnx", nodes, {"x": [1, 4]}, {"z": [1, 4]}, {"four": np.array(4)})
    assert ops(path) == ["Tanh", "Neg", "Identity", "Tanh", "Add"]


@pytest.mark.parametrize("kind", ["Loop", "Scan"])
def test_a_loop_counts_as_often_as_it_runs(write_model: Make, kind: str) -> None:
    carried = [helper.make_tensor_value_info(n, 1, [1, 8]) for n in ("a", "b")]
    flags = [helper.make_tensor_value_info(n, TensorProto.BOOL, []) for n in ("c", "d")]
    step = helper.make_tensor_value_info("i", TensorProto.INT64, [])
    tanh, keep = helper.make_node("Tanh", ["a"], ["b"]), helper.make_node("Identity", ["c"], ["d"])
    if kind == "Loop":
        body = helper.make_graph([tanh, keep], "body", [step, flags[0], carried[0]], [flags[1], carried[1]])
        nodes = [helper.make_node("Loop", ["times", "on", "x"], ["y"], body=body)]
        weights = {"times": np.array(5), "on": np.array(True)}
    else:
        row = helper.make_tensor_value_info("r", 1, [8])
        body = helper.make_graph([tanh], "body", [carried[0], row], [carried[1]])
        nodes = [helper.make_node("Scan", ["x", "rows"], ["y"], body=body, num_scan_inputs=1)]
        weights = {"rows": np.ones((5, 8), np.float32)}
    path = write_model("l.onnx", nodes, {"x": [1, 8]}, {"y": [1, 8]}, weights)
    assert [n.op for n in graph_cost(path).nodes] == ["Tanh"] * 5
    assert measure(path, "jetson_nano").latency.median_ms > 0


def test_a_loop_that_its_data_end_is_one_line(write_model: Make) -> None:
    flags = [helper.make_tensor_value_info(n, TensorProto.BOOL, []) for n in ("c", "d")]
    step = helper.make_tensor_value_info("i", TensorProto.INT64, [])
    body = helper.make_graph([helper.make_node("Not", ["c"], ["d"])], "body", [step, flags[0]], [flags[1]])
    nodes = [helper.make_node("Loop", ["", "on"], [], body=body), helper.make_node("Relu", ["x"], ["y"])]
    path = write_model("l.onnx", nodes, {"x": [1, 8]}, {"y": [1, 8]}, {"on": np.array(True)})
    with pytest.raises(MeasurementError, match=r"how often the Loop .* runs hangs on what the input holds"):
        measure(path, "jetson_nano")


def test_nodes_out_of_order_are_sorted_and_circles_are_refused(write_model: Make) -> None:
    first, second = helper.make_node("Relu", ["x"], ["a"]), helper.make_node("Tanh", ["a"], ["y"])
    assert ops(write_model("o.onnx", [second, first], {"x": [1, 4]}, {"y": [1, 4]})) == ["Relu", "Tanh"]
    circle = [helper.make_node("Add", ["x", "b"], ["a"]), helper.make_node("Relu", ["a"], ["b"])]
    with pytest.raises(MeasurementError, match="hangs on its own result"):
        measure(write_model("c.onnx", circle, {"x": [1, 4]}, {"b": [1, 4]}), "jetson_nano")
