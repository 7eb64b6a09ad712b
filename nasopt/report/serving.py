"""The dashboard's server: who may ask it, and who may change anything."""

from __future__ import annotations

import socket
import warnings
from collections.abc import Callable, Iterable
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from nasopt.errors import UsageError
from nasopt.report.dashboard import make_app

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from optuna.artifacts import FileSystemArtifactStore
    from optuna.storages import BaseStorage

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_EVERYWHERE = frozenset({"", "0.0.0.0"})
"""Hosts to listen on that stand for all addresses of this machine."""
_REACHED = "nasopt.reached"
"""Key of a request's environment: the address of this machine that it came to."""


class OwnPages:
    """Lets requests through that mean this server, and changes that its own pages ask for.

    A page of another site can make a browser send requests here: under a name of its own that it points to this machine
    (the Host tells), or across origins (the Origin tells).
    """

    def __init__(self, app: WSGIApplication, names: Iterable[str], port: int, *, everywhere: bool) -> None:
        """`names` are those of the server; `everywhere` adds the address that a request came to."""
        self._app = app
        self._names = frozenset(name.lower() for name in names)
        self._port = port
        self._everywhere = everywhere

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request, or refuse it with status 403 and one line."""
        names = self._names | {environ.get(_REACHED, "")} if self._everywhere else self._names
        hosts = {f"{name}:{self._port}" for name in names} | (set(names) if self._port == 80 else set())
        host, origin = environ.get("HTTP_HOST", "").lower(), environ.get("HTTP_ORIGIN")
        if host not in hosts:
            return _refuse(start_response, f"this server answers to {', '.join(sorted(hosts))}, not to this Host")
        if environ["REQUEST_METHOD"] not in _READING and origin is not None and origin != f"http://{host}":
            return _refuse(start_response, f"only pages of http://{host} may change anything here, not this Origin")
        return self._app(environ, start_response)


def _refuse(start_response: StartResponse, why: str) -> list[bytes]:
    start_response("403 Forbidden", [("Content-Type", "text/plain; charset=utf-8")])
    return [f"{why}\n".encode()]


class _Server(ThreadingMixIn, WSGIServer):
    """One thread a request: a download does not hold up the page's polling."""

    daemon_threads = True

    def server_bind(self) -> None:
        """Bind, without asking a name server who this machine is: that may take seconds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing; the browser polls every few seconds."""

    def address_string(self) -> str:
        """The client's address as it is, not looked up."""
        return str(self.client_address[0])

    def get_environ(self) -> WSGIEnvironment:
        """With the address of this machine that the request came to."""
        return super().get_environ() | {_REACHED: str(self.connection.getsockname()[0])}


def open_server(
    storage: BaseStorage,
    artifact_store: FileSystemArtifactStore | None = None,
    host: str = "127.0.0.1",
    port: int = 8080,
) -> WSGIServer:
    """A server bound to its port (0: any free one, see `server_port`), ready for `serve_forever`.

    Raises:
        UsageError: the host or port cannot be taken.
    """
    app = make_app(storage, artifact_store)
    try:
        server = make_server(host, port, app, server_class=_Server, handler_class=_QuietHandler)
    except (OSError, OverflowError) as error:
        raise UsageError(f"cannot serve on {host}:{port}: {error}; choose another with --host or --port") from error
    everywhere = host in _EVERYWHERE
    names = {"localhost", "127.0.0.1", socket.gethostname()} if everywhere else {"localhost", host}
    names.add(str(server.server_address[0]))
    server.set_app(OwnPages(app, names, server.server_port, everywhere=everywhere))
    return server


def serve(
    storage: BaseStorage,
    artifact_store: FileSystemArtifactStore | None = None,
    host: str = "127.0.0.1",
    port: int = 8080,
    *,
    study: str | None = None,
    ready: Callable[[str], None] = lambda address: None,
) -> None:
    """Serve the dashboard until interrupted. It asks for no password and can delete studies: keep it on this machine.

    Args:
        storage: of the studies.
        artifact_store: of their files, which the pages then offer.
        host: address to listen on.
        port: port to listen on; 0 for any free one.
        study: the study whose page `ready` is told; the list of all of them if left out.
        ready: is told the address once the server answers.

    Raises:
        UsageError: the host or port cannot be taken.
    """
    with open_server(storage, artifact_store, host, port) as server, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of other libraries, at each request
        shown = "localhost" if host in _EVERYWHERE else host
        page = "" if study is None else f"/studies/{storage.get_study_id_from_name(study)}"
        ready(f"http://{shown}:{server.server_port}/dashboard{page}")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return
