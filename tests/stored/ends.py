"""The Python target of the stored study `ends`: points that end in every way a trial can end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from optuna import TrialPruned
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from nasopt.errors import DivergedError
from nasopt.spec.study import StudySpec, load_spec


class Ends:
    distributions: ClassVar = {
        "width": IntDistribution(1, 12),
        "rate": FloatDistribution(0.0, 1.0),
        "kind": CategoricalDistribution(["plain", "fast"]),
    }

    def inspect(self, params: Mapping[str, Any]) -> dict[str, float]:
        return {"weights": 100 * params["width"]}

    def evaluate(self, params: Mapping[str, Any]) -> dict[str, float]:
        width, rate = params["width"], params["rate"]
        if rate > 0.9:
            raise DivergedError("the loss is not finite in epoch 1")
        if rate > 0.8:
            raise TrialPruned("hopeless after one epoch")
        if 0.3 < rate < 0.36:
            raise ValueError("the evaluation broke")
        accuracy = 1 - 1 / (1 + width) - 0.2 * abs(rate - 0.5)
        cost = width * (2.0 if params["kind"] == "plain" else 1.5)
        return {"weights": 100 * width, "accuracy": accuracy, "cost_us": cost}


def spec(url: str, folder: Path, *, trials: int = 14, name: str = "ends", sampler: str = "tpe") -> StudySpec:
    """The study file, with the target beside it under the name that the stored study knows."""
    (folder / "ends.py").write_text(Path(__file__).read_text())
    (folder / "ends.yaml").write_text(f"""
study: {{name: {name}, storage: "{url}", seed: 5, trials: {trials}}}
problem: {{kind: python, target: "ends:Ends"}}
objectives:
  - accuracy
  - {{metric: cost_us, direction: minimize}}
constraints:
  - {{metric: weights, max: 900}}
  - {{metric: accuracy, min: 0.6}}
sampler: {sampler}
""")
    return load_spec(folder / "ends.yaml")
