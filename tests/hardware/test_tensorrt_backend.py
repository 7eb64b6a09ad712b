"""The backend `tensorrt`: against a GPU where there is one, and how it calls TensorRT against a stand-in of its API."""

from __future__ import annotations

import contextlib
import importlib
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper
from onnxruntime.transformers.float16 import convert_float_to_float16

from nasopt.errors import MeasurementError
from nasopt.export import compose_routed, export_easy, export_hard
from nasopt.graphs.describe import describe
from nasopt.graphs.precision import observe_ranges, to_int8
from nasopt.hardware import Backend, RoutedGraphs, TimesStreams, backend_for, load_profile, refuse_precision
from nasopt.hardware.agent.refusals import RefusedError
from nasopt.hardware.backends.tensorrt_graph import readable
from nasopt.records import ExportedModel, TimingProtocol
from nasopt.spec.device import DeviceProfile
from nasopt.spec.hardware import PluginSpec
from nasopt.spec.training import QuantizationSpec
from nasopt.testing import BackendSuite, graphs
from tests.export.conftest import make_network
from tests.hardware.tensorrt_standin import Gpu, install

Make = Callable[..., Path]
VERSIONS = ("10.3.0", "11.4.0.106")
IMAGE, FEATURES = (1, 3, 16, 16), (1, 8, 16, 16)


def profile(**options: Any) -> DeviceProfile:
    update = {"backend": PluginSpec(name="tensorrt", options=options), "meter": PluginSpec(name="none")}
    return load_profile("local").model_copy(update=update)


def why_not() -> str | None:
    """Why TensorRT itself cannot run here, if so."""
    try:
        backend_for(profile())
    except MeasurementError as error:
        return str(error)
    return None


class TestConformance(BackendSuite):
    """On a GPU."""

    @pytest.fixture(scope="class")
    def backend(self, tmp_path_factory: pytest.TempPathFactory) -> Backend:
        if (reason := why_not()) is not None:
            pytest.skip(reason)
        return backend_for(profile())


def test_agrees_with_onnx_runtime_on_a_gpu(tmp_path: Path) -> None:
    if (reason := why_not()) is not None:
        pytest.skip(reason)
    from nasopt.hardware.agent.runs_tensorrt import Session

    for number, (model, tolerance) in enumerate(_precisions(tmp_path)):
        session = Session(str(readable(model.path, tmp_path)), {"engine": str(tmp_path / f"{number}.engine")})
        x = np.random.default_rng(0).standard_normal(model.inputs[0][1]).astype(np.float32)
        session.fill([x])
        expected = _by_onnx_runtime(model, x)[0]
        np.testing.assert_allclose(session.run()[0], expected, atol=tolerance * np.abs(expected).max())


def _by_onnx_runtime(model: ExportedModel, x: np.ndarray) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    # fused int8 kernels saturate on processors without VNNI; what the graph says is wanted
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(model.path), options, providers=["CPUExecutionProvider"])
    found: list[np.ndarray] = session.run(None, {model.inputs[0][0]: x})
    return found


def _precisions(folder: Path) -> list[tuple[ExportedModel, float]]:
    """The hard path in each precision as trials make it, with the tolerance of its answers."""
    hard = export_hard(make_network(), FEATURES, folder / "hard.onnx")
    half = folder / "fp16.onnx"
    onnx.save(convert_float_to_float16(onnx.load(str(hard.path)), keep_io_types=True), str(half))
    return [(hard, 1e-5), (describe(half), 2e-2), (_int8(hard, folder / "int8.onnx", "int8"), 5e-2)]


def _int8(model: ExportedModel, path: Path, activations: Any) -> ExportedModel:
    options = QuantizationSpec(activations=activations)
    images = np.random.default_rng(1).standard_normal((8, *model.inputs[0][1][1:])).astype(np.float32)
    return to_int8(model, observe_ranges(model, images, options), path, options)


