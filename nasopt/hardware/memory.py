"""Peak memory of running a graph: measured in a helper process on Linux, a lower bound from the graph elsewhere."""

from __future__ import annotations

import contextlib
import json
import select
import subprocess
import sys
import tempfile
import weakref
from pathlib import Path
from typing import Any

from nasopt.errors import MeasurementError
from nasopt.hardware.reference import reference_graph
from nasopt.records import ExportedModel

_SCRIPT = Path(__file__).with_name("memory_probe.py")
_PATIENCE_S = 30.0


class MemoryProbe:
    """A helper process, started on first use, that measures the resident memory each graph adds.

    The figure is the rise of the high-water mark of a process from before loading the graph to after three runs, on
    top of a warm runtime: weights, the runtime's repacked copies, activations and buffers. A process of its own is
    needed because memory that this one frees and takes again would hide the rise.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    @staticmethod
    def works() -> bool:
        """Whether this system can fork and keeps a high-water mark that can be reset."""
        return sys.platform == "linux" and Path("/proc/self/clear_refs").exists()

    def peak_memory_mb(self, model: ExportedModel, threads: int) -> float:
        """Peak resident memory that running the graph adds, in 10^6 bytes.

        Raises:
            MeasurementError: the helper fails or does not answer.
        """
        process = self._helper()
        request = {"path": str(model.path), "threads": threads, "inputs": model.inputs}
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            if not select.select([process.stdout], [], [], _PATIENCE_S)[0]:
                raise OSError(f"no answer in {_PATIENCE_S:.0f} s")
            answer: dict[str, Any] = json.loads(process.stdout.readline() or '{"error": "the helper ended"}')
        except (OSError, ValueError) as error:
            self.close()
            raise MeasurementError(f"the helper that measures memory failed: {error}") from error
        if "error" in answer or answer["peak_bytes"] <= 0:
            raise MeasurementError(f"peak memory of {model.path} could not be measured: {answer.get('error', answer)}")
        return float(answer["peak_bytes"]) / 1e6

    def _helper(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            folder = tempfile.mkdtemp(prefix="nasopt-probe-")
            reference = Path(folder) / "reference.onnx"
            reference.write_bytes(reference_graph())
            # -P: the script's folder holds module names that must not shadow others
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(_SCRIPT), str(reference)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                start_new_session=True,  # Ctrl-C is for the study, which may finish its trial
            )
            self._finalizer = weakref.finalize(self, _end, self._process, reference)
        return self._process

    def close(self) -> None:
        """End the helper; the next request starts another."""
        if self._process is not None:
            self._finalizer()
            self._process = None


def _end(process: subprocess.Popen[str], reference: Path) -> None:
    for stream in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):
            stream and stream.close()
    try:
        process.wait(timeout=1.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    reference.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        reference.parent.rmdir()
