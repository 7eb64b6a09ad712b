"""Whether a database has the schema of the installed Optuna, found out without alembic.

Optuna looks through alembic each time that it opens a database, and importing it costs a short command as much as the
rest of Optuna does. The question is one row of one table, and the answer is in files that come with Optuna. Where that
row does not say that all is as it should be, Optuna's own check runs, with its message.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

_REVISION = re.compile(r'^(down_revision|revision)\s*=\s*"([^"]+)"', re.MULTILINE)


@contextmanager
def quick_check() -> Iterator[None]:
    """While it lasts, `RDBStorage` takes a database of the newest schema for what it is, and examines every other."""
    import optuna.storages._rdb.storage as rdb

    theirs: Any = getattr(rdb, "_VersionManager", None)
    newest = newest_schema()
    if newest is None or not {"_init_alembic", "check_table_schema_compatibility"} <= set(vars(theirs or object)):
        yield  # another Optuna than those that are known: it checks in its own way
        return

    class Quick(theirs):  # type: ignore[misc]
        """Optuna's check, left out where it could only say yes."""

        def _init_alembic(self) -> None:
            self._newest = _stored_schema(self.engine) == newest
            if not self._newest:
                super()._init_alembic()

        def check_table_schema_compatibility(self) -> None:
            if not self._newest:
                super().check_table_schema_compatibility()

    rdb._VersionManager = Quick  # type: ignore[misc]
    try:
        yield
    finally:
        rdb._VersionManager = theirs  # type: ignore[misc]


@cache
def newest_schema() -> str | None:
    """The revision that no other one follows, of those that come with Optuna; None where they cannot be told."""
    import optuna.storages._rdb as rdb

    texts = [file.read_text() for file in (Path(rdb.__file__).parent / "alembic" / "versions").glob("*.py")]
    found = [dict(_REVISION.findall(text)) for text in texts]
    followed = {revision.get("down_revision") for revision in found}
    heads = [r["revision"] for r in found if "revision" in r and r["revision"] not in followed]
    return heads[0] if len(heads) == 1 else None


def _stored_schema(engine: Any) -> str | None:
    """The revision that the database says it has; None where it says nothing, or more than one thing."""
    import sqlalchemy

    try:
        with engine.connect() as connection:
            rows = connection.execute(sqlalchemy.text("SELECT version_num FROM alembic_version")).all()
    except sqlalchemy.exc.DatabaseError:
        return None
    return str(rows[0][0]) if len(rows) == 1 else None
