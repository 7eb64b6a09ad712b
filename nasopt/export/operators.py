"""All ATen operations that can be exported (ONNX opset 18)."""

from nasopt.export import elementwise, layers, reductions, shapes
from nasopt.export.registry import TRANSLATIONS

__all__ = ["TRANSLATIONS", "elementwise", "layers", "reductions", "shapes"]
