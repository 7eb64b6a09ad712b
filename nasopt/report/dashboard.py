"""optuna-dashboard over a study's database, with the constraints of `trial.set_constraint` respected.

The dashboard serialises only the constraint format that Optuna 5 no longer writes, so feasibility is lost on its
Pareto plot, and its own best trials ignore it. Storing both formats would count every constraint twice. Here three
names that `optuna_dashboard._app.create_app` looks up are given to a copy of that one function: the database, the
storage and the installed package stay as they are.
"""

from __future__ import annotations

import copy
import math
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import version
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import numpy as np

from nasopt.errors import NasoptError, UsageError
from nasopt.records import StudyKeys

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

    from optuna.artifacts import FileSystemArtifactStore
    from optuna.storages import BaseStorage
    from optuna.study import StudyDirection
    from optuna.trial import FrozenTrial

_MENDED = ("get_trials", "get_pareto_front_trials", "serialize_study_detail")
_LARGEST = 1e308
"""Stands for an infinite violation: JSON has no Infinity, and a browser refuses the whole answer for one."""


def make_app(storage: BaseStorage, artifact_store: FileSystemArtifactStore | None = None) -> WSGIApplication:
    """The dashboard as a WSGI application.

    Raises:
        NasoptError: the installed optuna-dashboard is built in another way than the one this mends.
    """
    from optuna.storages import get_storage
    from optuna_dashboard import _app

    missing = [name for name in _MENDED if name not in _app.create_app.__globals__]
    if missing:
        raise NasoptError(
            f"optuna-dashboard {version('optuna-dashboard')} has no {', '.join(missing)}, without which infeasible "
            "trials would show as good ones; install optuna-dashboard 0.21"
        )
    cached = get_storage(storage)
    create_app = _with_globals(_app.create_app, _replacements(_app.create_app.__globals__, cached))
    return create_app(cached, artifact_store=artifact_store)


def _with_globals(function: Callable[..., Any], names: Mapping[str, Any]) -> Callable[..., Any]:
    """A copy of a function that finds these names instead of its module's."""
    twin = types.FunctionType(
        function.__code__,
        {**function.__globals__, **names},
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    twin.__kwdefaults__ = function.__kwdefaults__
    return twin


def _replacements(original: Mapping[str, Any], storage: BaseStorage) -> dict[str, Any]:
    """What `create_app` looks up, mended."""
    shown: dict[int, FrozenTrial] = {}  # by trial id; finished trials never change

    def get_trials(cache: Any, source: BaseStorage, study_id: int) -> list[FrozenTrial]:
        trials = original["get_trials"](cache, source, study_id)
        return [_shown(trial, shown) for trial in trials]

    def serialize_study_detail(study: Any, best_trials: Sequence[FrozenTrial], *rest: Any) -> dict[str, Any]:
        best = list(best_trials)
        if len(study.directions) == 1:  # taken by the storage, which does not ask for feasibility
            best = pareto_front(storage.get_all_trials(study._study_id, deepcopy=False), study.directions)[:1]
        detail: dict[str, Any] = original["serialize_study_detail"](study, [_shown(t, shown) for t in best], *rest)
        if objectives := study.user_attrs.get(StudyKeys.OBJECTIVES):
            detail.setdefault("objective_names", [o["metric"] for o in objectives])
        return detail

    return {
        "get_trials": get_trials,
        "get_pareto_front_trials": pareto_front,
        "serialize_study_detail": serialize_study_detail,
    }


def _shown(trial: FrozenTrial, known: dict[int, FrozenTrial]) -> FrozenTrial:
    """The trial with its constraints in the format that the dashboard reads; the trial given is not changed."""
    if trial._trial_id in known:
        return known[trial._trial_id]
    twin = copy.copy(trial)
    twin._system_attrs = {k: v for k, v in trial.system_attrs.items() if not k.startswith("constraints:")}
    twin._system_attrs["constraints"] = [
        violation if math.isfinite(violation) else math.copysign(_LARGEST, violation)
        for violation in trial.constraints.values()
    ]
    if trial.state.is_finished():
        known[trial._trial_id] = twin
    return twin


def _feasible(trial: FrozenTrial) -> bool:
    return all(violation <= 0 for violation in trial.constraints.values())


def pareto_front(trials: Iterable[FrozenTrial], directions: Sequence[StudyDirection]) -> list[FrozenTrial]:
    """Feasible complete trials that none dominates, by number; a stand-in for the dashboard's own function.

    Trials with infinite values, refused or diverged ones, are never members.
    """
    from moocore import is_nondominated
    from optuna.study import StudyDirection
    from optuna.trial import TrialState

    able = [t for t in trials if t.state == TrialState.COMPLETE and _feasible(t) and np.isfinite(t.values).all()]
    if not able:
        return []
    maximise = [d == StudyDirection.MAXIMIZE for d in directions]
    mask = is_nondominated(np.array([t.values for t in able]), maximise=maximise, keep_weakly=True)
    return sorted((t for t, good in zip(able, mask, strict=True) if good), key=lambda t: t.number)


class _Server(ThreadingMixIn, WSGIServer):
    """One thread a request: a download does not hold up the page's polling."""

    daemon_threads = True


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing; the browser polls every few seconds."""


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
        return make_server(host, port, app, server_class=_Server, handler_class=_QuietHandler)
    except (OSError, OverflowError) as error:
        raise UsageError(f"cannot serve on {host}:{port}: {error}; choose another with --host or --port") from error


def serve(
    storage: BaseStorage,
    artifact_store: FileSystemArtifactStore | None = None,
    host: str = "127.0.0.1",
    port: int = 8080,
) -> None:
    """Serve the dashboard until interrupted. It asks for no password and can delete studies: keep it on this machine.

    Raises:
        UsageError: the host or port cannot be taken.
    """
    with open_server(storage, artifact_store, host, port) as server:
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return
