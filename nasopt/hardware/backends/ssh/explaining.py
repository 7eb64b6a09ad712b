"""What a failed connection means, and the way out."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

from nasopt.errors import DeviceLostError, DeviceRefusedError
from nasopt.hardware.backends.ssh.address import Address


def explained(error: Exception, address: Address, asyncssh: Any) -> DeviceLostError:
    """The error of nasopt that an exception of a connection is: DeviceRefusedError where a person has to act."""
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return _host_key(address, asyncssh)
    if isinstance(error, asyncssh.PermissionDenied):
        with_key = f"the key {address.key}" if address.key else "the keys of the SSH agent and ~/.ssh"
        return DeviceRefusedError(
            f"{address} refuses this user with {with_key}; set reach.user and reach.key, and put the public key on the "
            "device with ssh-copy-id"
        )
    if isinstance(error, asyncssh.KeyEncryptionError | asyncssh.KeyImportError):
        return DeviceRefusedError(
            f"cannot use the private key {address.key}: {error}; give one without a passphrase, or load it into the "
            "SSH agent (ssh-add) and leave reach.key out"
        )
    if isinstance(error, asyncssh.KeyExchangeFailed):
        return DeviceRefusedError(
            f"{address} and this machine agree on no cipher or host key: {error}; try {address.command}"
        )
    if isinstance(error, socket.gaierror):
        return DeviceLostError(f"no host is called {address.host}; check the name, or give the address")
    if isinstance(error, TimeoutError | OSError) and not isinstance(error, asyncssh.Error):
        why = "no answer" if isinstance(error, TimeoutError) else error.strerror or str(error)
        return DeviceLostError(
            f"{address} does not answer: {why}; check that it is switched on, on this network, and that its SSH server "
            "runs"
        )
    return DeviceLostError(f"the connection to {address} broke: {' '.join(str(error).split())}; check its network")


def _host_key(address: Address, asyncssh: Any) -> DeviceRefusedError:
    if _has_keys(address, asyncssh):
        return DeviceRefusedError(
            f"the host key of {address} is not the one in {address.known_hosts}: it was set up anew, or somebody is in "
            f"between; if it was, ssh-keygen -R '{address.listed}' -f {address.known_hosts}, then enter it once and "
            f"compare the fingerprint: {address.command} -o UserKnownHostsFile={address.known_hosts}"
        )
    return DeviceRefusedError(
        f"the host key of {address} is not in {address.known_hosts}; enter it once and compare the fingerprint: "
        f"{address.command} -o UserKnownHostsFile={address.known_hosts}"
    )


def _has_keys(address: Address, asyncssh: Any) -> bool:
    """Whether any key of this host is known."""
    if not Path(address.known_hosts).is_file():
        return False
    try:
        known = asyncssh.read_known_hosts(str(address.known_hosts))
        return any(known.match(address.host, "", address.port)[:1])
    except (OSError, ValueError):
        return False
