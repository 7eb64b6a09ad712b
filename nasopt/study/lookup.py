"""From what a user types, a study file or a stored study's name, to the study."""

from __future__ import annotations

import json
import logging
import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from optuna.storages import BaseStorage
from pydantic import ValidationError

from nasopt import database
from nasopt.errors import DatabaseError, NasoptError, StudyNotFoundError, UsageError
from nasopt.records import StudyKeys
from nasopt.report import StudyView, load_view, study_records
from nasopt.spec.contest import ContestSpec, load_file
from nasopt.spec.study import StudySpec
from nasopt.study.store import Study, open_study, wrap_stored

CONTEST = StudyKeys.CONTEST
log = logging.getLogger(__name__)


def find_study(reference: str, storage: str | None = None) -> Study:
    """The stored study of a study file, or of this name in `storage` (or the environment's NASOPT_STORAGE).

    Raises:
        StudyNotFoundError: neither; the message lists what the database holds.
        UsageError: a name without a database to look in, or a contest, which holds several studies.
    """
    found = find_studies(reference, storage)
    if len(found) > 1 or (found[0].name != reference and CONTEST in found[0].optuna.user_attrs):
        names = ", ".join(s.name for s in found[:3])
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        raise UsageError(
            f"{reference} is a contest of the studies {names}{more}; name one of them, with --storage "
            f"{database.redact(found[0].url)}"
        )
    return found[0]


def find_studies(reference: str, storage: str | None = None) -> list[Study]:
    """The stored study of a file or name, or all studies of a contest that are stored, competitor by competitor.

    Raises:
        StudyNotFoundError: there is none; the message lists what the database holds.
        UsageError: a name without a database to look in.
    """
    if _is_file(reference):
        overrides = [f"study.storage={json.dumps(storage, ensure_ascii=False)}"] if storage else []
        spec = load_file(reference, overrides=overrides)
        return [open_study(spec)] if isinstance(spec, StudySpec) else open_contest(spec)
    url = _url(storage)
    opened = database.open_storage(database.expand(url), create=False)
    with database.database_errors(url):
        names = _members(opened, reference) or [reference]
        return [_stored(name, url, opened) for name in names]


def open_contest(spec: ContestSpec, *, storage: BaseStorage | None = None) -> list[Study]:
    """The stored studies of a contest's file, competitor by competitor; those not begun yet are left out.

    Raises:
        StudyNotFoundError: it has not been run yet.
        DatabaseError: the database cannot be opened.
    """
    opened = storage or database.open_storage(database.expand(spec.study.storage), create=False)
    found = []
    missing: StudyNotFoundError | None = None
    for entry in spec.entries():
        try:
            found.append(open_study(entry.spec, storage=opened))
        except StudyNotFoundError as error:
            missing = missing or error
    if not found:
        assert missing is not None
        raise StudyNotFoundError(f"the contest {spec.study.name!r} has not been run yet: {missing}")
    return found


def _members(storage: BaseStorage, contest: str) -> list[str]:
    """Names of a contest's stored studies, in the order of its file; empty where there is no contest of this name."""
    records = {name: attrs.get(CONTEST) for name, attrs in study_records(storage)[0].items()}
    members = {name: r for name, r in records.items() if r and r["name"] == contest and name != contest}
    return sorted(members, key=lambda n: _place(members[n]))


def _place(record: Mapping[str, Any]) -> tuple[int, int]:
    """Where a study stands in its contest; last where its file has dropped it."""
    labels, seeds = list(record["labels"]), list(record["seeds"])
    label, seed = record["label"], record["seed"]
    return (
        labels.index(label) if label in labels else len(labels),
        seeds.index(seed) if seed in seeds else len(seeds),
    )


def _stored(name: str, url: str, storage: BaseStorage) -> Study:
    view = load_view(storage, name)
    try:
        spec = StudySpec.model_validate({**view.spec, "study": {**view.spec["study"], "storage": url}})  # as given
    except (ValidationError, KeyError) as error:
        raise StudyNotFoundError(f"study {name!r} in {database.redact(url)} was not made by nasopt") from error
    return wrap_stored(spec, name, database.expand(url), storage)


def find_views(
    references: Sequence[str], storage: str | None = None, *, skipped: Callable[[str], None] = log.warning
) -> list[StudyView]:
    """Views of the named studies; of all studies of the database, or of the SQLite files here, where none is named.

    `skipped` is told, a line each, what could not be read beside the others.

    Raises:
        NasoptError: a study that is named, or everything that is here, cannot be read.
    """
    if references:
        return [study.view() for reference in references for study in find_studies(reference, storage)]
    if storage or os.environ.get("NASOPT_STORAGE"):
        urls = [database.expand(_url(storage))]
    else:
        urls = [database.sqlite_url(file) for file in sorted(Path.cwd().glob("*.db")) if _may_hold_studies(file)]
        if not urls:
            raise UsageError(
                "no *.db file in this folder holds studies; name a study file, or a database with --storage"
            )
    views: list[StudyView] = []
    faults: list[NasoptError] = []
    for url in urls:
        try:
            views += _views_of(url, faults)
        except NasoptError as error:
            faults.append(error)
    if faults and not views:
        raise faults[0] if len(faults) == 1 else DatabaseError("\n".join(map(str, faults)))
    for fault in faults:
        skipped(str(fault))
    return [view for view in views if view.spec]


def _views_of(url: str, faults: list[NasoptError]) -> list[StudyView]:
    """Views of all studies of a database that can be read; what cannot is added to `faults`."""
    opened = database.open_storage(url, create=False)
    views = []
    with database.database_errors(url):
        records, damaged = study_records(opened)
        faults += [
            DatabaseError(f"study {n!r} in {database.redact(url)} cannot be read: {w}") for n, w in damaged.items()
        ]
        for name, attrs in records.items():
            if StudyKeys.OBJECTIVES not in attrs:
                continue
            try:
                views.append(load_view(opened, name))
            except NasoptError as error:
                faults.append(error)
    return views


def _may_hold_studies(file: Path) -> bool:
    """Whether a file is a SQLite database with Optuna's tables; opening another would write them into it."""
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    except sqlite3.Error as error:
        return "not a database" not in str(error)  # damaged or out of reach is worth an error, another file is not
    if not tables and file.stat().st_size:
        return True  # a copy without its writes, to be told as such
    return {"studies", "study_directions", "trials"} <= tables


def _is_file(reference: str) -> bool:
    return reference.endswith((".yaml", ".yml")) or os.path.isfile(
        reference
    )  # pathlib raises where a name is too long for a file


def _url(storage: str | None) -> str:
    """Of the database to look in, its variables not filled in yet."""
    url = storage or os.environ.get("NASOPT_STORAGE")
    if not url:
        raise UsageError(
            "name the database with --storage (or NASOPT_STORAGE), or give the study file instead of a name"
        )
    return url
