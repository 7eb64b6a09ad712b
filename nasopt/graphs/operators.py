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
    "transposed",
    "recurrent",
]

_FREE = frozenset({"Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Dropout", "Constant", "Shape", "Size"})
"""Only rename memory, or cost nothing themselves."""
_STANDARD = ("", "ai.onnx")

_BY_KIND: dict[Kind, str] = {
    "convolution": "Conv ConvInteger QLinearConv DeformConv",
    "transposed": "ConvTranspose",
    "dense": "Gemm MatMul MatMulInteger QLinearMatMul Einsum Attention",
    "recurrent": "LSTM GRU RNN",
    "pool": "AveragePool MaxPool LpPool RoiAlign MaxRoiPool",
    "mean": "GlobalAveragePool GlobalMaxPool GlobalLpPool ReduceMean ReduceMax ReduceMin ReduceSum ReduceProd "
    "ReduceLogSumExp ReduceLogSum ReduceL1 ReduceL2 ReduceSumSquare ArgMax ArgMin TopK",
    "activation": "Relu Clip LeakyRelu PRelu Sigmoid HardSigmoid HardSwish Tanh Elu Selu Celu Gelu Mish Swish Softplus "
    "Softsign ThresholdedRelu Shrink",
    "add": "Add Sum",
    "elementwise": "BatchNormalization LayerNormalization InstanceNormalization GroupNormalization RMSNormalization "
    "LRN LpNormalization MeanVarianceNormalization Softmax LogSoftmax Hardmax Mul Sub Div Pow Mod Min Max Mean Where "
    "Abs Neg Sign Sqrt Reciprocal Erf Exp Log Ceil Floor Round Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh Acosh Atanh "
    "Det Less LessOrEqual Greater GreaterOrEqual Equal Not And Or Xor BitShift BitwiseAnd BitwiseOr BitwiseXor "
    "BitwiseNot IsNaN IsInf CumSum CumProd DynamicQuantizeLinear RotaryEmbedding DFT STFT Bernoulli RandomNormal "
    "RandomNormalLike RandomUniform RandomUniformLike Multinomial HannWindow HammingWindow BlackmanWindow "
    "MelWeightMatrix BitCast",
    "copy": "Transpose Concat Pad CenterCropPad Slice Split Gather GatherElements GatherND Scatter ScatterElements "
    "ScatterND TensorScatter Cast CastLike Expand Tile Resize Upsample GridSample AffineGrid Col2Im DepthToSpace "
    "SpaceToDepth Trilu OneHot ReverseSequence MaxUnpool Range EyeLike ConstantOfShape NonZero Compress Unique "
    "NonMaxSuppression",
}
_KINDS: dict[str, Kind] = {op: kind for kind, ops in _BY_KIND.items() for op in ops.split()}


def is_free(node: onnx.NodeProto) -> bool:
    """Whether an operator only renames memory, or costs nothing itself."""
    return node.domain in _STANDARD and node.op_type in _FREE


def kind_of(node: onnx.NodeProto, path: Path) -> Kind:
    """The kind of an operator that is not free; of a convolution always `convolution`.

    Raises:
        MeasurementError: nothing is known of this operator's cost.
    """
    if node.domain in _STANDARD and (kind := _KINDS.get(node.op_type)) is not None:
        return kind
    name = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
    where = f" at {node.name}" if node.name else ""
    raise MeasurementError(
        f"{path}: no cost is known for operator {name}{where}; nearly all of ONNX' own operators have one, those of "
        "other domains, sequences and texts have none: measure this graph on the device itself"
    )
