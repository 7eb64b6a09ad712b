"""The loop that fills a study: claim, judge, tell, until the budget is spent."""

from __future__ import annotations

import logging
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage

from nasopt import database
from nasopt.cache import Cache
from nasopt.errors import InfeasibleStudyError, LostTrialError, NasoptError
from nasopt.problems import Problem
from nasopt.problems.opening import coverage_text, open_problem
from nasopt.records import StudyKeys, TrialKeys
from nasopt.report import foreign_text
from nasopt.spec.study import StudySpec
from nasopt.study.claims import Claim, Claims, Tally
from nasopt.study.constraints import ConstraintSet
from nasopt.study.cost import SearchCost
from nasopt.study.events import (
    Listener,
    PreparationProgress,
    StudyOpened,
    TrialEnded,
    TrialLost,
    TrialProgress,
    TrialStarted,
    WaitingForOthers,
    ignore,
)
from nasopt.study.foreign import seeing
from nasopt.study.requirements import check_requirements, provide
from nasopt.study.sampling import build_sampler
from nasopt.study.store import Study, create_or_resume
from nasopt.study.trials import Verdict, judge, tell
from nasopt.study.workers import Presence

log = logging.getLogger(__name__)

REFUSALS_PER_TRIAL = 20
POLL_S = 0.5
"""Between two looks at a study whose last trials other workers hold."""
FAULTS_IN_A_ROW = 3
"""So many failures of export, measurement, evaluation or device, one after another, are no accident."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What a run leaves behind."""

    study: Study
    finished: int
    """Finished trials of the study, those of other processes included."""
    running_elsewhere: int
    """Trials that other processes were still evaluating at the end."""
    contributed: int
    """Trials that this process finished."""

    @property
    def filled(self) -> bool:
        """Whether the study has all trials that its file asks for."""
        return self.finished >= self.study.spec.study.trials


def run(
    spec: StudySpec,
    *,
    listener: Listener = ignore,
    allow_changes: bool = False,
    storage: BaseStorage | None = None,
    cache: Cache | None = None,
    problem: Problem | None = None,
) -> RunResult:
    """Run a study, or go on with it, until `spec.study.trials` trials are trained and measured.

    Several processes may run the same study at once. Killed at any moment, the next run takes up the interrupted trial
    with its own parameters.

    Args:
        spec: from `load_spec`.
        listener: receives the records of `study.events` as things happen.
        allow_changes: go on with a study that was made from another file.
        storage: an open Optuna storage to use instead of the file's.
        cache: of supernets, pairs and measurements; the user's own by default.
        problem: what to search, where it is not the one that the file names.

    Raises:
        NasoptError: see `nasopt.errors`; what is stored stays.
    """
    url = database.expand(spec.study.storage)
    problem = problem or open_problem(spec, cache)
    check_sampler(spec, problem)
    provided: dict[str, Any] = {}
    with ExitStack() as stack:
        stack.enter_context(database.database_errors(url))
        stack.enter_context(database.quiet_optuna())
        stack.enter_context(expected_warnings_silenced())
        study = create_or_resume(spec, problem, storage=storage, allow_changes=allow_changes)
        presence = stack.enter_context(study.presence())
        claims = claims_of(study, problem, provided, presence)
        finished, contributed = claims.tally().finished, 0
        listener(_opened(study, finished))
        if finished < spec.study.trials:
            with SearchCost([study.optuna], spec.study.country) as cost:
                prepare([study], [provided], problem, listener)
                contributed = Filling(study, problem, claims, listener, cost).fill(spec.study.trials)
        tally = claims.tally()
    held = len(tally.holders)
    return RunResult(study=study, finished=tally.finished, running_elsewhere=held, contributed=contributed)


def _opened(study: Study, finished: int) -> StudyOpened:
    return StudyOpened(
        name=study.name,
        storage=database.shown(study.url),
        finished=finished,
        trials=study.spec.study.trials,
        notices=(*notices(study), *filter(None, [foreign_text(study.view())])),
        objectives=tuple(o.metric for o in study.spec.objectives),
        data=found_data(study),
    )


def prepare(studies: Sequence[Study], provided: Sequence[dict[str, Any]], problem: Problem, listener: Listener) -> None:
    """Make what the evaluations of these studies share, once, and what their samplers require, into `provided`.

    The latter is charged to the study of the sampler.
    """

    def progress(step: Any) -> None:
        listener(PreparationProgress(step=step))

    problem.prepare(progress)
    for study, given in zip(studies, provided, strict=True):
        for key, value in problem.facts().items():
            study.remember(key, value)
        given |= provide(study, problem, progress)


