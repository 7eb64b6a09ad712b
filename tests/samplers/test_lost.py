"""Trials that lost without a value: which they are, how samplers see them, and that nothing of the view is stored."""

from __future__ import annotations

import math
from typing import Any

import optuna
import pytest
from optuna.samplers import BaseSampler
from optuna.trial import TrialState, create_trial

from nasopt.records import TrialKeys
from nasopt.samplers import builtin
from nasopt.samplers.lost import StudyWithLost, WithLost, is_lost, teaches
from nasopt.testing.sampler_problems import GRID, constrained_values, diverging_values, grid_values

ENDED = TrialKeys.ENDED


@pytest.mark.parametrize(
    ("trial", "lost"),
    [
        (create_trial(state=TrialState.PRUNED, constraints={"a": 1.0}), True),
        (create_trial(state=TrialState.PRUNED, constraints={"a": 0.0}, user_attrs={ENDED: "diverged"}), True),
        (create_trial(state=TrialState.PRUNED, constraints={"a": 0.0}, user_attrs={ENDED: "pruned"}), False),
        (create_trial(state=TrialState.PRUNED), False),
        (create_trial(state=TrialState.FAIL, constraints={"a": 1.0}), False),
    ],
)
def test_what_is_lost(trial: Any, lost: bool) -> None:
    assert is_lost(trial) == teaches(trial) == lost


def test_a_sampler_sees_lost_trials_as_the_worst_and_the_study_keeps_its_own() -> None:
    study = optuna.create_study(directions=["maximize", "minimize"])
    for values in ([0.9, 5.0], [0.7, 2.0]):
        study.add_trial(create_trial(values=values, constraints={"a": -1.0}))
    study.add_trial(create_trial(state=TrialState.PRUNED, constraints={"a": 1.0}))
    study.add_trial(create_trial(state=TrialState.PRUNED, constraints={"a": -1.0}, user_attrs={ENDED: "diverged"}))
    study.add_trial(create_trial(values=[-math.inf, math.inf], constraints={"a": 2.0}))  # of an older version
    study.add_trial(create_trial(state=TrialState.PRUNED, constraints={"a": -1.0}))  # given up: says nothing
    study.add_trial(create_trial(values=[0.8, 3.0]))  # from elsewhere: nobody knows whether it keeps `a`
    seen = StudyWithLost(study)
    complete = seen.get_trials(states=(TrialState.COMPLETE,))
    assert [(t.number, t.values) for t in complete] == [
        (0, [0.9, 5.0]),
        (1, [0.7, 2.0]),
        (2, [0.7, 5.0]),
        (3, [0.7, 5.0]),
        (4, [0.7, 5.0]),
    ]
    assert [t.number for t in seen.trials] == [0, 1, 2, 3, 4, 5]
    assert [t.number for t in seen.get_trials(states=(TrialState.PRUNED,))] == [5]
    states = [t.state for t in study.trials]
    assert states.count(TrialState.PRUNED) == 3
    assert study.trials[2].values is None


def test_without_any_value_the_view_is_finite() -> None:
    study = optuna.create_study(directions=["maximize", "minimize"])
    study.add_trial(create_trial(state=TrialState.PRUNED, constraints={"a": 1.0}))
    assert StudyWithLost(study).trials[0].values == [0.0, 0.0]


@pytest.mark.parametrize("make", [builtin.nsga2, builtin.nsga3, builtin.gp])
def test_optunas_samplers_that_read_complete_trials_alone_are_given_the_view(make: Any) -> None:
    sampler = make(seed=0, search_space=GRID)
    assert isinstance(sampler, WithLost)
    assert not isinstance(builtin.tpe(seed=0), WithLost)


def test_gp_goes_on_beside_a_trial_from_elsewhere_without_constraints() -> None:
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=builtin.gp(seed=0, n_startup_trials=2))
    for _ in range(4):
        trial = study.ask(GRID)
        trial.set_constraint("macs", -1.0)
        study.tell(trial, grid_values(trial.params))
    params = dict.fromkeys(GRID, "small")
    study.add_trial(create_trial(params=params, distributions=GRID, values=grid_values(params)))
    assert study.ask(GRID).params.keys() == GRID.keys()


@pytest.mark.parametrize("values", [constrained_values, diverging_values])
@pytest.mark.parametrize("name", ["evolution", "pymoo-nsga2", "predictor"])
def test_ours_learn_as_much_from_no_value_as_from_an_infinite_one(name: str, values: Any) -> None:
    """Draw for draw: what used to be told with infinite values is told without any."""
    assert _drawn(name, values, infinite=True) == _drawn(name, values, infinite=False)


def _drawn(name: str, values: Any, *, infinite: bool) -> list[dict[str, Any]]:
    from nasopt import plugins
    from nasopt.testing.sampler_problems import LINE

    options = {"startup": 4} if name == "predictor" else {"population_size": 4}
    sampler: BaseSampler = plugins.load("samplers", name)(seed=1, search_space=LINE, **options)
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
    for _ in range(16):
        trial = study.ask(LINE)
        found = values(trial)
        if found is None and infinite:
            found = [-math.inf, math.inf]
        study.tell(trial, found, state=TrialState.PRUNED if found is None else None)
    return [t.params for t in study.get_trials()]
