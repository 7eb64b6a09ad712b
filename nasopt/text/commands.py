"""Commands that messages tell a user to type: quoted for a shell, without passwords, and about the study at hand."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from nasopt.database import MEMORY, redact

PASSWORD_HINT = "PASSWORD stands for the database's password: export it, the URL is filled in from the environment"
"""Said once beside commands whose URL had a password in it."""


def command(*words: str) -> str:
    """`nasopt` and these words as one line for a shell; a password is `${PASSWORD}`, which nasopt fills in itself."""
    return shlex.join(
        ["nasopt", *(redact(word).replace(":***@", ":${PASSWORD}@").replace("=***", "=${PASSWORD}") for word in words)]
    )


def about(verb: str, study: str, storage: str, *options: str) -> str:
    """A command on a stored study, by its name in its database.

    Args:
        verb: such as `report`.
        study: its name, or that of a contest.
        storage: URL of its database, as the user wrote it.
        options: further words.
    """
    where = ["--storage", storage, *options]
    return command(verb, *where, "--", study) if study.startswith("-") else command(verb, study, *where)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """How a user called `nasopt run`."""

    study: str
    """The file."""
    assignments: Sequence[str] = ()
    storage: str | None = None
    sampler: str | None = None
    trackers: Sequence[str] = ()

    def again(self, *options: str) -> str:
        """The same run with other options behind it."""
        words = ["run", self.study]
        for assignment in self.assignments:
            words += ["--set", assignment]
        for option, value in (("--storage", self.storage), ("--sampler", self.sampler)):
            words += [option, value] if value is not None else []
        for tracker in self.trackers:
            words += ["--tracker", tracker]
        return command(*words, *options)

    def about(self, verb: str, name: str, storage: str, *options: str) -> str:
        """A command on the study that was run, called `name` in the database `storage`.

        It names the file where that says all. What `--set` changed, the file does not know, and the database does.
        """
        if self.assignments:
            return about(verb, name, storage, *options)
        where = ["--storage", self.storage] if self.storage is not None else []
        return command(verb, self.study, *where, *options)


def kept(storage: str) -> bool:
    """Whether a study in this storage outlives its process, so that commands can be about it."""
    return storage != MEMORY


def hint(commands: Sequence[str]) -> str:
    """What to say beside these commands; empty where nothing is to be said."""
    return PASSWORD_HINT if any("${PASSWORD}" in line for line in commands) else ""
