"""Helper process that measures the memory a graph needs.

Reads one JSON object a line on standard input (`path`, `threads`) and answers with one a line (`peak_bytes` or
`error`). For each request it forks: the child runs a small reference graph first, so that the runtime's own code and
pools are in memory, then notes its resident size, loads the graph, runs it, and reports how far the kernel's high-water
mark rose.
"""

import ctypes
import gc
import json
import os
import sys
from typing import Any, Dict, List

from . import runtimes

_RUNS = 3


def main(arguments: List[str]) -> None:
    """Answer requests until standard input ends. `arguments`: runtime, its options as JSON, path of the reference."""
    runtime, options, reference = arguments[0], json.loads(arguments[1]), arguments[2]
    runtimes.describe(runtime, options)  # imports it, so that each child need not
    for line in sys.stdin:
        print(_answer(json.loads(line), runtime, options, reference), flush=True)


def _run(path: str, threads: int, runtime: str, options: Dict[str, Any], times: int) -> None:
    run, _ = runtimes.open_run(runtime, path, threads, options)
    for _ in range(times):
        run()


def _status_bytes(key: str) -> int:
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:
        for line in status:
            if line.startswith(key):
                return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no {key}")


def _measure(request: Dict[str, Any], runtime: str, options: Dict[str, Any], reference: str) -> int:
    threads = request["threads"]
    _run(reference, threads, runtime, options, 2)
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/clear_refs", "w", encoding="ascii") as clear:
        clear.write("5")  # the high-water mark starts again from the present size
    before = _status_bytes("VmRSS:")
    _run(request["path"], threads, runtime, options, _RUNS)
    return _status_bytes("VmHWM:") - before


def _answer(request: Dict[str, Any], runtime: str, options: Dict[str, Any], reference: str) -> str:
    """Fork, measure in the child, and pass on its answer."""
    source, target = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            reply = json.dumps({"peak_bytes": _measure(request, runtime, options, reference)})
        except BaseException as error:
            reply = json.dumps({"error": f"{type(error).__name__}: {error}"})
        os.write(target, reply.encode())
        os._exit(0)
    os.close(target)
    with os.fdopen(source, "rb") as stream:
        reply = stream.read().decode()
    os.waitpid(child, 0)
    return reply or json.dumps({"error": "the measuring process died"})
