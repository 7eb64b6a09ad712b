"""Answering requests on a board: one JSON object a line on standard input, one a line on standard output.

A request has `do` and the arguments of the method of that name below; `store` is followed by as many bytes as it says.
The answer holds `done`, or `refused` with kind, seen and remedy. Whatever else is printed goes to standard error. The
first line that this process writes greets; it begins with a mark, since a login shell may print before it.
"""

import json
import os
import platform
import select
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Dict, Iterator, List, Mapping, Optional, Tuple

from . import lease, machine
from .refusals import RefusedError
from .store import Store

MARK = "nasopt-agent "
"""What the greeting begins with."""


def main() -> None:
    """Serve until standard input ends; or, as `probe`, measure memory."""
    if sys.argv[1:2] == ["probe"]:
        from . import memory_probe

        memory_probe.main(sys.argv[2:])
        return
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a runtime prints is no answer
    server = Server(Path(sys.argv[1]).expanduser(), sys.stdin.buffer)
    answers.write(MARK + json.dumps(server.greeting()) + "\n")
    answers.flush()
    for line in sys.stdin.buffer:
        answers.write(json.dumps(server.answer(json.loads(line.decode()))) + "\n")
        answers.flush()


class Server:
    """What a board can be asked for."""

    def __init__(self, folder: Path, stream: BinaryIO) -> None:
        self._folder, self._stream = folder, stream
        self._store: Optional[Store] = None
        self._references: Dict[str, Any] = {}
        self._sensors: Dict[str, Any] = {}
        self._probes: Dict[str, Any] = {}

    def greeting(self) -> Dict[str, Any]:
        """Python, numpy and the machine."""
        try:
            import numpy

            version: Optional[str] = numpy.__version__
        except ImportError:
            version = None
        python = {"python": platform.python_version(), "executable": sys.executable}
        return dict(python, numpy=version, machine=machine.facts(), folder=str(self._folder), pid=os.getpid())

    def answer(self, request: Dict[str, Any]) -> Dict[str, Any]:
        """Do what is asked; every failure is an answer too."""
        try:
            return {"done": getattr(self, "_do_" + request.pop("do"))(**request)}
        except RefusedError as refused:
            return {"refused": {"kind": refused.kind, "seen": refused.seen, "remedy": refused.remedy}}
        except MemoryError:
            return {"refused": {"kind": "measurement", "seen": "the device ran out of memory", "remedy": ""}}
        except EOFError:
            raise
        except Exception as error:
            said = " ".join(f"{type(error).__name__}: {error}".split())
            return {"refused": {"kind": "measurement", "seen": f"measuring failed: {said}", "remedy": ""}}

    def _do_describe(self, runtime: str, options: Dict[str, Any]) -> Dict[str, Any]:
        from . import runtimes

        return runtimes.describe(runtime, options)

    def _do_meter(self, name: str, options: Dict[str, Any]) -> Optional[Dict[str, Any]]:
        """What a meter reads, None for the meter `none`."""
        return _described(self._sensor(name, options))

    def _do_power(self, name: str, options: Dict[str, Any], least_s: float) -> Dict[str, float]:
        """The power that a meter shows while nothing is done, in watts, over the seconds that it needs."""
        sensor = self._sensor(name, options)
        with sensor.window() as window:
            time.sleep(max(least_s, 1.1 * sensor.shortest_s))
        return {"watts": window.energy_mj / 1e3 / window.seconds, "seconds": window.seconds}

    def _do_state(self) -> Dict[str, Any]:
        """Governors and throttling."""
        from .throttling import ThrottleWatch

        seen = ThrottleWatch().look()
        return {"governors": machine.governors(), "events": seen.events, "active": seen.active, "known": seen.known}

    def _do_lease(self, who: str, wait_s: float) -> bool:
        """Whether nobody measures here; refuses where somebody does."""
        with _ending_with_the_link(self._stream.fileno()), lease.held(who, wait_s, self._locks()):
            return True

    def _do_missing(self, names: List[str]) -> List[str]:
        return self._models().missing(names)

    def _do_store(self, name: str, size: int, most_bytes: int, keep: List[str]) -> bool:
        try:
            store = self._models()
        except RefusedError:
            while size:
                size -= len(self._stream.read(min(size, 1 << 20)))
            raise
        store.receive(name, size, self._stream)
        store.shrink(most_bytes, [name, *keep])
        return True

    def _do_measure(
        self,
        models: List[str],
        reference: str,
        runtime: str,
        options: Dict[str, Any],
        protocol: Dict[str, Any],
        meter: Tuple[str, Dict[str, Any]],
        memory: bool,
        who: str,
        wait_s: float,
    ) -> Dict[str, Any]:
        """Blocks, windows and memory of each model, measured together; see `loop` and `energy`."""
        from . import loop, runtimes

        threads, paths = protocol["threads"], [self._models().path(name) for name in models]
        sensor = self._sensor(*meter)
        asked = time.perf_counter()
        with _ending_with_the_link(self._stream.fileno()), lease.held(who, wait_s, self._locks()):
            start = time.perf_counter()
            opened = [runtimes.open_run(runtime, path, threads, options) for path in paths]
            runs = [run for run, _ in opened]
            blocks = loop.take_blocks(
                runs, self._reference(reference, runtime, threads, options), protocol, len(models)
            )
            peaks = [self._peak_bytes(p, runtime, threads, options, reference) if memory else None for p in paths]
            windows = [self._windows(run, taken, sensor, protocol) for run, taken in zip(runs, blocks)]
        return {
            "facts": opened[0][1],
            "blocks": [[block.to_json() for block in taken] for taken in blocks],
            "peak_bytes": peaks,
            "windows": windows,
            "meter": _described(sensor),
            "seconds": time.perf_counter() - start,
            "waited_s": start - asked,
        }

    def _windows(self, run: Any, blocks: Any, sensor: Any, protocol: Mapping[str, Any]) -> Optional[List[Any]]:
        from . import energy, loop
        from .throttling import ThrottleWatch

        if sensor is None:
            return None
        return energy.take_windows(run, loop.typical_ms(blocks), sensor, protocol, ThrottleWatch())

    def _reference(self, name: str, runtime: str, threads: int, options: Dict[str, Any]) -> Any:
        from . import loop, runtimes

        key = json.dumps([name, runtime, threads, options], sort_keys=True)
        if key not in self._references:
            run, _ = runtimes.open_run(runtime, self._models().path(name), threads, options)
            self._references[key] = loop.Reference(run)
        return self._references[key]

    def _peak_bytes(
        self, path: str, runtime: str, threads: int, options: Dict[str, Any], reference: str
    ) -> Optional[int]:
        from .memory import MemoryProbe

        if not MemoryProbe.works():
            return None
        key = json.dumps([runtime, options, reference], sort_keys=True)
        if key not in self._probes:
            self._probes[key] = MemoryProbe(sys.argv[0], runtime, options, self._models().path(reference))
        return int(self._probes[key].peak_bytes(path, threads))

    def _sensor(self, name: str, options: Dict[str, Any]) -> Any:
        from . import sensors

        if name == "none":
            return None
        key = json.dumps([name, options], sort_keys=True)
        if key not in self._sensors:
            self._sensors[key] = sensors.open_sensor(name, options)
        return self._sensors[key]

    def _models(self) -> Store:
        if self._store is None:
            self._store = Store(self._folder / "models")
        return self._store

    def _locks(self) -> Path:
        return lease.lock_folder(os.environ.get("NASOPT_LOCKS"))


def _described(sensor: Any) -> Optional[Dict[str, Any]]:
    if sensor is None:
        return None
    return {"name": sensor.name, "provenance": sensor.provenance, "details": sensor.describe()}


@contextmanager
def _ending_with_the_link(descriptor: int) -> Iterator[None]:
    """End this process where the host goes away meanwhile: nobody would want the answer, and others may measure.

    The host sends nothing while it waits, so that whatever can be read is the end of the stream.
    """
    source, target = os.pipe()

    def watch() -> None:
        if descriptor in select.select([descriptor, source], [], [])[0]:
            os._exit(1)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        os.write(target, b"0")
        thread.join()
        os.close(source)
        os.close(target)
