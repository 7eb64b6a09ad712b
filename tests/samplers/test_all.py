"""What every installed sampler promises, Optuna's under our names included, each checked in a few cheap trials."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.trial import TrialState

from nasopt import plugins
from nasopt.database import open_storage
from nasopt.errors import UsageError
from nasopt.testing.sampler_problems import GRID, LINE, UNION, Space, grid_points, grid_values, line_values, points

QUICK: dict[str, dict[str, Any]] = {
    "darts": {"control": "uniform"},  # without a supernet there is no prior
    "predictor": {"startup": 4},
    "gp": {"n_startup_trials": 4},
    "nsga2": {"population_size": 4},
    "nsga3": {"population_size": 4},
    "tpe": {"n_startup_trials": 4},
}
"""Options under which short studies get past a sampler's random start; others take it from `trials`."""
SLOW = frozenset({"botorch", "gp"})
"""Get no more than a few trials here: an ask of theirs takes a second on a busy machine."""
TRIALS = 24
"""The budget that factories are told: populations of 6."""
NAMES = plugins.names("samplers")
OURS = [name for name in NAMES if not plugins.load("samplers", name).__module__.endswith(".builtin")]
"""Those that promise not to repeat a point."""
POSTGRESQL = os.environ.get("NASOPT_TEST_POSTGRESQL", "postgresql+psycopg://root@127.0.0.1:5432/test")


def make(name: str, *, seed: int = 0, space: Space | None = None, **options: Any) -> BaseSampler:
    """The sampler as a study builds it."""
    factory = plugins.load("samplers", name)
    offered = {"seed": seed, "search_space": space, "trials": TRIALS}
    wanted = inspect.signature(factory).parameters
    return factory(**{k: v for k, v in offered.items() if k in wanted}, **{**QUICK.get(name, {}), **options})


@pytest.fixture(autouse=True)
def _quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def _fill(study: optuna.Study, space: Space, values: Callable[[Mapping[str, Any]], Any], count: int) -> None:
    for _ in range(count):
        trial = study.ask(space)
        study.tell(trial, values(trial.params))


@pytest.mark.parametrize("name", NAMES)
def test_unknown_options_are_named_with_the_known_ones(name: str) -> None:
    with pytest.raises(UsageError, match=r"no option 'populatoin_size'; it takes \w+"):
        make(name, populatoin_size=8)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
def test_any_number_of_objectives(name: str, objectives: int) -> None:
    """One to four, in a space with a parameter that has a single value."""
    space: Space = LINE | {"one": IntDistribution(3, 3), "only": CategoricalDistribution(["this"])}
    directions = ["maximize", "minimize"] * 2
    study = optuna.create_study(directions=directions[:objectives], sampler=make(name, space=space))
    count = 6 if name in SLOW else 8
    _fill(study, space, lambda p: [p["x0"], p["x1"] + p["x2"], p["x2"] - p["x0"], abs(p["x3"] - 4)][:objectives], count)
    assert {(t.params["one"], t.params["only"]) for t in study.get_trials()} == {(3, "this")}
    assert len({t.params["x0"] for t in study.get_trials()}) > 1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("told", [True, False])
def test_a_space_defined_by_run(name: str, told: bool) -> None:
    """Branches that ask for different parameters, the union told or not; ours try all seven points first."""
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=make(name, space=UNION if told else None))
    for _ in range(12):
        trial = study.ask()
        if trial.suggest_categorical("kind", ["cell", "chain"]) == "cell":
            index = float("xyz".index(trial.suggest_categorical("cell", ["x", "y", "z"])))
            study.tell(trial, [index, 1.0 + index])
        else:
            depth = trial.suggest_int("depth", 1, 4)
            study.tell(trial, [depth / 2, float(depth)])
    if told and name in OURS:
        assert len(set(points(study)[:7])) == 7


@pytest.mark.parametrize("name", OURS)
def test_a_small_space_is_used_up_and_the_study_goes_on(name: str) -> None:
    """Twelve points come once each, then repeats, and soon."""
    space: Space = {"p": CategoricalDistribution([0, 1, 2]), "k": IntDistribution(1, 2), "w": IntDistribution(1, 2)}
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=make(name, space=space))
    began = time.process_time()
    _fill(study, space, lambda p: [float(p["p"]), float(p["k"] * p["w"])], 16)
    assert len(set(points(study)[:12])) == 12
    assert time.process_time() - began < 20


