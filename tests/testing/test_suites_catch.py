"""A suite is worth what it catches: plug-ins that break one promise each, and the check that must fail."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from optuna.distributions import FloatDistribution

from nasopt.errors import MeasurementError
from nasopt.hardware import load_profile
from nasopt.hardware.meters import Window
from nasopt.hardware.prediction.roofline import RooflineBackend
from nasopt.records import Cost, ExportedModel, Inspection, Measurement, Outcome, TimingProtocol
from nasopt.testing import BackendSuite, MeterSuite, ProblemSuite, graphs

Change = Callable[[Measurement], Measurement]


class Altered(RooflineBackend):
    """The roofline model with its measurements changed."""

    def __init__(self, change: Change) -> None:
        super().__init__(load_profile("jetson_nano"))
        self.change = change

    def measure(self, model: ExportedModel, protocol: TimingProtocol) -> Measurement:
        return self.change(super().measure(model, protocol))


def latency(**changes: Any) -> Change:
    return lambda m: replace(m, latency=replace(m.latency, **changes))


def scaled(*by: float) -> Change:
    """Multiplies the medians in turn."""
    factors = itertools.cycle(by)

    def change(m: Measurement) -> Measurement:
        milliseconds = m.latency.median_ms * next(factors)
        return replace(m, latency=replace(m.latency, median_ms=milliseconds))

    return change


@pytest.mark.parametrize(
    ("check", "change"),
    [
        ("test_figures_are_finite_and_positive", latency(median_ms=math.nan)),
        ("test_figures_are_finite_and_positive", latency(median_ms=0.0)),
        ("test_figures_are_finite_and_positive", latency(ci95_ms=(1e3, 2e3))),
        ("test_figures_are_finite_and_positive", lambda m: replace(m, peak_memory_mb=0.0)),
        ("test_figures_are_finite_and_positive", latency(provenance="measured")),  # of no run at all
        ("test_says_who_measured", latency(provenance="measured")),
        ("test_says_who_measured", lambda m: replace(m, runtime="")),
        ("test_says_who_measured", lambda m: replace(m, backend="other")),
        ("test_energy_is_there_where_a_meter_is", lambda m: replace(m, energy=None)),
        ("test_energy_is_there_where_a_meter_is", lambda m: replace(m, energy=replace(m.energy, gross_mj=0.0))),
    ],
)
def test_a_wrong_figure_is_caught(check: str, change: Change, tmp_path: Path) -> None:
    model = graphs.write_classifier(tmp_path / "model.onnx")
    getattr(BackendSuite(), check)(Altered(lambda m: m), model)
    with pytest.raises(AssertionError):
        getattr(BackendSuite(), check)(Altered(change), model)


@pytest.mark.parametrize(
    ("check", "change"),
    [
        ("test_the_same_graph_costs_the_same", scaled(1.0, 3.0)),
        ("test_batches_of_one_and_eight", scaled(8.0, 1.0)),
        ("test_more_work_costs_more", latency(median_ms=1.0)),
    ],
)
def test_a_wrong_order_is_caught(check: str, change: Change, tmp_path: Path) -> None:
    getattr(BackendSuite(), check)(Altered(lambda m: m), tmp_path)
    with pytest.raises(AssertionError):
        getattr(BackendSuite(), check)(Altered(change), tmp_path)


def test_a_signature_with_a_reading_in_it_is_caught(tmp_path: Path) -> None:
    class Counting(Altered):
        count = 0

        def signature(self) -> dict[str, Any]:
            self.count += 1
            return {**super().signature(), "temperature": self.count}

    model = graphs.write_classifier(tmp_path / "model.onnx")
    with pytest.raises(AssertionError):
        BackendSuite().test_signature_is_json_and_stable(Counting(lambda m: m), model)


@pytest.mark.parametrize("error", [None, ValueError("not one of ours"), MeasurementError("two\nlines")])
def test_a_missing_refusal_is_caught(error: Exception | None, tmp_path: Path) -> None:
    class Lenient(Altered):
        def measure(self, model: ExportedModel, protocol: TimingProtocol) -> Measurement:
            if error is not None:
                raise error
            return super().measure(graphs.write_classifier(tmp_path / "other.onnx"), protocol)

    model = graphs.write_classifier(tmp_path / "model.onnx")
    with pytest.raises((AssertionError, ValueError, pytest.fail.Exception)):
        BackendSuite().test_a_missing_model_is_refused(Lenient(lambda m: m), model)


class Meter:
    """A meter of a machine that always draws 10 W, on a clock of its own."""

    name = "ten watts"
    provenance = "estimated"

    def __init__(self, fault: str = "") -> None:
        self.fault = fault
        self.read = 0

    @contextmanager
    def window(self) -> Iterator[Window]:
        import time

        self.read += 1
        window = Window()
        if self.fault == "zero while open":
            window.energy_mj = 0.0
        start = time.perf_counter()
        try:
            yield window
        except KeyError:
            if self.fault != "swallows":
                raise
        window.seconds = (time.perf_counter() - start) * (2 if self.fault == "clock" else 1)
        window.energy_mj = {"zero": 0.0, "zero when empty": 0.0, "constant": 7.0}.get(self.fault, 1e4 * window.seconds)

    def describe(self) -> dict[str, str | int | float]:
        return {"windows": self.read} if self.fault == "describes readings" else {"power_w": 10}


class Short(MeterSuite):
    window_s = 0.02


METER_CHECKS = {
    "zero": "test_a_window_is_filled_when_it_closes",
    "zero while open": "test_a_window_is_filled_when_it_closes",
    "clock": "test_seconds_are_those_of_the_window",
    "constant": "test_windows_are_independent",
    "swallows": "test_an_error_inside_a_window_comes_out",
    "describes readings": "test_description_is_json_and_stable",
    "zero when empty": "test_an_empty_window_is_never_zero",
}


@pytest.mark.parametrize("fault", METER_CHECKS)
def test_a_wrong_meter_is_caught(fault: str) -> None:
    getattr(Short(), METER_CHECKS[fault])(Meter())
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        getattr(Short(), METER_CHECKS[fault])(Meter(fault))


def test_a_meter_that_is_three_percent_off_is_caught() -> None:
    class Known(Short):
        true_window_s = 0.3

    Known().test_energy_is_the_true_one(Meter(), lambda t: 10 * t)
    with pytest.raises(AssertionError):
        Known().test_energy_is_the_true_one(Meter(), lambda t: 10.3 * t)


def test_a_pace_that_cannot_be_is_caught() -> None:
    class Paced(Meter):
        update_s, shortest_s = 0.1, 0.01

    with pytest.raises(AssertionError):
        Short().test_its_pace_is_possible(Paced())


def test_a_meter_that_reads_nothing_and_says_zero_is_caught() -> None:
    class Silent(Short):
        reads_energy = False

    with pytest.raises(pytest.fail.Exception):
        Silent().test_without_a_reading_there_is_an_error(Meter("zero"))


class Curve:
    """Accuracy and parameters as functions of one number."""

    structural: tuple[str, ...] = ()
    suffix = ""

    def __init__(self, fault: str = "") -> None:
        self.fault = fault
        self.count = 0
        self.distributions = {"x": FloatDistribution(0.0, 1.0)}

    def prepare(self, progress: Callable[[Any], None]) -> None:
        pass

    def facts(self) -> Mapping[str, Any]:
        return {"data": object() if self.fault == "facts" else {}}

    def inspect(self, params: Mapping[str, Any]) -> Inspection:
        self.count += self.fault == "moody"
        high = 0.1 if self.fault == "bounds" else 1e3 + self.count
        return Inspection(bounds={"params": (0.0, high)}, structural={})

    def evaluate(self, params: Mapping[str, Any]) -> Outcome:
        self.count += 1
        value = 1e3 * params["x"] + 1
        ci95 = (0.0, value / 2) if self.fault == "interval" else (value, value)
        name = "sharpness" if self.fault == "metric" else "accuracy"
        quality = {name: params["x"] / (self.count if self.fault == "drifts" else 1)}
        details = {"when": math.inf} if self.fault == "json" else {}
        costs = {"params": Cost(value=value, ci95=ci95, provenance="computed")}
        return Outcome(quality=quality, costs=costs, details=details)

    def score_test(self, params: Mapping[str, Any], files: Mapping[str, Path]) -> Mapping[str, float]:
        raise NotImplementedError


def check_problem(fault: str) -> None:
    suite, problem = ProblemSuite(), Curve(fault)
    params = next(suite.points(problem, 1))
    first = problem.evaluate(params)
    suite.test_distributions_are_static(problem)
    suite.test_facts_are_json(dict(problem.facts()), problem)
    suite.test_inspection_is_cheap_and_repeatable(problem)
    suite.test_bounds_hold_what_is_found(problem, params, first)
    suite.test_an_outcome_is_complete(first)
    suite.test_an_outcome_survives_json(first)
    suite.test_the_same_point_gives_the_same(problem, params, first)


@pytest.mark.parametrize("fault", ["facts", "moody", "bounds", "interval", "metric", "drifts", "json"])
def test_a_wrong_problem_is_caught(fault: str) -> None:
    check_problem("")
    with pytest.raises((AssertionError, TypeError, ValueError)):
        check_problem(fault)


def test_the_suite_models_are_valid_graphs(tmp_path: Path) -> None:
    import onnx

    one = graphs.write_classifier(tmp_path / "one.onnx")
    eight = graphs.write_classifier(tmp_path / "eight.onnx", batch=8)
    assert (one.batch, eight.batch) == (1, 8)
    assert one.structure != eight.structure
    onnx.checker.check_model(str(one.path), full_check=True)
    dynamic = onnx.load(str(graphs.write_dynamic(tmp_path / "d.onnx").path))
    assert dynamic.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    json.dumps(one.structure)
