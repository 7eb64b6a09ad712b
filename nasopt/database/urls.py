"""Database URLs: variables filled in, files found, and passwords kept from everything that is shown or stored."""

from __future__ import annotations

import os
import re
import string
from pathlib import Path
from urllib.parse import quote, unquote

from nasopt.errors import UsageError

_SERVERS = "postgresql|postgres|mysql|mariadb|oracle|mssql|cockroachdb"
_USERINFO = re.compile(rf"((?:://|\b(?:{_SERVERS})(?:\+\w+)?:/?(?!/))[^:/@\s]*):(\S*)@", re.IGNORECASE)
_QUERY = re.compile(r"\b(password|passwd|pwd)=([^&\s'\"]*)", re.IGNORECASE)
_IN_TEXT = re.compile(rf"(?:[a-z][\w+]*://|\b(?:{_SERVERS})(?:\+\w+)?:/?)(.*)", re.IGNORECASE | re.DOTALL)
_HOST_AND_NAME = re.compile(r"([^:/?]*)(?::\d*)?(?:/([^?]*))?")
_VARIABLE = re.compile(r"\$\{\w+\}")
_MEANINGFUL = "@/?#[] "
"""Characters that end a password where they stand in a URL unescaped."""
_SHORTEST = 3

_secrets: set[str] = set()
"""Passwords that this process has met: drivers repeat them in pieces that no pattern knows for what they are."""


def redact(text: str) -> str:
    """A URL, or any text, without passwords. `${VARIABLE}` in place of one stays, for it tells nothing.

    Passwords are found by their place in a URL, and known ones (see `watch_for`) wherever they stand.
    """
    shown = _USERINFO.sub(lambda m: f"{m[1]}:{_mask(m[2])}@", text)
    shown = _QUERY.sub(lambda m: f"{m[1]}={_mask(m[2])}", shown)
    for secret in sorted(_secrets, key=len, reverse=True):
        if secret in shown:
            shown = re.sub(rf"(?<![A-Za-z0-9]){re.escape(secret)}(?![A-Za-z0-9])", "***", shown)
    return shown


def _mask(password: str) -> str:
    return password if not password or _VARIABLE.fullmatch(password) else "***"


def watch_for(text: str) -> None:
    """Remember the password of a URL in this text, however badly it is written, so that `redact` knows it again."""
    found = _IN_TEXT.search(text)
    if found is None:
        return
    userinfo, _, place = found[1].rpartition("@")
    user, _, password = userinfo.partition(":")
    passwords = [password, *(m[2] for m in _QUERY.finditer(place or found[1]))]
    harmless = {"nasopt", user, *_HOST_AND_NAME.match(place).groups()}  # type: ignore[union-attr]
    for secret in filter(None, passwords):
        if not _VARIABLE.fullmatch(secret):
            pieces = re.split(rf"[{re.escape(_MEANINGFUL)}:$&]", secret)  # what a driver takes for a host or a port
            spelt = {secret, unquote(secret), quote(secret, safe=""), *pieces, *map(unquote, pieces)}
            _secrets.update(s for s in spelt - harmless if len(s) >= _SHORTEST)


def expand(url: str) -> str:
    """Fill in `${VARIABLE}` from the environment; what would end a password is escaped in a variable's value.

    Raises:
        UsageError: a variable is not set, or a `$` stands alone.
    """
    watch_for(url)
    values = dict(os.environ)
    userinfo, at, place = url.rpartition("@")
    if at and "://" in userinfo:
        safe = {name: re.sub(f"[{re.escape(_MEANINGFUL)}]", lambda m: quote(m[0]), v) for name, v in values.items()}
        full = _fill(url, userinfo, safe) + at + _fill(url, place, values)
    else:
        full = _fill(url, url, values)
    watch_for(full)
    return full


def _fill(url: str, part: str, values: dict[str, str]) -> str:
    advice = "write '$$' for a dollar sign, or keep a password in a variable and write ${PASSWORD}"
    try:
        return string.Template(part).substitute(values)
    except KeyError as error:
        if f"${{{error.args[0]}}}" in part:
            raise UsageError(
                f"the storage URL uses ${{{error.args[0]}}}, which is not set in the environment"
            ) from None
    except ValueError:
        pass
    raise UsageError(f"the storage URL {redact(url)} has a '$' that begins no variable's name; {advice}") from None


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite URL, absolute, `%20` and the like decoded as SQLAlchemy does; None for other databases."""
    match = re.fullmatch(r"sqlite(?:\+\w+)?:///([^?]+)(?:\?(.*))?", url, re.DOTALL)
    if match is None:
        return None
    path = unquote(match[1])
    if path.startswith("file:") and "uri=true" in (match[2] or ""):
        path = unquote(path.removeprefix("file:"))
    return Path(path).absolute()


def sqlite_url(file: Path) -> str:
    """The URL of a SQLite file, whatever characters its path has."""
    return f"sqlite:///{quote(str(file.absolute()))}"
