from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.reference
import pytest
from onnx import helper

from nasopt.errors import MeasurementError, UsageError
from nasopt.graphs.describe import describe
from nasopt.hardware import Backend, backend_for, load_profile, measure
from nasopt.records import ExportedModel, TimingProtocol
from nasopt.spec.device import DeviceProfile
from nasopt.spec.hardware import PluginSpec
from nasopt.testing import BackendSuite, graphs

pytestmark = pytest.mark.timed

openvino = pytest.importorskip("openvino")

Make = Callable[..., Path]


def profile(**options: Any) -> DeviceProfile:
    backend = PluginSpec(name="openvino", options=options)
    return load_profile("local").model_copy(update={"backend": backend, "meter": PluginSpec(name="none")})


@pytest.fixture(scope="module")
def backend() -> Backend:
    return backend_for(profile())


class TestConformance(BackendSuite):
    @pytest.fixture(scope="class")
    def backend(self) -> Backend:
        return backend_for(profile())


def test_says_what_ran(backend: Backend, convolution: Make, quick: TimingProtocol) -> None:
    taken = backend.measure(describe(convolution()), quick)
    assert taken.runtime == f"openvino {openvino.__version__.partition('-')[0]}"
    assert taken.provider == "CPU, f32"
    assert taken.memory_provenance == "measured"
    assert 0 < taken.peak_memory_mb < 100
    assert taken.latency.reference_ratio is not None
    signature = backend.signature()
    assert (signature["device"], signature["inference_precision"]) == ("CPU", "f32") or signature["device"] == "local"
    json.dumps(signature)


def test_precision_is_not_lowered_behind_our_back(tmp_path: Path) -> None:
    """With its defaults OpenVINO computes in bfloat16 on processors that can."""
    from nasopt.hardware.agent import runs_openvino

    path = graphs.write_classifier(tmp_path / "c.onnx", channels=64, side=32).path
    image = np.random.default_rng(0).standard_normal((1, 3, 32, 32)).astype(np.float32)
    exact = onnx.reference.ReferenceEvaluator(str(path)).run(None, {"image": image})[0]
    session = runs_openvino.Session(str(path), 1, {})
    session.fill([image])
    scale = np.abs(exact).max()
    assert np.abs(session.run()[0] - exact).max() < 1e-5 * scale
    core = openvino.Core()
    if "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("the rest needs a processor with bfloat16")
    by_default = core.compile_model(str(path), "CPU")([image])[0]
    assert np.abs(by_default - exact).max() > 1e-4 * scale, "then nothing would have to be pinned"


def test_bfloat16_is_given_where_asked_for(tmp_path: Path, quick: TimingProtocol) -> None:
    if "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this processor has no bfloat16")
    model = graphs.write_classifier(tmp_path / "c.onnx", channels=64, side=32)
    asked = backend_for(profile(inference_precision="bf16"))
    assert asked.measure(model, quick).provider == "CPU, bf16"
    assert asked.signature() != backend_for(profile()).signature()


def test_axes_of_logarithmic_reductions_are_kept(write_model: Make) -> None:
    """OpenVINO reduces over all axes below operator set 18, without a word, where the result's shape fits the rest."""
    from nasopt.hardware.agent import runs_openvino

    node = helper.make_node("ReduceLogSumExp", ["x"], ["y"], axes=[1], keepdims=1)
    path = write_model("r.onnx", [node], {"x": [1, 3, 4]}, {"y": [1, 1, 4]})
    before = path.read_bytes()
    x = np.random.default_rng(0).standard_normal((1, 3, 4)).astype(np.float32)
    session = runs_openvino.Session(str(path), 1, {})
    session.fill([x])
    np.testing.assert_allclose(session.run()[0], np.log(np.exp(x).sum(1, keepdims=True)), rtol=1e-5)
    assert path.read_bytes() == before


