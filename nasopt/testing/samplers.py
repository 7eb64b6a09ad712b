"""What every sampler must do beyond Optuna's own suites."""

from __future__ import annotations

import copy
import importlib
import json
import math
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
import optuna
import pytest
from optuna import Study, Trial
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from nasopt.database import open_storage
from nasopt.errors import UsageError
from nasopt.samplers.factory import call_factory
from nasopt.testing.sampler_problems import (
    GRID,
    LINE,
    MIXED,
    SIZES,
    UNION,
    Space,
    constrained_values,
    diverging_values,
    excess,
    grid_points,
    grid_values,
    line_values,
    mixed_values,
    points,
    run_grid,
)

Direction: TypeAlias = Literal["minimize", "maximize"]

WORKERS = 8


def build(target: str, options: Mapping[str, Any], **offered: Any) -> BaseSampler:
    """Make the sampler of an entry point's target `module:name`, with what it takes of seed, search_space, trials."""
    module, _, name = target.partition(":")
    factory = getattr(importlib.import_module(module), name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return call_factory(target, factory, options, offered)


def resume(target: str, options: str, url: str, count: str) -> None:
    """Go on with the study `s` at `url`, in a process of its own; prints what was evaluated."""
    study = optuna.load_study(study_name="s", storage=open_storage(url))
    study.sampler = build(target, json.loads(options), seed=5, search_space=GRID, trials=30)
    print(json.dumps([run_grid(study) for _ in range(int(count))]))


class SamplerSuite:
    """Conformance of a sampler's factory; Optuna's own suites check what this one leaves out.

    Give `target`, the value of the entry point. Put this class before Optuna's, so that they use its fixture `sampler`.
    """

    target: ClassVar[str]
    """Where the factory is: `module:name`."""
    options: ClassVar[Mapping[str, Any]] = {}
    """Options of the study file; JSON values."""
    trials: ClassVar[int] = 36
    """Budget of one check. Lower it for a sampler that is slow."""
    unique: ClassVar[bool] = True
    """Promises not to propose a point of a finite space twice while there are others."""
    learns: ClassVar[bool] = True
    """Promises to be better than random, also from added trials, and to prefer what keeps the constraints."""
    feasible_first: ClassVar[bool] = True
    """Promises to prefer feasible trials to infeasible ones with better values."""
    deterministic: ClassVar[bool] = True
    """Promises the same proposal for the same seed and history."""
    stateless: ClassVar[bool] = True
    """Promises to read nothing but the trials: not what it stored with the study besides, nor what it remembers."""
    conditional: ClassVar[bool] = True
    """Promises to cope with spaces whose parameters depend on each other."""

    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        """What Optuna's suites ask for."""
        return lambda: self.make()

    @pytest.fixture(autouse=True)
    def _quiet(self) -> Any:
        before = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        yield
        optuna.logging.set_verbosity(before)

    def make(self, *, seed: int = 0, space: Space | None = None) -> BaseSampler:
        """The sampler under test."""
        return build(self.target, self.options, seed=seed, search_space=space, trials=self.trials)

    def study(
        self,
        space: Space | None,
        *,
        seed: int = 0,
        directions: Sequence[Direction] = ("maximize", "minimize"),
        **kwargs: Any,
    ) -> Study:
        """A study with the sampler under test."""
        return optuna.create_study(directions=directions, sampler=self.make(seed=seed, space=space), **kwargs)

    def fill(
        self, study: Study, space: Space, values: Callable[[Trial], list[float] | None], count: int
    ) -> list[dict[str, Any]]:
        """Evaluate `count` trials; their parameters. What gets no values is told as a study tells it, as PRUNED."""
        taken = []
        for _ in range(count):
            trial = study.ask(space)
            found = values(trial)
            study.tell(trial, found, state=TrialState.PRUNED if found is None else None)
            taken.append(trial.params)
        return taken

    @pytest.mark.parametrize("explicit", [True, False])
    def test_python_values_inside_a_mixed_space(self, explicit: bool) -> None:
        """Values are plain Python scalars of the distribution's type and lie in it, with and without a given space."""
        study = self.study(MIXED if explicit else None, directions=("minimize", "maximize", "minimize"))
        types = {"number": int, "width": int, "rate": float, "scale": float, "share": float}
        for params in self.fill(study, MIXED, mixed_values, self.trials // 2):
            assert type(params["choice"]) in {str, type(None), bool, int, float}
            assert {n: type(params[n]) for n in types} == types
            assert all(d._contains(d.to_internal_repr(params[n])) for n, d in MIXED.items())

    def test_single_valued_parameters(self) -> None:
        """Distributions with one value do not disturb the others, and are taken from the trial."""
        space = GRID | {"one": CategoricalDistribution(["only"]), "two": IntDistribution(3, 3)}
        study = self.study(space)
        taken = self.fill(study, space, lambda t: grid_values(t.params), self.trials // 2)
        assert {(p["one"], p["two"]) for p in taken} == {("only", 3)}
        assert len({p["p"] for p in taken}) > 1

    def test_only_single_valued_parameters(self) -> None:
        """A space of a single point can be asked for again and again."""
        space: Space = {"one": CategoricalDistribution(["only"])}
        self.fill(self.study(space), space, lambda t: [0.0, 1.0], 3)

    def test_conditional_space(self) -> None:
        """A union of branches can be given; what a branch does not ask for is ignored."""
        if not self.conditional:
            pytest.skip("this sampler does not promise to cope with conditional spaces")
        study = self.study(UNION)
        for _ in range(self.trials // 2):
            trial = study.ask()
            if trial.suggest_categorical("kind", ["cell", "chain"]) == "cell":
                index = float("xyz".index(trial.suggest_categorical("cell", ["x", "y", "z"])))
                study.tell(trial, [index, 1.0 + index])
            else:
                depth = trial.suggest_int("depth", 1, 4)
                study.tell(trial, [depth / 2, float(depth)])
        finished = study.get_trials(states=(TrialState.COMPLETE,))
        assert {t.params["kind"] for t in finished} == {"cell", "chain"}
        if self.unique:
            assert len(set(points(study)[:7])) == 7, "all seven points of this space come before any comes again"

    def test_space_wider_than_given(self) -> None:
        """Parameters that the given space lacks are sampled all the same."""
        study = self.study({n: GRID[n] for n in ("p", "q")})
        taken = self.fill(study, GRID, lambda t: grid_values(t.params), self.trials // 2)
        assert all(len({p[n] for p in taken}) > 1 for n in GRID)

    def test_no_point_twice(self) -> None:
        """All points of a finite space come once, then the sampler goes on with repeats."""
        space: Space = {
            "p": CategoricalDistribution([0, 1, 2]),
            "k": IntDistribution(1, 2),
            "w": IntDistribution(1, 2, log=True),
        }
        study = self.study(space)
        self.fill(study, space, lambda t: [float(t.params["p"]), float(t.params["k"])], 15)
        if self.unique:
            assert len(set(points(study)[:12])) == 12

    def test_better_than_random(self) -> None:
        """Sums of distances to two corners on four whole numbers: trials come closer than random ones."""
        near = self._mean_distance(self.study(LINE, seed=1), self.trials)
        random = np.random.default_rng(0).integers(0, 10, size=(1000, 4))
        if self.learns:
            assert near < np.mean([excess({f"x{i}": v for i, v in enumerate(row)}) for row in random])

    def test_learns_from_added_trials(self) -> None:
        """Trials of an earlier study, added before the first ask, teach as if they were its own."""
        study = self.study(LINE, seed=2)
        rng = np.random.default_rng(1)
        for _ in range(2 * self.trials):
            params = {f"x{i}": int(rng.integers(10)) for i in range(4)}
            study.add_trial(optuna.create_trial(params=params, distributions=LINE, values=line_values(params)))
        near = self._mean_distance(study, self.trials // 2)
        if self.learns:
            assert near < np.mean([excess(t.params) for t in study.get_trials()[: 2 * self.trials]])

    def _mean_distance(self, study: Study, count: int) -> float:
        """Mean excess of the later half of `count` fresh trials."""
        taken = self.fill(study, LINE, lambda t: line_values(t.params), count)
        return float(np.mean([excess(p) for p in taken[count // 2 :]]))

    def test_constraints(self) -> None:
        """A quarter of the space keeps two constraints; refused trials are PRUNED and have no values."""
        study = self.study(LINE, seed=3)
        taken = self.fill(study, LINE, constrained_values, 2 * self.trials)
        later = taken[self.trials :]
        if self.learns:
            assert np.mean([p["x0"] <= 4 for p in later]) > 0.6, "half of random trials would be refused"
        if self.learns and self.feasible_first:
            assert np.mean([p["x0"] <= 4 and p["x1"] >= 5 for p in later]) > 0.35

    def test_divergence(self) -> None:
        """Half of the space diverges, without values and without a constraint that says so."""
        study = self.study(LINE, seed=3)
        taken = self.fill(study, LINE, diverging_values, 2 * self.trials)
        if self.learns:
            assert np.mean([p["x0"] <= 4 for p in taken[self.trials :]]) > 0.6, "half of random trials would diverge"

    @pytest.mark.parametrize("told", [True, False])
    def test_nothing_feasible(self, told: bool) -> None:
        """Every trial is refused, in a space that is given or has to be found out."""

        def refuse(trial: Trial) -> None:
            trial.set_constraint("macs", 0.5)

        study = self.study(GRID if told else None)
        self.fill(study, GRID, refuse, self.trials // 2)
        if told:
            self._check_unique(study)

    def test_infinite_values(self) -> None:
        """Databases of older versions hold refused and diverged trials as COMPLETE ones with infinite values."""
        study = self.study(LINE, seed=3)

        def told_infinite(trial: Trial) -> list[float]:
            return constrained_values(trial) or [-math.inf, math.inf]

        self.fill(study, LINE, told_infinite, self.trials)
        later = self.fill(study, LINE, constrained_values, self.trials)
        if self.learns:
            assert np.mean([p["x0"] <= 4 for p in later]) > 0.6

    @pytest.mark.parametrize("values", [[1.0, 1.0], [math.inf, 1.0], [-math.inf, math.inf], [1e300, -1e300]])
    def test_values_without_information(self, values: list[float]) -> None:
        """All trials are the same good, or infinite here and there without a constraint that says so."""
        study = self.study(GRID)
        self.fill(study, GRID, lambda t: grid_values(t.params) if t.number % 5 == 0 else values, self.trials // 2)
        self._check_unique(study)

    @pytest.mark.parametrize("objectives", [1, 5])
    def test_other_numbers_of_objectives(self, objectives: int) -> None:
        """A single objective, and five."""
        study = self.study(LINE, directions=["minimize"] * objectives)
        values = [lambda p, i=i: float(abs(p["x0"] - i) + p["x1"] + i * p["x2"]) for i in range(objectives)]
        self.fill(study, LINE, lambda t: [v(t.params) for v in values], self.trials // 2)

    def test_trials_in_other_states(self) -> None:
        """Trials that run, wait, failed, were pruned or were stopped while they were drawn lie about."""
        study = self.study(GRID)
        for number in range(self.trials // 2):
            trial = study.ask(GRID)
            if number % 4 == 1:
                study.tell(trial, state=TrialState.FAIL)
            elif number % 4 == 2:
                study.tell(trial, state=TrialState.PRUNED)
            elif number % 4 == 3:
                study.tell(trial, grid_values(trial.params))
            else:
                half = study.ask()
                half.suggest_categorical("p", SIZES)
                if number % 8 == 0:
                    study.tell(half, state=TrialState.FAIL)
        whole = [p for p in points(study) if len(p) == len(GRID)]
        if self.unique:
            assert len(set(whole)) == len(whole)

    def test_enqueued_trials(self) -> None:
        """Enqueued trials, whole and in part, come with the values they were given; later ones do not repeat them."""
        study = self.study(GRID)
        whole = dict.fromkeys(GRID, "middle")
        study.enqueue_trial(whole)
        study.enqueue_trial({"p": "large", "q": "large"})
        taken = self.fill(study, GRID, lambda t: grid_values(t.params), self.trials // 2)
        assert taken[0] == whole
        assert (taken[1]["p"], taken[1]["q"]) == ("large", "large")
        self._check_unique(study)

    def test_waiting_trials_are_not_repeated(self) -> None:
        """What is enqueued and not taken up is not proposed by a worker that asks first."""
        storage = optuna.storages.InMemoryStorage()
        study = self.study(GRID, storage=storage)
        self.fill(study, GRID, lambda t: grid_values(t.params), self.trials // 3)
        evaluated = [t.params for t in study.get_trials()]
        left, *others = [p for p in grid_points() if p not in evaluated]
        for params in others:
            study.enqueue_trial(params)
        trial = study._storage.get_trial(study._storage.create_new_trial(study._study_id))
        space = study.sampler.infer_relative_search_space(study, trial)
        proposal = study.sampler.sample_relative(study, trial, space)
        if self.unique:
            assert proposal == left, "the only point that no trial has"

    def test_same_seed_same_proposals(self) -> None:
        """Two samplers of one seed, made anew for each ask, propose the same from the same history."""
        histories = []
        for _ in range(2):
            study = self.study(MIXED)
            for number in range(self.trials // 2):
                study.sampler = self.make(seed=number, space=MIXED)
                self.fill(study, MIXED, lambda t: mixed_values(t)[:2], 1)
            histories.append([t.params for t in study.get_trials()])
        if self.deterministic:
            assert histories[0] == histories[1]

    def test_reseeded_copies_differ(self) -> None:
        """Copies of one sampler go separate ways after `reseed_rng`, as Optuna's workers need."""
        study = self.study(MIXED)
        self.fill(study, MIXED, lambda t: mixed_values(t)[:2], self.trials // 2)
        copies = [copy.deepcopy(study.sampler) for _ in range(2)]
        proposals, independent = [], []
        for sampler in copies:
            sampler.reseed_rng()
            trial = study._storage.get_trial(study._storage.create_new_trial(study._study_id))
            space = sampler.infer_relative_search_space(study, trial)
            proposals.append(sampler.sample_relative(study, trial, space))
            independent.append(sampler.sample_independent(study, trial, "new", FloatDistribution(0, 1)))
        assert independent[0] != independent[1]
        assert proposals[0] != proposals[1] or not proposals[0]

    def test_eight_workers(self, tmp_path: Path) -> None:
        """Eight workers with a connection each fill one SQLite study; none fails and none repeats another's point."""
        url = f"sqlite:///{tmp_path / 'study.db'}"
        self.study(GRID, storage=open_storage(url), study_name="s")
        failures: list[BaseException] = []
        threads = [threading.Thread(target=self._work, args=(url, seed, failures)) for seed in range(WORKERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures
        study = optuna.load_study(study_name="s", storage=open_storage(url))
        assert len(study.get_trials(states=(TrialState.COMPLETE,))) == WORKERS * self._share
        self._check_unique(study)

    @property
    def _share(self) -> int:
        return max(2, self.trials // WORKERS)

    def _work(self, url: str, seed: int, failures: list[BaseException]) -> None:
        try:
            study = optuna.load_study(study_name="s", storage=open_storage(url))
            study.sampler = self.make(seed=seed, space=GRID)
            for _ in range(self._share):
                run_grid(study)
        except BaseException as error:  # whatever it is, the test must say so
            failures.append(error)

    def test_resumes_in_a_new_process(self, tmp_path: Path) -> None:
        """Another process goes on exactly as this one would have."""
        url = f"sqlite:///{tmp_path / 'study.db'}"
        study = self.study(GRID, storage=open_storage(url), study_name="s")
        for _ in range(self.trials // 2):
            run_grid(study)
        here = self._continued_here(study)
        there = _in_new_process(self.target, self.options, url, count=2)
        again = optuna.load_study(study_name="s", storage=open_storage(url))
        assert [t.params for t in again.get_trials()[-2:]] == there
        self._check_unique(again)
        if self.deterministic and self.stateless:
            assert here == there

    def _continued_here(self, study: Study) -> list[dict[str, Any]]:
        """What two more trials of a copy of the study are."""
        memory: BaseStorage = optuna.storages.InMemoryStorage()
        copied = optuna.create_study(directions=study.directions, storage=memory)
        copied.add_trials(study.get_trials())
        copied.sampler = build(self.target, self.options, seed=5, search_space=GRID, trials=30)
        return [run_grid(copied) for _ in range(2)]

    def _check_unique(self, study: Study) -> None:
        taken = points(study)
        if self.unique:
            assert len(set(taken)) == len(taken)

    def test_refuses_unknown_options(self) -> None:
        """A mistyped option is named, with those that there are."""
        with pytest.raises(UsageError, match="no_such_option"):
            build(self.target, {**self.options, "no_such_option": 1}, seed=0, search_space=GRID, trials=30)


def _in_new_process(target: str, options: Mapping[str, Any], url: str, *, count: int) -> Any:
    code = "import sys; from nasopt.testing.samplers import resume; resume(*sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, target, json.dumps(dict(options)), url, str(count)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
