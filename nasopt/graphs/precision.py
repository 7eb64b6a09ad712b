"""Graphs in lower precision: fp16, and int8 whose activation ranges were seen on images (static, QDQ).

Inputs and outputs stay float32, so whatever takes the fp32 graph takes these. What only the router's score needs stays
in fp32 too: it is next to no work, and a threshold compared with 256 levels of score would be another threshold.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import onnx
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QDQQuantizer, QuantType
from onnxruntime.quantization.calibrate import create_calibrator
from onnxruntime.quantization.onnx_model import ONNXModel
from onnxruntime.transformers.float16 import convert_float_to_float16

from nasopt.errors import ExportError
from nasopt.graphs.model import IR_VERSION, read, save
from nasopt.graphs.running import Array
from nasopt.records import ExportedModel
from nasopt.spec.training import QuantizationSpec

PERCENTILE = 99.99
"""And its complement are the ends of the range, for the method `percentile`."""
_CHUNK = 16
"""Batches of activations that the methods with histograms hold at once."""
_QUANTIZED = [
    *("Conv", "Gemm", "MatMul", "Add", "Relu", "Clip", "Concat"),
    *("MaxPool", "AveragePool", "GlobalAveragePool", "Flatten", "Reshape", "Transpose"),
]
Ranges: TypeAlias = Any
"""Ranges of activations by name: the library's `TensorsData`."""
_METHODS = {
    "minmax": CalibrationMethod.MinMax,
    "percentile": CalibrationMethod.Percentile,
    "entropy": CalibrationMethod.Entropy,
}


def to_fp16(model: ExportedModel, path: Path) -> ExportedModel:
    """Write a graph in half precision: weights and arithmetic in float16, casts at the ends.

    Raises:
        ExportError: the graph has an operator that does not convert, or the file cannot be written.
    """
    original = onnx.shape_inference.infer_shapes(read(model.path))
    outputs = list(original.graph.output)
    score = _cut_score(original.graph)  # the converter would put two casts between any two nodes that it spares
    try:
        converted = convert_float_to_float16(original, keep_io_types=True)
    except Exception as error:  # the converter's checks raise whatever Python raises
        raise ExportError(f"{model.path} does not convert to fp16: {error}") from error
    converted.graph.node.extend(score.node)
    converted.graph.initializer.extend(score.initializer)
    del converted.graph.output[:]
    converted.graph.output.extend(outputs)
    return _save_sorted(ONNXModel(converted), path)


def _cut_score(graph: onnx.GraphProto) -> onnx.GraphProto:
    """Move what only the score needs into a graph of its own; what it reads becomes outputs of the rest."""
    alone = set(_only_for_score(graph))
    cut = onnx.GraphProto(node=[n for n in graph.node if n.name in alone])
    kept = [n for n in graph.node if n.name not in alone]
    made = {name for node in kept for name in node.output}
    read_there = dict.fromkeys(name for node in cut.node for name in node.input)
    read_here = {name for node in kept for name in node.input}
    weights = {t.name: t for t in graph.initializer}
    for name in (n for n in read_there if n in weights):
        tensor = cut.initializer.add()
        tensor.CopyFrom(weights[name])
        if name in read_here:
            tensor.name = f"score/{name}"
            for node in cut.node:
                node.input[:] = [tensor.name if n == name else n for n in node.input]
    shapes = {v.name: v for v in (*graph.value_info, *graph.output)}
    ends = [v for v in graph.output if v.name in made]
    ends += [shapes[n] for n in read_there if n in made and n not in {v.name for v in ends}]
    rest = onnx.GraphProto(node=kept, output=ends, initializer=[t for t in graph.initializer if t.name in read_here])
    for field in ("node", "output", "initializer", "value_info"):  # shapes are inferred anew
        graph.ClearField(field)
    graph.MergeFrom(rest)
    return cut


def to_int8(model: ExportedModel, ranges: Ranges, path: Path, options: QuantizationSpec) -> ExportedModel:
    """Write a graph with 8-bit weights and activations, as pairs of QuantizeLinear and DequantizeLinear.

    Logits are not quantised, and biases have 32 bits. [Jacob2018] `ranges` are those of this graph at any batch.

    Raises:
        ExportError: the graph cannot be quantised.
    """
    original = onnx.shape_inference.infer_shapes(read(model.path))
    try:
        quantizer = QDQQuantizer(
            original,
            options.per_channel,
            options.reduce_range,
            QuantType.QInt8,
            QuantType.QUInt8 if options.activations == "uint8" else QuantType.QInt8,
            ranges,
            [],
            _only_for_score(original.graph),
            _QUANTIZED,
            {
                "ActivationSymmetric": options.activations == "int8",
                "OpTypesToExcludeOutputQuantization": ["Gemm", "MatMul"],  # the logits
            },
        )
        quantizer.quantize_model()
    except Exception as error:  # the quantizer's checks raise whatever Python raises
        raise ExportError(f"{model.path} cannot be quantised: {error}") from error
    return _save_sorted(quantizer.model, path)


def observe_ranges(model: ExportedModel, images: Array, options: QuantizationSpec) -> Ranges:
    """The range of every activation of a graph over `images` (n, ...), its inputs; n is cut to whole batches.

    Raises:
        ExportError: the images do not fit the graph or fill no batch.
    """
    (name, shape), size = model.inputs[0], model.batch
    if images.shape[1:] != shape[1:] or len(images) < size:
        raise ExportError(f"{model.path} takes batches of shape {shape}; images to calibrate on are {images.shape}")
    batches = [images[i : i + size] for i in range(0, len(images) - size + 1, size)]
    chunk = len(batches) if options.method == "minmax" else _CHUNK
    with TemporaryDirectory(prefix="nasopt-") as folder, redirect_stdout(io.StringIO()):  # the library prints
        calibrator = create_calibrator(
            str(model.path),
            _QUANTIZED,
            augmented_model_path=str(Path(folder) / "augmented.onnx"),
            calibrate_method=_METHODS[options.method],
            extra_options={"symmetric": False, "percentile": PERCENTILE},
        )
        for first in range(0, len(batches), chunk):
            calibrator.collect_data(_Batches(name, iter(batches[first : first + chunk])))
        return calibrator.compute_data()


def _save_sorted(converted: ONNXModel, path: Path) -> ExportedModel:
    """Write a converted graph; the libraries put what they insert at the end, and ONNX wants it before its readers."""
    converted.topological_sort()
    converted.model.ir_version = IR_VERSION
    return save(converted.model, path)


class _Batches(CalibrationDataReader):  # type: ignore[misc]
    """Hands out batches one by one, as the calibrator wants them."""

    def __init__(self, name: str, batches: Iterator[Array]) -> None:
        self._name, self._batches = name, batches

    def get_next(self) -> dict[str, Array] | None:
        batch = next(self._batches, None)
        return None if batch is None else {self._name: batch}


def _only_for_score(graph: onnx.GraphProto) -> list[str]:
    """Names of the nodes that nothing but the output `score` needs; none in a graph without that output."""
    outputs = [v.name for v in graph.output]
    if "score" not in outputs:
        return []
    needed = set(outputs) - {"score"}
    alone = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
        else:
            alone.append(node.name)
    return alone
