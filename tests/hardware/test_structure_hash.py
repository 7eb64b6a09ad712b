"""What the structure of a graph holds: everything that its cost may depend on, and no weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from nasopt.errors import MeasurementError
from nasopt.graphs.describe import describe, load
from nasopt.graphs.structure_hash import structure_hash

Make = Callable[..., Path]
X = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4, 8, 8])


def hashed(nodes: list[onnx.NodeProto], weights: dict[str, Any] | None = None, **more: Any) -> str:
    """Hash of a graph that takes x (1, 4, 8, 8) and gives y."""
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    tensors = [numpy_helper.from_array(np.asarray(w), n) for n, w in (weights or {}).items()]
    graph = helper.make_graph(nodes, "g", [X], [y], initializer=tensors, **more.pop("graph", {}))
    return structure_hash(helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)], **more))


def resize(scale: float, *, computed: bool) -> str:
    scales = np.asarray([1, 1, scale, scale], np.float32)
    node = helper.make_node("Resize", ["x", "", "s"], ["y"])
    if not computed:
        return hashed([node], {"s": scales})
    return hashed([helper.make_node("Mul", ["half", "two"], ["s"]), node], {"half": scales / 2, "two": [2.0] * 4})


@pytest.mark.parametrize("computed", [False, True])
def test_scales_of_a_resize_count_however_they_are_made(computed: bool) -> None:
    assert resize(2, computed=computed) != resize(16, computed=computed)
    assert resize(2, computed=computed) == resize(2, computed=computed)


def test_numbers_that_runtimes_simplify_count_and_vectors_do_not() -> None:
    def scaled(op: str, value: Any) -> str:
        return hashed([helper.make_node(op, ["x", "c"], ["y"])], {"c": np.asarray(value, np.float32)})

    assert scaled("Mul", 1.0) != scaled("Mul", 0.5)
    assert scaled("Pow", 2.0) != scaled("Pow", 2.5)
    assert scaled("Mul", [1.0] * 8) == scaled("Mul", [0.5] * 8)
    assert scaled("Mul", [1.0] * 8) != scaled("Mul", [1.0])
    assert hashed([helper.make_node("Clip", ["x", "", "top"], ["y"])], {"top": np.float32(6)}) != hashed(
        [helper.make_node("Clip", ["x", "", "top"], ["y"])], {"top": np.float32(7)}
    )


@pytest.mark.parametrize("stored", ["initializer", "constant"])
def test_weights_do_not_count_but_their_shapes_and_types_do(stored: str) -> None:
    def convolved(value: float, size: int = 3, dtype: Any = np.float32) -> str:
        weight = np.full((4, 4, size, size), value, dtype)
        node = helper.make_node("Conv", ["x", "w"], ["y"])
        if stored == "initializer":
            return hashed([node], {"w": weight})
        constant = helper.make_node("Constant", [], ["w"], value=numpy_helper.from_array(weight))
        return hashed([constant, node])

    assert convolved(0.1) == convolved(0.2)
    assert len({convolved(0.1), convolved(0.1, 5), convolved(0.1, dtype=np.float16)}) == 3


def test_what_a_decision_is_computed_from_counts() -> None:
    def chosen(threshold: float, weight: float, *, decides: bool = True) -> str:
        def branch(op: str) -> onnx.GraphProto:
            out = helper.make_tensor_value_info(f"{op}.y", TensorProto.FLOAT, None)
            return helper.make_graph([helper.make_node(op, ["x"], [f"{op}.y"])], op, [], [out])

        nodes = [
            helper.make_node("Mul", ["x", "w"], ["scaled"]),
            helper.make_node("ReduceMax", ["scaled"], ["top"], keepdims=0),
            helper.make_node("Greater", ["top", "t"], ["flag"]),
        ]
        if decides:
            choice = {"then_branch": branch("Relu"), "else_branch": branch("Tanh")}
            nodes.append(helper.make_node("If", ["flag"], ["y"], **choice))
        else:
            nodes.append(helper.make_node("Cast", ["flag"], ["y"], to=1))
        return hashed(nodes, {"w": np.full(8, weight, np.float32), "t": np.full((1,), threshold, np.float32)})

    assert len({chosen(0.5, 1.0), chosen(0.9, 1.0), chosen(0.5, 2.0)}) == 3
    assert chosen(0.5, 1.0, decides=False) == chosen(0.5, 2.0, decides=False)


def test_large_integers_count() -> None:
    def gathered(last: int) -> str:
        places = np.asarray([0] * 99 + [last])
        return hashed([helper.make_node("Gather", ["x", "i"], ["y"], axis=3)], {"i": places})

    assert gathered(1) != gathered(2)


def test_sparse_constants_and_initialisers_count() -> None:
    def sparse(value: float, place: int, name: str = "w") -> onnx.SparseTensorProto:
        values = numpy_helper.from_array(np.asarray([value], np.float32), name)
        return helper.make_sparse_tensor(values, numpy_helper.from_array(np.asarray([place])), [8])

    add = helper.make_node("Add", ["x", "w"], ["y"])
    inside = [hashed([helper.make_node("Constant", [], ["w"], sparse_value=sparse(1.0, p)), add]) for p in (2, 3)]
    stored = [hashed([add], graph={"sparse_initializer": [sparse(v, 2)]}) for v in (1.0, 2.0)]
    assert len({*inside, *stored}) == 4


def test_attributes_of_every_kind_count() -> None:
    tensors = [numpy_helper.from_array(np.asarray([v], np.float32)) for v in (1.0, 2.0)]
    graphs = [helper.make_graph([helper.make_node(op, ["x"], ["z"])], "g", [], []) for op in ("Relu", "Tanh")]
    types = [helper.make_tensor_type_proto(1, [n]) for n in (2, 3)]

    def attribute(**values: Any) -> str:
        node = helper.make_node("Custom", ["x"], ["y"], domain="mine", **values)
        return hashed([node])

    one, other = {}, {}
    for name, pair in {"tensors": tensors, "graphs": graphs, "types": types}.items():
        one[name], other[name] = attribute(a=list(pair)), attribute(a=list(reversed(pair)))
    one["type"], other["type"] = attribute(a=types[0]), attribute(a=types[1])
    one["floats"], other["floats"] = attribute(a=1e-9), attribute(a=1e-10)
    assert len({*one.values(), *other.values()}) == 10


def test_functions_count_by_what_they_do(reference: Path) -> None:
    folder = reference / "cases" / "onnx"
    long, short = (structure_hash(load(folder / f"function_{n}.onnx")) for n in ("long", "short"))
    assert long != short


def test_constants_of_the_outer_graph_are_told_apart_in_branches() -> None:
    def branched(first: str, second: str) -> str:
        out = helper.make_tensor_value_info("z", TensorProto.FLOAT, None)
        node = helper.make_node("Sub", [first, second], ["z"])
        branch = helper.make_graph([node], "b", [], [out])
        weights = {"flag": np.asarray(True), "a": np.ones(8, np.float32), "b": np.ones((8, 1), np.float32)}
        nodes = [
            helper.make_node("Add", ["a", "x"], ["unused"]),
            helper.make_node("If", ["flag"], ["y"], then_branch=branch, else_branch=branch),
        ]
        return hashed(nodes, weights)

    assert branched("a", "b") != branched("b", "a")


def doubling(levels: int) -> onnx.ModelProto:
    """A model whose functions call each other twice, `levels` deep."""
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]
    functions = []
    for level in range(levels):
        inner, domain = ("Relu", "") if level == 0 else (f"f{level - 1}", "mine")
        nodes = [
            helper.make_node(inner, ["a"], ["b"], domain=domain),
            helper.make_node(inner, ["b"], ["c"], domain=domain),
        ]
        functions.append(helper.make_function("mine", f"f{level}", ["a"], ["c"], nodes, opsets))
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([helper.make_node(f"f{levels - 1}", ["x"], ["y"], domain="mine")], "g", [X], [y])
    return helper.make_model(graph, ir_version=8, opset_imports=opsets, functions=functions)


def test_functions_that_unfold_without_end_are_refused() -> None:
    structure_hash(doubling(4))
    with pytest.raises(MeasurementError, match="unfold to"):
        structure_hash(doubling(40))
    circular = doubling(3)
    circular.functions[0].node[0].op_type, circular.functions[0].node[0].domain = "f2", "mine"
    with pytest.raises(MeasurementError, match="calls itself"):
        structure_hash(circular)


def test_a_constant_that_cannot_be_read_is_one_line(tmp_path: Path, write_model: Make) -> None:
    path = write_model("bad.onnx", [helper.make_node("Reshape", ["x", "s"], ["y"])], {"x": [1, 4]}, {"y": [4]})
    model = onnx.load(str(path))
    tensor = TensorProto(name="s", data_type=TensorProto.INT64, dims=[10**6, 10**6], raw_data=b"\0" * 16)
    model.graph.initializer.append(tensor)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(MeasurementError, match=r"constant 's' \(1000000x1000000\) cannot be read") as refused:
        describe(path)
    assert "\n" not in str(refused.value)


def test_weights_that_lie_elsewhere_are_named(reference: Path, tmp_path: Path, write_model: Make) -> None:
    with pytest.raises(MeasurementError, match=r"keeps weights in 'gone.data', which is not there; put the file"):
        load(reference / "cases" / "onnx" / "external_lost.onnx")
    path = write_model("out.onnx", [helper.make_node("Add", ["x", "w"], ["y"])], {"x": [1, 4]}, {"y": [1, 4]})
    (tmp_path.parent / "secret.data").write_bytes(b"\0" * 16)
    for location in ("../secret.data", "/etc/passwd"):
        model = onnx.load(str(path))
        tensor = TensorProto(name="w", data_type=1, dims=[4], data_location=TensorProto.EXTERNAL)
        tensor.external_data.add(key="location", value=location)
        model.graph.initializer.append(tensor)
        outside = tmp_path / "outside.onnx"
        outside.write_bytes(model.SerializeToString())
        with pytest.raises(MeasurementError, match=r"the weights of .* cannot be read"):
            load(outside)
