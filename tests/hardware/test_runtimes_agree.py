"""Every runtime computes what ONNX Runtime computes on the same graph: else it would time something else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static
from onnxruntime.transformers.float16 import convert_float_to_float16

from nasopt.export import compose_routed, export_easy, export_hard
from nasopt.hardware.agent import runs_torch
from nasopt.hardware.agent.refusals import RefusedError
from tests.export.conftest import make_network

IMAGE, FEATURES = (1, 3, 16, 16), (1, 8, 16, 16)
RUNTIMES = ("openvino", "torch")


def session(runtime: str, path: Path) -> Any:
    if runtime == "openvino":
        pytest.importorskip("openvino")
        from nasopt.hardware.agent import runs_openvino

        return runs_openvino.Session(str(path), 1, {})
    return runs_torch.Session(str(path), 1, {})


def both(runtime: str, path: Path, seed: int = 0) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The results of this runtime, and of ONNX Runtime, on one input."""
    reference = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    value = reference.get_inputs()[0]
    x = np.random.default_rng(seed).standard_normal(value.shape).astype(np.float32)
    under_test = session(runtime, path)
    assert under_test.inputs == [(value.name, tuple(value.shape))]
    under_test.fill([x])
    return under_test.run(), reference.run(None, {value.name: x})


@pytest.fixture(scope="module", autouse=True)
def _threads() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("router", ["confidence", "learned", "difficulty"])
def test_paths_and_the_routed_graph(runtime: str, router: str, tmp_path: Path) -> None:
    network = make_network(router)
    easy = export_easy(network, IMAGE, tmp_path / "easy.onnx")
    hard = export_hard(network, FEATURES, tmp_path / "hard.onnx")
    assert hard.inputs[0][1] == FEATURES
    answers = set()
    for tau in (-1.0, 2.0):
        routed = compose_routed(easy, hard, tmp_path / f"routed{tau}.onnx", tau)
        for graph in (easy, hard, routed):
            found, expected = both(runtime, graph.path)
            assert len(found) == len(expected)
            for a, b in zip(found, expected, strict=True):
                assert a.shape == b.shape
                np.testing.assert_allclose(a.astype(np.float64), b.astype(np.float64), rtol=1e-3, atol=1e-4)
        answers.add(bool(found[1][0]))
    assert answers == {True, False}, "both branches of the If were taken"


class _Images(CalibrationDataReader):
    def __init__(self, name: str) -> None:
        draw = np.random.default_rng(1)
        self._left = iter([{name: draw.standard_normal(FEATURES).astype(np.float32)} for _ in range(8)])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._left, None)


@pytest.fixture(scope="module")
def hard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_hard(make_network(), FEATURES, tmp_path_factory.mktemp("graphs") / "hard.onnx").path


@pytest.fixture(scope="module")
def int8(hard: Path) -> Path:
    path = hard.with_name("int8.onnx")
    seen, qdq = _Images("features"), QuantFormat.QDQ
    # weights in 7 bits: ONNX Runtime's 16-bit sums saturate where the processor has no VNNI
    quantize_static(str(hard), str(path), seen, quant_format=qdq, per_channel=True, reduce_range=True)
    return path


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_half_precision(runtime: str, hard: Path) -> None:
    path = hard.with_name("fp16.onnx")
    onnx.save(convert_float_to_float16(onnx.load(str(hard)), keep_io_types=True), str(path))
    found, expected = both(runtime, path)
    np.testing.assert_allclose(found[0], expected[0], rtol=0.02, atol=0.02 * np.abs(expected[0]).max())


def test_integers_in_openvino(int8: Path, hard: Path) -> None:
    found, expected = both("openvino", int8)
    exact = both("openvino", hard)[1]
    rounding = np.abs(expected[0] - exact[0]).max()
    assert rounding > 0
    assert np.abs(found[0] - expected[0]).max() < rounding, "further from ONNX Runtime than that is from float32"
    assert session("openvino", int8).facts["provider"] in ("CPU, u8", "CPU, i8", "CPU, i8 and u8")


def test_integers_in_torch_are_refused(int8: Path) -> None:
    with pytest.raises(
        RefusedError, match=r"a quantised graph .* is no integer arithmetic; measure it with onnxruntime"
    ):
        session("torch", int8)
