"""optuna-dashboard over a study's database: constraints are respected, and every number that it serves is finite.

The dashboard serialises only the constraint format that Optuna 5 no longer writes, so feasibility is lost on its
Pareto plot, and its own best trials ignore it. Storing both formats would count every constraint twice. An infinite
value turns the axes of its plots into lists of labels. Here four names that `optuna_dashboard._app.create_app` looks up
are given to a copy of that one function: the database, the storage and the installed package stay as they are.
"""

from __future__ import annotations

import copy
import math
import numbers
import sys
import types
import warnings
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
from optuna.trial import TrialState

from nasopt.errors import NasoptError
from nasopt.records import StudyKeys

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

    from optuna.artifacts import FileSystemArtifactStore
    from optuna.storages import BaseStorage
    from optuna.study import StudyDirection
    from optuna.trial import FrozenTrial

_MENDED = ("get_trials", "get_pareto_front_trials", "serialize_study_detail", "optuna")
_UNUSED = "optuna_dashboard.preferential.samplers.gp"
"""Its sampler for human preferences, which imports BoTorch and PyTorch: most of the time until the first answer."""
_LARGEST = 1e308
"""Stands for an infinite violation: JSON has no Infinity, and a browser refuses the whole answer for one."""


def make_app(storage: BaseStorage, artifact_store: FileSystemArtifactStore | None = None) -> WSGIApplication:
    """The dashboard as a WSGI application.

    Raises:
        NasoptError: the installed optuna-dashboard is built in another way than the one this mends.
    """
    from optuna.storages import get_storage

    with _quick_import():
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


@contextmanager
def _quick_import() -> Iterator[None]:
    """The dashboard does without the part that is slow to import, and its libraries' warnings stay off the terminal."""
    absent = _UNUSED not in sys.modules
    if absent:
        sys.modules[_UNUSED] = None  # type: ignore[assignment]  # importing it raises ImportError, which is expected
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        if absent:
            sys.modules.pop(_UNUSED, None)


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
        "optuna": _Optuna(shown),
    }


class _Optuna:
    """Optuna as `create_app` uses it: its downloads and figures are of the trials as they are shown.

    Renaming copies a study by `get_trials`, and copies what is stored.
    """

    def __init__(self, shown: dict[int, FrozenTrial]) -> None:
        class Loaded(optuna.Study):
            @property
            def trials(self) -> list[FrozenTrial]:
                return [_shown(t, shown) for t in self.get_trials(deepcopy=False)]

        class Drawn(Loaded):
            def get_trials(
                self, deepcopy: bool = True, states: Container[TrialState] | None = None
            ) -> list[FrozenTrial]:
                trials = [_shown(t, shown) for t in super().get_trials(deepcopy=False)]
                return [t for t in trials if states is None or t.state in states]

        self.load_study = Loaded
        self.visualization = _Figures(lambda study: Drawn(study_name=study.study_name, storage=study._storage))

    def __getattr__(self, name: str) -> Any:
        return getattr(optuna, name)


class _Figures:
    """Optuna's figures of a study as it is shown."""

    def __init__(self, shown: Callable[[optuna.Study], optuna.Study]) -> None:
        self._shown = shown

    def __getattr__(self, name: str) -> Callable[..., Any]:
        figure = getattr(optuna.visualization, name)
        return lambda study, **options: figure(self._shown(study), **options)


def _shown(trial: FrozenTrial, known: dict[int, FrozenTrial]) -> FrozenTrial:
    """The trial as a browser can show it; the one given is not changed.

    Constraints have the format that the dashboard reads. A trial with an infinite value, as older versions stored those
    that were refused or diverged, is PRUNED and has no values, as it would be stored now; figures that are not finite
    are left out.
    """
    if trial._trial_id in known:
        return known[trial._trial_id]
    twin = copy.copy(trial)
    twin._system_attrs = {k: v for k, v in trial.system_attrs.items() if not k.startswith("constraints:")}
    twin._system_attrs["constraints"] = [
        violation if math.isfinite(violation) else math.copysign(_LARGEST, violation)
        for violation in trial.constraints.values()
    ]
    twin._user_attrs = {k: v for k, v in trial.user_attrs.items() if not _endless(v)}
    twin.intermediate_values = {step: v for step, v in trial.intermediate_values.items() if not _endless(v)}
    if trial.values is not None and any(_endless(v) for v in trial.values):
        twin.values = None
        twin.state = TrialState.PRUNED if trial.state == TrialState.COMPLETE else trial.state
    if trial.state.is_finished():
        known[trial._trial_id] = twin
    return twin


def _endless(value: Any) -> bool:
    """Whether it is a number and not finite."""
    return isinstance(value, numbers.Real) and not math.isfinite(value)


def _feasible(trial: FrozenTrial) -> bool:
    return all(violation <= 0 for violation in trial.constraints.values())


def pareto_front(trials: Iterable[FrozenTrial], directions: Sequence[StudyDirection]) -> list[FrozenTrial]:
    """Feasible complete trials that none dominates, by number; a stand-in for the dashboard's own function.

    Trials with infinite values, refused or diverged ones, are never members.
    """
    from moocore import is_nondominated
    from optuna.study import StudyDirection

    able = [t for t in trials if t.state == TrialState.COMPLETE and _feasible(t) and np.isfinite(t.values).all()]
    if not able:
        return []
    maximise = [d == StudyDirection.MAXIMIZE for d in directions]
    mask = is_nondominated(np.array([t.values for t in able]), maximise=maximise, keep_weakly=True)
    return sorted((t for t, good in zip(able, mask, strict=True) if good), key=lambda t: t.number)