@contextmanager
def expected_warnings_silenced() -> Iterator[None]:
    """Databases of older versions hold infinite values of refused trials; samplers that cope with them warn of each."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Clip non-finite values")
        warnings.filterwarnings("ignore", message="All-NaN slice encountered", module="optuna")
        yield


def check_sampler(spec: StudySpec, problem: Problem) -> None:
    """Refuse bad options before the supernet is trained, not after."""
    check_requirements(spec.sampler, problem)
    build_sampler(spec.sampler, seed=0, trials=spec.study.trials, search_space=problem.distributions)


def claims_of(study: Study, problem: Problem, provided: Mapping[str, Any], presence: Presence) -> Claims:
    """What hands out the trials of a study to this process. `provided` is filled before the first draw."""

    def sampler(seed: int) -> BaseSampler:
        space, trials = problem.distributions, study.spec.study.trials
        return build_sampler(study.spec.sampler, seed=seed, trials=trials, search_space=space, provided=provided)

    return Claims(
        study.optuna,
        presence=presence,
        folder=study.locks,
        seed=study.seed,
        distributions=problem.distributions,
        sampler=study.spec.sampler.name,
        build_sampler=sampler,
        see=seeing(study.spec, problem, constraints_of(study, problem)),
    )


def found_data(study: Study) -> str:
    """How many images of which classes there are, in one line; empty where no data set is loaded."""
    return str(study.optuna.user_attrs.get(StudyKeys.DATA, {}).get("found", ""))


def constraints_of(study: Study, problem: Problem) -> ConstraintSet:
    """What the study's trials are held to, under the names that are stored with it."""
    stored = study.optuna.user_attrs.get(StudyKeys.CONSTRAINTS) or ()
    return ConstraintSet(study.spec.constraints, problem.structural, stored)


def notices(study: Study) -> list[str]:
    """What must be said before anything runs."""
    stored = study.optuna.user_attrs
    found = []
    searched = stored.get(StudyKeys.PROBLEM, {})
    if searched.get("kind") == "table" and searched["missing"] != "0":
        found.append(
            f"the table {searched['source']} has {coverage_text(searched)}; points without a row are refused, and the "
            "true front is that of the rows present"
        )
    data = stored.get(StudyKeys.DATA, {})
    found += [f"data: {notice}" for notice in data.get("notices", [])]
    if "@" in study.name and data.get("requested"):
        found.append(
            f"the data set {data['requested']} is neither on disk nor downloadable: this study uses {data['name']} "
            f"instead, under the name {study.name}"
        )
    for device in stored.get(StudyKeys.DEVICES, []):
        if device["provenance"] != "measured":
            found.append(f"costs of {device['name']} are {device['provenance']}, not measured; {device['remedy']}")
        elif device["meter"] == "codecarbon":
            found.append(f"energy of {device['name']} is estimated by codecarbon from load, not measured")
    return found


