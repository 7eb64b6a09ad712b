"""What a database holds, read so that one damaged entry does not hide the others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nasopt.errors import NasoptError

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial


def study_records(storage: BaseStorage) -> tuple[dict[str, Mapping[str, Any]], dict[str, str]]:
    """User attributes of all studies by name, in the order of their making; and why others cannot be read, by name."""
    try:
        studies = sorted(storage.get_all_studies(), key=lambda s: s._study_id)
        return {s.study_name: s.user_attrs for s in studies}, {}
    except NasoptError:
        raise
    except Exception:
        rows = _rows(storage, "studies", ("study_id", "study_name"))
        if rows is None:
            raise
    records: dict[str, Mapping[str, Any]] = {}
    damaged: dict[str, str] = {}
    for study_id, name in rows:
        try:
            records[name] = storage.get_study_user_attrs(study_id)
        except Exception as error:
            damaged[name] = first_line(error)
    return records, damaged


def trials_of(storage: BaseStorage, study_id: int) -> tuple[list[FrozenTrial], dict[int, str]]:
    """All trials of a study that can be read, by number; and why others cannot, by number."""
    try:
        return sorted(storage.get_all_trials(study_id, deepcopy=False), key=lambda t: t.number), {}
    except NasoptError:
        raise
    except Exception:
        rows = _rows(storage, "trials", ("trial_id", "number"), study_id=study_id)
        if rows is None:
            raise
    trials: list[FrozenTrial] = []
    damaged: dict[int, str] = {}
    for trial_id, number in rows:
        try:
            trials.append(storage.get_trial(trial_id))
        except Exception as error:
            damaged[number if isinstance(number, int) else trial_id] = first_line(error)
    return sorted(trials, key=lambda t: t.number), damaged


def _rows(storage: BaseStorage, table: str, columns: tuple[str, ...], **where: Any) -> list[tuple[Any, ...]] | None:
    """Rows in the order of the first column; None of a storage that is no database."""
    import sqlalchemy as sa

    engine = getattr(getattr(storage, "_backend", storage), "engine", None)
    if engine is None:
        return None
    source = sa.table(table, *map(sa.column, (*columns, *where)))
    wanted = sa.select(*(source.c[c] for c in columns)).order_by(source.c[columns[0]])
    for name, value in where.items():
        wanted = wanted.where(source.c[name] == value)
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(wanted)]


def first_line(error: BaseException) -> str:
    """What went wrong, with its kind, on one line."""
    cause = error.__cause__ or error
    lines = str(getattr(cause, "orig", None) or cause).strip().splitlines()
    return f"{type(cause).__name__}: {lines[0][:200] if lines else 'no more is known'}"
