"""A finished trial as files to deploy: ONNX graphs, a model card, and the choices behind them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import onnx
import torch

from nasopt.database import shown
from nasopt.errors import CacheError, ExportError, StudyNotFoundError, UsageError
from nasopt.evaluation import load_network
from nasopt.export import compose_routed, describe, export_easy, export_hard, try_runtimes
from nasopt.networks import RoutedNetwork
from nasopt.records import ArtifactNames, ExportedModel
from nasopt.report.card import Deployment, model_card
from nasopt.report.view import StudyView, TrialView
from nasopt.space import BigLittleSpace
from nasopt.study.store import Study
from nasopt.study.trials import stored_files
from nasopt.text.commands import about


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
            f"parameters and figures are in: {about('status', study.name, study.spec.study.storage, '--json')}"
        )
    view = study.view()
    chosen = next((t for t in view.trials if t.number == trial), None)
    if chosen is None or chosen.outcome is None:
        finished = ", ".join(str(t.number) for t in view.finished()) or "none"
        raise StudyNotFoundError(f"study {study.name!r} has no finished trial {trial}; finished: {finished}")
    stored = study.optuna.get_trials(deepcopy=False)[trial]
    files = stored_files(study, stored._trial_id)
    wanted = [ArtifactNames.WEIGHTS]
    if chosen.outcome.details.get("precision", "fp32") != "fp32":
        wanted += [ArtifactNames.EASY, ArtifactNames.HARD]
    if missing := [name for name in wanted if name not in files]:
        raise CacheError(
            f"{missing[0]} of trial {trial} is not in {study.artifacts}; bring the folder back, or run the study "
            "under another name"
        )
    folder = Path(to)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _write(study, view, chosen, files, folder)
    except OSError as error:
        raise ExportError(f"cannot write to {folder}: {error.strerror or error}") from error


def _write(study: Study, view: StudyView, trial: TrialView, files: Mapping[str, Path], folder: Path) -> ExportedFiles:
    network, trained_as = load_network(files[ArtifactNames.WEIGHTS])
    assert trial.outcome is not None
    space = BigLittleSpace(
        study.spec.space,
        native_resolution=trained_as.resolution,
        native_precision=trial.outcome.details.get("precision", "fp32"),
    )
    candidate = space.decode(trial.params)  # the pair may have been trained for another threshold
    if candidate.precision == "fp32":
        easy, hard = _export(network, candidate.resolution, folder)
    else:  # the very graphs that were scored
        names = (ArtifactNames.EASY, ArtifactNames.HARD)
        easy, hard = (describe(Path(shutil.copyfile(files[name], folder / name))) for name in names)
    routed = compose_routed(easy, hard, folder / "routed.onnx", candidate.tau)
    card, config = folder / "README.md", folder / "config.json"
    deployed = _deployment(view, easy, routed, candidate.tau)
    card.write_text(model_card(view, trial, deployed), encoding="utf-8")
    content = {
        "study": study.name,
        "storage": shown(study.url),
        "trial": trial.number,
        **deployed.to_json(),
        "candidate": asdict(candidate),
        "preprocessing": view.data.get("preprocessing"),
        "params": dict(trial.params),
    }
    config.write_text(json.dumps(content, indent=2) + "\n")
    return ExportedFiles(easy=easy.path, hard=hard.path, routed=routed.path, card=card, config=config)


def _deployment(view: StudyView, easy: ExportedModel, routed: ExportedModel, tau: float) -> Deployment:
    """What the graphs take and give, read from them, and how the study prepared its images."""
    preprocessing = view.data.get("preprocessing") or {}
    _, channels, side, _ = easy.inputs[0][1]
    opsets = onnx.load(routed.path, load_external_data=False).opset_import
    return Deployment(
        channels=channels,
        side=side,
        mean=tuple(preprocessing.get("mean") or ()),
        std=tuple(preprocessing.get("std") or ()),
        classes=tuple(preprocessing.get("class_names") or ()),
        tau=tau,
        opset=next(o.version for o in opsets if o.domain in ("", "ai.onnx")),
        pixel_range=tuple(preprocessing.get("pixel_range") or (0.0, 255.0)),
        tried=try_runtimes(routed),
    )


def _export(network: RoutedNetwork, resolution: int, folder: Path) -> tuple[ExportedModel, ExportedModel]:
    stem = next(network.stem.parameters())
    shape = (1, stem.shape[1], resolution, resolution)
    with torch.inference_mode():
        features = network.stem(torch.zeros(shape))
    easy = export_easy(network, shape, folder / "easy.onnx")
    return easy, export_hard(network, tuple(features.shape), folder / "hard.onnx")