class Filling:
    """One process's loop over the trials of a study."""

    def __init__(self, study: Study, problem: Problem, claims: Claims, listener: Listener, cost: SearchCost) -> None:
        self._study = study
        self._problem = problem
        self._claims = claims
        self._listener = listener
        self._cost = cost
        self._constraints = constraints_of(study, problem)
        self._faults: list[str] = []
        self._losses: Counter[int] = Counter()
        study.remember(StudyKeys.CONSTRAINTS, self._constraints.describe())
        self.contributed = 0
        """Trials that this process finished."""

    def fill(self, budget: int) -> int:
        """Evaluate trials until none is left to claim; the number that this process finished."""
        said: tuple[str, ...] = ()
        while True:
            if self.step(budget):
                continue
            tally = self._claims.tally()
            if tally.finished >= budget:
                log.debug("study %s: no trial left to claim", self._study.name)
                return self.contributed
            said = self.say_holders(tally, budget, said)
            time.sleep(POLL_S)

    def say_holders(self, tally: Tally, budget: int, said: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Tell who has the trials that are left, unless just that has been `said`."""
        holders = tuple(map(str, tally.holders))
        if holders and holders != said:
            event = WaitingForOthers(study=self._study.name, finished=tally.finished, trials=budget, holders=holders)
            self._listener(event)
        return holders

    def step(self, budget: int, *, alone: bool = False) -> bool:
        """Evaluate one trial; False where there is none to claim, see `Claims.next`."""
        started = time.monotonic()
        lost = bool(self._faults) and self._faults[-1].startswith("device lost")
        if (claim := self._claims.next(budget, alone=alone, fresh=lost)) is None:
            return False
        try:
            self._listener(TrialStarted(study=self._study.name, number=claim.trial.number, adopted=claim.adopted))
            verdict, aside = self._evaluate(claim)
        except LostTrialError:
            self._listener(TrialLost(study=self._study.name, number=claim.trial.number))
            return True
        except BaseException:  # an interrupt, a full disk: this process lives, and the trial did not end it
            self._claims.let_go(claim.trial)
            raise
        self._announce(claim, verdict, budget, aside)
        self.contributed += verdict.ended == "completed"
        self._watch(verdict, budget)
        if verdict.ended not in ("infeasible", "refused"):
            self._cost.trial_ended(self._study.name, time.monotonic() - started)
        return True

    def _evaluate(self, claim: Claim) -> tuple[Verdict, bool]:
        """Judge and tell a trial; the verdict, and whether it was set aside instead of told."""

        def progress(step: Any) -> None:
            self._listener(TrialProgress(study=self._study.name, number=claim.trial.number, step=step))

        if claim.refused:
            verdict = Verdict(ended="refused", values=None, constraints={}, reason=f"enqueued, but {claim.refused}")
        elif claim.given_up:
            verdict = Verdict(ended="evaluation failed", values=None, constraints={}, reason=claim.given_up)
        else:
            verdict = judge(self._study.spec, self._problem, self._constraints, claim.trial, progress)
        if verdict.ended == "device lost" and self._may_return(claim):
            self._claims.set_aside(claim.trial, str(verdict.reason))
            return verdict, True
        if not self._claims.holds(claim.trial):
            raise LostTrialError(f"trial {claim.trial.number} was taken up by another worker")
        tell(self._study, claim.trial, verdict)
        return verdict, False

    def _may_return(self, claim: Claim) -> bool:
        """Whether a trial whose device was lost is worth another try: not where others work and it never does."""
        self._losses[claim.trial.number] += 1
        in_a_row = len(self._faults) + 1 >= FAULTS_IN_A_ROW
        return in_a_row or self._losses[claim.trial.number] < FAULTS_IN_A_ROW

    def _announce(self, claim: Claim, verdict: Verdict, budget: int, aside: bool) -> None:
        self._listener(
            TrialEnded(
                study=self._study.name,
                number=claim.trial.number,
                ended=verdict.ended,
                reason=verdict.reason,
                outcome=verdict.outcome,
                finished=self._claims.tally().finished,
                trials=budget,
                aside=aside,
                params=dict(claim.trial.params),
            )
        )

    def _watch(self, verdict: Verdict, budget: int) -> None:
        """End a run that cannot get anywhere.

        Raises:
            InfeasibleStudyError: nearly everything is refused or pruned.
            NasoptError: the same kind of fault again and again.
        """
        if verdict.ended in ("infeasible", "pruned"):
            self._watch_refusals(self._claims.tally(), budget)
        if verdict.ended in ("completed", "pruned"):
            self._faults.clear()
        if verdict.ended in ("completed", "pruned", "infeasible", "refused"):  # the last two were not evaluated
            return
        if self._faults and (verdict.ended == "diverged") != self._faults[-1].startswith("diverged"):
            self._faults.clear()  # a network's own fault is none of the machine's: neither counts among the other
        self._faults.append(f"{verdict.ended}: {verdict.reason}")
        limit = max(budget, FAULTS_IN_A_ROW) if verdict.ended == "diverged" else FAULTS_IN_A_ROW
        tally = self._claims.tally()
        if len(self._faults) < limit and tally.failed < REFUSALS_PER_TRIAL * budget:
            return
        kept = f"; {len(tally.aside)} set aside are taken up again with their parameters" if tally.aside else ""
        raise NasoptError(
            f"{self._count_of_faults(limit, tally)} failed, the last with {self._faults[-1]}{kept}; what finished is "
            "stored, and the same command goes on once the cause is mended"
        )

    def _count_of_faults(self, limit: int, tally: Tally) -> str:
        in_a_row = len(self._faults)
        if in_a_row >= limit:
            return f"{in_a_row} trials in a row"
        return f"{tally.failed} trials of this study, of which {tally.finished} finished,"

    def _watch_refusals(self, tally: Tally, budget: int) -> None:
        if tally.refused < REFUSALS_PER_TRIAL * budget:
            return
        from nasopt.problems.table import IN_TABLE  # it reads tables, which most studies do without

        broken: Counter[str] = Counter()
        for trial in self._study.optuna.get_trials(deepcopy=False):
            if trial.user_attrs.get(TrialKeys.ENDED) == "infeasible":
                broken.update(key for key, value in trial.constraints.items() if value > 0)
        cause = "the evaluation pruned them all"
        if broken:
            key, times = broken.most_common(1)[0]
            way_out = "relax it, or narrow the space"
            if key in self._constraints.structural:
                way_out = "it belongs to the problem; narrow the space"
            if key == IN_TABLE:
                way_out = "name other columns in problem.choices, or bring a table with more of the combinations"
            cause = f"{self._constraints.text(key)} refused {times} of them: {way_out}"
        raise InfeasibleStudyError(
            f"{tally.refused} candidates were refused before they were evaluated and only {tally.finished} of {budget} "
            f"trials finished; {cause}"
        )
