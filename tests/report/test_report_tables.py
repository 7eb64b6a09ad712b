"""What the terminal shows: figures with interval and origin, warnings in plain words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.storages import BaseStorage
from rich.console import Console, RenderableType

from nasopt.report import cost, notation, status, tables
from nasopt.report.view import load_view

Write = Callable[..., Any]


def rendered(renderable: RenderableType, width: int = 200) -> str:
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(renderable)
    return console.export_text()


def test_measured_figures_carry_unit_and_interval(write: Write, memory: BaseStorage) -> None:
    write().completed(0.953, 0.1234)
    text = rendered(tables.front_table(load_view(memory, "study")))
    assert "0.123 ms ±5%" in text
    assert "measured" in text
    assert "95.3% ±" in text
    assert "~" not in text


def test_estimated_figures_are_unmistakable(write: Write, memory: BaseStorage, jetson: dict[str, str]) -> None:
    write(devices=[jetson]).completed(0.95, 12.3)
    view = load_view(memory, "study")
    text = rendered(tables.front_table(view))
    assert "~12.3 ms ±5%" in text
    assert "estimated" in text.split("~12.3")[0]  # in the heading
    assert "~12.3 ms ±5% (estimated)" in rendered(status.status_table([view]))
    notes = list(tables.notes(view))
    assert (
        "costs on jetson_nano are estimated, not measured; to measure, run on the board with backend: onnxruntime"
        in notes
    )
    assert len(notes) == 1


def test_an_estimated_meter_on_a_measured_device_is_said(write: Write, memory: BaseStorage) -> None:
    from nasopt.records import Cost, Outcome

    written = write(objectives=(("accuracy", "maximize"),))
    trial = written.study.ask()
    energy = Cost(value=3.0, ci95=(2.0, 4.0), provenance="estimated")
    trial.set_user_attr("outcome", Outcome(quality={"accuracy": 0.9}, costs={"energy_mj": energy}).to_json())
    trial.set_user_attr("ended", "completed")
    written.study.tell(trial, 0.9)
    assert list(tables.notes(load_view(memory, "study"))) == ["energy is estimated by codecarbon, not measured"]


def test_mixed_origins_are_shouted(write: Write, memory: BaseStorage) -> None:
    written = write()
    written.completed(0.9, 2.0)
    written.provenance = "estimated"
    written.completed(0.9, 3.0)
    view = load_view(memory, "study")
    assert any("mixes estimated and measured" in n for n in tables.notes(view))


@pytest.mark.parametrize(
    ("label", "requested", "otherwise", "told"),
    [
        ("digits", "cifar10", "digits", True),
        ("cifar10 (jpeg75)", "cifar10", "digits", False),
        ("cifar10 (jpeg75)", "parquet", None, False),
        ("digits", "digits", "digits", False),
    ],
)
def test_a_substituted_data_set_is_said(
    write: Write, memory: BaseStorage, label: str, requested: str, otherwise: str | None, told: bool
) -> None:
    write(data={"name": label, "requested": requested}, spec={"data": {"name": requested, "otherwise": otherwise}})
    view = load_view(memory, "study")
    assert any("no accuracy here says anything about" in n for n in tables.notes(view)) is told


def test_the_summary_tells_place_cost_and_supernet(write: Write, memory: BaseStorage) -> None:
    written = write("dig[red]its")
    written.completed(0.9, 2.0)
    written.lost("infeasible")
    written.session()
    text = rendered(tables.summary(load_view(memory, "dig[red]its")))
    assert "1 trials trained and measured, 1 infeasible; the front has 1" in text
    assert "stored as 'dig[red]its' in sqlite:///nasopt.db" in text
    assert "20 random sub-networks reach 85.0% validation accuracy in the median" in text
    assert "1.00 hours on 2 x CPU; 20 Wh, 8 g CO2 (codecarbon, TDP x load)" in text


def test_a_study_without_a_feasible_trial_names_the_constraint(write: Write, memory: BaseStorage) -> None:
    written = write()
    for _ in range(3):
        written.lost("infeasible")
    view = load_view(memory, "study")
    assert any("macs at most 5 M (3 trials)" in n for n in tables.notes(view))
    assert "no finished feasible trial yet" in rendered(tables.front_table(view))


def test_status_counts_by_ending(write: Write, memory: BaseStorage) -> None:
    written = write()
    written.search(5)
    written.lost("infeasible")
    written.failed("device lost")
    written.running()
    written.session()
    text = rendered(status.status_table([load_view(memory, "study")]), width=80)
    for told in ("5 of 24", "1 infeasible", "1 device lost", "1 running", "1.00 hours", "20 Wh", "8 g CO2"):
        assert told in text
    assert "nasopt run" in rendered(status.status_table([]))


def test_a_long_front_is_thinned_with_both_ends_kept(write: Write, memory: BaseStorage) -> None:
    view = load_view(memory, write().search(60).study.study_name)
    front = view.front()
    shown = tables.spread(front, 3)
    assert (shown[0], shown[-1], len(shown)) == (front[0], front[-1], 3)
    assert tables.spread(front, None) == list(front)
    assert tables.spread(front, 0) == []


def test_networks_are_written_compactly(write: Write, memory: BaseStorage) -> None:
    written = write()
    written.completed(0.9, 2.0)
    view = load_view(memory, "study")
    text = notation.network_text(view, view.trials[0])
    assert text is not None
    params = view.trials[0].params
    first = "/".join(f"{params[f'little.1.{axis}']:g}" for axis in ("width", "depth", "kernel", "expansion"))
    assert text.little.split(" · ")[0] == first
    assert text.router.startswith(params["router.kind"])
    assert notation.space_size(view).startswith("196,608 discrete points")


def test_search_cost_adds_up_and_says_what_is_missing(write: Write, memory: BaseStorage) -> None:
    written = write()
    assert str(cost.search_cost(load_view(memory, "study"))) == "no session has been recorded yet"
    written.session(seconds=1800.0, energy_kwh=0.1)
    written.session(seconds=5400.0, energy_kwh=0.2, hardware="GPU")
    written.session(seconds=0.0, energy_kwh=None, co2_kg=None, method="")
    total = cost.search_cost(load_view(memory, "study"))
    assert total.seconds == 7200
    assert total.energy_kwh == pytest.approx(0.3)
    assert total.hardware == (("GPU", 5400.0), ("2 x CPU", 1800.0))
    assert "2 of 3 sessions" in str(total)


def test_sessions_without_energy_are_not_zero(write: Write, memory: BaseStorage) -> None:
    written = write()
    written.session(energy_kwh=None, co2_kg=None, method="none")
    total = cost.search_cost(load_view(memory, "study"))
    assert total.energy_kwh is None
    assert "energy not recorded" in str(total)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.123456, "0.123"),
        (12.345, "12.3"),
        (123.4, "123"),
        (999.7, "1,000"),
        (12345.6, "12,346"),
        (0.00012, "1.20e-04"),
    ],
)
def test_three_significant_digits(value: float, text: str) -> None:
    assert notation.significant(value) == text


@given(st.floats(0.001, 1e6))
def test_significant_keeps_a_figure_within_half_a_percent(value: float) -> None:
    assert float(notation.significant(value).replace(",", "")) == pytest.approx(value, rel=5e-3)


@pytest.mark.parametrize(
    ("value", "text"), [(512, "512"), (999_600, "1 M"), (17_310_000, "17.3 M"), (86_000, "86 k"), (2e9, "2 G")]
)
def test_counts_take_a_prefix(value: float, text: str) -> None:
    assert notation.short_number(value) == text


@pytest.mark.parametrize(("seconds", "text"), [(1.23, "1.2 s"), (42, "42 s"), (185, "3 min 5 s"), (7800, "2 h 10 min")])
def test_durations(seconds: float, text: str) -> None:
    assert notation.duration(seconds) == text


def test_the_tables_fit_a_terminal_of_80_columns(write: Write, memory: BaseStorage) -> None:
    objectives = (("accuracy", "maximize"), ("latency_ms", "minimize"), ("energy_mj", "minimize"))
    written = write("quickstart", objectives).search(12)
    written.session()
    view = load_view(memory, "quickstart")
    for table in (tables.front_table(view), status.status_table([view])):
        text = rendered(table, width=80)
        assert "…" not in text
        assert max(map(len, text.splitlines())) <= 80
    lines = rendered(tables.front_table(view), width=80).splitlines()
    assert sum("%" in line and " ms " in line for line in lines) == len(view.front())  # one line a trial


def test_a_constraint_between_networks_is_named_in_words(write: Write, memory: BaseStorage) -> None:
    key = "little_lighter_than_big"
    write(constraints=[{"key": key, "metric": key, "min": None, "max": 0}])
    view = load_view(memory, "study")
    assert tables.bound_text(view, view.constraints[0]) == "little lighter than big"


def test_titles_and_captions_are_as_wide_as_the_terminal() -> None:
    table = tables.bare_table("A title that is longer than its [one] column", "a caption of more words than the column")
    table.add_column("a")
    table.add_row("1")
    lines = rendered(table).splitlines()
    assert lines[0].strip() == "A title that is longer than its [one] column"
    assert lines[-1].strip() == "a caption of more words than the column"
    assert rendered(table).splitlines() == lines
