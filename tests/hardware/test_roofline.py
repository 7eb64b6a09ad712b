from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import helper

from nasopt.errors import MeasurementError
from nasopt.graphs.describe import describe
from nasopt.graphs.work import graph_cost
from nasopt.hardware import Backend, backend_for, load_profile, measure
from nasopt.hardware.prediction.roofline import RooflineBackend
from nasopt.records import TimingProtocol
from nasopt.spec.device import DeviceProfile

Make = Callable[..., Path]


def profile(**changes: object) -> DeviceProfile:
    sheet = {"peak_gflops": {"fp32": 10.0, "fp16": 20.0}, "bandwidth_gb_s": 2.0, "node_overhead_us": 3.0}
    content = {
        "name": "paper",
        "description": "",
        "processor": "",
        "backend": "predicted",
        "datasheet": sheet | {"run_overhead_us": 7.0, "uncertainty": 2.0},
        "power": {"idle_w": 1.0, "active_w": 4.0},
    }
    return DeviceProfile.model_validate(content | changes)


def test_a_convolution_by_hand(convolution: Make) -> None:
    taken = RooflineBackend(profile()).measure(describe(convolution(16, 16)), TimingProtocol())
    operations = 2 * 16 * 16 * 16 * 16 * 9
    moved = 4 * (2 * 16 * 256 + 16 * 16 * 9 + 16)
    expected_ms = max(operations / 10e9, moved / 2e9) * 1e3 + 0.003 + 0.007  # the ReLU runs inside the convolution
    assert taken.latency.median_ms == pytest.approx(expected_ms)
    assert taken.latency.ci95_ms == pytest.approx((expected_ms / 2, expected_ms * 2))
    assert taken.latency.provenance == taken.memory_provenance == "estimated"
    assert taken.energy is not None
    assert taken.energy.provenance == "estimated"
    busy_ms = expected_ms - 0.010
    assert taken.energy.gross_mj == pytest.approx(1 * expected_ms + 3 * busy_ms)
    assert taken.energy.net_mj == pytest.approx(3 * busy_ms)
    assert taken.energy.ci95_mj == pytest.approx((taken.energy.gross_mj / 2, taken.energy.gross_mj * 2))
    assert taken.peak_memory_mb == pytest.approx(moved / 1e6)  # x is dead when z is made


def test_half_precision_halves_bytes_and_doubles_throughput(convolution: Make) -> None:
    model = describe(convolution(16, 16))
    full = RooflineBackend(profile()).measure(model, TimingProtocol())
    half = RooflineBackend(profile()).measure(replace(model, precision="fp16"), TimingProtocol())
    assert half.latency.median_ms - 0.01 == pytest.approx((full.latency.median_ms - 0.01) / 2)
    assert half.peak_memory_mb == pytest.approx(full.peak_memory_mb / 2)


def test_a_precision_without_a_peak_is_refused(convolution: Make) -> None:
    model = replace(describe(convolution(16, 16)), precision="int8")
    with pytest.raises(MeasurementError, match=r"has costs for networks in fp32, fp16, not in int8"):
        RooflineBackend(profile()).measure(model, TimingProtocol())


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(channels=st.integers(1, 40), side=st.integers(1, 20), batch=st.integers(1, 4))
def test_more_work_is_never_faster(convolution: Make, channels: int, side: int, batch: int) -> None:
    backend = RooflineBackend(profile())

    def ms(*shape: int) -> float:
        return backend.measure(describe(convolution(*shape)), TimingProtocol()).latency.median_ms

    base = ms(channels, side, batch)
    assert base > 0
    assert base == ms(channels, side, batch)
    assert base <= min(ms(channels + 1, side, batch), ms(channels, side + 1, batch), ms(channels, side, batch + 1))


