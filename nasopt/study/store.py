"""A study in its database: created, found again, and held against the file that asks for it."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
from optuna.artifacts import FileSystemArtifactStore
from optuna.distributions import distribution_to_json
from optuna.storages import BaseStorage

from nasopt import database
from nasopt.errors import DatabaseError, StudyChangedError, StudyNotFoundError, UsageError
from nasopt.hardware import fingerprint
from nasopt.problems import Problem
from nasopt.records import StudyKeys
from nasopt.records.metrics import split_metric
from nasopt.report import StudyView, load_view, study_records, trials_of
from nasopt.spec.study import StudySpec
from nasopt.study.provenance import git_revision, versions
from nasopt.study.workers import Presence, Register, engine_of, stored_identity


@dataclass(frozen=True, slots=True)
class Study:
    """A study and the places that belong to it. Make one with `open_study`."""

    name: str
    spec: StudySpec
    url: str = field(repr=False)
    """Storage URL, variables filled in; show it only through `database.redact`."""
    storage: BaseStorage
    optuna: optuna.Study
    """The plain Optuna study, for everything that nasopt does not do."""
    artifacts: Path
    home: Path | None
    """Folder of the database's locks; None where no other process can share it."""

    def __repr__(self) -> str:
        return f"<Study {self.name!r} in {database.redact(self.url)}>"

    @property
    def seed(self) -> int:
        """Of the sampler; splits and training take the file's."""
        return int(self.optuna.user_attrs.get(StudyKeys.SEED, self.spec.study.seed))

    @property
    def locks(self) -> Path | None:
        """Folder of this study's locks; None where no other process can share it."""
        return None if self.home is None else self.home / file_name(self.name)

    def presence(self) -> Presence:
        """This process as a worker of the database; enter it for as long as it works."""
        return Presence(self.storage, self.home)

    def lock(self, name: str) -> AbstractContextManager[Any]:
        """A lock that the processes of this host which share the study respect."""
        return nullcontext() if self.locks is None else database.file_lock(self.locks / f"{name}.lock")

    @property
    def artifact_store(self) -> FileSystemArtifactStore:
        """Where weights and tables of trials are."""
        return database.artifact_store(self.artifacts)

    def view(self) -> StudyView:
        """The study as reports see it, read now."""
        return load_view(self.storage, self.name)

    def remember(self, key: str, value: Any) -> None:
        """Store a study attribute unless it says so already."""
        if self.optuna.user_attrs.get(key) != value:
            self.optuna.set_user_attr(key, value)


def open_study(spec: StudySpec, *, storage: BaseStorage | None = None) -> Study:
    """Open the stored study that this file describes, to read it or to go on with it in a script.

    Args:
        spec: from `load_spec`.
        storage: an open Optuna storage to use instead of the file's; needed again for a study in memory.

    Raises:
        StudyNotFoundError: it has not been run yet.
        DatabaseError: the database cannot be opened.
    """
    url = database.expand(spec.study.storage)
    storage = storage or database.open_storage(url, create=False)
    with database.database_errors(url):
        stored = study_records(storage)[0]
    fallback = f"{spec.study.name}@{spec.data.otherwise}" if spec.data.otherwise else spec.study.name
    for name in (spec.study.name, fallback):
        if name in stored:
            return wrap_stored(spec, name, url, storage)
    raise StudyNotFoundError(
        f"no study {spec.study.name!r} in {database.redact(url)}; it holds {', '.join(sorted(stored)) or 'none'}"
    )


def create_or_resume(
    spec: StudySpec,
    problem: Problem,
    *,
    storage: BaseStorage | None = None,
    allow_changes: bool = False,
    contest: Mapping[str, Any] | None = None,
) -> Study:
    """Open the study of this file for running; create it where it is not stored yet.

    `contest` is the record of `StudyKeys.CONTEST`, for a study that competes.

    Raises:
        StudyChangedError: the stored study was made from another file, and `allow_changes` is off; a changed search
            space or table or changed objectives are refused in any case.
        UsageError: the study measures a `local` device and was begun on other hardware.
    """
    url = database.expand(spec.study.storage)
    name = spec.study.name + problem.suffix
    directions = [o.sense for o in spec.objectives]
    storage = storage or database.open_storage(url, first=lambda opened: _refuse_foreign(name, directions, opened))
    with database.database_errors(url):
        _refuse_foreign(name, directions, storage)
        if contest is None:
            _check_free(name, storage)
        engine = None if url == database.MEMORY else engine_of(storage)
        register = None if engine is None else Register(engine)
        study = optuna.create_study(study_name=name, storage=storage, directions=directions, load_if_exists=True)
    opened = wrap_stored(spec, name, url, storage, study)
    with opened.lock("facts"), nullcontext() if register is None else register.gate():
        facts = _facts(spec, problem, opened)
        if contest is not None:
            facts = {StudyKeys.CONTEST: dict(contest), **facts, StudyKeys.SEED: contest["seed"]}
        stored = study.user_attrs
        _check_kind(opened, contest)
        if StudyKeys.SPEC_HASH in stored:
            _check_unchanged(opened, facts, allow_changes=allow_changes)
            _check_problem(opened, facts)
            _check_host(opened, problem)
            _check_meters(opened, facts, allow_changes=allow_changes)
        _require_readable(opened)
        for key, value in facts.items():
            if key not in stored or allow_changes or key in (StudyKeys.SPEC, StudyKeys.CONTEST):
                opened.remember(key, value)
        _name_metrics(study, spec)
    return opened


