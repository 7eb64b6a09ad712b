from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import helper

from nasopt.errors import MeasurementError
from nasopt.graphs.describe import describe
from nasopt.hardware import Backend, backend_for, load_profile
from nasopt.hardware.agent import runs_torch
from nasopt.hardware.agent.torch_graph import as_module
from nasopt.hardware.agent.torch_operators import UnsupportedError
from nasopt.records import TimingProtocol
from nasopt.spec.device import DeviceProfile
from nasopt.spec.hardware import PluginSpec
from nasopt.testing import BackendSuite, graphs

pytestmark = pytest.mark.timed

Make = Callable[..., Path]
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no NVIDIA GPU here")


def profile(meter: str = "none", **options: Any) -> DeviceProfile:
    update = {"backend": PluginSpec(name="torch", options=options), "meter": PluginSpec(name=meter)}
    return load_profile("local").model_copy(update=update)


@pytest.fixture(scope="module")
def backend() -> Backend:
    return backend_for(profile())


class TestConformance(BackendSuite):
    @pytest.fixture(scope="class")
    def backend(self) -> Backend:
        return backend_for(profile())


def test_says_what_ran_and_leaves_the_process_as_it_was(
    backend: Backend, convolution: Make, quick: TimingProtocol
) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    before = torch.get_num_threads(), torch.backends.cudnn.allow_tf32
    taken = backend.measure(describe(convolution()), quick)
    assert taken.runtime == f"torch {torch.__version__}"
    assert taken.provider == "CPU, eager"
    assert taken.memory_provenance == "estimated"
    assert (torch.get_num_threads(), torch.backends.cudnn.allow_tf32) == before
    torch.set_num_threads(threads)
    assert not torch.is_inference_mode_enabled()


def test_a_graph_becomes_plain_calls(tmp_path: Path) -> None:
    """No interpreter is left that would be timed with the network."""
    module, inputs, _ = as_module(graphs.write_classifier(tmp_path / "c.onnx").path)
    called = [str(node.target) for node in module.graph.nodes if node.op.startswith("call_")]
    assert inputs == [("image", (1, 3, 16, 16))]
    assert len(called) == 8, f"one call for each of the 8 operators, not {called}"
    assert {node.op for node in module.graph.nodes} == {"placeholder", "get_attr", "call_function", "output"}


@pytest.mark.parametrize(
    ("nodes", "shape", "constants", "expected"),
    [
        ([("Slice", ["x", "a", "b", "c"], {})], (2, 6, 3), {"a": [1], "b": [-1], "c": [1]}, lambda x: x[:, 1:-1]),
        ([("Gather", ["x", "a"], {"axis": 1})], (2, 6), {"a": [5, -1, 0]}, lambda x: x[:, [5, -1, 0]]),
        ([("Split", ["x", "a"], {"axis": 1})], (2, 6), {"a": [4, 2]}, lambda x: x[:, :4]),
        ([("Pad", ["x", "a"], {})], (2, 3), {"a": [0, 1, 1, 2]}, lambda x: np.pad(x, ((0, 1), (1, 2)))),
        ([("Reshape", ["x", "a"], {})], (2, 6), {"a": [0, 3, -1]}, lambda x: x.reshape(2, 3, 2)),
        ([("Flatten", ["x"], {"axis": -1})], (2, 3, 4), {}, lambda x: x.reshape(6, 4)),
        ([("Expand", ["x", "a"], {})], (2, 1), {"a": [3, 1, 4]}, lambda x: np.broadcast_to(x, (3, 2, 4))),
        (
            [("Clip", ["x", "a", "b"], {})],
            (4,),
            {"a": np.float32(-0.5), "b": np.float32(0.5)},
            lambda x: x.clip(-0.5, 0.5),
        ),
        ([("ReduceLogSumExp", ["x"], {"axes": [1], "keepdims": 0})], (2, 5), {}, lambda x: np.log(np.exp(x).sum(1))),
        ([("ArgMax", ["x"], {"axis": 1, "keepdims": 0})], (2, 5), {}, lambda x: x.argmax(1)),
        ([("Transpose", ["x"], {"perm": [2, 0, 1]})], (2, 3, 4), {}, lambda x: x.transpose(2, 0, 1)),
        ([("Max", ["x", "a", "a"], {})], (4,), {"a": np.zeros(4, np.float32)}, lambda x: np.maximum(x, 0)),
    ],
    ids=lambda value: value[0][0] if isinstance(value, list) else "",
)
def test_operators(nodes: Any, shape: Any, constants: Any, expected: Any, write_model: Make) -> None:
    """Those whose meaning differs from torch's own; the networks' operators are held against ONNX Runtime."""
    made = [
        helper.make_node(op, inputs, ["y", "z"] if op == "Split" else ["y"], **attributes)
        for op, inputs, attributes in nodes
    ]
    arrays = {name: np.asarray(v) for name, v in constants.items()}
    path = write_model("o.onnx", made, {"x": shape}, {"y": ["?"]}, arrays)
    module, *_ = as_module(path)
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    np.testing.assert_allclose(module(torch.from_numpy(x))[0].numpy(), expected(x), rtol=1e-5, atol=1e-6)


