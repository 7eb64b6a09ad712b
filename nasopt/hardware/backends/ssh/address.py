"""Where a device is, and how it is entered."""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from pathlib import Path

from nasopt.errors import DeviceRefusedError
from nasopt.spec.device import DeviceProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """An SSH server and who to be there."""

    device: str
    """Name of the profile, for messages."""
    host: str
    port: int
    user: str | None
    """The name on this machine, or what ~/.ssh/config says, if None."""
    key: Path | None
    """Private key; what the SSH agent or ~/.ssh holds if None."""
    known_hosts: Path
    """Keys of the hosts that may be entered."""

    @classmethod
    def of(cls, profile: DeviceProfile, known_hosts: Path | None = None) -> Address:
        """The address in a profile, with what the environment says of it filled in.

        Raises:
            DeviceRefusedError: no host is named, or the key does not exist.
        """
        reach = profile.reach.resolved(profile.name)
        if reach.host is None:
            raise DeviceRefusedError(
                f"no host is named for {profile.name}; set reach.host in the profile, or the variable "
                f"{variable(profile, 'HOST')}"
            )
        key = None if reach.key is None else Path(reach.key).expanduser()
        if key is not None and not key.is_file():
            raise DeviceRefusedError(
                f"no private key at {reach.key}; set reach.key in the profile, or the variable "
                f"{variable(profile, 'KEY')}"
            )
        known = (known_hosts or Path("~/.ssh/known_hosts")).expanduser()
        return cls(device=profile.name, host=reach.host, port=reach.port, user=reach.user, key=key, known_hosts=known)

    def __str__(self) -> str:
        user = "" if self.user is None else f"{self.user}@"
        return f"{user}{self.host}" if self.port == 22 else f"{user}{self.host} port {self.port}"

    @property
    def listed(self) -> str:
        """What known_hosts calls the host."""
        return self.host if self.port == 22 else f"[{self.host}]:{self.port}"

    @property
    def command(self) -> str:
        """How a person enters it."""
        port = "" if self.port == 22 else f"-p {self.port} "
        key = "" if self.key is None else f"-i {self.key} "
        return f"ssh {port}{key}{self.user or getpass.getuser()}@{self.host}"


def variable(profile: DeviceProfile, what: str) -> str:
    """Name of the environment variable that fills in a part of an address."""
    return profile.reach.variable(profile.name, what)
