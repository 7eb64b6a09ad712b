"""Other people's files: open sizes, integers, single numbers, and tensors that are too large."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from nasopt import measure
from nasopt.errors import MeasurementError, UsageError
from nasopt.graphs.describe import describe
from nasopt.graphs.preparing import prepared
from nasopt.hardware import backend_for, load_profile
from nasopt.hardware.agent import runtimes
from nasopt.records import TimingProtocol

Make = Callable[..., Path]
RUNTIMES = ("onnxruntime", "openvino", "torch")


def save(path: Path, nodes: list[onnx.NodeProto], inputs: dict[str, tuple[int, Sequence[int | str] | None]]) -> Path:
    """A graph of inputs, each of an element type and a shape; a table `w` (10, 4) is there to look up in."""
    values = [helper.make_tensor_value_info(n, kind, shape) for n, (kind, shape) in inputs.items()]
    table = numpy_helper.from_array(np.ones((10, 4), np.float32), "w")
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "g", values, [y], initializer=[table])
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
    path.write_bytes(model.SerializeToString())
    return path


def lookup(path: Path, *, rows: int = 10, beyond: int = 0) -> Path:
    """Rows of a table by ids, masked; what lies outside of the table fails, `beyond` is added to each id."""
    table = numpy_helper.from_array(np.ones((rows, 4), np.float32))
    nodes = [
        helper.make_node("Constant", [], ["beyond"], value_int=beyond),
        helper.make_node("Add", ["ids", "beyond"], ["place"]),
        helper.make_node("Constant", [], ["table"], value=table),
        helper.make_node("Gather", ["table", "place"], ["rows"]),
        helper.make_node("Cast", ["mask"], ["kept"], to=1),
        helper.make_node("Mul", ["rows", "kept"], ["y"]),
    ]
    kinds = {"ids": (TensorProto.INT64, [3]), "mask": (TensorProto.BOOL, [3, 1])}
    return save(path, nodes, kinds)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_integers_and_booleans_are_run(runtime: str, tmp_path: Path) -> None:
    if runtime == "openvino":
        pytest.importorskip("openvino")
    nodes = [helper.make_node("Cast", ["ids"], ["i"], to=1), helper.make_node("Cast", ["m"], ["j"], to=1)]
    nodes.append(helper.make_node("Add", ["i", "j"], ["y"]))
    inputs = {"ids": (TensorProto.INT32, [1, 3]), "m": (TensorProto.BOOL, [1, 3])}
    run, _ = runtimes.open_run(runtime, str(save(tmp_path / "i.onnx", nodes, inputs)), 1, {})
    run()


def test_integers_are_one_or_zero_where_one_does_not_run(tmp_path: Path) -> None:
    for path in (lookup(tmp_path / "a.onnx"), lookup(tmp_path / "b.onnx", rows=1)):
        run, _ = runtimes.open_run("onnxruntime", str(path), 1, {})
        run()
    with pytest.raises(runtimes.RefusedError, match="does not run under onnxruntime"):
        runtimes.open_run("onnxruntime", str(lookup(tmp_path / "c.onnx", beyond=50)), 1, {})
    remarks = measure(tmp_path / "a.onnx", "jetson_nano").remarks
    assert "integer inputs hold 1, or 0 where the graph does not run on 1: ids" in remarks


@pytest.mark.parametrize("kind", ["FLOAT16", "DOUBLE", "UINT8", "INT8", "INT16", "UINT64"])
def test_inputs_of_every_type_have_a_cost(kind: str, tmp_path: Path) -> None:
    node = helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT)
    path = save(tmp_path / "k.onnx", [node], {"x": (getattr(TensorProto, kind), [2, 8])})
    assert measure(path, "jetson_nano").latency.median_ms > 0
    run, _ = runtimes.open_run("onnxruntime", str(path), 1, {})
    run()


def test_an_open_first_dimension_is_a_batch_of_one_and_said(tmp_path: Path) -> None:
    path = save(tmp_path / "d.onnx", [helper.make_node("Relu", ["x"], ["y"])], {"x": (1, ["batch", 8])})
    taken = measure(path, "jetson_nano")
    assert taken.remarks == ("the open first dimension was taken as a batch of 1: x",)
    with prepared(path, shapes={"batch": (4,)}) as found:
        assert found.model.inputs == (("x", (4, 8)),)
        assert found.remarks == ()
        assert onnxruntime.InferenceSession(str(found.model.path)).get_inputs()[0].shape == [4, 8]
    assert not found.model.path.exists()
    negative = onnx.load(str(path))
    negative.graph.input[0].type.tensor_type.shape.dim[0].dim_value = -1
    path.write_bytes(negative.SerializeToString())
    assert measure(path, "jetson_nano", shapes={"x": (2, 8)}).latency.median_ms > 0
    without = save(tmp_path / "n.onnx", [helper.make_node("Relu", ["x"], ["y"])], {"x": (1, None)})
    with pytest.raises(MeasurementError, match="input 'x' has no shape; give it: --shape x="):
        measure(without, "jetson_nano")
    assert measure(without, "jetson_nano", shapes={"x": (2, 8)}).latency.median_ms > 0


def test_a_number_that_is_given_steers_the_graph(tmp_path: Path) -> None:
    def branch(name: str, nodes: list[onnx.NodeProto]) -> onnx.GraphProto:
        return helper.make_graph(nodes, name, [], [helper.make_tensor_value_info(f"{name}.y", 1, None)])

    dear = [helper.make_node("Sin", ["x"], ["p"]), helper.make_node("MatMul", ["p", "w"], ["a.y"])]
    cheap = [helper.make_node("Relu", ["x"], ["b.y"])]
    nodes = [
        helper.make_node("Constant", [], ["wanted"], value_int=16000),
        helper.make_node("Equal", ["sr", "wanted"], ["flag"]),
        helper.make_node("If", ["flag"], ["y"], then_branch=branch("a", dear), else_branch=branch("b", cheap)),
    ]
    path = save(tmp_path / "v.onnx", nodes, {"x": (1, [1000, 10]), "sr": (TensorProto.INT64, [])})
    costs = [measure(path, "jetson_nano", values={"sr": rate}).latency.median_ms for rate in (16000, 8000)]
    assert costs[0] > costs[1]
    with prepared(path, values={"sr": 16000}) as found:
        assert [name for name, _ in found.model.inputs] == ["x"]
        session = onnxruntime.InferenceSession(str(found.model.path))
        assert session.run(None, {"x": np.ones((1000, 10), np.float32)})[0].shape == (1000, 4)
    for values, reason in (({"rate": 1}, "has no input 'rate'"), ({"x": 1}, "only inputs of a single number")):
        with pytest.raises(UsageError, match=reason):
            measure(path, "jetson_nano", values=values)
    with pytest.raises(UsageError, match=r"'sr' is int64, which 0\.5 does not fit"):
        measure(path, "jetson_nano", values={"sr": 0.5})


@pytest.mark.parametrize("device", ["local", "jetson_nano"])
def test_what_is_too_large_is_refused_before_it_is_made(device: str, tmp_path: Path) -> None:
    huge = save(tmp_path / "h.onnx", [helper.make_node("Relu", ["x"], ["y"])], {"x": (1, [1_000_000_000, 4])})
    with pytest.raises(MeasurementError, match=r"input 'x' of shape 1000000000x4 takes 16,000 MB; at most 1,024 MB"):
        measure(huge, device)
    assert measure(huge, "jetson_nano", largest_mb=20_000).latency.median_ms > 1000


def test_what_a_graph_would_make_is_bounded_too(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Constant", [], ["shape"], value_ints=[1_000_000_000, 1]),
        helper.make_node("Expand", ["x", "shape"], ["wide"]),
        helper.make_node("ReduceSum", ["wide"], ["y"]),
    ]
    path = save(tmp_path / "e.onnx", nodes, {"x": (1, [1, 4])})
    with pytest.raises(MeasurementError, match=r"the value 'wide' of shape 1000000000x4 takes 16,000 MB"):
        measure(path, "local", meter="none")
    nodes = [helper.make_node("ConstantOfShape", ["shape"], ["c"]), helper.make_node("Add", ["x", "c"], ["y"])]
    nodes.insert(0, helper.make_node("Constant", [], ["shape"], value_ints=[1_000_000_000, 4]))
    path = save(tmp_path / "c.onnx", nodes, {"x": (1, [1, 4])})
    with pytest.raises(MeasurementError, match=r"of shape 1000000000x4 takes 16,000 MB"):
        measure(path, "local", meter="none")


def test_what_is_no_tensor_is_called_what_it_is(tmp_path: Path) -> None:
    path = save(tmp_path / "s.onnx", [helper.make_node("Relu", ["x"], ["y"])], {"x": (1, [1, 4])})
    kinds = {
        "a sequence": helper.make_sequence_type_proto(helper.make_tensor_type_proto(1, [4])),
        "an optional value": helper.make_optional_type_proto(helper.make_tensor_type_proto(1, [4])),
        "string": helper.make_tensor_type_proto(TensorProto.STRING, [4]),
        "bfloat16": helper.make_tensor_type_proto(TensorProto.BFLOAT16, [4]),
        "a size of 0": helper.make_tensor_type_proto(1, [2, 0, 4]),
    }
    for said, kind in kinds.items():
        model = onnx.load(str(path))
        model.graph.input[0].type.CopyFrom(kind)
        other = tmp_path / "other.onnx"
        other.write_bytes(model.SerializeToString())
        with pytest.raises(MeasurementError, match=f"input 'x' .*{said}") as refused:
            describe(other)
        assert "\n" not in str(refused.value)


def test_a_graph_of_an_old_opset_is_converted_and_said(tmp_path: Path) -> None:
    kinds: dict[str, tuple[int, Sequence[int | str] | None]] = {"x": (1, [2, 10]), "b": (1, [2, 4])}
    old = save(tmp_path / "old.onnx", [helper.make_node("Gemm", ["x", "w", "b"], ["y"])], kinds)
    model = onnx.load(old)
    model.opset_import[0].version, model.ir_version = 6, 3
    onnx.save(model, old)
    with prepared(old) as found:
        assert any("opset 6 was converted to 7" in r for r in found.remarks)
    for device in ("local", "jetson_nano"):
        assert measure(old, device).latency.median_ms > 0


def test_models_of_onnx_itself_have_a_figure_or_one_line() -> None:
    cases = sorted(Path(onnx.__file__).parent.glob("backend/test/data/[ps]*/*/model.onnx"))[::12]
    if not cases:
        pytest.skip("this onnx was packed without its test models")
    devices = ("jetson_nano", "raspberry_pi_4", "local")
    backends = {name: backend_for(load_profile(name), meter="none") for name in devices}
    quick = TimingProtocol(
        warmup_runs=1, warmup_s=0, min_runs=2, min_s=0, max_s=0.05, blocks=2, drift_limit=9, tight_enough=9
    )
    figures: Counter[str] = Counter()
    for path in cases:
        for device, backend in backends.items():
            said = ""
            try:
                with prepared(path) as found:
                    figures[device] += backend.measure(found.model, quick).latency.median_ms > 0
            except MeasurementError as refused:
                said = str(refused)
            assert "\n" not in said, path
    assert min(figures["jetson_nano"], figures["local"]) > len(cases) / 2
