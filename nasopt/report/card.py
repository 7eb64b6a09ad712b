"""The model card of an exported network: what it is, what it was measured to do, and how to feed it."""

from __future__ import annotations

from nasopt.metrics import METRICS, split_metric
from nasopt.report.notation import figure_text, network_text, origin
from nasopt.report.view import StudyView, TrialView


def model_card(view: StudyView, trial: TrialView) -> str:
    """Markdown about one finished trial."""
    outcome = trial.outcome
    assert outcome is not None
    lines = [f"# Trial {trial.number} of {view.name}", ""]
    lines += _about(view, trial)
    lines += ["", "## Figures", "", "| metric | value |", "|---|---|"]
    names = [*outcome.quality, *outcome.costs]
    lines += [f"| {_label(view, name)} | {figure_text(view, trial, name)} |" for name in names]
    lines += ["", f"On {view.data.get('validation', '?')} validation images; ± is half of the 95% interval."]
    if (score := view.test_scores.get(trial.number)) is not None:
        accuracy, images = score["accuracy"], int(score["images"])
        lines += ["", f"On {images} test images: accuracy {accuracy:.2%}, exit rate {score['exit_rate']:.1%}."]
    lines += ["", "## Devices", ""]
    lines += [f"- {d.name}: {d.description}; costs are {d.provenance}, by {d.backend}." for d in view.devices]
    return "\n".join([*lines, "", *_usage(view)]) + "\n"


def _about(view: StudyView, trial: TrialView) -> list[str]:
    lines = [
        f"A dynamic network for {view.data.get('name', 'an unnamed data set')}: a little network answers every input,"
    ]
    lines += ["and a big one those of which the router is not sure."]
    if (network := network_text(view, trial)) is not None:
        lines += ["", f"- little: `{network.little}`", f"- big: `{network.big}`", f"- router: {network.router}"]
        lines += [f"- precision: {network.precision}{_conversion(trial)}"]
    return lines


def _conversion(trial: TrialView) -> str:
    """What lower precision cost, by the answers of the graphs themselves; empty at fp32."""
    found = (trial.outcome.details if trial.outcome else {}).get("conversion")
    if not found:
        return ""
    seen = f"calibrated ({found['method']}) on {found['images']} training images, " if "method" in found else ""
    return (
        f"; {seen}in fp32 its validation accuracy was {found['fp32']['accuracy']:.2%}; inputs and outputs are float32"
    )


def _usage(view: StudyView) -> list[str]:
    preprocessing = view.data.get("preprocessing") or {}
    mean, std = ([round(v, 6) for v in preprocessing.get(key, [])] for key in ("mean", "std"))
    return [
        "## Use",
        "",
        "- `routed.onnx`: `image` (1, channels, height, width) -> `logits`, `exited`. Both networks behind one ONNX",
        "  `If`; the big one runs only where the router's score is below the threshold.",
        "- `easy.onnx` and `hard.onnx`: the same as two graphs for a runtime that handles `If` badly: run `easy`, and",
        "  `hard` on its `features` where `score` is below the threshold (`tau` in `config.json`).",
        "- Input: pixels divided by 255, then for each channel minus its mean and divided by its standard deviation:",
        f"  mean {mean}, standard deviation {std}.",
    ]


def _label(view: StudyView, name: str) -> str:
    label = METRICS[split_metric(name)[0]].label
    provenance = origin(view, name)
    return f"{label}, {provenance}" if provenance else label
