"""PyTorch. Options: `mode` (eager, compiled or cuda-graphs), `device` (cpu or cuda).

The ONNX graph is rewritten as plain torch calls beforehand, so torch and onnx are both needed.
"""

import os
from typing import Any, Callable, Dict, List, Tuple

import numpy as np
import torch

from .inputs import run_drawn
from .refusals import RefusedError, first_line

MODES = ("eager", "compiled", "cuda-graphs")


def describe(options: Dict[str, Any]) -> Dict[str, Any]:
    """Version, and how and where torch runs.

    Raises:
        RefusedError: there is no such mode or device, or this build of torch has no CUDA.
    """
    mode, device = _chosen(options)
    return {"runtime": _version(), "provider": f"{_hardware(device)}, {mode}"}


def open_run(model_path: str, threads: int, options: Dict[str, Any]) -> Tuple[Callable[[], None], Dict[str, Any]]:
    """A torch module in inference mode with its inputs in place; what runs on a GPU is waited for.

    Sets the number of threads of this process. Float32 stays float32: a GPU's TF32 is switched off. Inputs are drawn,
    see `inputs`.

    Raises:
        RefusedError: the graph has no translation into torch, torch cannot compile it, or there is no such device.
    """
    session = Session(model_path, threads, options)
    shapes = [shape for _, shape in session.inputs]
    run_drawn(list(zip(shapes, session.kinds)), session.fill, session.run)
    return session.once, session.facts


class Session:
    """A network that is ready to run: `once` runs it, after `fill` has set its inputs."""

    def __init__(self, model_path: str, threads: int, options: Dict[str, Any]) -> None:
        self._mode, self._device = _chosen(options)
        self._path = model_path
        self.facts = describe(options)
        module, self.inputs, self.kinds = _translated(model_path)
        torch.set_num_threads(threads)
        if self._device == "cuda":
            _exact()
        self._module = module.to(self._device)
        arrays = [np.zeros(shape, kind) for (_, shape), kind in zip(self.inputs, self.kinds)]
        self._tensors = [torch.from_numpy(array).to(self._device) for array in arrays]
        self._results: Any = ()
        self.once = self._eager
        if self._mode == "compiled":
            self._module = self._compiled()
        elif self._mode == "cuda-graphs":
            self.once = self._captured()

    def fill(self, arrays: List[Any]) -> None:
        """Copy in the inputs, arrays in the graph's order."""
        with torch.inference_mode():
            for tensor, array, kind in zip(self._tensors, arrays, self.kinds):
                tensor.copy_(torch.from_numpy(np.array(array, dtype=kind, order="C")))

    def run(self) -> List[Any]:
        """Run once and return copies of the results."""
        try:
            self.once()
        except Exception as error:
            raise RefusedError(f"{self._path} does not run under {_version()}: {first_line(error)}")
        return [r.detach().cpu().numpy().copy() for r in self._results]

    def _eager(self) -> None:
        with torch.inference_mode():
            self._results = self._module(*self._tensors)
        if self._device == "cuda":
            torch.cuda.synchronize()

    def _compiled(self) -> Any:
        """The module through torch.compile, as one piece, compiled here and now."""
        if any(isinstance(m, _choice()) for m in self._module.modules()):
            raise RefusedError(
                f"{self._path} decides on its input (If), which torch.compile cannot keep in one piece",
                "take the mode eager, or compile its paths one by one",
            )
        compiled = torch.compile(self._module, dynamic=False, fullgraph=True)
        try:
            with torch.inference_mode():
                compiled(*self._tensors)
        except Exception as error:
            remedy = "on a CPU it needs a C++ compiler (g++) on the PATH, on a GPU triton; or take the mode eager"
            raise RefusedError(f"torch.compile does not compile {self._path}: {_cause(error)}", remedy)
        return compiled

    def _captured(self) -> Callable[[], None]:
        """The whole network as one CUDA graph."""
        graph, stream = torch.cuda.CUDAGraph(), torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        try:
            with torch.inference_mode():
                with torch.cuda.stream(stream):  # libraries choose their kernels before the capture
                    for _ in range(3):
                        self._module(*self._tensors)
                torch.cuda.current_stream().wait_stream(stream)
                with torch.cuda.graph(graph):
                    self._results = self._module(*self._tensors)
        except Exception as error:
            raise RefusedError(
                f"{self._path} cannot be captured as a CUDA graph: {first_line(error)}",
                "a graph that decides on its input (If) cannot be; take the mode eager",
            )

        def replay() -> None:
            graph.replay()
            torch.cuda.synchronize()

        return replay


def _chosen(options: Dict[str, Any]) -> Tuple[str, str]:
    mode, device = str(options.get("mode") or "eager"), str(options.get("device") or "cpu")
    if mode not in MODES:
        raise RefusedError(f"torch has no mode {mode!r}", "it has " + ", ".join(MODES))
    if device not in ("cpu", "cuda"):
        raise RefusedError(
            f"torch is measured on cpu or cuda, not on {device!r}", "for another GPU: CUDA_VISIBLE_DEVICES"
        )
    if mode == "cuda-graphs" and device != "cuda":
        raise RefusedError("the mode cuda-graphs needs the device cuda", "take the mode eager or compiled")
    if device == "cuda" and not torch.cuda.is_available():
        raise RefusedError(
            f"the device wants cuda; {_version()} sees no GPU here",
            "check nvidia-smi and that torch is a CUDA build for this driver, or take the device cpu",
        )
    return mode, device


def _hardware(device: str) -> str:
    return "CPU" if device == "cpu" else "CUDA " + torch.cuda.get_device_name()


def _version() -> str:
    return "torch " + torch.__version__


def _translated(model_path: str) -> Tuple[Any, Any, Any]:
    if not os.path.isfile(model_path):
        raise RefusedError(f"no model at {model_path}", "export it first")
    try:
        from .torch_graph import as_module
        from .torch_operators import UnsupportedError
    except ImportError as error:
        raise RefusedError(f"torch reads graphs with onnx, which is not there: {error}", "pip install onnx")
    try:
        return as_module(model_path)
    except UnsupportedError as error:
        raise RefusedError(f"{model_path} has no translation into torch: {error}")
    except Exception as error:  # protobuf's, onnx' and torch's exceptions share no base but this
        raise RefusedError(f"torch does not take {model_path}: {first_line(error)}")


def _choice() -> Any:
    from .torch_graph import Choice

    return Choice


def _exact() -> None:
    """No TF32 on GPUs, which keeps 10 bits of the mantissa of 23."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False


def _cause(error: BaseException) -> str:
    """What a chain of exceptions began with."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {first_line(error)}"
