"""A real OpenSSH server on loopback, with keys of its own, by the user who runs the tests."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil

_CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile {folder}/sshd.pid
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PrintMotd no
MaxStartups 100
SetEnv NASOPT_LOCKS={folder}/locks
"""


def program() -> str | None:
    """Path of the server, which insists on being called by its whole path."""
    return shutil.which("sshd", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))


def why_not() -> str | None:
    """The reason why no server can be started here, if any."""
    if program() is None or shutil.which("ssh-keygen") is None:
        return "no OpenSSH server here (apt-get install openssh-server)"
    if os.geteuid() == 0 and not Path("/run/sshd").is_dir():
        try:
            Path("/run/sshd").mkdir()
        except OSError:
            return "the OpenSSH server needs /run/sshd, which cannot be made"
    return None


class Server:
    """One server; `start` and `stop` it, and it keeps port and keys."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.key, self.known_hosts = folder / "key", folder / "known_hosts"
        self._process: subprocess.Popen[bytes] | None = None
        self.new_key(self.key)
        (folder / "authorized_keys").write_text(self.key.with_suffix(".pub").read_text())
        self.change_host_key()
        self.trust()

    @property
    def listed(self) -> str:
        return f"[127.0.0.1]:{self.port}"

    def new_key(self, path: Path) -> Path:
        for old in (path, path.with_suffix(".pub")):
            old.unlink(missing_ok=True)
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        return path

    def change_host_key(self) -> None:
        self.new_key(self.folder / "host_key")

    def trust(self) -> None:
        """Write the present host key into known_hosts."""
        key = (self.folder / "host_key.pub").read_text()
        self.known_hosts.write_text(f"{self.listed} {key}")

    def start(self) -> Server:
        config = self.folder / "config"
        config.write_text(_CONFIG.format(port=self.port, folder=self.folder))
        command = [program() or "sshd", "-f", str(config), "-D", "-E", str(self.folder / "log")]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return self
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError((self.folder / "log").read_text()) from None
                time.sleep(0.02)

    def stop(self) -> None:
        """Kill the server and whatever it has started, as a board that loses its power."""
        if self._process is None:
            return
        # Halted first: a client that comes back at once would get a session that is not among those counted.
        os.kill(self._process.pid, signal.SIGSTOP)
        family = psutil.Process(self._process.pid).children(recursive=True)
        for process in [self._process, *family]:
            try:
                os.kill(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self._process.wait()
        self._process = None

    @property
    def stopped(self) -> bool:
        return self._process is None

    def reach(self) -> dict[str, str | int]:
        """Section `reach` of a profile."""
        return {
            "way": "ssh",
            "host": "127.0.0.1",
            "port": self.port,
            "user": getpass.getuser(),
            "key": str(self.key),
        }

    def backend(self, there: Path, **options: object) -> dict[str, object]:
        """Section `backend` of a profile; the board's folder is `there`."""
        return {
            "name": "ssh",
            "options": {
                "python": sys.executable,
                "known_hosts": str(self.known_hosts),
                "folder": str(there),
                "patience_s": 5.0,
                **options,
            },
        }