@pytest.mark.parametrize("name", NAMES)
def test_trials_of_all_states_lie_about(name: str) -> None:
    """Failed, pruned, running, half-drawn, refused and waiting ones; none of ours is repeated."""
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=make(name, space=GRID))
    for state in (TrialState.FAIL, TrialState.PRUNED):
        study.tell(study.ask(GRID), state=state)
    study.ask(GRID)
    study.ask().suggest_categorical("p", GRID["p"].choices)  # type: ignore[attr-defined]
    for number in range(6):
        trial = study.ask(GRID)
        trial.set_constraint("macs", 1.0 if number % 3 else -1.0)
        refused = number % 3 == 2
        values = None if refused else grid_values(trial.params)
        study.tell(trial, values, state=TrialState.PRUNED if refused else None)
    tried = [t.params for t in study.get_trials()]
    study.enqueue_trial(next(p for p in grid_points() if p not in tried))
    for _ in range(3):
        trial = study.ask(GRID)
        trial.set_constraint("macs", 0.0)  # on every trial or none: Optuna's gp demands it
        study.tell(trial, grid_values(trial.params))
    whole = [p for p in points(study) if len(p) == len(GRID)]
    assert len(whole) == 12
    if name in OURS:
        assert len(set(whole)) == 12


@pytest.mark.parametrize("name", NAMES)
def test_a_study_goes_on_where_another_process_left_it(name: str, tmp_path: Path) -> None:
    """Read back from its database, the study gets the proposal that it would have got."""
    url = f"sqlite:///{tmp_path / 'study.db'}"
    study = optuna.create_study(directions=["maximize", "minimize"])
    for number in range(7):
        study.sampler = make(name, seed=number, space=LINE)
        _fill(study, LINE, line_values, 1)
    stored = optuna.create_study(directions=study.directions, storage=open_storage(url), study_name="s")
    for key, value in study._storage.get_study_system_attrs(study._study_id).items():
        stored._storage.set_study_system_attr(stored._study_id, key, value)
    stored.add_trials(study.get_trials())
    proposals = []
    for one in (study, optuna.load_study(study_name="s", storage=open_storage(url))):
        one.sampler = make(name, seed=99, space=LINE)
        proposals.append(one.ask(LINE).params)
    if not name.startswith("nsga"):  # a generation of Optuna's is a list of trial identities in its own database
        assert proposals[0] == proposals[1]


WORKER = """
import json, sys
import optuna
from nasopt.database import open_storage
from nasopt.testing.sampler_problems import GRID, grid_values
sys.path.insert(0, sys.argv[1])
from test_all import make
optuna.logging.set_verbosity(optuna.logging.ERROR)
storage = open_storage(sys.argv[2])
for name, study_name in json.loads(sys.argv[3]).items():
    study = optuna.load_study(study_name=study_name, storage=storage)
    study.sampler = make(name, seed=int(sys.argv[4]), space=GRID)
    for _ in range(6):
        trial = study.ask(GRID)
        study.tell(trial, grid_values(trial.params))
"""


def test_two_processes_on_postgresql() -> None:
    """Both fill one study for each sampler at the same time: nothing is lost, and ours repeat nothing."""
    pytest.importorskip("psycopg")
    try:
        storage = open_storage(POSTGRESQL)
    except Exception as error:
        pytest.skip(f"no PostgreSQL at {POSTGRESQL}; set NASOPT_TEST_POSTGRESQL to the URL of a test database: {error}")
    studies = {name: f"test-{name}-{uuid.uuid4().hex}" for name in NAMES}
    try:
        for study_name in studies.values():
            optuna.create_study(study_name=study_name, storage=storage, directions=["maximize", "minimize"])
        here = str(Path(__file__).parent)
        command = [sys.executable, "-W", "ignore", "-c", WORKER, here, POSTGRESQL, json.dumps(studies)]
        workers = [subprocess.Popen([*command, str(i)], stderr=subprocess.PIPE, text=True) for i in range(2)]
        said = [worker.communicate(timeout=300)[1] for worker in workers]
        assert [worker.returncode for worker in workers] == [0, 0], said
        for name, study_name in studies.items():
            taken = points(optuna.load_study(study_name=study_name, storage=storage))
            assert len(taken) == 12, name
            assert name not in OURS or len(set(taken)) == 12, name
    finally:
        known = {s.study_name for s in storage.get_all_studies()}
        for study_name in known.intersection(studies.values()):
            optuna.delete_study(study_name=study_name, storage=storage)
