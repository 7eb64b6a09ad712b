"""Contests: fair turns, killed and shared by processes, changed and colliding files."""

from __future__ import annotations

import io
import multiprocessing
import random
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import uuid4

import optuna
import pytest
from rich.console import Console

from nasopt.database import open_storage
from nasopt.errors import CacheError, SamplerError, StudyChangedError, StudyNotFoundError, UsageError
from nasopt.records import StudyKeys, TrialKeys
from nasopt.report import compare_views, status_table
from nasopt.report.contests import pooled_front
from nasopt.spec.contest import ContestSpec
from nasopt.study import (
    Study,
    finalize,
    find_studies,
    find_study,
    find_views,
    open_contest,
    open_study,
    run,
    run_contest,
    study_json,
)
from nasopt.study.events import CompetitorOut, ContestOpened, Event, TrialEnded, TrialStarted
from tests.study.stand_in import StandIn, contest_here, contest_until_killed, make_contest, make_spec

context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(["tests.study.stand_in", "nasopt.study.contest", "optuna"])


def params_of(spec: ContestSpec) -> dict[str, list[dict[str, Any]]]:
    """Parameters of all completed trials, by study."""
    storage = open_storage(spec.study.storage)
    found = {}
    for entry in spec.entries():
        study = optuna.load_study(study_name=entry.spec.study.name, storage=storage)
        found[study.study_name] = [t.params for t in study.trials if t.user_attrs[TrialKeys.ENDED] == "completed"]
    return found


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> ContestSpec:
    """A contest that one process ran undisturbed."""
    spec = make_contest(f"sqlite:///{tmp_path_factory.mktemp('quiet')}/c.db")
    run_contest(spec, problem=StandIn(spec))
    return spec


def test_everybody_gets_the_same_budget_by_turns(tmp_path: Path) -> None:
    spec = make_contest(f"sqlite:///{tmp_path}/c.db")
    events: list[Event] = []
    problem = StandIn(spec)
    result = run_contest(spec, problem=problem, listener=events.append)
    assert [(r.finished, r.contributed) for r in result.runs] == [(4, 4)] * 6
    assert len(problem.evaluated) == 24
    opened = next(e for e in events if isinstance(e, ContestOpened))
    assert list(opened.finished.items()) == [(r.study.name, 0) for r in result.runs]
    finished = dict.fromkeys(opened.finished, 0)
    for event in events:
        if isinstance(event, TrialStarted):  # the turn of one that has the fewest, the first seed first
            seed = event.study[-1]
            assert finished[event.study] == min(n for study, n in finished.items() if study.endswith(seed))
            assert seed == ("0" if sum(finished.values()) < 12 else "1")
        if isinstance(event, TrialEnded):
            finished[event.study] = event.finished
    turns = [e.study for e in events if isinstance(e, TrialStarted)]
    assert turns[0] == "c/random/0"
    assert next(t for t in turns if t.endswith("1")) == "c/tpe/1"  # another one begins the next seed
    again = run_contest(spec, problem=problem)
    assert sum(r.contributed for r in again.runs) == 0


def test_a_study_of_a_contest_draws_as_it_would_alone(quiet: ContestSpec) -> None:
    entry = next(e for e in quiet.entries() if e.label == "tpe" and e.seed == 1)
    alone = entry.spec.model_copy(update={"study": entry.spec.study.model_copy(update={"name": "a", "seed": 1})})
    result = run(alone, problem=StandIn(alone))
    assert [t.params for t in result.study.optuna.trials] == params_of(quiet)["c/tpe/1"]


def test_killed_at_random_writes_it_ends_as_if_undisturbed(quiet: ContestSpec, tmp_path: Path) -> None:
    broken = make_contest(f"sqlite:///{tmp_path}/c.db")
    moments = random.Random(5)
    kills = 0
    for _ in range(5):
        child = context.Process(target=contest_until_killed, args=(broken, moments.randint(60, 260)))
        child.start()
        child.join(120)
        kills += child.exitcode == -9
    assert kills >= 4
    run_contest(broken, problem=StandIn(broken))
    assert params_of(broken) == params_of(quiet)