@pytest.fixture
def gpu() -> Gpu:
    return Gpu()


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest, gpu: Gpu, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A stand-in of this version in the place of TensorRT, with a cache of its own."""
    install(monkeypatch, gpu, request.param)
    monkeypatch.setenv("NASOPT_CACHE", str(tmp_path / "cache"))
    return str(request.param)


@pytest.fixture
def only_11(gpu: Gpu, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install(monkeypatch, gpu, VERSIONS[1])
    monkeypatch.setenv("NASOPT_CACHE", str(tmp_path / "cache"))


def session(path: Path, **options: Any) -> Any:
    return importlib.import_module("nasopt.hardware.agent.runs_tensorrt").Session(str(path), options)


class TestCalls:
    def test_order(self, version: str, gpu: Gpu, tmp_path: Path) -> None:
        model = graphs.write_classifier(tmp_path / "m.onnx")
        opened = session(model.path)
        assert gpu.calls[:2] == ["cudaGetDeviceCount", "cudaSetDevice 0"], "the GPU is chosen before anything is built"
        made = [c for c in gpu.calls if not c.startswith("cuda")]
        flags = {"10": "2", "11": "0"}[version[:2]]
        steps = [f"create_network {flags}", "parse", "build", "deserialize"]
        assert made == [*steps, "address image", "address logits"]
        gpu.calls.clear()
        opened.fill([np.ones((1, 3, 16, 16), np.float32)])
        opened.once()
        assert gpu.calls == ["copy HostToDevice", "execute", "wait"], "a run copies nothing, and ends with the GPU"

    @pytest.mark.usefixtures("version")
    def test_memory_goes_with_the_session(self, gpu: Gpu, tmp_path: Path) -> None:
        opened = session(graphs.write_classifier(tmp_path / "m.onnx").path)
        assert len(gpu.blocks) == 2
        assert len(gpu.queues) == 1
        del opened
        assert not gpu.blocks
        assert not gpu.queues

    @pytest.mark.usefixtures("version")
    def test_every_precision_gets_there_unharmed(self, tmp_path: Path) -> None:
        """Names, addresses and sizes are right, and what is done to int8 graphs changes next to nothing."""
        for model, _ in _precisions(tmp_path):
            x = np.random.default_rng(0).standard_normal(model.inputs[0][1]).astype(np.float32)
            opened = session(readable(model.path, tmp_path))
            assert opened.inputs == list(model.inputs)
            opened.fill([x])
            found, expected = opened.run(), _by_onnx_runtime(model, x)
            np.testing.assert_allclose(found[0], expected[0], atol=1e-3 * np.abs(expected[0]).max())

    def test_what_is_measured(self, version: str, gpu: Gpu, tmp_path: Path, quick: TimingProtocol) -> None:
        backend = backend_for(profile())
        taken = backend.measure(graphs.write_classifier(tmp_path / "m.onnx"), quick)
        assert taken.runtime == f"tensorrt {version}"
        assert taken.provider == "CUDA NVIDIA Stand-in, compute capability 8.7"
        assert taken.memory_provenance == "estimated"
        assert gpu.calls.count("build") == 2, "the network and the reference"
        signature = backend.signature()
        assert (signature["provider"], signature["tf32"]) == (taken.provider, False)
        json.dumps(signature)


@pytest.mark.usefixtures("only_11")
class TestEngines:
    def test_are_kept_by_structure(self, gpu: Gpu, tmp_path: Path) -> None:
        model = graphs.write_classifier(tmp_path / "m.onnx")
        backend_for(profile()).runner(model, 1)  # type: ignore[attr-defined]
        other = onnx.load(str(model.path))
        other.graph.initializer[0].raw_data = bytes(len(other.graph.initializer[0].raw_data))
        onnx.save(other, str(tmp_path / "weights.onnx"))
        backend_for(profile()).runner(describe(tmp_path / "weights.onnx"), 1)  # type: ignore[attr-defined]
        assert gpu.calls.count("build") == 1
        assert len(list((tmp_path / "cache" / "engines").iterdir())) == 1
        wider = graphs.write_classifier(tmp_path / "wide.onnx", channels=24)
        backend_for(profile()).runner(wider, 1)  # type: ignore[attr-defined]
        assert gpu.calls.count("build") == 2

    def test_of_another_version_are_not_taken(self, gpu: Gpu, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        model = graphs.write_classifier(tmp_path / "m.onnx")
        backend_for(profile()).runner(model, 1)  # type: ignore[attr-defined]
        install(monkeypatch, gpu, VERSIONS[0])
        backend_for(profile()).runner(model, 1)  # type: ignore[attr-defined]
        assert gpu.calls.count("build") == 2

    def test_a_damaged_one_is_built_again(self, gpu: Gpu, tmp_path: Path) -> None:
        model, kept = graphs.write_classifier(tmp_path / "m.onnx"), tmp_path / "there" / "m.engine"
        session(model.path, engine=str(kept))
        whole = kept.read_bytes()
        kept.write_bytes(whole[:7])
        session(model.path, engine=str(kept))
        assert kept.read_bytes() == whole
        assert gpu.calls.count("build") == 2

    def test_lie_beside_the_graph_on_a_board(self, gpu: Gpu, tmp_path: Path) -> None:
        model = graphs.write_classifier(tmp_path / "m.onnx")
        for _ in range(2):
            session(model.path)
        assert gpu.calls.count("build") == 1
        assert len(list(tmp_path.glob("*.engine"))) == 1


@pytest.mark.usefixtures("only_11")
class TestStream:
    def test_two_engines_and_a_router_on_the_host(self, gpu: Gpu, tmp_path: Path, quick: TimingProtocol) -> None:
        network = make_network()
        easy = export_easy(network, IMAGE, tmp_path / "easy.onnx")
        hard = export_hard(network, FEATURES, tmp_path / "hard.onnx")
        images = np.random.default_rng(0).standard_normal((12, *IMAGE[1:])).astype(np.float32)
        scores = [_by_onnx_runtime(easy, images[i : i + 1])[2].item() for i in range(12)]
        tau = float(np.median(scores))
        routed = compose_routed(easy, hard, tmp_path / "routed.onnx", tau)
        backend = backend_for(profile())
        assert isinstance(backend, TimesStreams)
        taken = backend.time_stream(RoutedGraphs(easy=easy, hard=hard, routed=routed, tau=tau), images, quick)
        assert taken.way == "host-router"
        assert taken.exit_rate == np.mean(np.array(scores, np.float32) >= np.float32(tau))

    def test_features_stay_on_the_gpu(self, gpu: Gpu, tmp_path: Path) -> None:
        from nasopt.hardware.backends.tensorrt_stream import HostRouter

        network = make_network()
        paths = export_easy(network, IMAGE, tmp_path / "e.onnx"), export_hard(network, FEATURES, tmp_path / "h.onnx")
        easy, hard = (session(model.path) for model in paths)
        images = np.random.default_rng(0).standard_normal((2, *IMAGE[1:])).astype(np.float32)
        stream = HostRouter(easy, hard, images, 2.0)
        stream.load(0)
        gpu.calls.clear()
        stream.run()
        assert gpu.calls == ["execute", "copy async", "wait", "execute", "wait"]
        assert not stream.exited()
        features = _by_onnx_runtime(paths[0], images[:1])[0]
        np.testing.assert_allclose(hard.run()[0], _by_onnx_runtime(paths[1], features)[0], rtol=1e-4, atol=1e-5)
        sure = HostRouter(easy, hard, images, -1.0)
        sure.load(1)
        gpu.calls.clear()
        sure.run()
        assert gpu.calls == ["execute", "copy async", "wait"]
        assert sure.exited()

    def test_paths_of_different_networks(self, tmp_path: Path) -> None:
        from nasopt.hardware.backends.tensorrt_stream import HostRouter

        easy = session(export_easy(make_network(), IMAGE, tmp_path / "easy.onnx").path)
        other = session(graphs.write_classifier(tmp_path / "other.onnx").path)
        with pytest.raises(MeasurementError, match=r"hard path reads 'image' .* expected the two paths of one network"):
            HostRouter(easy, other, np.zeros((2, *IMAGE[1:]), np.float32), 0.5)


def _twisted(path: Path, change: Callable[[onnx.ModelProto], None]) -> Path:
    model = onnx.load(str(path))
    change(model)
    onnx.save(model, str(path))
    return path


@pytest.mark.usefixtures("version")
class TestRefusals:
    def test_unknown_operators_are_listed(self, write_model: Make, quick: TimingProtocol) -> None:
        nodes = [helper.make_node("Erf", [a], [b], name=f"at {b}") for a, b in (("x", "h"), ("h", "y"))]
        path = write_model("u.onnx", nodes, {"x": [1, 4]}, {"y": [1, 4]})
        with pytest.raises(
            MeasurementError,
            match=r"tensorrt 1\d.* does not take .*u.onnx: Erf at at h: No importer .*Erf.; leave out .* onnxruntime",
        ):
            backend_for(profile()).measure(describe(path), quick)  # type: ignore[attr-defined]

    def test_a_graph_that_decides(self, write_model: Make, quick: TimingProtocol) -> None:
        def branch(name: str, op: str) -> onnx.GraphProto:
            node = helper.make_node(op, ["x"], [f"{name}.y"])
            return helper.make_graph([node], name, [], [helper.make_tensor_value_info(f"{name}.y", 1, [4])])

        nodes = [
            helper.make_node("ReduceMax", ["x"], ["top"], keepdims=0),
            helper.make_node("Less", ["top", "zero"], ["low"]),
            helper.make_node("If", ["low"], ["y"], then_branch=branch("a", "Neg"), else_branch=branch("b", "Abs")),
        ]
        path = write_model("if.onnx", nodes, {"x": [4]}, {"y": [4]}, {"zero": np.float32(0)})
        with pytest.raises(MeasurementError, match=r"decides on its input \(If\).*4402\); measure its paths as two"):
            backend_for(profile()).measure(describe(path), quick)  # type: ignore[attr-defined]

    def test_dynamic_shapes(self, tmp_path: Path, quick: TimingProtocol) -> None:
        dynamic = graphs.write_dynamic(tmp_path / "d.onnx")
        with pytest.raises(MeasurementError, match=r"dynamic shape|fixed shape"):
            backend_for(profile()).measure(dynamic, quick)  # type: ignore[attr-defined]
        with pytest.raises(RefusedError, match=r"'image' is float32 of shape \(-1, 3, 16, 16\); .*export with fixed"):
            session(dynamic.path)

    def test_files_that_are_none(self, convolution: Make, quick: TimingProtocol) -> None:
        model = describe(convolution())
        with pytest.raises(MeasurementError, match=r"cannot read the ONNX model .*absent.onnx"):
            backend_for(profile()).measure(  # type: ignore[attr-defined]
                replace(model, path=model.path.with_name("absent.onnx")), quick
            )
        model.path.write_bytes(b"none")
        with pytest.raises(RefusedError, match=r"does not take .*: the file: Failed to parse the file"):
            session(model.path)

    def test_what_does_not_become_an_engine(self, write_model: Make) -> None:
        path = write_model(
            "n.onnx", [helper.make_node("Neg", ["x"], ["y"], name="unbuildable")], {"x": [4]}, {"y": [4]}
        )
        with pytest.raises(RefusedError, match=r"builds no engine of .*n.onnx: no tactic for node unbuildable$"):
            session(path)

    def test_no_room(self, write_model: Make) -> None:
        nodes = [helper.make_node("Neg", ["x"], ["y"])]
        path = write_model("n.onnx", nodes, {"x": [1 << 29]}, {"y": [1 << 29]})
        with pytest.raises(RefusedError, match=r"error 2 while taking 2147483648 bytes of GPU memory: cuda.*Alloc"):
            session(path)

    def test_no_such_gpu(self) -> None:
        with pytest.raises(MeasurementError, match="there is no GPU 3 here, there are 1; count from 0"):
            backend_for(profile(device=3))


class TestQuantisation:
    def test_biases_are_floats_again(self, tmp_path: Path) -> None:
        hard = export_hard(make_network(), FEATURES, tmp_path / "hard.onnx")
        int8 = _int8(hard, tmp_path / "int8.onnx", "int8")
        before, after = (onnx.load(str(p)) for p in (int8.path, readable(int8.path, tmp_path)))
        kinds = [{t.data_type for t in m.graph.initializer} for m in (before, after)]
        assert onnx.TensorProto.INT32 in kinds[0]
        assert onnx.TensorProto.INT32 not in kinds[1]
        assert onnx.TensorProto.INT8 in kinds[1], "weights stay in 8 bits"
        onnx.checker.check_model(after)
        assert readable(hard.path, tmp_path) == hard.path, "nothing is to be done to others"

    def test_scales_along_an_axis(self, write_model: Make, tmp_path: Path) -> None:
        nodes = [
            helper.make_node("DequantizeLinear", ["b", "s", "z"], ["bias"], axis=0),
            helper.make_node("Add", ["x", "bias"], ["y"]),
        ]
        weights = {"b": np.array([3, -4], np.int32), "s": np.array([0.5, 2], np.float32), "z": np.zeros(2, np.int32)}
        found = readable(write_model("b.onnx", nodes, {"x": [1, 2]}, {"y": [1, 2]}, weights), tmp_path)
        (constant,) = onnx.load(str(found)).graph.initializer
        np.testing.assert_array_equal(onnx.numpy_helper.to_array(constant), [1.5, -8])

    def test_zero_points_are_refused(self, tmp_path: Path) -> None:
        hard = export_hard(make_network(), FEATURES, tmp_path / "hard.onnx")
        with pytest.raises(MeasurementError, match=r"unsigned integers, .*activations: int8"):
            readable(_int8(hard, tmp_path / "uint8.onnx", "uint8").path, tmp_path)
        int8 = _int8(hard, tmp_path / "int8.onnx", "int8").path

        def shifted(model: onnx.ModelProto) -> None:
            name = next(n.input[2] for n in model.graph.node if n.op_type == "QuantizeLinear")
            zero = next(t for t in model.graph.initializer if t.name == name)
            zero.CopyFrom(onnx.numpy_helper.from_array(np.int8(3), name))

        with pytest.raises(MeasurementError, match="has a zero point, and TensorRT quantises to int8 around 0"):
            readable(_twisted(int8, shifted), tmp_path)

    @pytest.mark.usefixtures("only_11")
    def test_a_study_hears_of_it_before_it_trains(self) -> None:
        backend = backend_for(profile())
        with pytest.raises(MeasurementError, match=r"takes .* int8 activations, .* makes uint8 .*activations: int8"):
            refuse_precision(backend, "bench", "int8", "uint8")
        refuse_precision(backend, "bench", "int8", "int8")
        refuse_precision(backend, "bench", "fp32", "uint8")


class TestWithout:
    """Machines that lack something."""

    def test_tensorrt(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "tensorrt", None)
        monkeypatch.delitem(sys.modules, "nasopt.hardware.agent.runs_tensorrt", raising=False)
        with pytest.raises(MeasurementError, match=r"tensorrt cannot be imported by .* -m pip install tensorrt$"):
            backend_for(profile())

    def test_cuda_python(self, gpu: Gpu, monkeypatch: pytest.MonkeyPatch) -> None:
        install(monkeypatch, gpu, VERSIONS[1])
        for name in ("cuda", "cuda.bindings"):
            monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(MeasurementError, match=r"tensorrt cannot be imported by .* -m pip install cuda-python$"):
            backend_for(profile())

    def test_a_gpu(self, monkeypatch: pytest.MonkeyPatch) -> None:
        install(monkeypatch, Gpu(error=100), VERSIONS[1])
        with pytest.raises(MeasurementError, match=r"no NVIDIA GPU can be used here: .* error 100 .*check nvidia-smi"):
            backend_for(profile())

    def test_a_version_that_is_known(self, gpu: Gpu, monkeypatch: pytest.MonkeyPatch) -> None:
        install(monkeypatch, gpu, "8.2.1.8")
        with pytest.raises(MeasurementError, match=r"tensorrt 8\.2\.1\.8 is here, .* 10 and 11; .* JetPack 6"):
            backend_for(profile())

    def test_the_real_bindings_without_a_driver(self) -> None:
        pytest.importorskip("cuda.bindings.runtime")
        from nasopt.hardware.agent.gpu import named_gpu

        found = []
        with contextlib.suppress(RefusedError):
            found.append(named_gpu(0))
        if found:
            pytest.skip("there is a GPU here")
        with pytest.raises(RefusedError, match="no NVIDIA GPU can be used here"):
            named_gpu(0)