class TestRefusals:
    def test_unknown_operator(self, backend: Backend, write_model: Make, quick: TimingProtocol) -> None:
        node = helper.make_node("Frobnicate", ["x"], ["y"], domain="nowhere")
        path = write_model("u.onnx", [node], {"x": [1, 4]}, {"y": [1, 4]}, opsets=[("", 17), ("nowhere", 1)])
        with pytest.raises(MeasurementError, match=r"openvino .* does not take .*: No conversion rule.*nowhere.Frob"):
            backend.measure(describe(path), quick)

    def test_inputs_of_integers(self, backend: Backend, convolution: Make, quick: TimingProtocol) -> None:
        model = describe(convolution())
        changed = onnx.load(str(model.path))
        changed.graph.node.insert(0, helper.make_node("Cast", ["raw"], ["x"], to=1))
        changed.graph.input[0].name = "raw"
        changed.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.INT64
        onnx.save(changed, str(model.path))
        assert backend.measure(model, quick).latency.median_ms > 0

    def test_dynamic_shapes(self, backend: Backend, tmp_path: Path, quick: TimingProtocol) -> None:
        with pytest.raises(MeasurementError, match=r"'image' is f32 of shape \[\?,3,16,16\]; expected .* fixed shape"):
            backend.measure(graphs.write_dynamic(tmp_path / "d.onnx"), quick)

    def test_a_device_that_is_not_there(self) -> None:
        with pytest.raises(MeasurementError, match=r"wants GPU\.7; openvino .* here has CPU.*; name one"):
            backend_for(profile(device="GPU.7" if "GPU" not in openvino.Core().available_devices else "XPU.7"))

    def test_a_choice_left_to_openvino(self) -> None:
        with pytest.raises(MeasurementError, match="AUTO leaves the choice of the device to OpenVINO; name one"):
            backend_for(profile(device="AUTO"))

    def test_a_precision_that_the_processor_lacks(self, convolution: Make, quick: TimingProtocol) -> None:
        if "FP16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            pytest.skip("this processor has half precision")
        with pytest.raises(MeasurementError, match=r"wanted f16, OpenVINO computes in (bf16|f32) on this CPU; set"):
            backend_for(profile(inference_precision="f16")).measure(describe(convolution()), quick)

    def test_more_threads_than_cores(self, backend: Backend, convolution: Make, quick: TimingProtocol) -> None:
        with pytest.raises(MeasurementError, match=r"wanted 4096 threads, OpenVINO takes \d+ here; ask for no more"):
            backend.measure(describe(convolution()), replace(quick, threads=4096))

    def test_options_that_do_not_exist(self) -> None:
        with pytest.raises(UsageError, match=r"option inference_precision: expected 'f32', 'bf16' or 'f16', not 'i8'"):
            backend_for(profile(inference_precision="i8"))
        with pytest.raises(UsageError, match="backend openvino has no option 'devise'; did you mean 'device'"):
            backend_for(profile(devise="CPU"))

    def test_reach_over_ssh(self) -> None:
        with pytest.raises(ValueError, match="backend 'openvino' runs on this machine, and reach is 'ssh'"):
            DeviceProfile(name="b", description="", processor="", backend="openvino", reach="ssh")


def test_only_the_taken_branch_of_an_if_runs(backend: Backend, write_model: Make, quick: TimingProtocol) -> None:
    def branch(name: str, op: str, weight: str) -> onnx.GraphProto:
        node = helper.make_node(op, ["x", weight], [f"{name}.y"], name=name)
        return helper.make_graph([node], name, [], [helper.make_tensor_value_info(f"{name}.y", 1, [1, 1024])])

    nodes = [
        helper.make_node("ReduceMax", ["x"], ["top"], keepdims=0),
        helper.make_node("GreaterOrEqual", ["top", "tau"], ["exited"]),
        helper.make_node(
            "If", ["exited"], ["y"], then_branch=branch("cheap", "Add", "v"), else_branch=branch("dear", "MatMul", "w")
        ),
    ]
    models: list[ExportedModel] = []
    for tau in (-1e9, 1e9):
        weights = {"tau": np.float32(tau), "v": np.ones((1, 1024), np.float32), "w": np.ones((1024, 1024), np.float32)}
        path = write_model(f"tau{tau:.0f}.onnx", nodes, {"x": [1, 1024]}, {"y": [1, 1024]}, weights)
        models.append(describe(path))
    cheap, dear = (backend.measure(m, quick) for m in models)
    assert dear.latency.min_ms > 1.5 * cheap.latency.min_ms


def test_measure_takes_a_profile_of_ones_own(tmp_path: Path, convolution: Make, quick: TimingProtocol) -> None:
    text = "name: vino\ndescription: d\nprocessor: p\nbackend: {name: openvino, options: {device: CPU}}\n"
    (tmp_path / "vino.yaml").write_text(text)
    assert measure(convolution(), tmp_path / "vino.yaml", protocol=quick).backend == "openvino"
