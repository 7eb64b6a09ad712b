from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import helper

from nasopt.errors import MeasurementError, NasoptError
from nasopt.export import export_easy, export_hard
from nasopt.graphs.describe import describe
from nasopt.hardware import Backend, backend_for, load_profile
from nasopt.hardware.backends.litert_graph import convert
from nasopt.records import TimingProtocol
from nasopt.spec.device import DeviceProfile
from nasopt.spec.hardware import PluginSpec
from nasopt.testing import BackendSuite, graphs
from tests.export.conftest import make_network

pytestmark = pytest.mark.timed

pytest.importorskip("ai_edge_litert")

Make = Callable[..., Path]


def profile(**options: Any) -> DeviceProfile:
    backend = PluginSpec(name="litert", options=options)
    return load_profile("local").model_copy(update={"backend": backend, "meter": PluginSpec(name="none")})


@pytest.fixture(scope="module")
def backend() -> Backend:
    return backend_for(profile())


class TestConformance(BackendSuite):
    @pytest.fixture(scope="class")
    def backend(self) -> Backend:
        return backend_for(profile())


def last(array: np.ndarray) -> np.ndarray:
    return array.transpose(0, 2, 3, 1) if array.ndim == 4 else array


@pytest.mark.parametrize("router", ["confidence", "learned"])
def test_computes_what_onnx_runtime_computes(router: str, tmp_path: Path) -> None:
    from nasopt.hardware.agent.runs_litert import Session

    network = make_network(router)
    easy = export_easy(network, (1, 3, 16, 16), tmp_path / "easy.onnx")
    hard = export_hard(network, (1, 8, 16, 16), tmp_path / "hard.onnx")
    for model in (easy, hard):
        name, shape = model.inputs[0]
        x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
        reference = onnxruntime.InferenceSession(str(model.path), providers=["CPUExecutionProvider"]).run(
            None, {name: x}
        )
        convert(model.path, target := model.path.with_suffix(".tflite"))
        session = Session(str(target), 1, {})
        session.fill([last(x)])
        found = session.run()
        for expected in reference:
            fitting = [f for f in found if f.shape == last(expected).shape]
            assert any(np.allclose(f, last(expected), rtol=1e-3, atol=1e-4) for f in fitting)


def test_a_file_beside_the_graph_is_what_runs(backend: Backend, tmp_path: Path, quick: TimingProtocol) -> None:
    small = graphs.write_classifier(tmp_path / "small.onnx", channels=8, side=8)
    alone = backend.measure(small, quick)
    large = graphs.write_classifier(tmp_path / "large.onnx", channels=64, side=64)
    convert(large.path, small.path.with_suffix(".tflite"))
    beside = backend.measure(small, quick)
    assert alone.provider == "CPU, XNNPACK"
    assert alone.memory_provenance == "measured"
    assert beside.latency.min_ms > 3 * alone.latency.min_ms


class TestRefusals:
    def test_unknown_operator(self, backend: Backend, write_model: Make, quick: TimingProtocol) -> None:
        path = write_model("e.onnx", [helper.make_node("Erf", ["x"], ["y"])], {"x": [1, 4]}, {"y": [1, 4]})
        with pytest.raises(
            MeasurementError, match=r"operator Erf has no translation .*put the result beside .* e.tflite"
        ):
            backend.measure(describe(path), quick)

    def test_a_file_that_is_none(self, backend: Backend, convolution: Make, quick: TimingProtocol) -> None:
        model = describe(convolution())
        model.path.with_suffix(".tflite").write_bytes(b"not a model")
        with pytest.raises(MeasurementError, match=r"litert .* does not take .*tflite"):
            backend.measure(model, quick)

    def test_dynamic_shapes(self, backend: Backend, tmp_path: Path, quick: TimingProtocol) -> None:
        with pytest.raises(NasoptError, match="dynamic shape"):
            backend.measure(graphs.write_dynamic(tmp_path / "d.onnx"), quick)

    @pytest.mark.filterwarnings(
        "ignore::pytest.PytestUnraisableExceptionWarning"
    )  # LiteRT's own, of the failed delegate
    def test_no_edge_tpu(self) -> None:
        with pytest.raises(MeasurementError, match=r"library libnone.so cannot be loaded: .*install libedgetpu1-std"):
            backend_for(profile(delegate="edgetpu", delegate_library="libnone.so"))