def _name_metrics(study: optuna.Study, spec: StudySpec) -> None:
    """Let plots, dashboard and tables of any tool name the objectives, unless somebody has named them already."""
    if study.metric_names is None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study.set_metric_names([o.metric for o in spec.objectives])


def wrap_stored(spec: StudySpec, name: str, url: str, storage: BaseStorage, study: optuna.Study | None = None) -> Study:
    """The study of this name in an open storage, with its places."""
    study = study or optuna.load_study(study_name=name, storage=storage)
    engine = None if url == database.MEMORY else engine_of(storage)
    home = None if engine is None else database.state_folder(url, stored_identity(engine))
    stored = study.user_attrs.get(StudyKeys.ARTIFACTS)
    expected = _artifact_folder(spec, home or database.state_folder(url))
    folder = Path(stored) if stored else expected
    if not folder.is_dir() and expected.is_dir():  # the database has moved, and its artifacts with it
        folder = expected
    locks = None if home is None else home / "locks"
    return Study(name=name, spec=spec, url=url, storage=storage, optuna=study, artifacts=folder, home=locks)


def _artifact_folder(spec: StudySpec, home: Path) -> Path:
    if spec.study.artifacts:
        return Path(spec.study.artifacts).expanduser().absolute()
    return home / "artifacts"


def _facts(spec: StudySpec, problem: Problem, study: Study) -> dict[str, Any]:
    """What is stored with a study once, the hash last: its presence says that the rest is complete."""
    return {
        StudyKeys.SPEC: spec.resolved(),
        StudyKeys.OBJECTIVES: [{"metric": o.metric, "direction": o.sense} for o in spec.objectives],
        StudyKeys.SEED: spec.study.seed,
        StudyKeys.VERSIONS: versions(),
        StudyKeys.HOST: fingerprint(),
        StudyKeys.GIT: git_revision(Path.cwd()),
        StudyKeys.ARTIFACTS: str(study.artifacts),
        StudyKeys.DISTRIBUTIONS: {name: distribution_to_json(d) for name, d in problem.distributions.items()},
        **problem.facts(),
        StudyKeys.SPEC_HASH: spec.hash(),
    }


def _refuse_foreign(name: str, directions: Sequence[str], storage: BaseStorage) -> None:
    """Refuse a study of this name that somebody else made: its trials are of another space, and of other figures.

    One without trials and attributes is what a run leaves that was killed at once, and is nobody's.
    """
    try:
        study_id = storage.get_study_id_from_name(name)
    except KeyError:
        return
    attrs = storage.get_study_user_attrs(study_id)
    if StudyKeys.OBJECTIVES in attrs or StudyKeys.SPEC in attrs:
        return
    theirs = [d.name.lower() for d in storage.get_study_directions(study_id)]
    trials = storage.get_n_trials(study_id)
    if trials or attrs or theirs != list(directions):
        raise UsageError(
            f"the database holds a study {name!r} that nasopt did not make ({trials} trials, "
            f"{', '.join(theirs)}); give this one another name (study.name), or name another database"
        )


def _require_readable(study: Study) -> None:
    """Refuse to go on where a stored trial is damaged: samplers read them all.

    Raises:
        DatabaseError: naming the trial, and what reads the rest.
    """
    _, damaged = trials_of(study.storage, study.optuna._study_id)
    for number, why in damaged.items():
        raise DatabaseError(
            f"trial {number} of study {study.name!r} is stored damaged ({why}); the sampler learns from all trials: "
            "bring back a copy of the database. nasopt status and nasopt report read the rest of this one"
        )


def _check_free(name: str, storage: BaseStorage) -> None:
    """Refuse a study the name of a contest: commands that take names could not tell them apart."""
    if any(attrs.get(StudyKeys.CONTEST, {}).get("name") == name for attrs in study_records(storage)[0].values()):
        raise UsageError(f"the database holds a contest named {name!r}; give the study another name (study.name)")


