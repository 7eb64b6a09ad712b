"""Studies written by Optuna itself, in the schema of `records`, into a SQLite file."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from nasopt.database import open_storage
from nasopt.records import Cost, Outcome, StudyKeys, TrialKeys
from nasopt.records.metrics import split_metric
from nasopt.space.big_little import BigLittleSpace
from nasopt.spec.space import SpaceSpec

SPACE: dict[str, Any] = {
    "channels": [16, 24],
    "strides": [1, 2],
    "little": {"width": [0.25, 0.5], "depth": [1, 2], "kernel": [3, 5], "expansion": [1, 2]},
    "big": {"width": [0.5, 1.0], "depth": [2, 4], "kernel": [5, 7], "expansion": [4, 6]},
}
OBJECTIVES = (("accuracy", "maximize"), ("latency_ms", "minimize"))
DEVICE = {
    "name": "local",
    "description": "this machine",
    "backend": "onnxruntime",
    "provenance": "measured",
    "meter": "codecarbon",
    "remedy": "",
}


class Written:
    """A study in a database, to which a test adds trials of each ending."""

    def __init__(self, storage: BaseStorage, name: str, objectives: tuple[tuple[str, str], ...], **attrs: Any) -> None:
        self.objectives = objectives
        self.provenance = attrs.get(StudyKeys.DEVICES, [DEVICE])[0]["provenance"]
        self.space = BigLittleSpace(SpaceSpec.model_validate(SPACE), native_resolution=8)
        self.study = optuna.create_study(
            storage=storage,
            study_name=name,
            directions=[d for _, d in objectives],
            sampler=optuna.samplers.RandomSampler(seed=0),
        )
        for key, value in (_study_attrs(name, objectives) | attrs).items():
            self.study.set_user_attr(key, value)

    def _ask(self) -> optuna.Trial:
        return self.study.ask(self.space.distributions)

    def completed(self, *values: float, over: float = -1.0, **more: Any) -> int:
        """A trained and measured trial with these objective values; `over` is the violation of its one constraint."""
        trial = self._ask()
        trial.set_constraint("macs", over)
        named = dict(zip([m for m, _ in self.objectives], values, strict=True)) | more
        quality = {"accuracy": 0.9, "top5": 0.99, "ece": 0.02, "exit_rate": 0.5, "routing_accuracy": 0.8}
        quality |= {k: v for k, v in named.items() if k in quality}
        costs = {k: v for k, v in named.items() if k not in quality}
        costs.setdefault("macs", 1.2e6)
        outcome = Outcome(
            quality=quality,
            costs={
                k: Cost(
                    value=v,
                    ci95=(0.95 * v, 1.05 * v),
                    provenance="computed" if k == "macs" else self.provenance,  # type: ignore[arg-type]
                )
                for k, v in costs.items()
            },
            seconds={"train": 3.0, "measure": 1.0},
        )
        trial.set_user_attr(TrialKeys.OUTCOME, outcome.to_json())
        trial.set_user_attr(TrialKeys.ENDED, "completed")
        self.study.tell(trial, list(values))
        return trial.number

    def lost(self, ended: str, reason: str = "because") -> int:
        """A trial that was refused or diverged: pruned, without values."""
        trial = self._ask()
        trial.set_constraint("macs", 5.0 if ended == "infeasible" else 0.0)
        trial.set_user_attr(TrialKeys.ENDED, ended)
        trial.set_user_attr(TrialKeys.REASON, reason)
        self.study.tell(trial, state=TrialState.PRUNED)
        return trial.number

    def failed(self, ended: str, reason: str = "because") -> int:
        trial = self._ask()
        trial.set_user_attr(TrialKeys.ENDED, ended)
        trial.set_user_attr(TrialKeys.REASON, reason)
        self.study.tell(trial, state=TrialState.FAIL)
        return trial.number

    def running(self) -> int:
        return self._ask().number

    def session(self, **fields: Any) -> None:
        index = sum(k.startswith(StudyKeys.SESSION) for k in self.study.user_attrs)
        record = {
            "host": "desk",
            "hardware": "2 x CPU",
            "started": f"2026-01-0{index + 1}T00:00:00",
            "seconds": 3600.0,
            "trials": 4,
            "energy_kwh": 0.02,
            "co2_kg": 0.008,
            "method": "codecarbon, TDP x load",
        }
        self.study.set_user_attr(f"{StudyKeys.SESSION}{index}", record | fields)

    def search(self, trials: int, seed: int = 0, shift: float = 0.0) -> Written:
        """Random finished trials along a trade-off of accuracy against each further objective."""
        rng = np.random.default_rng(seed)
        for _ in range(trials):
            effort = rng.uniform(0.05, 1)
            values, exits = [], float(np.clip(1 - effort + rng.normal(0, 0.1), 0, 1))
            for metric, _direction in self.objectives:
                base, _device = split_metric(metric)
                if base == "accuracy":
                    values.append(float(np.clip(0.97 - 0.15 * math.exp(-3 * effort) - rng.gamma(1, 0.02), 0.1, 1)))
                else:
                    values.append(float(10 * effort * (1 + rng.gamma(1, 0.15)) + shift))
            self.completed(*values, exit_rate=exits)
        return self


def _study_attrs(name: str, objectives: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    spec = {
        "study": {"name": name, "storage": "sqlite:///nasopt.db", "seed": 7, "trials": 24, "artifacts": None},
        "data": {"name": "digits"},
        "space": SPACE,
        "sampler": {"name": "nsga2", "options": {}},
        "hardware": {"device": ["local"]},
    }
    return {
        StudyKeys.SPEC: spec,
        StudyKeys.SPEC_HASH: "0" * 24,
        StudyKeys.OBJECTIVES: [{"metric": m, "direction": d} for m, d in objectives],
        StudyKeys.CONSTRAINTS: [{"key": "macs", "metric": "macs", "min": None, "max": 5e6}],
        StudyKeys.DATA: {
            "name": "digits",
            "requested": "digits",
            "train": 1150,
            "validation": 287,
            "test": 360,
            "classes": 10,
        },
        StudyKeys.DEVICES: [DEVICE],
        StudyKeys.SUPERNET: {"key": "ab", "seconds": 40.0, "cached": False, "subnet_accuracy": [0.9] * 10 + [0.8] * 10},
        StudyKeys.HOST: {"machine": "x86_64", "cpu": "an example CPU", "cores": 2},
        StudyKeys.VERSIONS: {"nasopt": "0.1.0", "optuna": optuna.__version__},
        StudyKeys.GIT: "abc1234",
        StudyKeys.SEED: 7,
        StudyKeys.ARTIFACTS: "/tmp/artifacts",
    }


@pytest.fixture
def storage(tmp_path: Path) -> BaseStorage:
    return open_storage(f"sqlite:///{tmp_path}/studies.db")


@pytest.fixture
def memory() -> BaseStorage:
    return open_storage("memory")


@pytest.fixture
def write(memory: BaseStorage) -> Callable[..., Written]:
    """`write(name, objectives=..., storage=..., **study attributes)`; in memory unless told."""

    def make(
        name: str = "study",
        objectives: tuple[tuple[str, str], ...] = OBJECTIVES,
        storage: BaseStorage | None = None,
        **attrs: Any,
    ) -> Written:
        return Written(storage or memory, name, objectives, **attrs)

    return make


@pytest.fixture(scope="session")
def studies() -> type[Written]:
    """`studies(storage, name, objectives, **study attributes)`, for fixtures that outlive a test."""
    return Written


@pytest.fixture(scope="session")
def jetson() -> dict[str, str]:
    """A device whose costs are estimated, as a study records it."""
    return DEVICE | {
        "name": "jetson_nano",
        "description": "NVIDIA Jetson Nano",
        "backend": "predicted",
        "provenance": "estimated",
        "remedy": "to measure, run on the board with backend: onnxruntime",
    }


@pytest.fixture(scope="session", autouse=True)
def _quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
