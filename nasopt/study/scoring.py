"""A front on the test split: scored once, from the weights that its trials stored, and kept with the study."""

from __future__ import annotations

from collections.abc import Callable, Container

from nasopt.errors import CacheError
from nasopt.problems import Problem
from nasopt.problems.opening import open_problem
from nasopt.records import ArtifactNames, StudyKeys
from nasopt.study.store import Study
from nasopt.study.trials import stored_files


def score_front(
    study: Study,
    *,
    problem: Problem | None = None,
    progress: Callable[[int, int], None] | None = None,
    only: Container[int] | None = None,
) -> dict[str, dict[str, float]]:
    """Score the front's networks that have no test score yet; all scores so far, by trial number.

    The test split is touched here and nowhere else, and no sampler reads these scores. [DESIGN rule 2] A study that
    searches no networks has no test split, and no scores.

    Args:
        study: from `open_study`.
        problem: the study's problem, if it is loaded already.
        progress: called with (scored so far, to score).
        only: score no others of the front than these trials, by number.

    Raises:
        CacheError: a trial's weights are gone.
        DataError: the data set cannot be loaded here, or is not the one that the study was run on.
    """
    if not study.spec.of_networks:
        return {}
    with study.lock("test-scores"):
        scores: dict[str, dict[str, float]] = dict(study.optuna.user_attrs.get(StudyKeys.TEST_SCORES, {}))
        front = [trial for trial in study.view().front() if only is None or trial.number in only]
        missing = [trial for trial in front if str(trial.number) not in scores]
        if missing:
            problem = problem or open_problem(study.spec)
        for done, trial in enumerate(missing, start=1):
            assert problem is not None
            stored = study.optuna.get_trials(deepcopy=False)[trial.number]
            files = stored_files(study, stored._trial_id)
            if ArtifactNames.WEIGHTS not in files:
                raise CacheError(
                    f"the weights of trial {trial.number} are not in {study.artifacts}; bring the folder "
                    "back, or report without test scores (--no-test)"
                )
            scores[str(trial.number)] = dict(problem.score_test(trial.params, files))
            study.optuna.set_user_attr(StudyKeys.TEST_SCORES, scores)
            if progress is not None:
                progress(done, len(missing))
    return scores
