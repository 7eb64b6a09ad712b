"""One phone, by the `adb` command of Android's platform tools: argument lists here, quoted words there."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from nasopt.errors import DeviceLostError, DeviceRefusedError, MeasurementError

_PATIENCE_S = 20.0
_STATUS = "nasopt-status:"
"""Printed on the phone before the exit status, which adb itself keeps to itself on Android 6 and before."""


class Phone:
    """A phone that adb reaches; `serial` as `adb devices` shows it, or None for the only one."""

    def __init__(self, serial: str | None = None) -> None:
        self.serial = serial

    def find(self) -> str:
        """The serial number of the phone that answers.

        Raises:
            DeviceRefusedError: adb is missing, several phones are attached and none is named, or the phone does not
                trust this computer.
            DeviceLostError: no such phone is attached, or it does not answer.
        """
        states = self.states()
        found = {s: states[s] for s in states if self.serial in (None, s)}
        if len(found) > 1:
            raise DeviceRefusedError(
                f"several phones are attached: {', '.join(found)}; set reach.serial to one of them"
            )
        if not found:
            named = f" {self.serial}" if self.serial else ""
            others = f" (attached: {', '.join(states)})" if states else ""
            raise DeviceLostError(
                f"no phone{named} is attached{others}; connect it and switch USB debugging on in its developer options"
            )
        serial, state = next(iter(found.items()))
        if state != "device":
            raise _unusable(serial, state)
        return serial

    def states(self) -> dict[str, str]:
        """State of each attached phone by serial number: `device` where it can be used."""
        done = self._adb(["devices"], _PATIENCE_S)
        return dict(line.split("\t", 1) for line in done.stdout.splitlines() if "\t" in line)

    def shell(self, words: Sequence[str], *, limit_s: float = _PATIENCE_S, folder: str | None = None) -> str:
        """What a command prints on the phone, both streams. Each word is quoted.

        Raises:
            MeasurementError: the command failed there, or took longer than `limit_s` seconds.
            DeviceLostError: the phone went away meanwhile.
        """
        return self.script(" ".join(map(shlex.quote, words)), limit_s=limit_s, folder=folder)

    def script(self, script: str, *, limit_s: float = _PATIENCE_S, folder: str | None = None) -> str:
        """The same for a line of shell, whose words the caller has quoted."""
        inside = f"cd {shlex.quote(folder)} && {{ {script}; }}" if folder else script
        done = self._adb(["shell", f"{{ {inside}; }} 2>&1; echo {_STATUS}$?"], limit_s)
        printed, mark, status = done.stdout.rpartition(_STATUS)
        if not mark:
            raise self._explained(done.stderr or done.stdout)
        if status.strip() != "0":
            raise MeasurementError(
                f"on the phone, {_last_line(printed) or 'a command ended'} (status {status.strip()})"
            )
        return printed

    def push(self, source: Path, target: str, *, limit_s: float = 300.0) -> None:
        """Copy a file.

        Raises:
            DeviceRefusedError: the phone is full, or may not be written there.
            DeviceLostError: the phone went away meanwhile.
        """
        done = self._adb(["push", str(source), target], limit_s)
        if done.returncode:
            raise self._explained(done.stderr or done.stdout)

    def _adb(self, arguments: Sequence[str], limit_s: float) -> subprocess.CompletedProcess[str]:
        if (adb := shutil.which("adb")) is None:
            raise DeviceRefusedError(
                "there is no command adb; install Android's platform tools and put adb on the PATH"
            )
        named = ["-s", self.serial] if self.serial and arguments[0] != "devices" else []
        try:
            return subprocess.run(
                [adb, *named, *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=limit_s,
                check=False,
                start_new_session=True,  # Ctrl-C is for the study, which may finish its trial
            )
        except subprocess.TimeoutExpired:
            raise DeviceLostError(
                f"adb {arguments[0]} did not end within {limit_s:.0f} s; unplug the phone and connect it again, or "
                "adb kill-server"
            ) from None
        except OSError as error:
            raise DeviceRefusedError(f"adb cannot be run: {error.strerror or error}; reinstall it") from error

    def _explained(self, said: str) -> MeasurementError:
        """What adb's own words amount to."""
        line = re.sub(r"^(adb: )?(error: )?", "", _last_line(said))
        if "No space left" in said or "ENOSPC" in said:
            return DeviceRefusedError("the phone's storage is full; remove something, or the folder of nasopt's there")
        if re.search("Permission denied|Read-only file system", said):
            return DeviceRefusedError(
                f"the phone does not let adb write: {line}; leave the backend's folder below /data/local/tmp"
            )
        if "more than one" in said:
            return DeviceRefusedError("several phones are attached; set reach.serial to one of them")
        if "no permissions" in said:
            return _unusable(self.serial or "", "no permissions")
        try:
            self.find()
        except DeviceLostError as lost:
            return lost
        return DeviceLostError(f"adb lost the phone: {line or 'it closed the connection'}; check the cable")


def _unusable(serial: str, state: str) -> DeviceLostError:
    if state in ("unauthorized", "authorizing"):
        return DeviceRefusedError(f"phone {serial} is {state}; unlock it and accept this computer's key on its screen")
    if state.startswith("no permissions"):
        return DeviceRefusedError(f"phone {serial}: {state}; allow this user to use it (udev rules, group plugdev)")
    if state == "offline":
        return DeviceLostError(f"phone {serial} is offline; connect it again, or adb reconnect offline")
    return DeviceLostError(f"phone {serial} is in state {state}; start Android on it")


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""
