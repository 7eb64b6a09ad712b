"""The runtimes by name."""

import importlib
import sys
from typing import Any, Callable, Dict, Tuple

from .refusals import RefusedError

_PACKAGES = {"cuda": "cuda-python", "tflite_runtime": "ai-edge-litert"}
"""What brings a module of another name."""

Run = Callable[[], object]
Facts = Dict[str, Any]


def describe(runtime: str, options: Dict[str, Any]) -> Facts:
    """What a runtime is here, without a network: `runtime` (name and version), `provider`, and what else it tells.

    Raises:
        RefusedError: it is not installed, or not with what the options ask for.
    """
    facts: Facts = _module(runtime).describe(options)
    return facts


def open_run(runtime: str, model_path: str, threads: int, options: Dict[str, Any]) -> Tuple[Run, Facts]:
    """A function that runs the network at `model_path` once, and what runs it.

    Raises:
        RefusedError: the runtime is not installed, does not take the network, or another provider than the wanted one
            runs.
    """
    opened: Tuple[Run, Facts] = _module(runtime).open_run(model_path, threads, options)
    return opened


def _module(runtime: str) -> Any:
    try:
        return importlib.import_module(".runs_" + runtime, __package__)
    except (ImportError, OSError) as error:  # OSError: a package is there, and a library of its is not
        missing = getattr(error, "name", None) or runtime
        if missing.endswith("runs_" + runtime):
            raise RefusedError(f"no runtime is called {runtime!r}")
        python = f"{sys.executable} (Python {sys.version_info[0]}.{sys.version_info[1]})"
        module = missing.partition(".")[0]
        raise RefusedError(
            f"{runtime} cannot be imported by {python}: {error}",
            f"install it there: {sys.executable} -m pip install {_PACKAGES.get(module, module)}",
        )
