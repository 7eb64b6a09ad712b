"""What a sampler's factory requires beyond the space: made before its first draw, and charged to the study."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from optuna.artifacts import get_all_artifact_meta, upload_artifact

from nasopt import plugins
from nasopt.errors import UsageError
from nasopt.problems import GivesPrior, Problem
from nasopt.records import ArtifactNames, StudyKeys
from nasopt.records.prior import ArchitecturePrior, read_prior
from nasopt.spec.study import SamplerSpec
from nasopt.study.store import Study

PRIOR = "prior"
"""An `ArchitecturePrior` of the study's problem and objectives."""


def requirements(spec: SamplerSpec) -> frozenset[str]:
    """Names of what the factory declares in its attribute `requires`: a set, or a function of the options."""
    declared: Any = getattr(plugins.load("samplers", spec.name), "requires", frozenset())
    return frozenset(declared(spec.options) if callable(declared) else declared)


def check_requirements(spec: SamplerSpec, problem: Problem) -> None:
    """Refuse a sampler whose requirements this problem cannot meet.

    Raises:
        UsageError: it has no supernet to train a prior on, or the factory asks for something unknown.
    """
    required = requirements(spec)
    if unknown := required - {PRIOR}:
        raise UsageError(f"sampler {spec.name} requires {min(unknown)!r}; nasopt provides {PRIOR} only")
    if PRIOR in required and not isinstance(problem, GivesPrior):
        raise UsageError(
            f"sampler {spec.name} needs a supernet to learn from, and this problem has none; take another sampler, or "
            "give one a prior of these parameters: sampler.options.prior, the path of its file"
        )


def provide(study: Study, problem: Problem, progress: Callable[[Any], None]) -> dict[str, Any]:
    """Make what the study's sampler requires, and store it with the study; keyword arguments for its factory."""
    spec = study.spec.sampler
    if PRIOR in requirements(spec) and isinstance(problem, GivesPrior):
        prior = problem.architecture_prior(progress)
        _store(study, prior)
        return {PRIOR: prior}
    given = spec.options.get(PRIOR)
    if isinstance(given, str):  # trained by another study: its cost is charged all the same
        prior = read_prior(Path(given).expanduser())
        if not prior.choices.keys() & problem.distributions.keys():
            raise UsageError(
                f"the architecture prior in {given} is about {', '.join(list(prior.choices)[:3])}, ..., and this space "
                f"has none of its parameters but {', '.join(list(problem.distributions)[:3])}, ...; train one for it"
            )
        _store(study, prior)
    return {}


def _store(study: Study, prior: ArchitecturePrior) -> None:
    study.remember(StudyKeys.PRIOR, prior.summary())
    present = get_all_artifact_meta(study.optuna, storage=study.storage)
    if any(meta.filename == ArtifactNames.PRIOR for meta in present):
        return
    with TemporaryDirectory(prefix="nasopt-") as folder:
        file = Path(folder) / ArtifactNames.PRIOR
        file.write_text(json.dumps(prior.to_json(), indent=1))
        upload_artifact(artifact_store=study.artifact_store, file_path=str(file), study_or_trial=study.optuna)
