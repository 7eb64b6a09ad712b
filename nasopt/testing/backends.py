"""What every backend must do."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import ClassVar, get_args

import pytest

from nasopt.errors import NasoptError
from nasopt.hardware import Backend
from nasopt.records import ExportedModel, Interval, Measurement, Provenance, TimingProtocol
from nasopt.testing import graphs


class BackendSuite:
    """Conformance of a `nasopt.hardware.Backend`.

    Subclass it and give the fixture `backend`. Let its scope be the class: a backend is built once for a study.
    """

    protocol: ClassVar[TimingProtocol] = TimingProtocol(
        warmup_runs=3,
        warmup_s=0.02,
        min_runs=30,
        min_s=0.03,
        max_s=1.0,
        blocks=6,
        drift_limit=0.5,
        tight_enough=1.0,
        energy_windows=2,
        energy_window_s=0.2,
    )
    """How the suite measures. Lengthen it for a device that needs more."""
    tolerance: ClassVar[float] = 2.0
    """Largest ratio between two medians of one graph."""

    @pytest.fixture(scope="class")
    def backend(self) -> Backend:
        """The backend under test."""
        raise NotImplementedError("give the fixture `backend` in your subclass")

    @pytest.fixture
    def model(self, tmp_path: Path) -> ExportedModel:
        """A small convolutional classifier at batch 1."""
        return graphs.write_classifier(tmp_path / "model.onnx")

    def test_has_the_interface(self, backend: Backend) -> None:
        """It is a `Backend`, with a name, a known provenance and the name of a meter."""
        assert isinstance(backend, Backend)
        assert backend.name
        assert backend.provenance in get_args(Provenance)
        assert backend.meter, "a backend without an energy meter says 'none'"

    def test_says_who_measured(self, backend: Backend, model: ExportedModel) -> None:
        """Device, backend, provider and runtime are named, and provenances are those that the backend declares."""
        taken = backend.measure(model, self.protocol)
        assert taken.backend == backend.name
        assert taken.device, "the device's name is empty"
        assert taken.provider, "name the execution provider or engine that really ran"
        assert taken.runtime, "name the runtime with its version"
        assert taken.latency.provenance == backend.provenance
        assert taken.memory_provenance in get_args(Provenance)
        if taken.energy is not None:
            assert taken.energy.meter
            assert taken.energy.provenance in get_args(Provenance)

    def test_figures_are_finite_and_positive(self, backend: Backend, model: ExportedModel) -> None:
        """No figure is zero, negative, infinite or not a number; a median lies in its interval."""
        taken = backend.measure(model, self.protocol)
        latency = taken.latency
        _check_interval(latency.median_ms, latency.ci95_ms)
        assert 0 < latency.min_ms <= latency.median_ms <= latency.p90_ms < math.inf
        assert 0 <= latency.mad_ms < math.inf
        assert latency.runs >= 0
        if latency.provenance == "measured":
            assert latency.runs >= self.protocol.min_runs
        assert latency.reference_ratio is None or 0 < latency.reference_ratio < math.inf
        assert taken.peak_memory_mb is None or 0 < taken.peak_memory_mb < math.inf
        assert 0 <= taken.seconds < math.inf

    def test_energy_is_there_where_a_meter_is(self, backend: Backend, model: ExportedModel) -> None:
        """With a meter, gross energy is positive and net not above it; with the meter `none` there is no energy."""
        energy = backend.measure(model, self.protocol).energy
        if backend.meter == "none":
            assert energy is None
            return
        assert energy is not None
        _check_interval(energy.gross_mj, energy.ci95_mj)
        assert energy.windows >= 0
        assert energy.net_mj is None or 0 < energy.net_mj <= energy.gross_mj

    def test_a_measurement_can_be_kept(self, backend: Backend, model: ExportedModel) -> None:
        """All values are JSON, as the cache of measurements stores them."""
        taken = backend.measure(model, self.protocol)
        assert isinstance(taken, Measurement)
        json.dumps(asdict(taken), allow_nan=False)

    def test_signature_is_json_and_stable(self, backend: Backend, model: ExportedModel) -> None:
        """The signature is the same text before and after a measurement; it is a part of the cache's key."""
        before = json.dumps(dict(backend.signature()), sort_keys=True, allow_nan=False)
        backend.measure(model, self.protocol)
        assert json.dumps(dict(backend.signature()), sort_keys=True, allow_nan=False) == before
        assert json.loads(before), "an empty signature would mix up the figures of all devices"

    def test_the_same_graph_costs_the_same(self, backend: Backend, tmp_path: Path) -> None:
        """Two measurements of one graph, and of a copy under another name, agree within `tolerance`."""
        models = [graphs.write_classifier(tmp_path / f"{name}.onnx") for name in ("one", "copy")]
        figures = [backend.measure(m, self.protocol).latency.figure_ms for m in (models[0], *models)]
        assert max(figures) <= self.tolerance * min(figures)

    def test_batches_of_one_and_eight(self, backend: Backend, tmp_path: Path) -> None:
        """Figures are of one run with the whole batch: eight images never cost less than one."""
        one, eight = (
            backend.measure(graphs.write_classifier(tmp_path / f"b{n}.onnx", side=32, batch=n), self.protocol)
            for n in (1, 8)
        )
        assert eight.latency.median_ms > one.latency.median_ms / self.tolerance

    def test_more_work_costs_more(self, backend: Backend, tmp_path: Path) -> None:
        """A graph with some 200 times the arithmetic takes longer."""
        small = graphs.write_classifier(tmp_path / "small.onnx", channels=8, side=8)
        large = graphs.write_classifier(tmp_path / "large.onnx", channels=64, side=64)
        medians = [backend.measure(m, self.protocol).latency.median_ms for m in (small, large)]
        assert medians[0] < medians[1]

    def test_several_graphs_come_back_in_order(self, backend: Backend, tmp_path: Path) -> None:
        """`measure_together`, where there is one, gives one measurement for each graph, in their order."""
        together = getattr(backend, "measure_together", None)
        if together is None:
            pytest.skip("this backend measures one graph at a time")
        large = graphs.write_classifier(tmp_path / "large.onnx", channels=64, side=64)
        small = graphs.write_classifier(tmp_path / "small.onnx", channels=8, side=8)
        first, second = together([large, small], self.protocol)
        assert first.latency.median_ms > second.latency.median_ms

    def test_a_missing_model_is_refused(self, backend: Backend, model: ExportedModel) -> None:
        """A path without a file raises an error of one line."""
        self._refuses(backend, replace(model, path=model.path.with_name("absent.onnx")))

    @pytest.mark.parametrize("damage", [lambda whole: whole[: len(whole) // 3], lambda _: b"", lambda _: b"not ONNX"])
    def test_a_damaged_model_is_refused(
        self, backend: Backend, model: ExportedModel, damage: Callable[[bytes], bytes]
    ) -> None:
        """A file that was cut short, is empty or something else raises an error of one line."""
        model.path.write_bytes(damage(model.path.read_bytes()))
        self._refuses(backend, model)

    def test_a_dynamic_shape_is_refused(self, backend: Backend, tmp_path: Path) -> None:
        """A graph whose batch size is open raises an error of one line: its cost would be that of a guess."""
        self._refuses(backend, graphs.write_dynamic(tmp_path / "dynamic.onnx"))

    def test_works_on_after_a_refusal(self, backend: Backend, model: ExportedModel) -> None:
        """A graph that was refused leaves the backend able to measure the next one."""
        self._refuses(backend, replace(model, path=model.path.with_name("absent.onnx")))
        assert backend.measure(model, self.protocol).latency.median_ms > 0

    def _refuses(self, backend: Backend, model: ExportedModel) -> None:
        with pytest.raises(NasoptError) as refusal:
            backend.measure(model, self.protocol)
        message = str(refusal.value)
        assert message, "the message is empty"
        assert "\n" not in message.strip(), "a message is one line"


def _check_interval(value: float, interval: Interval) -> None:
    low, high = interval
    assert 0 < value < math.inf
    assert 0 <= low <= value <= high < math.inf
