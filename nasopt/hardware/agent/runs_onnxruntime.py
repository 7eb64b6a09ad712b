"""ONNX Runtime. Option: `providers`, the wanted one first."""

import os
from typing import Any, Callable, Dict, List, Tuple

import numpy as np
import onnxruntime

from .inputs import run_drawn
from .refusals import RefusedError, first_line

_TYPES: Dict[str, Any] = {
    "tensor({})".format(name): np.dtype(kind)
    for name, kind in [("float", "float32"), ("float16", "float16"), ("double", "float64"), ("bool", "bool")]
    + [(sign + "int" + bits,) * 2 for sign in ("", "u") for bits in ("8", "16", "32", "64")]
}


def describe(options: Dict[str, Any]) -> Dict[str, Any]:
    """Version and providers.

    Raises:
        RefusedError: the wanted provider is not in this build.
    """
    available = onnxruntime.get_available_providers()
    wanted = _providers(options)[0]
    if wanted not in available:
        raise RefusedError(
            f"the device wants {wanted}; {_version()} here has {', '.join(available)}",
            "install the build of onnxruntime that brings it",
        )
    return {"runtime": _version(), "provider": wanted, "available": list(available)}


def open_run(model_path: str, threads: int, options: Dict[str, Any]) -> Tuple[Callable[[], None], Dict[str, Any]]:
    """A session that runs operators one after another, without spinning, with inputs and outputs bound once.

    Inputs are drawn, see `inputs`. Denormals are not flushed to zero: ONNX Runtime would switch that for the calling
    thread for good, and training in this process would change.

    Raises:
        RefusedError: ONNX Runtime does not take the file, another provider than the wanted one runs it, or an input is
            no tensor of numbers of fixed shape.
    """
    if not os.path.isfile(model_path):
        raise RefusedError(f"no model at {model_path}", "export it first")
    providers = _providers(options)
    session = open_session(model_path, threads, providers)
    refuse_fallback(session, providers[0])
    return _bound(session, model_path), {"runtime": _version(), "provider": session.get_providers()[0]}


def refuse_fallback(session: Any, wanted: str) -> None:
    """Raises RefusedError where another provider than the wanted one runs a session."""
    used = session.get_providers()
    if not used or used[0] != wanted:
        raise RefusedError(
            f"wanted {wanted}, ONNX Runtime fell back to {', '.join(used) or 'nothing'}",
            "its log says why (usually a missing library of the accelerator)",
        )


def _providers(options: Dict[str, Any]) -> List[str]:
    return list(options.get("providers") or ["CPUExecutionProvider"])


def _version() -> str:
    return "onnxruntime " + onnxruntime.__version__


def open_session(model_path: str, threads: int, providers: List[str]) -> Any:
    """A session of the graph with the settings of every measurement.

    Raises:
        RefusedError: ONNX Runtime does not take the file.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(model_path, options, providers=providers)
    except Exception as error:  # ONNX Runtime's exceptions share no base but this
        raise RefusedError(f"{_version()} does not take {model_path}: {first_line(error)}")


def _bound(session: Any, name: str) -> Callable[[], None]:
    """One run with inputs and outputs bound beforehand."""
    binding = session.io_binding()
    inputs = session.get_inputs()
    for value in inputs:
        if any(not isinstance(d, int) or d < 1 for d in value.shape) or value.type not in _TYPES:
            raise RefusedError(
                f"{name}: input {value.name!r} is {value.type} of shape {value.shape}; expected a tensor of numbers of "
                "fixed shape",
                "export with fixed shapes",
            )

    def fill(arrays: List[Any]) -> None:
        for value, array in zip(inputs, arrays):
            binding.bind_ortvalue_input(value.name, onnxruntime.OrtValue.ortvalue_from_numpy(array))

    for value in session.get_outputs():
        fixed = value.type in _TYPES and all(isinstance(d, int) and d >= 0 for d in value.shape)
        if fixed:
            space = onnxruntime.OrtValue.ortvalue_from_shape_and_type(value.shape, _TYPES[value.type])
            binding.bind_ortvalue_output(value.name, space)
        else:
            binding.bind_output(value.name)

    def run() -> None:
        session.run_with_iobinding(binding)

    try:
        run_drawn([(value.shape, _TYPES[value.type]) for value in inputs], fill, run)
    except Exception as error:
        raise RefusedError(f"{name} does not run under {_version()}: {first_line(error)}")
    return run
