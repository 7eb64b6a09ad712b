from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from onnx import helper

from nasopt import measure
from nasopt.errors import MeasurementError, UnknownPluginError
from nasopt.graphs.describe import describe
from nasopt.hardware import Backend, backend_for, load_profile
from nasopt.hardware.agent.refusals import RefusedError
from nasopt.hardware.agent.runs_onnxruntime import refuse_fallback
from nasopt.hardware.backends.onnx_runtime import OnnxRuntimeBackend
from nasopt.records import ExportedModel, TimingProtocol

pytestmark = pytest.mark.timed

Make = Callable[..., Path]


@pytest.fixture(scope="module")
def backend() -> OnnxRuntimeBackend:
    built = backend_for(load_profile("local"), meter="none")
    assert isinstance(built, OnnxRuntimeBackend)
    return built


def test_measures_and_says_how(backend: OnnxRuntimeBackend, convolution: Make, quick: TimingProtocol) -> None:
    taken = backend.measure(describe(convolution()), quick)
    latency = taken.latency
    assert isinstance(backend, Backend)
    assert (taken.device, taken.backend, taken.provider) == ("local", "onnxruntime", "CPUExecutionProvider")
    assert taken.runtime == f"onnxruntime {onnxruntime.__version__}"
    assert 0 < latency.min_ms <= latency.median_ms <= latency.p90_ms < 50
    assert latency.ci95_ms[0] <= latency.median_ms <= latency.ci95_ms[1]
    assert latency.runs >= 20
    assert latency.provenance == "measured"
    assert latency.reference_ratio is not None
    assert taken.energy is None
    assert taken.seconds < 5
    json.dumps(backend.signature())


def test_agrees_with_a_loop_written_by_hand(backend: OnnxRuntimeBackend, convolution: Make) -> None:
    import time

    model = describe(convolution(64, 32))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model.path), options, providers=["CPUExecutionProvider"])
    feed = {"x": np.random.default_rng(0).standard_normal((1, 64, 32, 32)).astype(np.float32)}
    times = []
    protocol = TimingProtocol(warmup_runs=10, warmup_s=0.05, min_runs=200, min_s=0.1, max_s=2.0)
    taken = backend.measure(model, protocol)
    for _ in range(200):
        start = time.perf_counter()
        session.run(None, feed)
        times.append((time.perf_counter() - start) * 1e3)
    assert taken.latency.min_ms == pytest.approx(min(times), rel=0.1)


def test_batches_are_measured_as_they_are(
    backend: OnnxRuntimeBackend, convolution: Make, quick: TimingProtocol
) -> None:
    models = [describe(convolution(32, 16, batch)) for batch in (1, 8, 32)]
    assert [m.batch for m in models] == [1, 8, 32]
    one, eight, many = backend.measure_together(models, quick)
    assert 4 * one.latency.min_ms < eight.latency.min_ms < many.latency.min_ms / 2


def test_peak_memory_follows_weights_and_activations(
    backend: OnnxRuntimeBackend, convolution: Make, quick: TimingProtocol
) -> None:
    small, wide, large = (
        backend.measure(describe(convolution(*shape)), quick) for shape in ((16, 16), (512, 4), (16, 256))
    )
    weights_mb = 512 * 512 * 9 * 4 / 1e6
    activations_mb = 2 * 16 * 256 * 256 * 4 / 1e6
    assert small.memory_provenance == "measured"
    assert 0 < small.peak_memory_mb < 3
    assert weights_mb < wide.peak_memory_mb < 8 * weights_mb  # loading holds several copies for a moment
    assert activations_mb < large.peak_memory_mb < 3.5 * activations_mb  # the runtime holds blocked copies of both
    again = backend.measure(describe(convolution(512, 4)), quick)
    assert again.peak_memory_mb == pytest.approx(wide.peak_memory_mb, rel=0.05)


def test_estimated_energy_is_power_times_latency(convolution: Make, quick: TimingProtocol) -> None:
    backend = backend_for(load_profile("local"), meter="codecarbon")
    taken = backend.measure(describe(convolution()), quick)
    details = backend.signature()["meter_details"]
    assert taken.energy is not None
    assert taken.energy.provenance == "estimated"
    assert taken.energy.meter == "codecarbon"
    power_w = details["tdp_w"] / details["cpus"]
    assert taken.energy.gross_mj == pytest.approx(power_w * taken.latency.median_ms)
    assert taken.energy.ci95_mj == pytest.approx([power_w * b for b in taken.latency.ci95_ms])


