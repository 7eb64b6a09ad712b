"""From what a user types, a study file or a stored study's name, to the study."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from pydantic import ValidationError

from nasopt import database
from nasopt.errors import StudyNotFoundError, UsageError
from nasopt.report import StudyView, load_view, study_names
from nasopt.spec.study import StudySpec, load_spec
from nasopt.study.opening import Study, open_study, wrap_stored


def find_study(reference: str, storage: str | None = None) -> Study:
    """The stored study of a study file, or of this name in `storage` (or the environment's NASOPT_STORAGE).

    Raises:
        StudyNotFoundError: neither; the message lists what the database holds.
        UsageError: a name without a database to look in.
    """
    if _is_file(reference):
        overrides = [f"study.storage={json.dumps(storage, ensure_ascii=False)}"] if storage else []
        return open_study(load_spec(reference, overrides=overrides))
    url = _url(storage)
    opened = database.open_storage(url, create=False)
    with database.database_errors(url):
        view = load_view(opened, reference)
    try:
        spec = StudySpec.model_validate({**view.spec, "study": {**view.spec["study"], "storage": url}})
    except (ValidationError, KeyError) as error:
        raise StudyNotFoundError(f"study {reference!r} in {database.redact(url)} was not made by nasopt") from error
    return wrap_stored(spec, reference, url, opened)


def find_views(references: Sequence[str], storage: str | None = None) -> list[StudyView]:
    """Views of the named studies; of all studies of the database, or of the SQLite files here, where none is named."""
    if references:
        return [find_study(reference, storage).view() for reference in references]
    if storage or os.environ.get("NASOPT_STORAGE"):
        urls = [_url(storage)]
    else:
        urls = [f"sqlite:///{file}" for file in sorted(Path.cwd().glob("*.db")) if _may_hold_studies(file)]
        if not urls:
            raise UsageError(
                "no *.db file in this folder holds studies; name a study file, or a database with --storage"
            )
    views = []
    for url in urls:
        opened = database.open_storage(url, create=False)
        with database.database_errors(url):
            views += [load_view(opened, name) for name in study_names(opened)]
    return [view for view in views if view.spec]


def _may_hold_studies(file: Path) -> bool:
    """Whether a file is a SQLite database with Optuna's tables; opening another would write them into it."""
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    except sqlite3.Error as error:
        return "not a database" not in str(error)  # damaged or out of reach is worth an error, another file is not
    return {"studies", "study_directions", "trials"} <= tables


def _is_file(reference: str) -> bool:
    return reference.endswith((".yaml", ".yml")) or os.path.isfile(
        reference
    )  # pathlib raises where a name is too long for a file


def _url(storage: str | None) -> str:
    url = storage or os.environ.get("NASOPT_STORAGE")
    if not url:
        raise UsageError(
            "name the database with --storage (or NASOPT_STORAGE), or give the study file instead of a name"
        )
    return database.expand(url)
