"""A problem whose evaluation is arithmetic, for tests of what `study/` does around it: real space, counts, records."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nasopt.errors import DivergedError
from nasopt.networks import count
from nasopt.records import Cost, Inspection, Outcome
from nasopt.space import BigLittleSpace
from nasopt.spec.contest import ContestSpec
from nasopt.spec.study import StudyFile, StudySpec

LIGHTER = "little_lighter_than_big"


class StandIn:
    """Accuracy is a smooth function of the choices; multiply-accumulates are the real ones."""

    structural = (LIGHTER,)
    suffix = ""

    def __init__(
        self, spec: StudyFile, *, seconds: float = 0.0, fault: Callable[[Mapping[str, Any]], None] | None = None
    ):
        self.space = BigLittleSpace(spec.space, native_resolution=8)
        self.distributions = self.space.distributions
        self.layout = self.space.layout(in_channels=1, classes=10)
        self.seconds = seconds
        self.fault = fault
        self.evaluated: list[dict[str, Any]] = []

    def prepare(self, progress: Callable[[Any], None]) -> None:
        pass

    def facts(self) -> Mapping[str, Any]:
        return {"devices": []}

    def inspect(self, params: Mapping[str, Any]) -> Inspection:
        counts = count(self.layout, self.space.decode(params))
        return Inspection(
            bounds={"macs_hard": (counts.macs_hard, counts.macs_hard), "macs": (counts.macs_easy, counts.macs_hard)},
            structural={LIGHTER: counts.macs_little / counts.macs_big - 1.0},
        )

    def evaluate(self, params: Mapping[str, Any]) -> Outcome:
        time.sleep(self.seconds)
        if self.fault is not None:
            self.fault(params)
        self.evaluated.append(dict(params))
        candidate = self.space.decode(params)
        counts = count(self.layout, candidate)
        size = sum(s.width * s.depth * s.expansion + s.kernel / 7 for s in candidate.big)
        value = float(counts.macs_hard)
        quality = {"accuracy": 1 - 1 / (1 + size) - 0.1 * abs(candidate.tau - 0.8), "exit_rate": candidate.tau}
        return Outcome(quality=quality, costs={"macs": Cost(value=value, ci95=(value, value), provenance="computed")})

    def score_test(self, params: Mapping[str, Any], files: Mapping[str, Path]) -> Mapping[str, float]:
        raise AssertionError("no test reads this")


def diverge(params: Mapping[str, Any]) -> None:
    raise DivergedError("the loss is not finite in epoch 1")


def make_spec(storage: str, **changes: Any) -> StudySpec:
    """A small study over accuracy and multiply-accumulates."""
    return StudySpec.model_validate(_changed(_content(storage), changes))


def _content(storage: str) -> dict[str, Any]:
    return {
        "study": {"name": "stand-in", "storage": storage, "trials": 8, "seed": 3},
        "space": {"channels": [8, 12], "strides": [1, 2], "little": {"width": [0.25, 0.5], "depth": [1, 2]}},
        "objectives": ["accuracy", "macs"],
        "sampler": "random",
    }


def _changed(content: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    for key, value in changes.items():
        section, _, name = key.partition("__")
        if name:
            content.setdefault(section, {})[name] = value
        else:
            content[section] = value
    return content


def make_contest(storage: str, **changes: Any) -> ContestSpec:
    """Three samplers with two seeds on the small study, four trials each."""
    content = _content(storage)
    content["study"] |= {"name": "c", "trials": 4}
    content["space"] = {
        "channels": [8],
        "strides": [1],
        "little": {"width": [0.25, 0.5], "depth": 1, "kernel": [3, 5], "expansion": 1},
        "big": {"width": 1.0, "depth": [1, 2, 3], "kernel": [3, 5], "expansion": [2, 4, 6]},
        "router": {"kind": "confidence"},
    }
    content |= {"sampler": ["random", {"name": "tpe", "options": {"n_startup_trials": 2}}, "nsga2"]}
    content["contest"] = {"seeds": 2}
    return ContestSpec.model_validate(_changed(content, changes))


def contest_until_killed(spec: ContestSpec, writes: int) -> None:
    """Run the contest in this process and let it die by SIGKILL right after so many commits to the database."""
    from nasopt.study import run_contest

    _die_after(writes)
    run_contest(spec, problem=StandIn(spec))


def contest_here(spec: ContestSpec, seconds: float, state: str) -> None:
    """Run the contest in this process to its end, with the locks of database servers under `state`."""
    from nasopt.study import run_contest

    os.environ["XDG_STATE_HOME"] = state
    run_contest(spec, problem=StandIn(spec, seconds=seconds))


def run_until_killed(spec: StudySpec, writes: int) -> None:
    """Run the study in this process and let it die by SIGKILL right after so many commits to the database."""
    from nasopt.study import run

    _die_after(writes)
    run(spec, problem=StandIn(spec))


def _die_after(writes: int) -> None:
    from sqlalchemy import event
    from sqlalchemy.orm import Session

    left = [writes]

    @event.listens_for(Session, "after_commit")
    def count_down(_: Session) -> None:
        left[0] -= 1
        if left[0] <= 0:
            os.kill(os.getpid(), signal.SIGKILL)


def run_elsewhere(spec: StudySpec, seconds: float, state: str, patience_s: float = 90.0) -> None:
    """Run the study in this process as if on another host: locks of servers under `state`, and so much patience."""
    from nasopt.study import run, workers

    os.environ["XDG_STATE_HOME"] = state
    workers.PATIENCE_S, workers.RENEW_S = patience_s, patience_s / 8
    run(spec, problem=StandIn(spec, seconds=seconds))


def run_where_a_point_kills(spec: StudySpec, deadly: Path, pause_s: float = 0.0) -> None:
    """Run the study in this process; the first point that any such process met kills it whenever it returns."""
    from nasopt.study import run

    def die(params: Mapping[str, Any]) -> None:
        if not deadly.exists():
            deadly.write_text(json.dumps(dict(params)))
        if json.loads(deadly.read_text()) == dict(params):
            os._exit(137)

    run(spec, problem=StandIn(spec, fault=die, seconds=pause_s))


def run_here(spec: StudySpec, seconds: float = 0.0) -> None:
    """Run the study in this process to its end."""
    from nasopt.study import run

    run(spec, problem=StandIn(spec, seconds=seconds))