def test_compiled(tmp_path: Path) -> None:
    """Through g++, which alone takes seconds."""
    path = graphs.write_classifier(tmp_path / "c.onnx", channels=8, side=8).path
    threads = torch.get_num_threads()
    try:
        eager, compiled = (runs_torch.Session(str(path), 1, {"mode": m}) for m in ("eager", "compiled"))
    finally:
        torch.set_num_threads(threads)
    assert compiled.facts["provider"] == "CPU, compiled"
    image = np.random.default_rng(0).standard_normal((1, 3, 8, 8)).astype(np.float32)
    for session in (eager, compiled):
        session.fill([image])
    np.testing.assert_allclose(compiled.run()[0], eager.run()[0], rtol=1e-4, atol=1e-6)


class TestRefusals:
    def test_unknown_operator(self, backend: Backend, write_model: Make, quick: TimingProtocol) -> None:
        node = helper.make_node("Frobnicate", ["x"], ["y"], domain="nowhere")
        path = write_model("u.onnx", [node], {"x": [1, 4]}, {"y": [1, 4]}, opsets=[("", 17), ("nowhere", 1)])
        with pytest.raises(MeasurementError, match=r"no translation into torch: no translation of nowhere.Frobnicate"):
            backend.measure(describe(path), quick)

    def test_shapes_that_hang_on_the_input(self, write_model: Make) -> None:
        nodes = [helper.make_node("Cast", ["x"], ["s"], to=7), helper.make_node("Reshape", ["w", "s"], ["y"])]
        path = write_model("s.onnx", nodes, {"x": [1]}, {"y": ["n"]}, {"w": np.ones(0, np.float32)})
        with pytest.raises(UnsupportedError, match=r"Reshape.*: a shape is computed from the input"):
            as_module(path)

    def test_dynamic_shapes(self, backend: Backend, tmp_path: Path, quick: TimingProtocol) -> None:
        with pytest.raises(MeasurementError, match="input 'image' is no tensor of fixed shape; export it with fixed"):
            backend.measure(graphs.write_dynamic(tmp_path / "d.onnx"), quick)

    def test_a_decision_in_one_compiled_piece(self, write_model: Make) -> None:
        def branch(name: str, op: str) -> onnx.GraphProto:
            node = helper.make_node(op, ["x"], [f"{name}.y"])
            return helper.make_graph([node], name, [], [helper.make_tensor_value_info(f"{name}.y", 1, [4])])

        nodes = [
            helper.make_node("ReduceMax", ["x"], ["top"], keepdims=0),
            helper.make_node("Less", ["top", "zero"], ["low"]),
            helper.make_node("If", ["low"], ["y"], then_branch=branch("a", "Neg"), else_branch=branch("b", "Abs")),
        ]
        path = write_model("if.onnx", nodes, {"x": [4]}, {"y": [4]}, {"zero": np.float32(0)})
        with pytest.raises(MeasurementError, match=r"decides on its input \(If\).*take the mode eager"):
            backend_for(profile(mode="compiled")).runner(describe(path), 1)

    def test_no_compiler(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        config = pytest.importorskip("torch._inductor.config")
        monkeypatch.setattr(config.cpp, "cxx", (None, str(tmp_path / "no-compiler")))
        monkeypatch.setattr(config, "force_disable_caches", True)
        path = graphs.write_classifier(tmp_path / "c.onnx", channels=9, side=9).path
        with pytest.raises(MeasurementError, match=r"does not compile .*No working C\+\+ compiler.*g\+\+.*mode eager"):
            backend_for(profile(mode="compiled")).runner(describe(path), 1)

    def test_cuda_graphs_on_a_cpu(self) -> None:
        with pytest.raises(MeasurementError, match="cuda-graphs needs the device cuda; take the mode eager"):
            backend_for(profile(mode="cuda-graphs"))

    @pytest.mark.skipif(torch.cuda.is_available(), reason="torch sees an NVIDIA GPU here")
    def test_no_gpu(self) -> None:
        with pytest.raises(MeasurementError, match=r"wants cuda; torch .* sees no GPU here; check nvidia-smi"):
            backend_for(profile(mode="cuda-graphs", device="cuda"))


@needs_gpu
class TestGpu:
    """CUDA graphs and NVML against a loop written by hand, within 2%."""

    @pytest.fixture(scope="class")
    def path(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return graphs.write_classifier(tmp_path_factory.mktemp("g") / "c.onnx", channels=128, side=64, batch=32).path

    @pytest.fixture(scope="class")
    def replay(self, path: Path) -> Callable[[], None]:
        module, inputs, _ = as_module(path)
        module = module.cuda()
        images = torch.randn(inputs[0][1], device="cuda")
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
        with torch.inference_mode():
            stream = torch.cuda.Stream()
            with torch.cuda.stream(stream):
                for _ in range(5):
                    module(images)
            torch.cuda.synchronize()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                module(images)

        def run() -> None:
            graph.replay()
            torch.cuda.synchronize()

        return run

    def test_latency(self, path: Path, replay: Callable[[], None]) -> None:
        backend = backend_for(profile(mode="cuda-graphs", device="cuda"))
        protocol = TimingProtocol(warmup_s=1.0, min_runs=500)
        ratios = []
        for _ in range(3):
            taken = backend.measure(describe(path), protocol).latency.median_ms
            times = []
            for _ in range(500):
                start = time.perf_counter()
                replay()
                times.append((time.perf_counter() - start) * 1e3)
            ratios.append(taken / float(np.median(times)))
        assert float(np.median(ratios)) == pytest.approx(1, abs=0.02)

    def test_energy(self, path: Path, replay: Callable[[], None]) -> None:
        pynvml = pytest.importorskip("pynvml")
        backend = backend_for(profile("nvml", mode="cuda-graphs", device="cuda"))
        protocol = TimingProtocol(energy_windows=3, energy_window_s=5.0)
        taken = backend.measure(describe(path), protocol).energy
        assert taken is not None
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(0)
        before, runs, end = pynvml.nvmlDeviceGetTotalEnergyConsumption(handle), 0, time.perf_counter() + 15
        while time.perf_counter() < end:
            replay()
            runs += 1
        by_hand = (pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) - before) / runs
        assert taken.gross_mj == pytest.approx(by_hand, rel=0.02)

    @pytest.mark.parametrize("mode", ["eager", "compiled", "cuda-graphs"])
    def test_agrees_with_the_processor(self, mode: str, path: Path) -> None:
        there = runs_torch.Session(str(path), 1, {"mode": mode, "device": "cuda"})
        here = runs_torch.Session(str(path), 1, {})
        image = np.random.default_rng(0).standard_normal(here.inputs[0][1]).astype(np.float32)
        for session in (there, here):
            session.fill([image])
        np.testing.assert_allclose(there.run()[0], here.run()[0], rtol=1e-3, atol=1e-4)