def test_renaming_is_free_and_reductions_are_not(write_model: Make) -> None:
    nodes = [
        helper.make_node("Identity", ["x"], ["a"]),
        helper.make_node("Flatten", ["a"], ["b"]),
        helper.make_node("Reshape", ["b", "shape"], ["c"]),
        helper.make_node("Softmax", ["c"], ["d"], axis=1),
        helper.make_node("ReduceMax", ["d"], ["y"], axes=[1], keepdims=0),
    ]
    path = write_model("f.onnx", nodes, {"x": [1, 2, 5]}, {"y": [1]}, {"shape": np.array([1, 10], np.int64)})
    cost = graph_cost(path)
    assert [(n.op, n.operations, n.elements) for n in cost.nodes] == [("Softmax", 50, 20), ("ReduceMax", 10, 11)]
    assert cost.peak_activations == 20  # c is x under another name


def test_live_activations_include_what_a_residual_keeps(write_model: Make) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Add", ["x", "b"], ["y"]),
    ]
    weights = {"w": np.ones((4, 4, 1, 1), np.float32)}
    residual = graph_cost(write_model("r.onnx", nodes, {"x": [1, 4, 5, 5]}, {"y": [1, 4, 5, 5]}, weights))
    assert residual.peak_activations == 300  # x, and two of a, b, y
    assert residual.weights == 16
    chain = graph_cost(write_model("c.onnx", nodes[:2], {"x": [1, 4, 5, 5]}, {"b": [1, 4, 5, 5]}, weights))
    assert chain.peak_activations == 200


def test_the_dearer_branch_of_an_if_counts(write_model: Make) -> None:
    def branch(name: str, op: str, weight: str) -> object:
        node = helper.make_node(op, ["x", weight], [f"{name}.y"])
        return helper.make_graph([node], name, [], [helper.make_tensor_value_info(f"{name}.y", 1, [1, 64])])

    leave, stay = branch("a", "Add", "v"), branch("b", "MatMul", "w")
    nodes = [
        helper.make_node("ReduceMax", ["x"], ["top"], keepdims=0),
        helper.make_node("Greater", ["top", "tau"], ["flag"]),
        helper.make_node("If", ["flag"], ["y"], then_branch=leave, else_branch=stay),
    ]
    weights = {"tau": np.float32(0.5), "v": np.ones((1, 64), np.float32), "w": np.ones((64, 64), np.float32)}
    cost = graph_cost(write_model("if.onnx", nodes, {"x": [1, 64]}, {"y": [1, 64]}, weights))
    assert [(n.op, n.operations) for n in cost.nodes[2:]] == [("MatMul", 2 * 64 * 64)]
    assert cost.weights == 1 + 64 + 64 * 64
    fixed = {**weights, "flag": np.array(True)}
    decided = graph_cost(write_model("decided.onnx", nodes[2:], {"x": [1, 64]}, {"y": [1, 64]}, fixed))
    assert [(n.op, n.operations) for n in decided.nodes] == [("Add", 64)]


def test_the_shipped_profile_predicts_in_milliseconds_and_says_estimated(convolution: Make) -> None:
    backend = backend_for(load_profile("jetson_nano"))
    assert isinstance(backend, Backend)
    model = describe(convolution(64, 32))
    start = time.perf_counter()
    first = backend.measure(model, TimingProtocol())
    assert time.perf_counter() - start < 0.1
    assert first.latency == backend.measure(model, TimingProtocol()).latency
    assert (first.device, first.backend, first.latency.runs) == ("jetson_nano", "predicted", 0)
    json.dumps(backend.signature())


def test_refusals(convolution: Make, write_model: Make) -> None:
    path = convolution()
    path.write_bytes(b"junk")
    with pytest.raises(MeasurementError, match="is not an ONNX model"):
        measure(path, "jetson_nano")
    nodes = [helper.make_node("NonZero", ["x"], ["i"]), helper.make_node("Cast", ["i"], ["y"], to=1)]
    dynamic = write_model("dynamic.onnx", nodes, {"x": [4]}, {"y": [1, "n"]})
    with pytest.raises(MeasurementError, match=r"the shape of 'i' at NonZero .* hangs on what the input holds"):
        measure(dynamic, "jetson_nano")
    with pytest.raises(MeasurementError, match="no datasheet figures for fp32"):
        RooflineBackend(load_profile("local"))
