"""LiteRT (ai-edge-litert; tflite_runtime on older boards). Options: `delegate` (edgetpu), `delegate_library`.

Takes .tflite files. Without a delegate, XNNPACK runs on the given number of threads.
"""

import os
from typing import Any, Callable, Dict, List, Tuple

import numpy as np

try:
    from ai_edge_litert import interpreter as litert
except ImportError:
    from tflite_runtime import interpreter as litert

from .inputs import drawn
from .refusals import RefusedError, first_line

_EDGE_TPU = "libedgetpu.so.1"


def describe(options: Dict[str, Any]) -> Dict[str, Any]:
    """Version and what runs.

    Raises:
        RefusedError: there is no such delegate, or its library cannot be loaded.
    """
    delegates = _delegates(options)
    return {"runtime": _version(), "provider": "Edge TPU" if delegates else "CPU"}


def open_run(model_path: str, threads: int, options: Dict[str, Any]) -> Tuple[Callable[[], None], Dict[str, Any]]:
    """An interpreter with its inputs set once: standard normal draws, or random integers where they are quantised.

    Raises:
        RefusedError: LiteRT does not take the file, or an input has no fixed shape.
    """
    session = Session(model_path, threads, options)
    session.run()
    return session.once, session.facts


class Session:
    """A network that is ready to run: `once` runs it."""

    def __init__(self, model_path: str, threads: int, options: Dict[str, Any]) -> None:
        if not os.path.isfile(model_path):
            raise RefusedError(f"no model at {model_path}", "convert it first")
        self._path = model_path
        delegates = _delegates(options)
        self.facts = {"runtime": _version(), "provider": "Edge TPU" if delegates else "CPU, XNNPACK"}
        try:
            self._interpreter = litert.Interpreter(
                model_path=model_path, num_threads=threads, experimental_delegates=delegates or None
            )
            self._interpreter.allocate_tensors()
        except Exception as error:  # ValueError and RuntimeError, with the reason as text
            raise RefusedError(f"{_version()} does not take {model_path}: {first_line(error)}")
        if not delegates:
            self.facts["provider"] = "CPU, " + ("XNNPACK" if self._delegated() else "LiteRT's own kernels")
        self.once = self._interpreter.invoke
        details = self._interpreter.get_input_details()
        self.inputs = [(str(d["name"]), tuple(int(n) for n in d["shape"])) for d in details]
        for value in details:
            if any(n < 1 for n in value.get("shape_signature", value["shape"])):
                raise RefusedError(f"{model_path}: input {value['name']!r} has a dynamic shape", "fix it")
        draw = np.random.RandomState(0)
        self.fill([_drawn(d, draw) for d in details])

    def _delegated(self) -> bool:
        """Whether a delegate took operators, which without one of ours is XNNPACK."""
        tell = getattr(self._interpreter, "_get_ops_details", None)
        return tell is not None and any(o["op_name"] == "DELEGATE" for o in tell())

    def fill(self, arrays: List[Any]) -> None:
        """Set the inputs, in the file's order."""
        for value, array in zip(self._interpreter.get_input_details(), arrays):
            self._interpreter.set_tensor(value["index"], array)

    def run(self) -> List[Any]:
        """Run once and return copies of the results."""
        try:
            self.once()
        except Exception as error:
            raise RefusedError(f"{self._path} does not run under {_version()}: {first_line(error)}")
        return [np.array(self._interpreter.get_tensor(d["index"])) for d in self._interpreter.get_output_details()]


def _drawn(value: Dict[str, Any], draw: "np.random.RandomState") -> Any:
    kind = np.dtype(value["dtype"])
    if kind.kind not in "fiub":
        raise RefusedError(f"input {value['name']!r} is {kind}", "inputs of numbers are measured")
    return drawn(value["shape"], kind, draw)


def _delegates(options: Dict[str, Any]) -> List[Any]:
    wanted = str(options.get("delegate") or "none")
    if wanted == "none":
        return []
    if wanted != "edgetpu":
        raise RefusedError(f"no delegate is called {wanted!r}", "there are none and edgetpu")
    library = str(options.get("delegate_library") or _EDGE_TPU)
    try:
        return [litert.load_delegate(library)]
    except Exception as error:
        raise RefusedError(
            f"the Edge TPU's library {library} cannot be loaded: {first_line(error)}",
            "install libedgetpu1-std and plug the device in",
        )


def _version() -> str:
    try:
        from importlib.metadata import version
    except ImportError:  # Python 3.7 and before
        return "litert"
    for package in ("ai-edge-litert", "tflite-runtime"):
        try:
            return "litert " + version(package)
        except Exception:
            continue
    return "litert"
