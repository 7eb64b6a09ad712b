"""The measuring package runs on boards with old Pythons, alone: its syntax, its library calls and what it imports."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from nasopt.hardware import agent

FILES = sorted(Path(agent.__file__).parent.glob("*.py"))
RUNTIMES = {
    "runs_onnxruntime": {"onnxruntime"},
    "runs_openvino": {"openvino", "onnx"},
    "runs_torch": {"torch"},
    "runs_litert": {"ai_edge_litert", "tflite_runtime"},
    "runs_tensorrt": {"tensorrt"},
    "gpu": {"cuda"},
    "torch_graph": {"torch", "onnx"},
    "torch_operators": {"torch"},
    "sensor_nvml": {"pynvml"},
}
"""What a module for a runtime or sensor may import beside the standard library and numpy."""


def test_there_are_some() -> None:
    assert {"__init__.py", "loop.py", "runs_onnxruntime.py"} <= {f.name for f in FILES}


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_is_python_3_6(file: Path) -> None:
    tree = ast.parse(file.read_text(), feature_version=(3, 6))
    names = {node.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for node in node.names}
    assert "annotations" not in names
    assert "dataclass" not in names


def test_calls_nothing_that_came_after_python_3_6() -> None:
    vermin = pytest.importorskip("vermin")
    config = vermin.Config()
    config.set_eval_annotations(True)
    for name in (
        "importlib.metadata",
        "importlib.metadata.version",
    ):  # LiteRT's version; done without where it is missing
        config.add_exclusion(name)
    for file in FILES:
        visitor = vermin.visit(file.read_text(), config=config)
        newest = visitor.minimum_versions()[1]
        assert newest is None or newest <= (3, 6), f"{file.name} needs Python {newest}: {visitor.output_text()}"


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_imports_the_standard_library_numpy_its_runtime_and_itself(file: Path) -> None:
    allowed = {*sys.stdlib_module_names, "numpy", *RUNTIMES.get(file.stem, set())}
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            assert {alias.name.partition(".")[0] for alias in node.names} <= allowed
        if isinstance(node, ast.ImportFrom):
            assert node.level == 1 or (node.level == 0 and (node.module or "").partition(".")[0] in allowed)
