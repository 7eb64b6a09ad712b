"""The model card of an exported network: what it is, what it was measured to do, and how to feed it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nasopt.records.metrics import METRICS, split_metric
from nasopt.report.markup import plain
from nasopt.report.notation import figure_text, network_text, origin
from nasopt.report.view import StudyView, TrialView

_EIGHT_BITS = (0.0, 255.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What somebody has to know who runs exported graphs without nasopt."""

    channels: int
    side: int
    """Of the square input, in pixels."""
    mean: tuple[float, ...]
    """Of each channel, of values in [0, 1]."""
    std: tuple[float, ...]
    classes: tuple[str, ...]
    tau: float
    """An input leaves at the little head when its router score is at least tau."""
    opset: int
    """Of the routed graph."""
    pixel_range: tuple[float, float] = _EIGHT_BITS
    """Values of the files that became 0 and 255."""
    tried: Mapping[str, str] = field(default_factory=dict)
    """Runtimes that took the routed graph when it was exported, with their version, and what came of it."""

    def to_json(self) -> dict[str, Any]:
        """What `config.json` says of it."""
        shape = [1, self.channels, self.side, self.side]
        order = {1: "grey", 3: "RGB"}.get(self.channels, "")
        return {
            "input": {
                "name": "image",
                "shape": shape,
                "channel_order": order,
                "pixels": list(self.pixel_range),
                "scale": 1 / 255,
            },
            "outputs": {"logits": [1, len(self.classes)], "exited": [1]},
            "classes": list(self.classes),
            "tau": self.tau,
            "opset": self.opset,
            "runtimes_tried": dict(self.tried),
        }


def model_card(view: StudyView, trial: TrialView, deployed: Deployment) -> str:
    """Markdown about one finished trial, and how to run its graphs."""
    outcome = trial.outcome
    assert outcome is not None
    lines = [f"# Trial {trial.number} of {plain(view.name)}", ""]
    lines += _about(view, trial)
    lines += ["", "## Figures", "", "| metric | value |", "|---|---|"]
    names = [*outcome.quality, *outcome.costs]
    lines += [f"| {_label(view, name)} | {figure_text(view, trial, name)} |" for name in names]
    lines += ["", f"On {view.data.get('validation', '?')} validation images; ± is half of the 95% interval."]
    if (score := view.test_scores.get(trial.number)) is not None:
        accuracy, images = score["accuracy"], int(score["images"])
        lines += ["", f"On {images} test images: accuracy {accuracy:.2%}, exit rate {score['exit_rate']:.1%}."]
    lines += ["", "## Devices", ""]
    lines += [
        f"- {plain(d.name)}: {plain(d.description)}; costs are {d.provenance}, by {d.backend}." for d in view.devices
    ]
    return "\n".join([*lines, "", *_usage(deployed)]) + "\n"


def _about(view: StudyView, trial: TrialView) -> list[str]:
    data = plain(str(view.data.get("name") or "an unnamed data set"))
    lines = [f"A dynamic network for {data}: a little network answers every input,"]
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