def test_both_branches_of_an_if_are_told_apart(
    backend: OnnxRuntimeBackend, write_model: Make, quick: TimingProtocol
) -> None:
    def branch(name: str, op: str, weight: str) -> object:
        node = helper.make_node(op, ["x", weight], [f"{name}.y"], name=name)
        output = helper.make_tensor_value_info(f"{name}.y", 1, [1, 512])
        return helper.make_graph([node], name, [], [output])

    nodes = [
        helper.make_node("ReduceMax", ["x"], ["top"], keepdims=0),
        helper.make_node("GreaterOrEqual", ["top", "tau"], ["exited"]),
        helper.make_node(
            "If", ["exited"], ["y"], then_branch=branch("cheap", "Add", "v"), else_branch=branch("dear", "MatMul", "w")
        ),
    ]
    models = []
    for tau in (-1e9, 1e9):
        weights = {
            "tau": np.float32(tau),
            "v": np.ones((1, 512), np.float32),
            "w": np.ones((512, 512), np.float32),
        }
        path = write_model(f"tau{tau:.0f}.onnx", nodes, {"x": [1, 512]}, {"y": [1, 512]}, weights)
        models.append(describe(path))
    cheap, dear = backend.measure_together(models, quick)
    assert dear.latency.min_ms > 1.5 * cheap.latency.min_ms


class TestRefusals:
    def test_missing_and_damaged_files(
        self, backend: OnnxRuntimeBackend, convolution: Make, quick: TimingProtocol
    ) -> None:
        model = describe(convolution())
        with pytest.raises(MeasurementError, match=r"no model at .*export it first"):
            backend.measure(replace(model, path=model.path.with_name("absent.onnx")), quick)
        model.path.write_bytes(model.path.read_bytes()[:100])
        with pytest.raises(MeasurementError, match="does not take"):
            backend.measure(model, quick)
        for content in (b"", b"not a graph at all"):
            model.path.write_bytes(content)
            with pytest.raises(MeasurementError, match="is not an ONNX model"):
                measure(model.path)
        with pytest.raises(MeasurementError, match="cannot read the ONNX model"):
            measure("absent.onnx")

    def test_dynamic_shapes(self, backend: OnnxRuntimeBackend, write_model: Make, quick: TimingProtocol) -> None:
        shape = [4, "length"]
        path = write_model("d.onnx", [helper.make_node("Relu", ["x"], ["y"])], {"x": shape}, {"y": shape})
        with pytest.raises(MeasurementError, match=r"'x' has a dynamic shape 4xlength .*--shape x=4x1, or export"):
            measure(path)
        described = ExportedModel(path=path, inputs=(("x", (1, 4)),), structure="", size_bytes=1)
        with pytest.raises(MeasurementError, match="expected a tensor of numbers of fixed shape"):
            backend.measure(described, quick)

    def test_unknown_operator(self, write_model: Make) -> None:
        node = helper.make_node("Frobnicate", ["x"], ["y"], domain="nowhere")
        opsets = [("", 17), ("nowhere", 1)]
        path = write_model("u.onnx", [node], {"x": [1, 4]}, {"y": [1, 4]}, opsets=opsets)
        with pytest.raises(MeasurementError, match=r"does not take .*Frobnicate"):
            measure(path, meter="none")

    def test_a_graph_that_fails_when_run(self, write_model: Make) -> None:
        weights = {"shape": np.array([5], np.int64)}
        nodes = [helper.make_node("Reshape", ["x", "s"], ["y"]), helper.make_node("Mul", ["shape", "one"], ["s"])]
        weights["one"] = np.array([1], np.int64)
        path = write_model("r.onnx", nodes[::-1], {"x": [1, 4]}, {"y": ["n"]}, weights)
        with pytest.raises(MeasurementError, match=r"does not (run|take)"):
            measure(path, meter="none")

    def test_a_provider_that_is_not_there(self) -> None:
        profile = load_profile("local").model_copy(update={"providers": ["TensorrtExecutionProvider"]})
        with pytest.raises(MeasurementError, match=r"wants TensorrtExecutionProvider; onnxruntime .* here has"):
            OnnxRuntimeBackend(profile)

    def test_a_silent_fallback(self, convolution: Make) -> None:
        session = onnxruntime.InferenceSession(str(convolution()), providers=["CPUExecutionProvider"])
        refuse_fallback(session, "CPUExecutionProvider")
        with pytest.raises(RefusedError, match="wanted CUDAExecutionProvider, ONNX Runtime fell back to CPU"):
            refuse_fallback(session, "CUDAExecutionProvider")

    def test_unknown_names(self, convolution: Make) -> None:
        with pytest.raises(UnknownPluginError, match=r"no device named 'toaster'; known: .*jetson_nano.*local"):
            measure(convolution(), "toaster")
        with pytest.raises(UnknownPluginError, match="no meter named 'guess'; installed: codecarbon, "):
            measure(convolution(), meter="guess")


def test_measure_takes_a_path_and_a_device_name(convolution: Make, quick: TimingProtocol) -> None:
    here = measure(str(convolution()), protocol=quick, meter="none")
    there = measure(convolution(), "jetson_nano")
    assert here.latency.provenance == "measured"
    assert there.latency.provenance == "estimated"
    assert math.isfinite(there.latency.median_ms)
