"""Graphs in fp16 and int8, run by ONNX Runtime and held against the network that they come from."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from nasopt.errors import ExportError, ParityError
from nasopt.export import (
    Runner,
    check_assembled,
    compose_routed,
    describe,
    export_easy,
    export_hard,
    observe_ranges,
    to_fp16,
    to_int8,
)
from nasopt.graphs.work import graph_cost
from nasopt.networks import RoutedNetwork
from nasopt.records import ExportedModel, Precision
from nasopt.spec.training import QuantizationSpec

Make = Callable[..., RoutedNetwork]
OPTIONS = QuantizationSpec(reduce_range=True)
"""What the graph says must not hang on the processor: 16-bit sums saturate where there is no VNNI."""


def paths(network: RoutedNetwork, folder: Path, batch: int = 1) -> tuple[ExportedModel, ExportedModel]:
    shape = (batch, 3, 16, 16)
    with torch.inference_mode():
        features = network.eval().stem(torch.zeros(shape))
    easy = export_easy(network, shape, folder / f"easy-{batch}.onnx")
    return easy, export_hard(network, tuple(features.shape), folder / f"hard-{batch}.onnx")


def converted(
    network: RoutedNetwork,
    images: torch.Tensor,
    precision: Precision,
    folder: Path,
    options: QuantizationSpec = OPTIONS,
) -> tuple[ExportedModel, ExportedModel]:
    easy, hard = paths(network, folder)
    seen = images.numpy()
    if precision == "fp16":
        return to_fp16(easy, folder / "easy-c.onnx"), to_fp16(hard, folder / "hard-c.onnx")
    features = Runner(easy)(seen)[0]
    return (
        to_int8(easy, observe_ranges(easy, seen, options), folder / "easy-c.onnx", options),
        to_int8(hard, observe_ranges(hard, features, options), folder / "hard-c.onnx", options),
    )


def weights(model: ExportedModel, kind: str) -> set[int]:
    """Types of the constants that convolutions read as weights, through DequantizeLinear where there is one."""
    graph = onnx.load(model.path).graph
    types = {t.name: t.data_type for t in graph.initializer}
    unpacked = {n.output[0]: n.input[0] for n in graph.node if n.op_type == "DequantizeLinear"}
    return {types[unpacked.get(n.input[1], n.input[1])] for n in graph.node if n.op_type == kind}


@pytest.mark.parametrize(("precision", "kind"), [("fp16", onnx.TensorProto.FLOAT16), ("int8", onnx.TensorProto.INT8)])
@pytest.mark.parametrize("router", ["confidence", "learned", "difficulty"])
def test_converted_graphs_answer_nearly_as_the_network(
    network: Make, images: torch.Tensor, tmp_path: Path, precision: Precision, kind: int, router: str
) -> None:
    original = network(router)
    easy, hard = converted(original, images, precision, tmp_path)
    assert easy.precision == hard.precision == precision
    assert weights(easy, "Conv") == weights(hard, "Conv") == {kind}
    for model in (easy, hard):
        graph = onnx.load(model.path).graph
        ends = {v.type.tensor_type.elem_type for v in (*graph.input, *graph.output)}
        assert ends == {onnx.TensorProto.FLOAT}
    features, little, scores = Runner(easy)(images.numpy())
    (big,) = Runner(hard)(features)
    with torch.inference_mode():
        _, expected_little, expected_scores = original.easy(images)
        expected_big = original.hard(original.stem(images))
    tolerance = 0.005 if precision == "fp16" else 0.12
    for got, expected in ((little, expected_little), (big, expected_big)):
        spread = float(expected.std())
        gap = np.abs(got - expected.numpy())
        assert gap.max() > 0
        assert np.sqrt((gap**2).mean()) < tolerance * spread
    assert np.abs(scores - expected_scores.numpy()).mean() < tolerance


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_the_router_itself_stays_in_fp32(
    network: Make, images: torch.Tensor, tmp_path: Path, precision: Precision
) -> None:
    easy, _ = converted(network("learned"), images, precision, tmp_path)
    graph = onnx.load(easy.path).graph
    routers = [t for t in graph.initializer if t.name.startswith("router.")]
    assert routers
    assert {t.data_type for t in routers} == {onnx.TensorProto.FLOAT}


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_scores_stay_finite_where_an_answer_is_sure(
    network: Make, images: torch.Tensor, tmp_path: Path, precision: Precision
) -> None:
    """The difficulty router takes logarithms of probabilities clamped at 1e-8, which float16 does not know."""
    original = network("difficulty")
    with torch.no_grad():
        original.little.head.weight.mul_(20)
    easy, _ = converted(original, images, precision, tmp_path)
    scores = Runner(easy)(images.numpy())[2]
    assert np.isfinite(scores).all()
    graph = onnx.load(easy.path).graph
    after = [n.op_type for n in graph.node if n.name in _nodes_behind(graph, "logits")]
    assert "Log" in after
    assert not {"Cast", "QuantizeLinear"} & set(after)


def _nodes_behind(graph: onnx.GraphProto, value: str) -> set[str]:
    reached, names = {value}, set()
    for node in graph.node:
        if reached.intersection(node.input):
            reached.update(node.output)
            names.add(node.name)
    return names


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_the_routed_graph_does_what_its_converted_paths_do(
    network: Make, images: torch.Tensor, tmp_path: Path, precision: Precision
) -> None:
    easy, hard = converted(network(), images, precision, tmp_path)
    routed = compose_routed(easy, hard, tmp_path / "routed.onnx", 0.5)
    assert routed.precision == precision
    check_assembled(easy, hard, routed, images.numpy())
    (tmp_path / "other").mkdir()
    _, other = converted(network(seed=3), images, precision, tmp_path / "other")
    with pytest.raises(ParityError, match="does not compute what its paths do"):
        check_assembled(easy, other, routed, images.numpy())


def test_ranges_seen_at_batch_1_serve_every_batch(network: Make, images: torch.Tensor, tmp_path: Path) -> None:
    single, _ = paths(network(), tmp_path)
    ranges = observe_ranges(single, images.numpy(), OPTIONS)
    one = to_int8(single, ranges, tmp_path / "one.onnx", OPTIONS)
    batched, _ = paths(network(), tmp_path, batch=8)
    eight = to_int8(batched, ranges, tmp_path / "eight.onnx", OPTIONS)
    for left, right in zip(Runner(one)(images.numpy()), Runner(eight)(images.numpy()), strict=True):
        assert np.abs(left - right).max() < 1e-4


def test_symmetric_activations_have_no_zero_point(network: Make, images: torch.Tensor, tmp_path: Path) -> None:
    easy, _ = converted(network(), images, "int8", tmp_path, QuantizationSpec(activations="int8", method="percentile"))
    graph = onnx.load(easy.path).graph
    constants = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
    points = [constants[n.input[2]] for n in graph.node if n.op_type == "QuantizeLinear"]
    assert points
    assert all(p.dtype == np.int8 and not p.any() for p in points)


def test_a_percentile_cuts_what_minmax_keeps(network: Make, images: torch.Tensor, tmp_path: Path) -> None:
    easy, _ = paths(network(), tmp_path)
    outlier = images.numpy().copy()
    outlier[0, 0, 0, 0] = 1e4
    span = {}
    for method in ("minmax", "percentile", "entropy"):
        ranges = observe_ranges(easy, outlier, QuantizationSpec(method=method))
        span[method] = float(np.ravel(ranges["image"].range_value[1])[0])
    assert span["minmax"] == pytest.approx(1e4)
    assert span["percentile"] < 1e3


def test_costs_do_not_depend_on_the_ranges(network: Make, images: torch.Tensor, tmp_path: Path) -> None:
    easy, _ = paths(network(), tmp_path)
    made = [
        to_int8(easy, observe_ranges(easy, x, OPTIONS), tmp_path / f"{i}.onnx", OPTIONS)
        for i, x in enumerate((images.numpy(), 3 * images.numpy()[:8] + 1))
    ]
    assert made[0].structure == made[1].structure != easy.structure


def test_a_quantised_graph_has_the_work_of_its_original(network: Make, images: torch.Tensor, tmp_path: Path) -> None:
    """Relu joins the range of the convolution before it, which costs nothing on its own either way."""
    network = network("difficulty")
    easy, hard = converted(network, images, "int8", tmp_path)
    plain_easy, plain_hard = paths(network, tmp_path)
    routed = compose_routed(easy, hard, tmp_path / "routed.onnx", 0.5)
    plain = compose_routed(plain_easy, plain_hard, tmp_path / "plain.onnx", 0.5)
    for quantized, original in ((easy, plain_easy), (hard, plain_hard), (routed, plain)):
        left, right = graph_cost(quantized.path), graph_cost(original.path)
        assert Counter(left.nodes) == Counter(right.nodes)
        assert left.weights == right.weights


def test_weights_alone_in_8_bits_are_not_int8_arithmetic(network: Make, images: torch.Tensor, tmp_path: Path) -> None:
    _, hard = converted(network(), images, "int8", tmp_path)
    model = onnx.load(hard.path)
    alias: dict[str, str] = {}
    kept = []
    constants = {t.name for t in model.graph.initializer}
    for node in model.graph.node:
        for i, name in enumerate(node.input):
            node.input[i] = alias.get(name, name)
        if node.op_type == "QuantizeLinear" or (node.op_type == "DequantizeLinear" and node.input[0] not in constants):
            alias[node.output[0]] = node.input[0]
        else:
            kept.append(node)
    del model.graph.node[:]
    model.graph.node.extend(kept)
    onnx.save(model, tmp_path / "unpacked.onnx")
    assert describe(tmp_path / "unpacked.onnx").precision == "fp32"


def test_images_that_do_not_fit_are_refused(network: Make, images: torch.Tensor, tmp_path: Path) -> None:
    easy, _ = paths(network(), tmp_path, batch=8)
    for wrong in (images.numpy()[:, :1], images.numpy()[:3]):
        with pytest.raises(ExportError, match="images to calibrate on are"):
            observe_ranges(easy, wrong, OPTIONS)


def test_the_libraries_say_nothing(
    network: Make, images: torch.Tensor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logging.getLogger(), "level", logging.WARNING)
        converted(network(), images, "int8", tmp_path, QuantizationSpec(method="entropy"))
        converted(network(), images, "fp16", tmp_path)
    said = capsys.readouterr()
    assert said.out == said.err == ""
