"""Memory and streams of an NVIDIA GPU, by NVIDIA's own bindings (cuda-python).

They are one small package on a board, and come along with torch's CUDA builds; torch itself would be some gigabytes.
"""

from contextlib import suppress
from typing import Any

import numpy as np

try:
    from cuda.bindings import runtime
except ImportError:  # before cuda-python 12.6
    from cuda import cudart as runtime

from .refusals import RefusedError


def named_gpu(index: int) -> str:
    """Name and compute capability of the GPU with this number, which this process uses from now on.

    Raises:
        RefusedError: there is no such GPU, or no driver for it.
    """
    try:
        count = _done(runtime.cudaGetDeviceCount(), "counting GPUs")
    except (RefusedError, RuntimeError) as error:  # RuntimeError: the driver's library is missing
        raise RefusedError(
            f"no NVIDIA GPU can be used here: {error}", "check nvidia-smi, and that its driver knows this CUDA"
        )
    if index >= count:
        raise RefusedError(f"there is no GPU {index} here, there are {count}", "count from 0 in the option device")
    _done(runtime.cudaSetDevice(index), "choosing the GPU")
    facts = _done(runtime.cudaGetDeviceProperties(index), "asking for the GPU's name")
    name = facts.name.decode(errors="replace").strip("\0") if isinstance(facts.name, bytes) else str(facts.name)
    return f"{name}, compute capability {facts.major}.{facts.minor}"


class Buffer:
    """So many bytes on the GPU, freed with this object."""

    def __init__(self, size: int) -> None:
        """Raises RefusedError where the GPU has no room."""
        self.size = size
        self.address = int(_done(runtime.cudaMalloc(max(size, 1)), f"taking {size} bytes of GPU memory"))

    def write(self, array: Any) -> None:
        """Copy in an array of this size, and wait for it."""
        kind = runtime.cudaMemcpyKind.cudaMemcpyHostToDevice
        _done(runtime.cudaMemcpy(self.address, _address(array, self.size), self.size, kind), "copying to the GPU")

    def read(self, array: Any) -> None:
        """Copy out into an array of this size, and wait for it."""
        kind = runtime.cudaMemcpyKind.cudaMemcpyDeviceToHost
        _done(runtime.cudaMemcpy(_address(array, self.size), self.address, self.size, kind), "copying from the GPU")

    def __del__(self) -> None:
        if hasattr(self, "address"):
            with suppress(Exception):  # at the end of a process nobody is there to free anything
                runtime.cudaFree(self.address)


class Stream:
    """A queue of work on the GPU."""

    def __init__(self) -> None:
        self._stream = _done(runtime.cudaStreamCreate(), "making a stream")
        self.handle = int(self._stream)

    def read_later(self, buffer: Buffer, array: Any) -> None:
        """Copy a buffer into an array after what is queued; there once `wait` returns."""
        kind = runtime.cudaMemcpyKind.cudaMemcpyDeviceToHost
        place = _address(array, buffer.size)
        _done(runtime.cudaMemcpyAsync(place, buffer.address, buffer.size, kind, self._stream), "copying from the GPU")

    def wait(self) -> None:
        """Return when everything queued has run.

        Raises:
            RefusedError: some of it failed.
        """
        _done(runtime.cudaStreamSynchronize(self._stream), "running on the GPU")

    def __del__(self) -> None:
        if hasattr(self, "_stream"):
            with suppress(Exception):
                runtime.cudaStreamDestroy(self._stream)


def _address(array: Any, size: int) -> int:
    if not (isinstance(array, np.ndarray) and array.flags.c_contiguous and array.nbytes == size):
        raise ValueError(f"expected an array of {size} bytes in a row")
    return int(array.ctypes.data)


def _done(answer: Any, doing: str) -> Any:
    """What a call gave beside its error code, if anything.

    Raises:
        RefusedError: it failed.
    """
    code = int(answer[0])
    if code:
        said = runtime.cudaGetErrorString(answer[0])[1]
        text = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        raise RefusedError(f"CUDA error {code} while {doing}: {text}")
    return answer[1] if len(answer) > 1 else None
