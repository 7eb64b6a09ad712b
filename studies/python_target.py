"""The target of python_target.yaml: small networks on scikit-learn's digits, scored on what they cost to ask."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from statistics import median
from typing import Any

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

PIXELS, CLASSES = 64, 10


class Digits:
    """One or two hidden layers. Figures: accuracy, weights, and microseconds that one image of a batch takes."""

    def __init__(self) -> None:
        self.distributions = {
            "layers": IntDistribution(1, 2),
            "units": IntDistribution(4, 128, log=True),
            "activation": CategoricalDistribution(["relu", "tanh"]),
            "learning_rate": FloatDistribution(1e-3, 3e-2, log=True),
        }
        images, labels = load_digits(return_X_y=True)
        self.train, self.held_out, self.answers, self.truth = train_test_split(
            images / 16, labels, test_size=0.3, random_state=0, stratify=labels
        )

    def inspect(self, params: Mapping[str, Any]) -> dict[str, float]:
        """What is known before anything is trained."""
        units, layers = params["units"], params["layers"]
        return {"weights": (PIXELS + 1) * units + (layers - 1) * (units + 1) * units + (units + 1) * CLASSES}

    def evaluate(self, params: Mapping[str, Any]) -> dict[str, float]:
        """Train, score on the images held out, and time the predictions."""
        network = MLPClassifier(
            hidden_layer_sizes=(params["units"],) * params["layers"],
            activation=params["activation"],
            learning_rate_init=params["learning_rate"],
            max_iter=30,
            random_state=0,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # thirty passes are the budget
            network.fit(self.train, self.answers)
        return {
            "accuracy": float(network.score(self.held_out, self.truth)),
            "predict_us": 1e6 * median(self._seconds(network) for _ in range(21)) / len(self.truth),
            **self.inspect(params),
        }

    def _seconds(self, network: MLPClassifier) -> float:
        start = time.perf_counter()
        network.predict(self.held_out)
        return time.perf_counter() - start
