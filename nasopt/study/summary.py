"""What a run says at its end, for people and for scripts."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from nasopt.database import PASSWORD_HINT, redact_argv
from nasopt.errors import UsageError
from nasopt.report import (
    StudyView,
    TrialView,
    compare_views,
    comparison_table,
    front_table,
    proposers,
    regret_of,
    search_cost,
    summary,
)
from nasopt.study.contest import ContestResult
from nasopt.study.running import RunResult


def summarise(
    result: RunResult | ContestResult, reference: str, storage: str | None = None
) -> Iterator[RenderableType]:
    """The front or the leaderboard, where everything is, and the commands to type next.

    `reference` and `storage` are what the user called the study, so that the commands can be pasted.
    """
    if isinstance(result, ContestResult):
        yield from _contest(result, reference, storage)
        return
    view = result.study.view()
    yield front_table(view)
    if result.running_elsewhere:
        yield Text(f"{result.running_elsewhere} trials are being evaluated by other processes; see: nasopt status")
    where = f" {redact_argv(['--storage', storage])}" if storage else ""
    study = shlex.quote(reference) + where
    commands = [f"nasopt report {study}", f"nasopt dashboard {study}"]
    if (front := view.front()) and not view.problem:
        commands.insert(1, f"nasopt export {study} --trial {_knee(view, front).number} --to exported")
    more = shlex.quote(reference)
    commands.append(f"nasopt run {more}{where} --trials {2 * int(view.spec['study']['trials'])}   # go on searching")
    yield summary(view, *commands)
    if "***" in where:
        yield Text(f"  {PASSWORD_HINT}")


def _contest(result: ContestResult, reference: str, storage: str | None) -> Iterator[RenderableType]:
    views = [run.study.view() for run in result.runs]
    if len(views) > 1:
        try:
            yield comparison_table(compare_views(views))
        except UsageError as error:  # a competitor without any trial: the rest must be said all the same
            yield Text(f"! no leaderboard: {error}", style="yellow")
    else:
        yield front_table(views[0])
    for name, reason in result.out.items():
        yield Text(f"! {name} was given up: {reason}", style="yellow")
    if result.out:
        yield Text("the same command takes them up again; tables leave out a competitor that its file no longer lists")
    if elsewhere := sum(run.running_elsewhere for run in result.runs):
        yield Text(f"{elsewhere} trials are being evaluated by other processes; see: nasopt status")
    finished, asked = sum(run.finished for run in result.runs), int(views[0].spec["study"]["trials"])
    yield Text(f"{len(views)} studies, {finished} of {asked * len(views)} trials trained and measured")
    yield Text(f"stored as {result.name!r} in {views[0].spec['study']['storage']}")
    study = shlex.quote(reference) + (f" {redact_argv(['--storage', storage])}" if storage else "")
    yield Text("next:")
    for command in (
        f"nasopt compare {study} --to figures",
        f"nasopt report {study}",
        f"nasopt dashboard {study}",
        f"nasopt run {study} --trials {2 * asked}   # go on searching",
    ):
        yield Text(f"  {command}", style="cyan")
    if "***" in study:
        yield Text(f"  {PASSWORD_HINT}")


def result_json(result: RunResult | ContestResult) -> dict[str, Any]:
    """What a run leaves behind, as JSON values."""
    if isinstance(result, RunResult):
        return study_json(result.study.view())
    views = [run.study.view() for run in result.runs]
    try:
        comparison = compare_views(views).to_json() if len(views) > 1 else None
    except UsageError:
        comparison = None
    return {
        "contest": result.name,
        "out": result.out,
        "studies": [study_json(view) for view in views],
        "comparison": comparison,
    }


def _knee(view: StudyView, front: Sequence[TrialView]) -> TrialView:
    """The member of the front nearest to its ideal point, each objective scaled to the front's range."""
    losses = view.losses(front)
    span = losses.max(axis=0) - losses.min(axis=0)
    scaled = (losses - losses.min(axis=0)) / (span + (span == 0))
    return front[int((scaled**2).sum(axis=1).argmin())]


def study_json(view: StudyView) -> dict[str, Any]:
    """A study's state and front as JSON values."""
    cost = search_cost(view)
    about = {} if not view.problem else {"problem": _problem_json(view)}
    return {
        "study": view.name,
        "contest": None if view.contest is None else asdict(view.contest),
        "storage": view.spec["study"]["storage"],
        "trials": view.spec["study"]["trials"],
        "ended": dict(view.counts()),
        "objectives": [{"metric": o.metric, "direction": o.direction} for o in view.objectives],
        **about,
        "data": view.data.get("name"),
        "devices": [{"name": d.name, "provenance": d.provenance} for d in view.devices],
        "supernet_subnet_accuracy": view.supernet.get("subnet_accuracy"),
        "search_cost": {"seconds": cost.seconds, "energy_kwh": cost.energy_kwh, "co2_kg": cost.co2_kg},
        "proposers": [asdict(p) for p in proposers(view)],
        "front": [_trial_json(trial) for trial in view.front()],
    }


def _problem_json(view: StudyView) -> dict[str, Any]:
    """What is searched, where it is no network; of a table also what its true front says of the study's."""
    shown = {k: view.problem[k] for k in ("kind", "source", "provenance")}
    if (near := regret_of(view)) is None:
        return shown
    stick = near.yardstick
    table = {"rows": view.problem["rows"], "missing": view.problem["missing"], "complete": stick.complete}
    score = {"share": near.share, "regret": near.regret, "found": near.found, "true_front": stick.size}
    return shown | table | score


def _trial_json(trial: TrialView) -> dict[str, Any]:
    outcome = None if trial.outcome is None else trial.outcome.to_json()
    return {
        "number": trial.number,
        "values": trial.values,
        "params": dict(trial.params),
        "outcome": outcome,
        "proposer": trial.proposer or None,
    }
