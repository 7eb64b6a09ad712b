"""Blocks of runs by ONNX Runtime's own benchmark, `onnxruntime_perf_test`, on a phone.

Android has no Python. The benchmark writes the seconds of every run to a CSV: model, seconds, peak bytes of the
process, share of the processor, number of the run.
"""

from __future__ import annotations

import csv
import shlex
from typing import Any

import numpy as np

from nasopt.errors import MeasurementError
from nasopt.hardware.backends.adb.phone import Phone

RESULT = "times.csv"
_WARM_UP = 10
"""Runs of each block that do not count: every block is a process of its own."""
_FALLBACK_IS_AN_ERROR = "session.disable_cpu_ep_fallback|1"


class PerfTest:
    """Runs of one graph on a phone: `block_ns` takes a block of them, see `agent.loop.timed_ns`."""

    def __init__(
        self, phone: Phone, folder: str, binary: str, model: str, *, threads: int, provider: str, cores: str
    ) -> None:
        """`binary` and `model` are names in `folder` on the phone; `cores` is a hexadecimal mask, or empty."""
        self._phone, self._folder, self._model = phone, folder, model
        self._pinned = ["taskset", cores] if cores else []
        self._binary = f"./{binary}"
        # -I random inputs, -m times: a number of runs, -x and -y threads within and between operators, -D no spinning
        self._options = ["-I", "-m", "times", "-e", provider, "-x", str(threads), "-y", "1", "-D"]
        self._options += [] if provider == "cpu" else ["-C", _FALLBACK_IS_AN_ERROR]

    def __call__(self) -> None:
        """One run."""
        self.block_ns(1)

    def block_ns(self, runs: int) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Nanoseconds of each of so many consecutive runs, after some that warm up.

        Raises:
            MeasurementError: the benchmark does not take the graph, or did not write what it should.
            DeviceLostError: the phone went away meanwhile.
        """
        count = ["-r", str(runs + _WARM_UP)]
        words = [*self._pinned, self._binary, *self._options, *count, self._model, RESULT]
        run = " ".join(map(shlex.quote, words))
        script = f"rm -f {RESULT}; LD_LIBRARY_PATH=. {run} && echo && cat {RESULT}"
        return _times_ns(self._phone.script(script, limit_s=600.0, folder=self._folder), runs, self._model)


def _times_ns(printed: str, runs: int, model: str) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The counted runs among what the benchmark printed and wrote."""
    seconds: list[float] = []
    for row in csv.reader(printed.splitlines()):
        if len(row) == 5 and row[4].strip() == str(len(seconds)):
            try:
                seconds.append(float(row[1]))
            except ValueError:
                break
    if len(seconds) != runs + _WARM_UP or min(seconds) <= 0:
        raise MeasurementError(
            f"onnxruntime_perf_test gave {len(seconds)} usable times of {model} instead of {runs + _WARM_UP}; "
            "run it on the phone by hand (adb shell) to see why"
        )
    counted = np.asarray(seconds[_WARM_UP:]) * 1e9
    return counted.astype(np.int64)
