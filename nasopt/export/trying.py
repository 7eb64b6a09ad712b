"""Which runtimes at hand take an exported graph, and whether they answer alike."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

from nasopt.graphs.running import Array
from nasopt.records import ExportedModel

TOLERANCE = 1e-3
"""Largest difference of two runtimes' outputs that is rounding, as a fraction of the largest value."""


def try_runtimes(model: ExportedModel) -> dict[str, str]:
    """What becomes of a graph in ONNX Runtime and, where it is installed, OpenVINO: by name and version.

    Each runs it on one input of standard normal draws, as it is, without what this project does for them elsewhere.
    """
    name, shape = model.inputs[0]
    image = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    tried: dict[str, str] = {}
    first: list[Array] | None = None
    for module, run in (("onnxruntime", _onnxruntime), ("openvino", _openvino)):
        if find_spec(module) is None:
            continue
        runtime, answer = _attempt(run, str(model.path), name, image)
        if isinstance(answer, str):
            tried[runtime] = f"failed: {answer}"
            continue
        tried[runtime] = "runs" if first is None or _alike(first, answer) else "runs, and answers otherwise"
        first = answer if first is None else first
    return tried


def _attempt(run: Callable[..., Any], path: str, name: str, image: Array) -> tuple[str, list[Array] | str]:
    version, go = run()
    try:
        return version, [np.asarray(value) for value in go(path, name, image)]
    except Exception as error:  # the runtimes' exceptions share no base but this
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return version, lines[-1] if lines else type(error).__name__


def _onnxruntime() -> tuple[str, Callable[[str, str, Array], Any]]:
    import onnxruntime

    def go(path: str, name: str, image: Array) -> Any:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"]).run(None, {name: image})

    return f"ONNX Runtime {onnxruntime.__version__}", go


def _openvino() -> tuple[str, Callable[[str, str, Array], Any]]:
    import openvino

    def go(path: str, name: str, image: Array) -> Any:
        compiled = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        return list(compiled({name: image}).values())

    return f"OpenVINO {openvino.__version__.partition('-')[0]}", go


def _alike(first: list[Array], second: list[Array]) -> bool:
    return len(first) == len(second) and all(
        a.shape == b.shape and np.allclose(a, b, rtol=0, atol=TOLERANCE * max(1.0, float(np.abs(a).max())))
        for a, b in zip(first, second, strict=True)
    )
