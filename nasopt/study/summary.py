"""What a run says at its end, for people and for scripts."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from nasopt.report import StudyView, TrialView, front_table, proposers, search_cost, summary
from nasopt.study.running import RunResult


def summarise(result: RunResult, reference: str, storage: str | None = None) -> Iterator[RenderableType]:
    """The front as a table, where everything is, and the commands to type next.

    `reference` and `storage` are what the user called the study, so that the commands can be pasted.
    """
    view = result.study.view()
    yield front_table(view)
    if result.running_elsewhere:
        yield Text(f"{result.running_elsewhere} trials are being evaluated by other processes; see: nasopt status")
    where = f" --storage {shlex.quote(storage)}" if storage else ""
    study = shlex.quote(reference) + where
    commands = [f"nasopt report {study}", f"nasopt dashboard {study}"]
    if (front := view.front()) and not view.problem:
        commands.insert(1, f"nasopt export {study} --trial {_knee(view, front).number} --to exported")
    more = shlex.quote(reference)
    commands.append(f"nasopt run {more}{where} --trials {2 * int(view.spec['study']['trials'])}   # go on searching")
    yield summary(view, *commands)


def _knee(view: StudyView, front: Sequence[TrialView]) -> TrialView:
    """The member of the front nearest to its ideal point, each objective scaled to the front's range."""
    losses = view.losses(front)
    span = losses.max(axis=0) - losses.min(axis=0)
    scaled = (losses - losses.min(axis=0)) / (span + (span == 0))
    return front[int((scaled**2).sum(axis=1).argmin())]


def study_json(view: StudyView) -> dict[str, Any]:
    """A study's state and front as JSON values."""
    cost = search_cost(view)
    return {
        "study": view.name,
        "storage": view.spec["study"]["storage"],
        "trials": view.spec["study"]["trials"],
        "ended": dict(view.counts()),
        "objectives": [{"metric": o.metric, "direction": o.direction} for o in view.objectives],
        "data": view.data.get("name"),
        "devices": [{"name": d.name, "provenance": d.provenance} for d in view.devices],
        "supernet_subnet_accuracy": view.supernet.get("subnet_accuracy"),
        "search_cost": {"seconds": cost.seconds, "energy_kwh": cost.energy_kwh, "co2_kg": cost.co2_kg},
        "proposers": [asdict(p) for p in proposers(view)],
        "front": [_trial_json(trial) for trial in view.front()],
    }


def _trial_json(trial: TrialView) -> dict[str, Any]:
    outcome = None if trial.outcome is None else trial.outcome.to_json()
    return {
        "number": trial.number,
        "values": trial.values,
        "params": dict(trial.params),
        "outcome": outcome,
        "proposer": trial.proposer or None,
    }
