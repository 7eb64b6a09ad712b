"""What a run says at its end, for people and for scripts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import RenderableType
from rich.text import Text

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
from nasopt.text.commands import Call, hint, kept


def summarise(result: RunResult | ContestResult, call: Call) -> Iterator[RenderableType]:
    """The front or the leaderboard, where everything is, and the commands to type next.

    `call` is how the user called the run, so that the commands are about the study that was run. A `Text` is one line
    and is not to be broken, for commands are pasted.
    """
    yield from _contest(result, call) if isinstance(result, ContestResult) else _study(result, call)


def _study(result: RunResult, call: Call) -> Iterator[RenderableType]:
    view, storage = result.study.view(), result.study.spec.study.storage
    yield front_table(view)
    if result.running_elsewhere:
        yield _elsewhere(result.running_elsewhere, call.about("status", view.name, storage))
    yield summary(view)
    commands = [call.about("report", view.name, storage), call.about("dashboard", view.name, storage)]
    if (front := view.front()) and not view.problem:
        knee = str(_knee(view, front).number)
        commands.insert(1, call.about("export", view.name, storage, "--trial", knee, "--to", "exported"))
    yield from _next(commands, call.again("--trials", str(2 * int(view.spec["study"]["trials"]))), storage)


def _elsewhere(trials: int, status: str) -> Text:
    return Text(f"{trials} trials are being evaluated by other processes; see: {status}")


def _next(commands: Sequence[str], more: str, storage: str) -> Iterator[Text]:
    if not kept(storage):
        yield Text("it was in memory and ends with this process; a study that stays: --storage sqlite:///FILE.db")
        return
    yield Text("next:")
    yield from (Text(f"  {command}", style="cyan") for command in commands)
    yield Text("to go on searching:")
    yield Text(f"  {more}", style="cyan")
    if note := hint([*commands, more]):
        yield Text(f"({note})")


def _contest(result: ContestResult, call: Call) -> Iterator[RenderableType]:
    views = [run.study.view() for run in result.runs]
    storage = result.runs[0].study.spec.study.storage
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
        yield _elsewhere(elsewhere, call.about("status", result.name, storage))
    finished, asked = sum(run.finished for run in result.runs), int(views[0].spec["study"]["trials"])
    yield Text(f"{len(views)} studies, {finished} of {asked * len(views)} trials trained and measured")
    yield Text(f"stored as {result.name!r} in {views[0].spec['study']['storage']}")
    commands = [call.about(verb, result.name, storage) for verb in ("report", "dashboard")]
    if len(views) > 1:
        commands.insert(0, call.about("compare", result.name, storage, "--to", "figures"))
    yield from _next(commands, call.again("--trials", str(2 * asked)), storage)


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
