"""Figures: what they draw, with units and origin, for any number of objectives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from optuna.storages import BaseStorage

from nasopt.report import figures
from nasopt.report.hypervolume import reference_point
from nasopt.report.importance import FEWEST, importances
from nasopt.report.theme import DARK, LIGHT, encode, save
from nasopt.report.view import load_view

Write = Callable[..., Any]
METRICS = (("accuracy", "maximize"), ("latency_ms", "minimize"), ("energy_mj", "minimize"), ("macs", "minimize"))


@pytest.mark.parametrize(("count", "panels"), [(1, 1), (2, 1), (3, 3), (4, 6)])
def test_every_pair_of_objectives_has_a_panel(write: Write, memory: BaseStorage, count: int, panels: int) -> None:
    write("s", METRICS[:count]).search(12)
    view = load_view(memory, "s")
    figure = figures.pareto_figure(view, DARK)
    assert len(figure.axes) == panels
    assert len(figures.history_figure(view, reference_point([view])).axes) == 2
    assert encode(figure, "png")[:4] == b"\x89PNG"


def test_axes_carry_device_unit_and_origin(write: Write, memory: BaseStorage, jetson: dict[str, str]) -> None:
    write(devices=[jetson]).search(5)
    ax = figures.pareto_figure(load_view(memory, "study")).axes[0]
    assert ax.get_xlabel() == "latency on jetson_nano (ms, estimated)"
    assert ax.get_ylabel() == "accuracy (%)"


def test_the_front_is_drawn_in_percent_with_its_intervals(write: Write, memory: BaseStorage) -> None:
    written = write()
    written.completed(0.9, 2.0)
    written.completed(0.8, 1.0)
    written.completed(0.7, 3.0)
    written.completed(0.99, 0.5, over=1.0)
    ax = figures.pareto_figure(load_view(memory, "study")).axes[0]
    front = next(c for c in ax.containers if c.get_label() == "Pareto front")
    assert front.lines[0].get_xydata().ravel().tolist() == pytest.approx([2.0, 90.0, 1.0, 80.0])
    horizontal = front.lines[2][0].get_segments()[0]
    assert horizontal[:, 0].tolist() == pytest.approx([1.9, 2.1])
    labels = ax.get_legend_handles_labels()[1]
    assert labels == ["other trials", "breaks a constraint", "Pareto front"]
    assert {t.get_text() for t in ax.texts} == {"0", "1"}


def test_a_study_without_trials_is_drawn_empty(write: Write, memory: BaseStorage) -> None:
    write()
    view = load_view(memory, "study")
    encode(figures.pareto_figure(view), "svg")
    assert figures.routing_figure(view) is None


def test_history_ends_at_a_hundred_percent(write: Write, memory: BaseStorage) -> None:
    write().search(10)
    view = load_view(memory, "study")
    trials, seconds = figures.history_figure(view, reference_point([view])).axes
    assert trials.lines[0].get_ydata()[-1] == pytest.approx(100)
    assert trials.lines[0].get_xdata()[-1] == 10
    assert seconds.lines[0].get_xdata()[-1] == pytest.approx((40 + 10 * 4) / 60)


def test_routers_are_told_apart(write: Write, memory: BaseStorage) -> None:
    write().search(12)
    view = load_view(memory, "study")
    figure = figures.routing_figure(view)
    assert figure is not None
    labels = set(figure.axes[0].get_legend_handles_labels()[1])
    assert labels == {f"{t.params['router.kind']} router" for t in view.trials} | {"on the Pareto front"}


def test_importance_finds_the_parameter_that_matters(write: Write, memory: BaseStorage) -> None:
    written = write(objectives=(("accuracy", "maximize"),))
    for _ in range(60):
        trial = written._ask()
        from nasopt.records import Outcome

        accuracy = 0.5 + 0.4 * (trial.params["big.2.width"] == 1.0) + 0.001 * trial.number
        trial.set_user_attr("outcome", Outcome(quality={"accuracy": accuracy}, costs={}).to_json())
        trial.set_user_attr("ended", "completed")
        written.study.tell(trial, accuracy)
    (found,) = importances(load_view(memory, "study"))
    assert next(iter(found.shares)) == "big.2.width"
    assert sum(found.shares.values()) == pytest.approx(1)
    assert figures.importance_figure(load_view(memory, "study"), [found]) is not None


def test_too_few_trials_have_no_importances_but_a_reason(write: Write, memory: BaseStorage) -> None:
    write().search(FEWEST - 1)
    found = importances(load_view(memory, "study"))
    assert [f.shares for f in found] == [{}, {}]
    assert found[0].reason == "9 finished trials are too few; importances need 10 or more"
    assert figures.importance_figure(load_view(memory, "study"), found) is None


def test_files_are_the_same_each_time(write: Write, memory: BaseStorage, tmp_path: Path) -> None:
    write().search(6)
    view = load_view(memory, "study")
    for suffix in (".png", ".svg"):
        one, two = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
        save(figures.pareto_figure(view, LIGHT), one)
        save(figures.pareto_figure(view, LIGHT), two)
        assert one.read_bytes() == two.read_bytes()


def test_nothing_touches_pyplot() -> None:
    import subprocess
    import sys

    code = (
        "import sys, nasopt.report.figures, nasopt.report.comparison_figures; "
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_package_itself_is_light() -> None:
    import subprocess
    import sys

    code = (
        "import sys, nasopt.report; "
        "sys.exit(any(m in sys.modules for m in ('optuna', 'matplotlib', 'numpy', 'torch', 'rich')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
