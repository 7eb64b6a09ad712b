"""OpenVINO. Options: `device` (CPU), `inference_precision` (f32, bf16 or f16).

OpenVINO computes in bfloat16 by itself where a processor can, so the precision is set, and looked up in what was
compiled.
"""

import os
import tempfile
from typing import Any, Callable, Dict, List, Tuple

import numpy as np
import openvino
from openvino.frontend import FrontEndManager

from .inputs import run_drawn
from .refusals import RefusedError, first_line

_TYPES = ("f16", "f32", "f64", "boolean", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64")
"""Of inputs."""
_PRECISIONS = ("f32", "bf16", "f16")
_AXES_IGNORED = (b"ReduceL1", b"ReduceLogSum", b"ReduceLogSumExp")
"""Reduced over all axes, whatever they say, below operator set 18 (OpenVINO issue 38238, open in 2026.4)."""
_AXES_AS_INPUT = 18


def describe(options: Dict[str, Any]) -> Dict[str, Any]:
    """Version and device.

    Raises:
        RefusedError: there is no such device or precision.
    """
    core, device = openvino.Core(), _device(options)
    _precision(options)
    available = list(core.available_devices)
    if device.partition(".")[0] not in {name.partition(".")[0] for name in available}:
        raise RefusedError(
            f"the device wants {device}; {_version()} here has {', '.join(available) or 'no device'}",
            "name one of these in the option device, or install the driver of the other",
        )
    return {"runtime": _version(), "provider": device, "available": available}


def open_run(model_path: str, threads: int, options: Dict[str, Any]) -> Tuple[Callable[[], None], Dict[str, Any]]:
    """A compiled network in one stream on this many threads, which are free to move between cores.

    Inputs are drawn, see `inputs`. Thread pinning is off: on a shared machine it would tie two programs to one core.

    Raises:
        RefusedError: OpenVINO does not take the file, another device, precision or number of threads than the wanted
            one runs it, or an input is no tensor of numbers of fixed shape.
    """
    session = Session(model_path, threads, options)
    shapes = [shape for _, shape in session.inputs]
    run_drawn(list(zip(shapes, session.kinds)), session.fill, session.run)
    return session.once, session.facts


class Session:
    """A network that is ready to run: `once` runs it, after `fill` has set its inputs."""

    def __init__(self, model_path: str, threads: int, options: Dict[str, Any]) -> None:
        device, precision = _device(options), _precision(options)
        model = _converted(model_path)
        self.inputs = [_input(model_path, value) for value in model.inputs]
        self.kinds = [value.element_type.to_dtype() for value in model.inputs]
        compiled = _compiled(model, model_path, threads, device, precision)
        self._request = compiled.create_infer_request()
        self.facts = {"runtime": _version(), "provider": f"{device}, {_computes_in(compiled) or precision}"}
        self._held: List[Any] = []
        self._path = model_path

    def fill(self, arrays: List[Any]) -> None:
        """Set the inputs, arrays in the graph's order; they are read in place by every run."""
        self._held = [np.array(a, dtype=kind, order="C") for a, kind in zip(arrays, self.kinds)]
        for index, array in enumerate(self._held):
            self._request.set_input_tensor(index, openvino.Tensor(array, shared_memory=True))

    def once(self) -> None:
        """Run once. Bound to the session, since OpenVINO does not keep the arrays that it reads alive."""
        self._request.infer()

    def run(self) -> List[Any]:
        """Run once and return copies of the results."""
        try:
            self._request.infer()
        except Exception as error:  # OpenVINO's exceptions share no base but this
            raise RefusedError(f"{self._path} does not run under {_version()}: {_reason(error)}")
        count = len(self._request.model_outputs)
        return [np.array(self._request.get_output_tensor(i).data) for i in range(count)]


def _device(options: Dict[str, Any]) -> str:
    device = str(options.get("device") or "CPU")
    if device.partition(":")[0] in ("AUTO", "MULTI", "HETERO", "BATCH"):
        raise RefusedError(f"{device} leaves the choice of the device to OpenVINO", "name one device, such as CPU")
    return device


def _precision(options: Dict[str, Any]) -> str:
    precision = str(options.get("inference_precision") or "f32")
    if precision not in _PRECISIONS:
        raise RefusedError(
            f"inference_precision {precision!r} is none of {', '.join(_PRECISIONS)}",
            "what is quantised in the graph runs in integers beside it",
        )
    return precision


def _version() -> str:
    return "openvino " + openvino.__version__.partition("-")[0]


def _converted(model_path: str) -> Any:
    """The network as OpenVINO's own, by the reader of ONNX alone: the others complain about what is damaged."""
    if not os.path.isfile(model_path):
        raise RefusedError(f"no model at {model_path}", "export it first")
    try:
        with _Readable(model_path) as path:
            reader = FrontEndManager().load_by_framework("onnx")
            model = reader.convert(reader.load(path))
    except RefusedError:
        raise
    except Exception as error:
        raise RefusedError(f"{_version()} does not take {model_path}: {_reason(error)}")
    if not model.outputs:
        raise RefusedError(f"{_version()} does not take {model_path}: it holds no graph")
    if not model.inputs:
        raise RefusedError(f"{_version()} does not take {model_path}: nothing in it hangs on an input")
    return model


class _Readable:
    """Path of a graph that OpenVINO reads as ONNX means it: the file itself, or a copy in a later operator set."""

    def __init__(self, model_path: str) -> None:
        self._path, self._copy = model_path, ""

    def __enter__(self) -> str:
        with open(self._path, "rb") as file:
            content = file.read()
        if not any(name in content for name in _AXES_IGNORED):
            return self._path
        try:
            import onnx
            from onnx import version_converter
        except ImportError:
            raise RefusedError(
                f"{self._path} reduces by logarithms or absolute values, whose axes OpenVINO ignores below operator "
                f"set {_AXES_AS_INPUT}",
                "install onnx beside openvino, which converts it, or export with a later operator set",
            )
        model = onnx.load(self._path)
        if all(o.version >= _AXES_AS_INPUT for o in model.opset_import if o.domain in ("", "ai.onnx")):
            return self._path
        handle, self._copy = tempfile.mkstemp(suffix=".onnx")
        os.close(handle)
        onnx.save(version_converter.convert_version(model, _AXES_AS_INPUT), self._copy)
        return self._copy

    def __exit__(self, *error: object) -> None:
        if self._copy:
            os.unlink(self._copy)


def _input(model_path: str, value: Any) -> Tuple[str, Tuple[int, ...]]:
    shape, kind = value.partial_shape, value.element_type
    if shape.is_dynamic or kind.get_type_name() not in _TYPES:
        raise RefusedError(
            f"{model_path}: input {value.any_name!r} is {kind.get_type_name()} of shape {shape}; expected a tensor of "
            "numbers of fixed shape",
            "export with fixed shapes",
        )
    return value.any_name, tuple(shape.to_shape())


def _compiled(model: Any, model_path: str, threads: int, device: str, precision: str) -> Any:
    wanted = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1}
    if device == "CPU":
        wanted.update({"INFERENCE_NUM_THREADS": threads, "ENABLE_CPU_PINNING": False})
    try:
        compiled = openvino.Core().compile_model(model, device, wanted)
    except Exception as error:
        raise RefusedError(f"{_version()} does not take {model_path} on {device}: {_reason(error)}")
    used = list(compiled.get_property("EXECUTION_DEVICES"))
    if used != [device]:
        raise RefusedError(f"wanted {device}, OpenVINO runs on {', '.join(used)}", "name that device instead")
    got = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
    if got != precision:
        raise RefusedError(
            f"wanted {precision}, OpenVINO computes in {got} on this {device}",
            "set inference_precision to what it has, or leave it at f32",
        )
    if device == "CPU" and compiled.get_property("INFERENCE_NUM_THREADS") != threads:
        seen = compiled.get_property("INFERENCE_NUM_THREADS")
        raise RefusedError(f"wanted {threads} threads, OpenVINO takes {seen} here", "ask for no more than the cores")
    return compiled


def _computes_in(compiled: Any) -> str:
    """The types that the layers with weights run in, as the compiled network tells; empty where it does not."""
    found = set()
    try:
        for layer in compiled.get_runtime_model().get_ops():
            info = layer.get_rt_info()
            if _text(info["layerType"]) in ("Convolution", "FullyConnected", "MatMul"):
                found.add(_text(info["runtimePrecision"]))
    except Exception:  # told by some devices only
        return ""
    return " and ".join(sorted(found))


def _text(value: Any) -> str:
    return str(value.astype(str)) if hasattr(value, "astype") else str(value)


def _reason(error: Exception) -> str:
    """The line that says what is wrong: OpenVINO puts where it was thrown first, and a summary last."""
    lines = [line.strip("- ").rstrip() for line in str(error).strip().splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("No conversion rule", "Conversion is failed", "Cannot load"))]
    return (telling or lines or [first_line(error)])[-1]
