"""Helper process that measures the memory a graph needs. Run as a script; imports nothing of the package.

Reads one JSON object a line on standard input (`path`, `threads`, `inputs`: name and shape) and answers with one a line
(`peak_bytes` or `error`). For each request it forks: the child runs a small reference graph first, so that the
runtime's own code and pools are in memory, then notes its resident size, loads the graph, runs it, and reports how far
the kernel's high-water mark rose.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import sys
from typing import Any

import numpy as np
import onnxruntime


def _session(model: Any, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _run(session: Any, inputs: Any, times: int) -> None:
    feed = {name: np.zeros(shape, dtype=np.float32) for name, shape in inputs}
    for _ in range(times):
        session.run(None, feed)


def _status_bytes(key: str) -> int:
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:
        for line in status:
            if line.startswith(key):
                return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no {key}")


def _measure(request: Any, reference: str) -> int:
    warm = _session(reference, request["threads"])
    _run(warm, [(i.name, i.shape) for i in warm.get_inputs()], 2)
    del warm
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/clear_refs", "w", encoding="ascii") as clear:
        clear.write("5")  # the high-water mark starts again from the present size
    before = _status_bytes("VmRSS:")
    session = _session(request["path"], request["threads"])
    _run(session, request["inputs"], 3)
    return _status_bytes("VmHWM:") - before


def _answer(request: Any, reference: str) -> str:
    """Fork, measure in the child, and pass on its answer."""
    source, target = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            reply = json.dumps({"peak_bytes": _measure(request, reference)})
        except BaseException as error:
            reply = json.dumps({"error": f"{type(error).__name__}: {error}"})
        os.write(target, reply.encode())
        os._exit(0)
    os.close(target)
    with os.fdopen(source, "rb") as stream:
        reply = stream.read().decode()
    os.waitpid(child, 0)
    return reply or json.dumps({"error": "the measuring process died"})


def main() -> None:
    """Answer requests until standard input ends."""
    reference = sys.argv[1]
    for line in sys.stdin:
        print(_answer(json.loads(line), reference), flush=True)


if __name__ == "__main__":
    main()