@pytest.mark.parametrize("server", ["sqlite", "postgresql"])
def test_two_processes_share_it_and_end_as_one_would(
    quiet: ContestSpec, tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    name = f"c{uuid4().hex[:8]}"
    url = f"sqlite:///{tmp_path}/c.db" if server == "sqlite" else postgresql()
    spec = make_contest(url, study__name=name)
    children = [context.Process(target=contest_here, args=(spec, 0.05, str(tmp_path))) for _ in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join(120)
    assert [child.exitcode for child in children] == [0, 0]
    expected = {study.replace("c/", f"{name}/"): params for study, params in params_of(quiet).items()}
    assert params_of(spec) == expected
    pids: Counter[int] = Counter()
    for study in open_contest(spec):
        pids.update(t.user_attrs[TrialKeys.SLOT]["pid"] for t in study.optuna.trials)
    assert len(pids) == 2
    if server != "sqlite":
        for study in open_contest(spec):
            optuna.delete_study(study_name=study.name, storage=study.storage)


def postgresql() -> str:
    psycopg = pytest.importorskip("psycopg")
    try:
        psycopg.connect("postgresql://root@127.0.0.1:5432/test", connect_timeout=2).close()
    except psycopg.Error as error:
        pytest.skip(f"no PostgreSQL server here: {error}")
    return "postgresql://root@127.0.0.1:5432/test"


def test_more_competitors_seeds_and_trials_join_later(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/c.db"
    first = make_contest(url, contest={"seeds": 1}, sampler=["random"], study__trials=1)
    assert [r.finished for r in run_contest(first, problem=StandIn(first)).runs] == [1]
    more = make_contest(url, study__trials=2)
    result = run_contest(more, problem=StandIn(more))
    assert [r.finished for r in result.runs] == [2] * 6
    assert sum(r.contributed for r in result.runs) == 11


def test_bad_options_of_one_competitor_are_refused_before_anything_runs(tmp_path: Path) -> None:
    spec = make_contest(f"sqlite:///{tmp_path}/c.db", sampler=["random", {"name": "tpe", "options": {"startup": 3}}])
    with pytest.raises(UsageError, match=r"competitor 'tpe': .*startup"):
        run_contest(spec, problem=StandIn(spec))
    assert not (tmp_path / "c.db").exists()


def test_a_changed_competitor_is_refused_with_what_differs(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/c.db"
    spec = make_contest(url, study__trials=1)
    run_contest(spec, problem=StandIn(spec))
    changed = make_contest(url, study__trials=1, sampler=["random", {"name": "tpe", "options": {"n_ei_candidates": 9}}])
    with pytest.raises(StudyChangedError, match=r"'c/tpe/0'.*sampler\.options\.n_ei_candidates \(was None, now 9\)"):
        run_contest(changed, problem=StandIn(changed))
    run_contest(changed, problem=StandIn(changed), allow_changes=True)


def test_names_of_contests_and_studies_do_not_collide(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/c.db"
    plain = make_spec(url, study__name="c", study__trials=1)
    run(plain, problem=StandIn(plain))
    contest = make_contest(url, study__trials=1)
    with pytest.raises(UsageError, match="a study named 'c', which is no contest"):
        run_contest(contest, problem=StandIn(contest))
    other = make_contest(url, study__trials=1, study__name="d")
    run_contest(other, problem=StandIn(other))
    for name, message in (("d", "holds a contest named 'd'"), ("d/tpe/0", "belongs to the contest 'd'")):
        mine = make_spec(url, study__name=name, study__trials=1)
        with pytest.raises(UsageError, match=message):
            run(mine, problem=StandIn(mine))
    squatter = make_spec(url, study__name="e/tpe/0", study__trials=1)
    run(squatter, problem=StandIn(squatter))
    late = make_contest(url, study__trials=1, study__name="e")
    with pytest.raises(UsageError, match="holds one that is a study of its own"):
        run_contest(late, problem=StandIn(late))


def test_a_competitor_that_cannot_go_on_leaves_the_others_alone(tmp_path: Path) -> None:
    spec = make_contest("memory", constraints=[{"metric": "macs_hard", "max": 1.0}], study__trials=1)
    storage = open_storage("memory")
    result = run_contest(spec, problem=StandIn(spec), storage=storage)
    assert len(result.out) == 6
    assert all("macs_hard<=1" in reason for reason in result.out.values())


@pytest.mark.parametrize("where", ["sample_relative", "after_trial"])
def test_a_sampler_that_raises_ends_alone_and_is_taken_up_again(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = make_contest("memory", study__trials=3)
    storage = open_storage("memory")
    original = getattr(optuna.samplers.TPESampler, where)

    def raising(self: Any, study: optuna.Study, trial: Any, *rest: Any) -> Any:
        if study.study_name == "c/tpe/1" and trial.number == 2:
            raise ValueError("no such kernel\nand more lines")
        return original(self, study, trial, *rest)

    events: list[Event] = []
    with monkeypatch.context() as patched:
        patched.setattr(optuna.samplers.TPESampler, where, raising)
        result = run_contest(spec, problem=StandIn(spec), storage=storage, listener=events.append)
    assert list(result.out) == ["c/tpe/1"]
    assert result.out["c/tpe/1"].startswith("sampler tpe raised ValueError: no such kernel (")
    assert [e.study for e in events if isinstance(e, CompetitorOut)] == ["c/tpe/1"]
    assert [r.finished for r in result.runs if r.study.name != "c/tpe/1"] == [3] * 5
    assert not any(t.state.name == "RUNNING" for r in result.runs for t in r.study.optuna.trials)
    again = run_contest(spec, problem=StandIn(spec), storage=storage)
    assert not again.out
    assert [r.finished for r in again.runs] == [3] * 6


def test_a_single_study_says_in_one_line_what_its_sampler_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = make_spec("memory", study__trials=2)
    storage = open_storage("memory")

    def raising(*_: Any) -> Any:
        raise RuntimeError

    monkeypatch.setattr(optuna.samplers.RandomSampler, "sample_independent", raising)
    with pytest.raises(SamplerError, match=r"^sampler random raised RuntimeError: RuntimeError .*--log-file"):
        run(spec, problem=StandIn(spec), storage=storage)
    (trial,) = open_study(spec, storage=storage).optuna.trials
    assert (trial.state.name, trial.user_attrs[TrialKeys.ENDED]) == ("FAIL", "interrupted")
    assert "raised RuntimeError" in trial.user_attrs[TrialKeys.REASON]


def test_a_contest_is_found_by_file_and_by_name(quiet: ContestSpec, tmp_path: Path) -> None:
    url = quiet.study.storage
    names = [e.spec.study.name for e in quiet.entries()]
    assert [s.name for s in find_studies("c", url)] == names
    assert [v.name for v in find_views(["c"], url)] == names
    assert find_study("c/tpe/1", url).seed == 1
    with pytest.raises(UsageError, match="c is a contest of the studies c/random/0, c/random/1, c/tpe/0 and 3 more"):
        find_study("c", url)
    with pytest.raises(StudyNotFoundError, match="contest 'other' has not been run yet"):
        open_contest(make_contest(url, study__name="other"))


def test_a_contest_is_compared_by_competitor(quiet: ContestSpec) -> None:
    views = find_views(["c"], quiet.study.storage)
    found = compare_views(views)
    assert found.leaderboard is not None
    assert {s.method for s in found.leaderboard.standings} == {"random", "tpe", "nsga2"}
    assert found.leaderboard.seeds == (0, 1)
    assert len({(t.by, t.fraction) for t in found.leaderboard.tests}) == 6  # nothing is charged by arithmetic
    assert all(0 < t.wall_s < 60 for v in views for t in v.trials)


def test_its_status_is_one_row_and_its_json_all_studies(quiet: ContestSpec) -> None:
    views = find_views(["c"], quiet.study.storage)
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(status_table(views))
    assert "c      6 studies, 24 of 24 trials" in console.export_text()
    told = [study_json(view) for view in views]
    assert [t["study"] for t in told] == [e.spec.study.name for e in quiet.entries()]
    assert all(t["study"] == "{contest}/{label}/{seed}".format(**t["contest"]) for t in told)


def test_its_report_scores_the_front_of_all_together(quiet: ContestSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    studies = open_contest(quiet)
    opened: list[str] = []
    scored: list[tuple[str, int]] = []

    def score(study: Study, *, problem: str, only: set[int]) -> None:
        if scored:
            raise CacheError("the weights are gone")
        scored.extend((study.name, number) for number in only)

    monkeypatch.setattr(finalize, "open_problem", lambda spec: opened.append(spec.study.name))
    monkeypatch.setattr(finalize, "score_front", score)
    lacks = list(finalize.complete_contest(studies))
    front = [(view.name, trial.number) for view, trial in pooled_front([study.view() for study in studies])]
    name = next(s.name for s in studies if s.name in {name for name, _ in front})
    assert sorted(scored) == sorted(member for member in front if member[0] == name)
    assert lacks == ["scores on the test split: the weights are gone"] * (len({name for name, _ in front}) > 1)
    assert len(opened) == 1  # the data are loaded once


def test_the_search_cost_is_shared_out(quiet: ContestSpec) -> None:
    views = find_views(["c"], quiet.study.storage)
    sessions = [s for v in views for s in v.sessions]
    assert len(sessions) == 6
    assert sum(s.trials for s in sessions) == 24
    walls = {v.name: sum(t.wall_s for t in v.trials) for v in views}
    seconds = {v.name: v.sessions[0].seconds for v in views}
    assert sum(seconds.values()) >= 0.8 * sum(walls.values())
    assert max(seconds.values()) < sum(seconds.values())


def test_the_seed_of_a_study_is_the_samplers(quiet: ContestSpec) -> None:
    for study in open_contest(quiet):
        record = study.optuna.user_attrs[StudyKeys.CONTEST]
        assert study.seed == record["seed"] == study.view().seed
        assert study.spec.study.seed == quiet.study.seed == 3
