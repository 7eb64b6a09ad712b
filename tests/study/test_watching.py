"""What a run says where there is no terminal."""

from __future__ import annotations

import io
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from nasopt.records import Cost, Outcome
from nasopt.study.events import PreparationProgress, StudyOpened, TrialEnded, TrialProgress, TrialStarted
from nasopt.study.watching import Watcher
from nasopt.training import CotrainProgress


@pytest.mark.parametrize(
    ("verbosity", "terminal", "expected"),
    [(0, False, [7, 14]), (-1, False, []), (0, True, [])],
    ids=["a line a minute", "quiet", "a bar moves instead"],
)
def test_how_far_a_supernet_is(verbosity: int, terminal: bool, expected: list[int]) -> None:
    now = [0.0]
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=200)
    watcher = Watcher(console, verbosity=verbosity, clock=lambda: now[0])
    for epoch in range(1, 21):  # of 9 seconds each
        now[0] += 9.0
        step = SimpleNamespace(epoch=epoch, epochs=20, loss=1.0, seconds=now[0], resumed=0)
        watcher(PreparationProgress(step=step))
    lines = [f"supernet: epoch {e} of 20, loss 1.000, {9 * e} s" for e in expected]
    assert out.getvalue().splitlines() == lines


FIGURES = {
    name: Cost(value=1234.5, ci95=(1200.0, 1300.0), provenance="measured")
    for name in ("latency_ms@jetson_nano", "energy_mj@jetson_nano", "macs")
}
OUTCOME = Outcome(quality={"accuracy": 0.97, "exit_rate": 0.5}, costs=FIGURES, seconds={})


def watch_trials(console: Console, *, seconds: float, trials: int = 3) -> None:
    """Three trials of a study of a thousand, `seconds` apart by the progress bar's clock."""
    now = [0.0]
    with Watcher(console) as watcher:
        watcher._progress.get_time = lambda: now[0]
        opened = StudyOpened(
            name="long", storage="memory", finished=5, trials=1000, notices=(), objectives=("latency_ms@jetson_nano",)
        )
        watcher(opened)
        for number in range(trials):
            watcher(TrialStarted(study="long", number=number, adopted=False))
            now[0] += seconds
            watcher(
                TrialEnded(
                    study="long",
                    number=number,
                    ended="completed",
                    reason=None,
                    outcome=OUTCOME,
                    finished=6 + number,
                    trials=1000,
                )
            )


def last_line(written: str) -> str:
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written)
    return [line for line in re.split(r"[\r\n]+", plain) if line.startswith("trials")][-1]


@pytest.mark.parametrize("width", [52, 64, 80, 100, 200])
def test_a_narrow_terminal_cuts_the_note_and_nothing_else(width: int) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=width, color_system=None)
    watch_trials(console, seconds=90.0)  # longer than the half minute that rich looks back by itself
    line = last_line(out.getvalue())
    assert "8/1000" in line
    assert "0:04:30" in line  # since the first
    assert re.search(r"1 day, 0:48:00|24:48:00", line), line  # 992 trials of 90 s to go
    assert len(line) <= width
    assert ("…" in line) == (width < 200)
    assert " late" in line or " l…" in line or width < 60  # the objective leads the note


def test_a_notebook_shows_count_and_time_to_go(tmp_path: Path) -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    pytest.importorskip("ipywidgets")
    folder = Path(__file__).parents[2]
    source = (
        f"import sys; sys.path.insert(0, {str(folder)!r})\n"
        "from rich.console import Console\nfrom tests.study.test_watching import watch_trials\n"
        "watch_trials(Console(), seconds=90.0)"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    (stored,) = notebook.metadata.widgets.values()
    outputs = [o for w in stored["state"].values() for o in w["state"].get("outputs", [])]
    line = last_line(outputs[-1]["data"]["text/plain"])
    assert "8/1000" in line
    assert "24:48:00" in line or "1 day, 0:48:00" in line


@pytest.mark.parametrize(("verbosity", "expected"), [(0, [4, 8, 12]), (-1, [])], ids=["a line a minute", "quiet"])
def test_how_far_a_long_trial_is(verbosity: int, expected: list[int]) -> None:
    now, out = [0.0], io.StringIO()
    watcher = Watcher(Console(file=out, width=200), verbosity=verbosity, clock=lambda: now[0])
    for epoch in range(13):  # of 18 seconds each, of 40
        step = CotrainProgress(epoch=epoch, epochs=40, loss=0.5 if epoch else None, seconds=now[0], resumed=0)
        watcher(TrialProgress(study="s", number=3, step=step))
        now[0] += 18.0
    left = {4: "11 min", 8: "10 min", 12: "8 min"}
    assert out.getvalue().splitlines() == [
        f"trial 3: co-training, epoch {e} of 40, loss 0.500, {18 * e} s, about {left[e]} to go" for e in expected
    ]


def test_a_terminal_draws_a_bar_for_a_long_trial_while_it_runs() -> None:
    now, out = [0.0], io.StringIO()
    console = Console(file=out, force_terminal=True, width=120, color_system=None)
    with Watcher(console) as watcher:
        watcher._progress.get_time = lambda: now[0]
        watcher(TrialStarted(study="s", number=3, adopted=True))
        for epoch in range(7, 10):  # of two minutes each
            step = CotrainProgress(epoch=epoch, epochs=12, loss=0.5, seconds=120.0 * epoch, resumed=7)
            watcher(TrialProgress(study="s", number=3, step=step))
            now[0] += 120.0
        watcher._progress.refresh()
        plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue())
        bar = [line for line in re.split(r"[\r\n]+", plain) if line.startswith("trial 3 ")][-1]
        assert " 9/12 " in bar
        assert " 0:06:00 " in bar  # 3 epochs to go
        assert "co-training, loss 0.500" in bar
        assert "trial 3: co-training resumed after epoch 7" in plain
        watcher(TrialEnded(study="s", number=3, ended="completed", reason=None, outcome=OUTCOME, finished=1, trials=2))
        assert [task.description for task in watcher._progress.tasks] == ["trials"]


def test_a_trial_of_one_epoch_has_no_bar_of_its_own() -> None:
    watcher = Watcher(Console(file=io.StringIO(), force_terminal=True, width=120))
    watcher(
        TrialProgress(study="s", number=3, step=CotrainProgress(epoch=0, epochs=1, loss=None, seconds=0, resumed=0))
    )
    assert not watcher._progress.tasks