def _usage(deployed: Deployment) -> list[str]:
    order = "RGB" if deployed.channels == 3 else "grey" if deployed.channels == 1 else f"{deployed.channels} channels"
    side, shape = deployed.side, (1, deployed.channels, deployed.side, deployed.side)
    named = [f"{i} {plain(name)}" for i, name in enumerate(deployed.classes[:_CLASSES_SHOWN])]
    more = ", ..." if len(deployed.classes) > _CLASSES_SHOWN else ""
    return [
        "## Use",
        "",
        f"- Input `image`: float32 {shape}, that is batch, channels ({order}), height, width.",
        *_levels(*deployed.pixel_range),
        f"- An image of another size is brought to {side}x{side}: the shorter side resized (bilinear), the centre",
        "  cropped.",
        "- Then pixels are divided by 255, and for each channel the mean is subtracted and the result divided by",
        f"  the standard deviation: mean {_rounded(deployed.mean)}, standard deviation {_rounded(deployed.std)}.",
        f"- `routed.onnx` (ONNX opset {deployed.opset}): `image` -> `logits` (1, {len(deployed.classes) or '?'}) of",
        "  the head that answered, and `exited` (1,), true where the little network did. Both networks stand behind",
        "  one ONNX `If`; the big one runs only where the router's score is below the threshold",
        f"  {deployed.tau:.6g} (the initialiser `tau`).",
        "- `easy.onnx` (`image` -> `features`, `logits`, `score`) and `hard.onnx` (`features` -> `logits`): the same",
        "  as two graphs, for a runtime that handles `If` badly. The answer is `easy`'s `logits` where `score` is at",
        "  least the threshold; elsewhere run `hard` on `features`, and the answer is its `logits`.",
        f"- The class is the position of the greatest logit: {', '.join(named) or 'not recorded'}{more}",
        "  (`classes` in `config.json`).",
        *([f"- Tried with: {_tried(deployed.tried)}."] if deployed.tried else []),
        "",
        "From an image file to its class:",
        "",
        "```python",
        *_EXAMPLE.format(
            opened=_OPENED if deployed.pixel_range == _EIGHT_BITS else _DEEP.format(*deployed.pixel_range),
            mode={1: '"L"', 3: '"RGB"'}.get(deployed.channels, '"RGB"'),
            side=side,
            mean=list(deployed.mean),
            std=list(deployed.std),
        ).splitlines(),
        "```",
    ]


def _levels(low: float, high: float) -> list[str]:
    """How the values of a file become 0 to 255."""
    if (low, high) == _EIGHT_BITS:
        return [
            "- Pixels go from 0 to 255. Images with another range are spread to it first (16 bits: divided by 257;",
            "  scikit-learn's digits, 0 to 16: times 255 / 16).",
        ]
    return [
        f"- Pixels of the files go from {low:g} to {high:g}: they are spread to 0 to 255, rounded and cut off there,",
        f"  round((value - {low:g}) * 255 / {high - low:g}), before anything else.",
    ]


_CLASSES_SHOWN = 20
_OPENED = "image = Image.open(file)"
_DEEP = """levels = (np.asarray(Image.open(file), np.float64) - {0!r}) * (255 / ({1!r} - {0!r}))
    image = Image.fromarray(np.rint(levels).clip(0, 255).astype(np.uint8))"""
_EXAMPLE = """\
import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

here = Path(__file__).parent
classes = json.loads((here / "config.json").read_text())["classes"]
session = onnxruntime.InferenceSession(here / "routed.onnx", providers=["CPUExecutionProvider"])
mean = np.array({mean}, np.float32).reshape(-1, 1, 1)
std = np.array({std}, np.float32).reshape(-1, 1, 1)


def classify(file):
    {opened}
    image = image.convert({mode})
    if image.size != ({side}, {side}):
        image = ImageOps.fit(image, ({side}, {side}), Image.Resampling.BILINEAR)
    pixels = np.asarray(image, np.float32).reshape({side}, {side}, -1).transpose(2, 0, 1) / 255
    logits, exited = session.run(["logits", "exited"], {{"image": ((pixels - mean) / std)[None]}})
    return classes[int(logits[0].argmax())], bool(exited[0])


for file in sys.argv[1:]:
    print(*classify(file))
"""


def _rounded(values: Sequence[float]) -> list[float]:
    return [round(v, 6) for v in values]


def _tried(tried: Mapping[str, str]) -> str:
    return ", ".join(f"{plain(runtime)} ({plain(result)})" for runtime, result in tried.items())


def _label(view: StudyView, name: str) -> str:
    label = METRICS[split_metric(name)[0]].label
    provenance = origin(view, name)
    return f"{label}, {provenance}" if provenance else label
