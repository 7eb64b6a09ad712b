"""A finished trial as files to deploy: ONNX graphs, a model card, and the choices behind them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from nasopt.database import redact
from nasopt.errors import CacheError, ExportError, StudyNotFoundError, UsageError
from nasopt.evaluation import load_network
from nasopt.export import compose_routed, export_easy, export_hard
from nasopt.records import ArtifactNames
from nasopt.report.card import model_card
from nasopt.report.view import StudyView, TrialView
from nasopt.space import BigLittleSpace
from nasopt.study.opening import Study
from nasopt.study.trials import stored_files


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedFiles:
    """What `export` wrote."""

    easy: Path
    """Stem, little network and router: image -> features, logits, score."""
    hard: Path
    """Big network: features -> logits."""
    routed: Path
    """Both behind one `If` at the trial's threshold, batch 1: image -> logits, exited."""
    card: Path
    config: Path


def export(study: Study, trial: int, to: str | Path) -> ExportedFiles:
    """Write a finished trial's network into the folder `to`, which is created if need be.

    Raises:
        UsageError: the study searches no networks.
        StudyNotFoundError: no finished trial of that number.
        CacheError: its weights are gone from the artifact folder.
        ExportError: the folder cannot be written.
    """
    if not study.spec.of_networks:
        raise UsageError(
            f"study {study.name!r} is of kind {study.spec.problem.kind}: its trials have no network to export; their "
            f"parameters and figures are in: nasopt status {study.name} --json"
        )
    view = study.view()
    chosen = next((t for t in view.trials if t.number == trial), None)
    if chosen is None or chosen.outcome is None:
        finished = ", ".join(str(t.number) for t in view.finished()) or "none"
        raise StudyNotFoundError(f"study {study.name!r} has no finished trial {trial}; finished: {finished}")
    stored = study.optuna.get_trials(deepcopy=False)[trial]
    weights = stored_files(study, stored._trial_id).get(ArtifactNames.WEIGHTS)
    if weights is None:
        raise CacheError(
            f"the weights of trial {trial} are not in {study.artifacts}; bring the folder back, or run the study "
            "under another name"
        )
    folder = Path(to)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _write(study, view, chosen, weights, folder)
    except OSError as error:
        raise ExportError(f"cannot write to {folder}: {error.strerror or error}") from error


def _write(study: Study, view: StudyView, trial: TrialView, weights: Path, folder: Path) -> ExportedFiles:
    network, trained_as = load_network(weights)
    space = BigLittleSpace(study.spec.space, native_resolution=trained_as.resolution)
    candidate = space.decode(trial.params)  # the pair may have been trained for another threshold
    stem = next(network.stem.parameters())
    shape = (1, stem.shape[1], candidate.resolution, candidate.resolution)
    with torch.inference_mode():
        features = network.stem(torch.zeros(shape))
    easy = export_easy(network, shape, folder / "easy.onnx")
    hard = export_hard(network, tuple(features.shape), folder / "hard.onnx")
    routed = compose_routed(easy, hard, folder / "routed.onnx", candidate.tau)
    card, config = folder / "README.md", folder / "config.json"
    card.write_text(model_card(view, trial))
    content = {
        "study": study.name,
        "storage": redact(study.url),
        "trial": trial.number,
        "candidate": asdict(candidate),
        "preprocessing": view.data.get("preprocessing"),
        "params": dict(trial.params),
    }
    config.write_text(json.dumps(content, indent=2) + "\n")
    return ExportedFiles(easy=easy.path, hard=hard.path, routed=routed.path, card=card, config=config)