def _check_kind(study: Study, contest: Mapping[str, Any] | None) -> None:
    """Refuse to take a contest's study for one of its own, or the other way round."""
    stored = study.optuna.user_attrs
    if StudyKeys.SPEC_HASH not in stored:
        return
    member = stored.get(StudyKeys.CONTEST)
    if contest is None and member is not None:
        raise UsageError(
            f"study {study.name!r} belongs to the contest {member['name']!r}; run that one's file, or choose another "
            "study.name"
        )
    if contest is not None and (member is None or member["name"] != contest["name"]):
        owner = "a study of its own" if member is None else f"part of the contest {member['name']!r}"
        raise UsageError(
            f"the contest {contest['name']!r} needs a study {study.name!r}, and the database holds one that is "
            f"{owner}; give the contest another name (study.name)"
        )


def _check_unchanged(study: Study, facts: Mapping[str, Any], *, allow_changes: bool) -> None:
    stored = study.optuna.user_attrs
    if (
        stored[StudyKeys.DISTRIBUTIONS] != facts[StudyKeys.DISTRIBUTIONS]
        or stored[StudyKeys.OBJECTIVES] != facts[StudyKeys.OBJECTIVES]
    ):
        changed = "search space" if stored[StudyKeys.DISTRIBUTIONS] != facts[StudyKeys.DISTRIBUTIONS] else "objectives"
        raise StudyChangedError(
            f"the {changed} of study {study.name!r} differs from the stored one, whose trials cannot be compared with "
            "new ones; give the study another name (study.name)"
        )
    if stored[StudyKeys.SPEC_HASH] == facts[StudyKeys.SPEC_HASH] or allow_changes:
        return
    before = StudySpec.model_validate(stored[StudyKeys.SPEC]).identity()
    now = study.spec.identity()
    different = sorted(k for k in before.keys() | now.keys() if before.get(k) != now.get(k))
    if not different:  # an older version stored it, which knew fewer keys
        return
    listed = ", ".join(f"{k} (was {before.get(k)!r}, now {now.get(k)!r})" for k in different)
    raise StudyChangedError(
        f"study {study.name!r} was made from another file: {listed}; change it back, choose another study.name, "
        "or pass --allow-changes to go on all the same"
    )


def _check_problem(study: Study, facts: Mapping[str, Any]) -> None:
    """Refuse to go on with a table whose points or figures are others now; the file may have moved."""
    stored, now = (f.get(StudyKeys.PROBLEM, {}) for f in (study.optuna.user_attrs, facts))
    if stored.get("kind") == "table" and stored.get("key") != now.get("key"):
        raise StudyChangedError(
            f"the content of {now.get('source')} differs from that of the table that study {study.name!r} was begun "
            f"with ({stored.get('source')}); bring that one back, or give the study another name (study.name)"
        )


def _check_meters(study: Study, facts: Mapping[str, Any], *, allow_changes: bool) -> None:
    """Refuse to mix energies that different meters read, or one with other options, in what a study is about."""
    if allow_changes or not any(split_metric(m)[0] == "energy_mj" for m in study.spec.metrics):
        return
    stored = study.optuna.user_attrs.get(StudyKeys.DEVICES, [])
    before = {d["name"]: _reading(d) for d in stored}
    told = {d["name"] for d in stored if "reading" in d}  # older versions stored the meter's name alone
    for device in facts.get(StudyKeys.DEVICES, []):
        was = before.get(device["name"], {})
        now = _reading(device) if device["name"] in told else {"meter": device.get("meter")}
        different = sorted(k for k in was.keys() | now.keys() if was and was.get(k) != now.get(k))
        if different:
            listed = ", ".join(f"{k} was {was.get(k)!r}, now {now.get(k)!r}" for k in different)
            raise StudyChangedError(
                f"the energy of study {study.name!r} on {device['name']} was read in another way: {listed}; change it "
                "back, choose another study.name, or pass --allow-changes to mix both in one objective"
            )


def _reading(device: Mapping[str, Any]) -> dict[str, Any]:
    """What a device's energy is read by: the meter, its options and what it says of itself."""
    return {"meter": device.get("meter"), **(device.get("reading") or {})}


def _check_host(study: Study, problem: Problem) -> None:
    devices = problem.facts().get(StudyKeys.DEVICES, [])
    if not any(d["provenance"] == "measured" for d in devices):
        return
    stored, here = study.optuna.user_attrs[StudyKeys.HOST], fingerprint()
    different = sorted(k for k in stored.keys() | here.keys() if stored.get(k) != here.get(k))
    if different:
        listed = ", ".join(f"{k}: {stored.get(k)!r} there, {here.get(k)!r} here" for k in different)
        raise UsageError(
            f"study {study.name!r} measures on the host that runs it, and was begun on other hardware ({listed}); "
            "give the study of this host another name"
        )


def file_name(name: str) -> str:
    """A study's name as the name of one file: no separators, and short enough for any file system."""
    plain = "".join(c if (c.isascii() and c.isalnum()) or c in "-_@" else f"%{ord(c):x}" for c in name)
    return plain if len(plain) <= 150 else f"{plain[:120]}%{hashlib.sha256(name.encode()).hexdigest()[:16]}"
