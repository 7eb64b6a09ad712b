"""Peak memory of running a graph, measured in a helper process."""

import json
import os
import select
import subprocess
import sys
import weakref
from typing import Any, Dict, Optional

from .refusals import RefusedError

_PATIENCE_S = 60.0


class MemoryProbe:
    """A helper process, started on first use, that measures the resident memory each graph adds.

    The figure is the rise of the high-water mark of a process from before loading the graph to after three runs, on
    top of a warm runtime: weights, the runtime's repacked copies, activations and buffers. A process of its own is
    needed because memory that this one frees and takes again would hide the rise.
    """

    def __init__(self, packed: str, runtime: str, options: Dict[str, Any], reference: str) -> None:
        """`packed` is the path of this package as one file, `reference` that of the reference graph."""
        self._arguments = [packed, "probe", runtime, json.dumps(options), reference]
        self._process: Optional["subprocess.Popen[str]"] = None

    @staticmethod
    def works() -> bool:
        """Whether this system can fork and keeps a high-water mark that can be reset."""
        return sys.platform == "linux" and os.path.exists("/proc/self/clear_refs")

    def peak_bytes(self, path: str, threads: int) -> int:
        """Peak resident memory that running the graph adds, in bytes.

        Raises:
            RefusedError: the helper fails or does not answer.
        """
        process = self._helper()
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps({"path": path, "threads": threads}) + "\n")
            process.stdin.flush()
            if not select.select([process.stdout], [], [], _PATIENCE_S)[0]:
                raise OSError(f"no answer in {_PATIENCE_S:.0f} s")
            answer: Dict[str, Any] = json.loads(process.stdout.readline() or '{"error": "the helper ended"}')
        except (OSError, ValueError) as error:
            self.close()
            raise RefusedError(f"the helper that measures memory failed: {error}")
        if "error" in answer or answer["peak_bytes"] <= 0:
            raise RefusedError(f"peak memory of {path} could not be measured: {answer.get('error', answer)}")
        return int(answer["peak_bytes"])

    def _helper(self) -> "subprocess.Popen[str]":
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, *self._arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                universal_newlines=True,
                start_new_session=True,  # Ctrl-C is for the study, which may finish its trial
            )
            self._finalizer = weakref.finalize(self, _end, self._process)
        return self._process

    def close(self) -> None:
        """End the helper; the next request starts another."""
        if self._process is not None:
            self._finalizer()
            self._process = None


def _end(process: "subprocess.Popen[str]") -> None:
    for stream in (process.stdin, process.stdout):
        try:
            if stream is not None:
                stream.close()
        except OSError:
            pass
    try:
        process.wait(timeout=1.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
