"""A connection to a device and one process on it, for callers that know nothing of asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import threading
from collections.abc import Coroutine, Sequence
from functools import cache
from typing import Any, TypeVar

from nasopt.errors import DeviceLostError, MeasurementError, UsageError
from nasopt.hardware.backends.ssh.address import Address
from nasopt.hardware.backends.ssh.explaining import explained

_CONNECT_S = 10.0
_KEEPALIVE_S, _KEEPALIVES = 5.0, 3
_CHUNK = 1 << 18
_STDERR_BYTES = 4000

T = TypeVar("T")


class Link:
    """A process on a device that is fed bytes and read by lines. A link that broke is not mended: open another."""

    def __init__(self, address: Address, command: Sequence[str]) -> None:
        """Connect and start the command; the host's key must be known.

        Raises:
            DeviceLostError: it does not answer.
            DeviceRefusedError: it answers, and lets nobody in.
            UsageError: the library is not installed.
        """
        self._asyncssh = library()
        self._address = address
        self._buffer = bytearray()
        self._errors = bytearray()
        self._process: Any = None
        self._connection: Any = None
        try:
            _wait(self._open(shlex.join(command)), 3 * _CONNECT_S)
        except BaseException:
            self.close()
            raise

    async def _open(self, command: str) -> None:
        address = self._address
        options: dict[str, Any] = {} if address.user is None else {"username": address.user}
        if address.key is not None:
            options |= {"client_keys": [str(address.key)], "agent_path": None}
        known = str(address.known_hosts) if address.known_hosts.is_file() else b""
        try:
            self._connection = await self._asyncssh.connect(
                address.host,
                address.port,
                known_hosts=known,
                password=None,
                preferred_auth="publickey",
                connect_timeout=_CONNECT_S,
                login_timeout=2 * _CONNECT_S,
                keepalive_interval=_KEEPALIVE_S,
                keepalive_count_max=_KEEPALIVES,
                **options,
            )
            self._process = await self._connection.create_process(command, encoding=None)
        except (self._asyncssh.Error, OSError, TimeoutError, ValueError) as error:
            raise explained(error, address, self._asyncssh) from error
        self._drain = asyncio.create_task(self._follow_errors())

    async def _follow_errors(self) -> None:
        with contextlib.suppress(self._asyncssh.Error, OSError):
            while chunk := await self._process.stderr.read(_CHUNK):
                self._errors += chunk
                del self._errors[:-_STDERR_BYTES]

    def send(self, data: bytes, limit_s: float) -> None:
        """Write to the process's standard input.

        Raises:
            DeviceLostError: the connection broke, or nothing was taken for so long.
        """
        _wait(self._guarded(self._send(data)), limit_s, self._address)

    async def _send(self, data: bytes) -> None:
        for start in range(0, len(data), _CHUNK):
            self._process.stdin.write(data[start : start + _CHUNK])
            await self._process.stdin.drain()

    def line(self, limit_s: float) -> bytes:
        """The next line of the process's standard output.

        Raises:
            DeviceLostError: the connection broke, or no line came for so long.
            MeasurementError: the process ended; with the last that it printed.
        """
        return _wait(self._guarded(self._line()), limit_s, self._address)

    async def _line(self) -> bytes:
        while (end := self._buffer.find(b"\n")) < 0:
            chunk = await self._process.stdout.read(_CHUNK)
            if not chunk:
                await self._tell_end()
            self._buffer += chunk
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line

    async def _tell_end(self) -> None:
        """Raises MeasurementError where the process itself has ended, DeviceLostError where the connection has."""
        with contextlib.suppress(TimeoutError, self._asyncssh.Error, OSError):
            await asyncio.wait_for(self._process.wait_closed(), 2.0)
        status, signal = self._process.exit_status, self._process.exit_signal
        if status is None and signal is None:
            raise DeviceLostError(f"the connection to {self._address} broke; check its network and power")
        raise ProcessEndedError(self._address, status, signal, self.printed())

    async def _guarded(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return await work
        except (self._asyncssh.Error, OSError) as error:
            raise explained(error, self._address, self._asyncssh) from error

    def printed(self) -> str:
        """The last line on the process's standard error."""
        lines = bytes(self._errors).decode(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else ""

    def close(self) -> None:
        """Break the connection off; the process sees the end of its input."""
        if self._connection is not None:
            _loop().call_soon_threadsafe(self._connection.abort)
            self._connection = None


class ProcessEndedError(MeasurementError):
    """The process on the device ended by itself."""

    def __init__(self, address: Address, status: int | None, signal: Any, printed: str) -> None:
        """`status` is its exit status, or `signal` what killed it; `printed` its last words."""
        how = f"was killed by {signal[0]}" if signal else f"ended with status {status}"
        said = f": {printed}" if printed else ""
        super().__init__(
            f"the measuring process on {address} {how}{said}; the runtime may have crashed on this network, or the "
            "device run out of memory (its dmesg tells)"
        )
        self.status, self.printed = status, printed


def library() -> Any:
    """The SSH library.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import asyncssh
    except ImportError:
        raise UsageError("measuring over ssh needs the package asyncssh; pip install 'nasopt[ssh]'") from None
    return asyncssh


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """An event loop in a thread of its own, for all connections of this process."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="nasopt-ssh", daemon=True).start()
    return loop


def _wait(work: Coroutine[Any, Any, T], limit_s: float, address: Address | None = None) -> T:
    future = asyncio.run_coroutine_threadsafe(asyncio.wait_for(work, limit_s), _loop())
    try:
        return future.result()
    except TimeoutError as error:
        where = "the device" if address is None else str(address)
        raise DeviceLostError(f"{where} did not answer for {limit_s:.0f} s; check whether it hangs") from error
    except BaseException:
        future.cancel()
        raise
