"""The operators whose work is known, and the kind of kernel that each one is."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias

import onnx

from nasopt.errors import MeasurementError

Kind: TypeAlias = Literal[
    "convolution",
    "pointwise",
    "depthwise",
    "grouped",
    "dense",
    "pool",
    "mean",
    "activation",
    "fused-activation",
    "add",
    "fused-add",
    "elementwise",
    "copy",
]

FREE = frozenset({"Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Dropout", "Constant", "Shape"})
"""Only rename memory, or cost nothing themselves."""

_BY_KIND: dict[Kind, str] = {
    "convolution": "Conv",
    "dense": "Gemm MatMul",
    "pool": "AveragePool MaxPool",
    "mean": "GlobalAveragePool GlobalMaxPool ReduceMean ReduceMax ReduceMin ReduceSum ReduceProd ReduceLogSumExp "
    "ArgMax ArgMin TopK",
    "activation": "Relu Clip LeakyRelu PRelu Sigmoid HardSigmoid HardSwish Tanh Elu Softplus",
    "add": "Add Sum",
    "elementwise": "BatchNormalization LayerNormalization Softmax LogSoftmax Mul Sub Div Pow Min Max Where Abs Neg "
    "Sign Sqrt Reciprocal Erf Exp Log Ceil Floor Less LessOrEqual Greater GreaterOrEqual Equal Not And Or",
    "copy": "Transpose Concat Pad Slice Split Gather Cast Expand",
}
_KINDS: dict[str, Kind] = {op: kind for kind, ops in _BY_KIND.items() for op in ops.split()}


def kind_of(node: onnx.NodeProto, path: Path) -> Kind:
    """The kind of an operator that is not free; of a convolution always `convolution`.

    Raises:
        MeasurementError: nothing is known of this operator's cost.
    """
    if node.domain in ("", "ai.onnx") and (kind := _KINDS.get(node.op_type)) is not None:
        return kind
    name = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
    where = f" at {node.name}" if node.name else ""
    raise MeasurementError(
        f"{path}: no cost is known for operator {name}{where}; a predicted device knows {', '.join(sorted(_KINDS))} "
        "and what only renames memory; measure this graph on the device itself"
    )
