"""What is asked of the measuring package on a device, whatever the way to it."""

from __future__ import annotations

import errno
import getpass
import hashlib
import json
import os
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from nasopt.errors import DeviceLostError, DeviceRefusedError
from nasopt.hardware.agent.serving import MARK
from nasopt.hardware.backends.packing import agent_file
from nasopt.hardware.backends.ssh.address import Address
from nasopt.hardware.backends.ssh.link import Link, ProcessEndedError
from nasopt.hardware.devices.refusals import as_error

_ANSWER_S = 60.0
_GREETING_LINES = 200
_PAUSE_S = (1.0, 15.0)
_NOT_FOUND = 127

_BOOTSTRAP = """
import hashlib, os, sys
folder, name, size = os.path.expanduser(sys.argv[1]), sys.argv[2], int(sys.argv[3])
path = os.path.join(folder, name)
def say(*words):
    os.write(1, ("nasopt-agent " + " ".join(words) + "\\n").encode())
def whole():
    if not os.path.isfile(path):
        return False
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest() in name
if sys.version_info < (3, 6):
    say("old", sys.version.split()[0])
    sys.exit(4)
try:
    os.makedirs(folder, exist_ok=True)
    if not whole():
        say("wanted")
        data = b""
        while len(data) < size:
            piece = os.read(0, size - len(data))
            if not piece:
                sys.exit(3)
            data += piece
        scratch = path + "." + str(os.getpid())
        try:
            with open(scratch, "wb") as file:
                file.write(data)
            os.replace(scratch, path)
        finally:
            if os.path.exists(scratch):
                os.remove(scratch)
except OSError as error:
    say("refused", str(error.errno), str(error.strerror))
    sys.exit(4)
os.execv(sys.executable, [sys.executable, path, folder])
"""
"""Runs on the device: fetches the package from standard input unless it is there, and becomes it."""

T = TypeVar("T")


class Board:
    """A device's measuring process: started on first use, used again, and started anew after it was lost."""

    def __init__(
        self, address: Address, *, python: str = "python3", folder: str = "~/.cache/nasopt", patience_s: float = 60.0
    ) -> None:
        """What it is made of.

        Args:
            address: where it is.
            python: command of its Python, 3.6 or later with numpy and the runtime.
            folder: where it keeps the package and the models.
            patience_s: for how long to try to find a device again that went away.
        """
        self.address = address
        self._python, self._folder, self._patience_s = python, folder, patience_s
        self._link: Link | None = None
        self._greeting: dict[str, Any] = {}

    @property
    def facts(self) -> dict[str, Any]:
        """Python, numpy and the machine, as the device greets; connects if need be."""
        self._linked()
        return self._greeting

    def ask(self, do: str, *, payload: bytes = b"", limit_s: float = _ANSWER_S, **arguments: Any) -> Any:
        """One request; see `agent.serving`.

        Raises:
            MeasurementError: the device refuses, or its process ended.
            DeviceLostError: the connection broke, or no answer came for so long.
        """
        link = self._linked()
        try:
            link.send(json.dumps({"do": do, **arguments}).encode() + b"\n" + payload, _ANSWER_S + len(payload) / 1e4)
            answer = json.loads(link.line(limit_s))
        except BaseException:  # an answer that still comes would be taken for the next one's
            self.close()
            raise
        if (refused := answer.get("refused")) is not None:
            raise as_error(**refused)
        return answer["done"]

    def persistently(self, work: Callable[[], T]) -> T:
        """Do what asks the device, again with growing pauses where it went away meanwhile.

        Raises:
            DeviceLostError: it was not there in the first place, or did not come back.
        """
        pause_s, longest_s = _PAUSE_S
        lost_at: float | None = None
        while True:
            known = bool(self._greeting)
            try:
                return work()
            except DeviceRefusedError:
                raise
            except DeviceLostError as error:
                if not known and lost_at is None:
                    raise
                lost_at = lost_at or time.monotonic()
                if (away_s := time.monotonic() - lost_at) + pause_s > self._patience_s:
                    raise DeviceLostError(f"{self.address.device} was away for {away_s:.0f} s: {error}") from error
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, longest_s)

    def upload(self, files: Sequence[Path | bytes], *, most_bytes: int) -> list[str]:
        """Put files on the device that it does not have, and drop what it has not used for longest beyond a size.

        Returns:
            Their names there, by content.

        Raises:
            MeasurementError: the device cannot keep them.
        """
        contents = [file if isinstance(file, bytes) else file.read_bytes() for file in files]
        names = [f"{hashlib.sha256(content).hexdigest()}.onnx" for content in contents]
        missing = set(self.ask("missing", names=names))
        for name, content in zip(names, contents, strict=True):
            if name in missing:
                missing.discard(name)
                self.ask("store", payload=content, name=name, size=len(content), most_bytes=most_bytes, keep=names)
        return names

    def close(self) -> None:
        """Break off; the next request connects anew."""
        if self._link is not None:
            self._link.close()
            self._link = None

    def _linked(self) -> Link:
        if self._link is None:
            packed = agent_file()
            arguments = [self._folder, packed.name, str(packed.stat().st_size)]
            link = Link(self.address, [self._python, "-c", _BOOTSTRAP, *arguments])
            try:
                self._greeting = self._greeted(link, packed)
            except BaseException:
                link.close()
                raise
            self._link = link
        return self._link

    def _greeted(self, link: Link, packed: Path) -> dict[str, Any]:
        """Feed the bootstrap; what the package says of the device."""
        for _ in range(_GREETING_LINES):
            try:
                line = link.line(_ANSWER_S).decode(errors="replace")
            except ProcessEndedError as error:
                raise self._not_started(error) from error
            if not line.startswith(MARK):
                continue  # a login shell's words
            said = line[len(MARK) :]
            if said == "wanted":
                link.send(packed.read_bytes(), _ANSWER_S)
            elif said.startswith("{"):
                return self._checked(json.loads(said))
            else:
                raise self._refused(said.split(" ", 2))
        raise DeviceRefusedError(
            f"{self.address} prints and prints instead of starting {self._python}; check its shell"
        )

    def _checked(self, greeting: dict[str, Any]) -> dict[str, Any]:
        if greeting["numpy"] is None:
            python = greeting["executable"]
            raise DeviceRefusedError(
                f"{python} on {self.address} has no numpy; install it there: {python} -m pip install numpy, or name "
                "another Python (option python of the backend)"
            )
        return greeting

    def _not_started(self, error: ProcessEndedError) -> DeviceRefusedError:
        if error.status == _NOT_FOUND:
            return DeviceRefusedError(
                f"{self.address} has no command {self._python}; install Python 3.6 or later there, or name it (option "
                "python of the backend)"
            )
        return DeviceRefusedError(
            f"{self._python} does not start on {self.address}: {error.printed or f'status {error.status}'}; try it: "
            f"{self.address.command} {self._python} --version"
        )

    def _refused(self, words: Sequence[str]) -> DeviceRefusedError:
        if words[0] == "old":
            return DeviceRefusedError(
                f"{self._python} on {self.address} is Python {words[1]}, expected 3.6 or later; name another one "
                "(option python of the backend)"
            )
        full = int(words[1]) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        seen = "the device's disk is full" if full else f"cannot write there: {words[2]}"
        return DeviceRefusedError(
            f"{self._folder} on {self.address}: {seen}; free some space, or set the option folder of the backend to a "
            "place that this user can write"
        )


def whoami() -> str:
    """Who measures, for those that wait."""
    return f"{getpass.getuser()}@{socket.gethostname()}, process {os.getpid()} there"
