"""The words by which files and folders say which split they hold."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, TypeAlias

Role: TypeAlias = Literal["train", "validation", "test"]

_WORDS: dict[str, Role] = {
    **dict.fromkeys(("train", "training", "trainset", "trn"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev", "eval", "evaluation", "valset"), "validation"),
    **dict.fromkeys(("test", "testing", "tests", "testset", "tst"), "test"),
}
_COMPANIONS = frozenset(
    {"data", "dataset", "dir", "files", "folder", "images", "image", "img", "imgs", "of", "photos", "pics", "pictures"}
    | {"seg", "set", "split", "the"}
)
"""Words that stand beside a split's own and mean nothing by themselves: `seg_train`, `TestImages`."""


def role_of(name: str) -> Role | None:
    """The split that a name speaks of, whatever its case: `Testing`, `seg_train`, `valid`, `train2017`; None if it
    speaks of none, of two, or of something else as well (`test_tube`)."""
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)]
    roles = {_WORDS[word] for word in words if word in _WORDS}
    others = [word for word in words if word not in _WORDS and word not in _COMPANIONS]
    return roles.pop() if len(roles) == 1 and not others else None


def role_of_file(stem: str) -> Role | None:
    """The split of a file, by how its name begins (`train-00000-of-00002`, `test_v2`), else by a word of it."""
    lead = re.match(r"[a-z]*", stem.lower())
    first = lead.group() if lead else ""
    for start, role in (("train", "train"), ("test", "test"), ("valid", "validation")):
        if first.startswith(start):
            return role  # type: ignore[return-value]
    if first in _WORDS:
        return _WORDS[first]
    roles = {_WORDS[word] for word in re.findall(r"[a-z]+", stem.lower()) if word in _WORDS}
    return roles.pop() if len(roles) == 1 else None


def shown(text: object) -> str:
    """A path or name on one line of printable text: line breaks, control characters and undecodable bytes escaped."""
    plain = str(text)
    if plain.isprintable():
        return plain
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in plain)


def listed(names: Sequence[str], most: int = 5) -> str:
    """Up to `most` of the names, and how many more there are."""
    rest = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(shown(name) for name in names[:most]) + rest
