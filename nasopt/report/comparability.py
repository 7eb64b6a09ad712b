"""Whether studies may be compared at all, and what a reader must know when they may."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nasopt.errors import UsageError
from nasopt.records.metrics import DEVICE_METRICS, split_metric
from nasopt.report.view import StudyView


def check(views: Sequence[StudyView]) -> tuple[str, ...]:
    """Warnings about differences that a reader must weigh.

    Raises:
        UsageError: fewer than two studies, one named twice, one without a finished trial, or figures that mean
            different things: other objectives, another table, target or data set, another device or origin of the same
            cost.
    """
    names = [v.name for v in views]
    if len(views) < 2:
        raise UsageError("comparing takes two studies or more; nasopt report shows one")
    if twice := [n for n in names if names.count(n) > 1]:
        raise UsageError(f"study {twice[0]!r} is named twice; name different studies")
    if empty := [v.name for v in views if not v.finished()]:
        raise UsageError(f"study {empty[0]!r} has no trained and measured trial yet; run it first")
    first = views[0]
    for other in views[1:]:
        _same_objectives(first, other)
        _same_problem(first, other)
        _same_data(first, other)
    for metric in (o.metric for o in first.objectives):
        _same_origin(views, metric)
    return tuple(w for other in views[1:] for w in _warnings(first, other))


def settled(views: Sequence[StudyView]) -> tuple[list[StudyView], tuple[str, ...]]:
    """The studies to compare while contests still run, and what was left out.

    Of each contest these are the seeds that every competitor has finished; where there are none, those that every
    competitor has begun. Other studies are compared in any case.

    Raises:
        UsageError: a contest has no seed of which every competitor has finished a trial.
    """
    kept = {v.name for v in views if v.contest is None}
    notes: list[str] = []
    for contest in dict.fromkeys(v.contest.contest for v in views if v.contest):
        members = [v for v in views if v.contest and v.contest.contest == contest]
        seeds, note = _settled_seeds(contest, members)
        kept |= {v.name for v in members if v.contest and v.contest.seed in seeds}
        notes += [note] if note else []
    return [v for v in views if v.name in kept], tuple(notes)


def _settled_seeds(contest: str, members: Sequence[StudyView]) -> tuple[set[int], str]:
    least: dict[int, tuple[int, int]] = {}  # by seed: trials that every competitor has, and trials asked for
    for view in members:
        assert view.contest is not None
        done, asked = len(view.finished()), int(view.spec["study"]["trials"])
        before = least.get(view.contest.seed, (done, asked))
        least[view.contest.seed] = min(before[0], done), max(before[1], asked)
    complete = {seed for seed, (done, asked) in least.items() if done >= asked}
    begun = {seed for seed, (done, _) in least.items() if done}
    if len(complete) == len(least):
        return complete, ""
    if complete:
        rest = ", ".join(str(s) for s in least if s not in complete)
        return complete, f"contest {contest!r} is not over: seeds not finished by all are left out ({rest})"
    if not begun:
        raise UsageError(
            f"no seed of the contest {contest!r} has a finished trial of every competitor yet; go on with nasopt run"
        )
    return begun, f"contest {contest!r} is not over: all are compared at the trials that every one has"


def _same_objectives(first: StudyView, other: StudyView) -> None:
    ours, theirs = ([f"{o.metric} ({o.direction})" for o in v.objectives] for v in (first, other))
    if ours != theirs:
        raise UsageError(
            f"{first.name!r} optimises {', '.join(ours)} and {other.name!r} {', '.join(theirs)}; "
            "compare studies with the same objectives in the same order"
        )


def _same_problem(first: StudyView, other: StudyView) -> None:
    ours, theirs = ((v.problem.get("kind", "network"), v.problem.get("key")) for v in (first, other))
    if ours != theirs:
        told = [f"the {v.problem['kind']} {v.problem['source']}" if v.problem else "networks" for v in (first, other)]
        same = " of other content" if told[0] == told[1] else ""
        raise UsageError(
            f"{first.name!r} searches {told[0]} and {other.name!r} {told[1]}{same}; figures of different problems "
            "cannot be compared"
        )


def _same_data(first: StudyView, other: StudyView) -> None:
    ours, theirs = first.data.get("name"), other.data.get("name")
    if ours != theirs:
        raise UsageError(
            f"{first.name!r} is scored on {ours} and {other.name!r} on {theirs}; accuracies on different data sets "
            "cannot be compared"
        )


def _same_origin(views: Sequence[StudyView], metric: str) -> None:
    """Refuse to set figures of different origin or device against each other."""
    origins = {v.name: " and ".join(v.provenances(metric)) for v in views}
    if len(set(origins.values())) > 1 or any(len(v.provenances(metric)) > 1 for v in views):
        told = ", ".join(f"{origin or 'unstated'} in {name!r}" for name, origin in origins.items())
        raise UsageError(f"{metric} is {told}; figures of different origin are never compared")
    if split_metric(metric)[0] not in DEVICE_METRICS:
        return
    devices = {v.name: d.name if (d := v.device_of(metric)) else "an unnamed device" for v in views}
    if len(set(devices.values())) > 1:
        told = ", ".join(f"{device} in {name!r}" for name, device in devices.items())
        raise UsageError(f"{metric} was taken on {told}; costs of different devices cannot be compared")


def _warnings(first: StudyView, other: StudyView) -> Iterator[str]:
    pair = f"{first.name!r} and {other.name!r}"
    measured = any("measured" in first.provenances(o.metric) for o in first.objectives)
    if measured and (keys := differing(first.host, other.host)):
        yield f"{pair} ran on different hosts ({', '.join(keys)}): their measured costs may differ for that alone"
    splits = ("train", "validation", "test", "classes", "fingerprint")
    if keys := [k for k in splits if first.data.get(k) != other.data.get(k)]:
        yield f"{pair} split the data differently ({', '.join(keys)})"
    for section, meaning in (
        ("space", "search different spaces"),
        ("training", "train differently"),
        ("hardware", "measure by different protocols"),
    ):
        keys = differing(first.spec.get(section) or {}, other.spec.get(section) or {})
        if keys:
            yield f"{pair} {meaning} ({', '.join(f'{section}.{k}' for k in keys)})"
    if first.problem.get("code") != other.problem.get("code"):
        yield f"{pair} ran with different code of {first.problem['source']}"
    if first.constraints != other.constraints:
        yield f"{pair} have different constraints: what one refuses the other may keep"
    packages = differing(first.versions, other.versions)
    if packages:
        yield f"{pair} ran with different versions of {', '.join(packages)}"


def differing(first: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Keys whose values differ, sorted."""
    return sorted(k for k in {*first, *other} if first.get(k) != other.get(k))
