"""A stand-in for a phone: the device's side of the ADB wire protocol over TCP, for the real adb client and server.

It connects by the published protocol (messages of six words; `shell:` and `sync:` services of Android 6, the oldest
kind that adb still speaks) and runs commands with this host's shell, so what the backend sends really runs.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import subprocess
import threading
from pathlib import Path

_WORDS = struct.Struct("<6I")
_CNXN, _AUTH, _OPEN, _OKAY, _CLSE, _WRTE = (
    int.from_bytes(w, "little") for w in (b"CNXN", b"AUTH", b"OPEN", b"OKAY", b"CLSE", b"WRTE")
)
_BANNER = b"device::ro.product.name=stand_in;ro.product.model=Stand-in;ro.product.device=stand_in;"
_PIECE = 4096
_GETPROP = "getprop() { echo stand-in $1; }; "


class AdbPhone:
    """Listens on a port of loopback until closed. `trusts`: whether it accepts the computer's key."""

    def __init__(self, *, trusts: bool = True) -> None:
        self.trusts = trusts
        self.full = False
        """Whether its storage takes nothing more."""
        self.drops_on = ""
        """Goes away when a command contains this."""
        self.commands: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._connections: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Go away."""
        for connection in (self._listener, *self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._connections.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, EOFError):
            transport = _Transport(connection)
            while True:
                command, there, _, data = transport.receive()
                if command == _CNXN:
                    if self.trusts:
                        transport.send(_CNXN, 0x01000000, _PIECE, _BANNER)
                    else:
                        transport.send(_AUTH, 1, 0, bytes(20))
                elif command == _AUTH and there == 2:  # a signature, by a key that it does not know
                    transport.send(_AUTH, 1, 0, bytes(20))
                elif command == _OPEN:
                    self._service(_Stream(transport, there), data.rstrip(b"\0").decode())

    def _service(self, stream: _Stream, name: str) -> None:
        kind, _, rest = name.partition(":")
        if kind == "shell":
            self.commands.append(rest)
            if self.drops_on and self.drops_on in rest:
                self.close()
                raise EOFError
            stream.accept()
            done = subprocess.run(["sh", "-c", _GETPROP + rest], capture_output=True, check=False)
            stream.write(done.stdout + done.stderr)
            stream.close()
        elif kind == "sync":
            stream.accept()
            self._sync(stream)
        else:
            stream.refuse()

    def _sync(self, stream: _Stream) -> None:
        """Stores what SEND brings; STAT tells a file's mode and size."""
        target, content = None, b""
        while True:
            word, size = stream.read(4), struct.unpack("<I", stream.read(4))[0]
            if word == b"STAT":
                path = Path(stream.read(size).decode())
                found = path.stat() if path.exists() else None
                facts = (found.st_mode, found.st_size, int(found.st_mtime)) if found else (0, 0, 0)
                stream.write(b"STAT" + struct.pack("<3I", *facts))
            elif word == b"SEND":
                target, content = Path(stream.read(size).decode().rpartition(",")[0]), b""
            elif word == b"DATA":
                content += stream.read(size)
            elif word == b"DONE" and self.full:
                reason = b"write failed: No space left on device"
                stream.write(b"FAIL" + struct.pack("<I", len(reason)) + reason)
            elif word == b"DONE":
                assert target is not None
                target.write_bytes(content)
                stream.write(b"OKAY" + struct.pack("<I", 0))
            else:
                stream.close()
                return


class _Transport:
    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def receive(self) -> tuple[int, int, int, bytes]:
        command, first, second, size, _, _ = _WORDS.unpack(self._exactly(_WORDS.size))
        return command, first, second, self._exactly(size)

    def send(self, command: int, first: int, second: int, data: bytes = b"") -> None:
        head = _WORDS.pack(command, first, second, len(data), sum(data), command ^ 0xFFFFFFFF)
        self._connection.sendall(head + data)

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self._connection.recv(size - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data


class _Stream:
    """One open service; this phone serves one at a time."""

    def __init__(self, transport: _Transport, there: int) -> None:
        self._transport, self._there, self._waiting = transport, there, b""

    def accept(self) -> None:
        self._transport.send(_OKAY, 1, self._there)

    def refuse(self) -> None:
        self._transport.send(_CLSE, 0, self._there)

    def write(self, data: bytes) -> None:
        for start in range(0, len(data), _PIECE):
            self._transport.send(_WRTE, 1, self._there, data[start : start + _PIECE])
            while (message := self._transport.receive())[0] != _OKAY:
                self._take(message)

    def read(self, size: int) -> bytes:
        while len(self._waiting) < size:
            self._take(self._transport.receive())
        data, self._waiting = self._waiting[:size], self._waiting[size:]
        return data

    def _take(self, message: tuple[int, int, int, bytes]) -> None:
        command, _, _, data = message
        if command == _WRTE:
            self._waiting += data
            self._transport.send(_OKAY, 1, self._there)
        elif command == _CLSE:
            raise EOFError

    def close(self) -> None:
        self._transport.send(_CLSE, 1, self._there)
