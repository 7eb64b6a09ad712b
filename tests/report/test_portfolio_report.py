"""What a report says of a study whose sampler is a portfolio."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from optuna.storages import BaseStorage
from rich.console import Console

from nasopt.records import TrialKeys
from nasopt.report import proposers, status_table, summary, write_report
from nasopt.report.figures import proposers_figure
from nasopt.report.hypervolume import hypervolume, reference_point
from nasopt.report.portfolio import NOBODY, gains
from nasopt.report.view import StudyView, load_view
from nasopt.samplers.portfolio import portfolio
from nasopt.study.summary import study_json

Write = Callable[..., Any]


@pytest.fixture
def view(write: Write, memory: BaseStorage) -> StudyView:
    """Twelve finished trials, one refused and one lost, of which the first was enqueued."""
    written = write(name="s")
    space = written.space.distributions
    written.study.sampler = portfolio(seed=0, search_space=space, members=["evolution", "tpe"])
    written.study.enqueue_trial({"tau": 0.7})
    written.search(12)
    written.lost("infeasible")
    written.failed("device lost")
    return load_view(memory, "s")


def _text(renderable: object) -> str:
    console = Console(width=140, file=StringIO(), record=True)
    console.print(renderable)
    return console.export_text()


def test_every_trial_is_somebodys(view: StudyView) -> None:
    found = proposers(view)
    assert {p.name for p in found} == {"evolution", "tpe", NOBODY}
    assert found[-1].name == NOBODY
    assert found[-1].trials == 1
    assert sum(p.trials for p in found) == 14
    assert sum(p.finished for p in found) == 12
    assert sum(p.front for p in found) == len(view.front())


def test_gains_add_up_to_the_front(view: StudyView) -> None:
    """What the members added is the whole hypervolume, and each trial's is what the trials before it lack."""
    assert sum(p.gained for p in proposers(view)) == pytest.approx(1)
    reference = reference_point([view])
    losses = view.losses(view.finished())
    whole = hypervolume(losses, reference)
    for index, gain in enumerate(gains(view)):
        missing = hypervolume(losses[: index + 1], reference) - hypervolume(losses[:index], reference)
        assert gain == pytest.approx(missing / whole)


def test_figure_stacks_to_a_hundred_percent(view: StudyView) -> None:
    left, right = proposers_figure(view).axes
    labels = [text.get_text() for text in right.get_legend().get_texts()]
    assert labels == [p.name for p in proposers(view)]
    for ax, last in ((left, 100.0), (right, 100.0)):
        top = ax.collections[-1].get_datalim(ax.transData)
        assert top.y1 == pytest.approx(last)


def test_documents_and_tables_name_the_members(view: StudyView, tmp_path: Path) -> None:
    files = write_report(view, tmp_path)
    for document in (files.markdown, files.html):
        content = document.read_text()
        assert "Who proposed what" in content
        assert "evolution" in content
    assert tmp_path / "proposers.png" in files.figures
    assert "by evolution" in _text(status_table([view]))
    assert "of the hypervolume)" in _text(summary(view))
    told = study_json(view)
    assert [p["name"] for p in told["proposers"]] == [p.name for p in proposers(view)]
    assert {t["proposer"] for t in told["front"]} <= {"evolution", "tpe", None}


def test_other_studies_do_not_speak_of_members(write: Write, memory: BaseStorage, tmp_path: Path) -> None:
    view = load_view(memory, write(name="plain").search(4).study.study_name)
    assert proposers(view) == ()
    assert "Who proposed what" not in write_report(view, tmp_path).markdown.read_text()
    assert study_json(view)["proposers"] == []
    assert "by " not in _text(status_table([view]))


@pytest.mark.parametrize("ending", ["lost", "failed"])
def test_members_without_a_front(write: Write, memory: BaseStorage, tmp_path: Path, ending: str) -> None:
    written = write(name="s")
    written.study.sampler = portfolio(seed=0, members=["evolution", "random"])
    getattr(written, ending)("infeasible" if ending == "lost" else "device lost")
    assert written.study.get_trials()[0].user_attrs[TrialKeys.PROPOSER] == "evolution"
    view = load_view(memory, "s")
    assert [(p.trials, p.finished, p.gained) for p in proposers(view)] == [(1, 0, 0.0)]
    write_report(view, tmp_path)
