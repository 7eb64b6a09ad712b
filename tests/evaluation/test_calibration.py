"""Calibrating a device: the design, what is measured and kept, the fit, the files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from nasopt.cli import app
from nasopt.errors import DeviceLostError, MeasurementError, SpecError, UsageError
from nasopt.evaluation.calibration import Calibrated, Progress, calibrate, calibrating, design
from nasopt.evaluation.calibration.design import broad_frame, held_out, spread
from nasopt.evaluation.calibration.networks import export_sample
from nasopt.hardware import load_profile, measure
from nasopt.hardware.prediction.calibration import load_calibration
from nasopt.hardware.prediction.kernels import Kernel, kernels
from nasopt.records import Energy, ExportedModel, Latency, Measurement, TimingProtocol

pytestmark = pytest.mark.timed

STUDY = """
study: {name: small}
data: {name: digits}
space:
  resolution: [8, 16, 24]
  channels: [12, 20]
  strides: [1, 2]
  little: {width: [0.5, 1.0], depth: [1, 2]}
  big: {depth: [1, 2, 3]}
objectives: [accuracy, macs]
"""


def law(kernel: Kernel) -> float:
    return 0.003 + kernel.operations / 4e7 + (kernel.read + kernel.written) / 2e7


class LawfulBackend:
    """A device whose clock drifts, and whose costs follow a law apart from that."""

    name = meter = "lawful"
    provenance = "measured"

    def __init__(self, *, lost_after: int | None = None, refuses: bool = False) -> None:
        self.measured = 0
        self.lost_after, self.refuses = lost_after, refuses

    def signature(self) -> dict[str, Any]:
        return {"backend": self.name}

    def measure(self, model: ExportedModel, protocol: TimingProtocol) -> Measurement:
        if self.refuses:
            raise MeasurementError("no operator is taken here")
        if self.measured == self.lost_after:
            raise DeviceLostError("the board does not answer")
        self.measured += 1
        slowed = 1 + 0.5 * np.sin(self.measured)  # by the minute's mood, the reference like all others
        ms = sum(map(law, kernels(model.path)))
        latency = Latency(
            median_ms=slowed * ms,
            p90_ms=slowed * ms,
            min_ms=slowed * ms,
            mad_ms=0.0,
            ci95_ms=(0.99 * slowed * ms, 1.01 * slowed * ms),
            runs=10,
            provenance="measured",
            reference_ratio=ms / 0.5,
            ratio_ci95=(0.99 * ms / 0.5, 1.01 * ms / 0.5),
        )
        mj = 3 * ms
        energy = Energy(
            gross_mj=mj, net_mj=None, ci95_mj=(0.99 * mj, 1.01 * mj), windows=5, meter="lawful", provenance="measured"
        )
        return Measurement(
            device="local",
            backend=self.name,
            provider="law",
            runtime="law 1",
            latency=latency,
            energy=energy,
            peak_memory_mb=None,
            seconds=1.0,
        )


@pytest.fixture(autouse=True)
def small_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(design, "_POOL", 160)


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> LawfulBackend:
    made = LawfulBackend()
    monkeypatch.setattr(calibrating, "backend_for", lambda *_, **__: made)
    return made


@pytest.fixture
def study(tmp_path: Path) -> Path:
    file = tmp_path / "small.yaml"
    file.write_text(STUDY)
    return file


def run(folder: Path, study: Path, **changes: Any) -> Calibrated:
    options = {"study": study, "samples": 40, "holdout": 12, "folder": folder, "again": 0}
    return calibrate("local", **{**options, **changes})


class TestDesign:
    def test_a_larger_design_goes_on_where_a_smaller_one_ends(self) -> None:
        small, large = (design.design(broad_frame, n, seed=4) for n in (12, 24))
        assert small == large[:12]
        assert design.design(broad_frame, 12, seed=5) != small
        assert {s.part for s in large} == {"easy", "hard", "block"}

    def test_nothing_held_out_was_designed(self, study: Path) -> None:
        frames = calibrating._frames_of(study)
        designed = design.design(frames, 60, seed=0)
        rest = held_out(frames, 60, seed=0, beside=designed)
        graphs = [s.identity for s in (*designed, *rest)]
        assert len(set(graphs)) == len(graphs)
        assert all(s.part != "block" for s in rest)

    def test_samples_reach_the_ends_of_the_pool(self) -> None:
        points = np.random.default_rng(0).normal(size=(300, 2))
        chosen = points[spread(points, 12)]
        assert np.ptp(chosen, axis=0) == pytest.approx(np.ptp(points, axis=0), rel=0.2)

    def test_equal_identities_are_equal_graphs(self, tmp_path: Path) -> None:
        first, *others = design.design(broad_frame, 6, seed=1)
        structure = export_sample(first, tmp_path / "a.onnx").structure
        assert export_sample(first, tmp_path / "b.onnx").structure == structure
        assert all(export_sample(s, tmp_path / "c.onnx").structure != structure for s in others)


def test_a_known_law_is_recovered_though_the_clock_drifts(tmp_path: Path, study: Path, backend: LawfulBackend) -> None:
    found = run(tmp_path, study)
    held = found.calibration.quantities["latency_ms"].held_out
    assert held.networks == 12
    assert held.within_10 == 1
    assert held.median < 0.03
    assert found.calibration.quantities["energy_mj"].held_out.within_10 == 1
    assert found.calibration.origin is not None
    assert found.calibration.origin.by == "ratio"
    assert (found.calibration.threads, found.calibration.precision, found.calibration.runtime) == (1, "fp32", "law 1")
    assert load_calibration(found.file).networks == 40


def test_the_profile_predicts_at_once(tmp_path: Path, study: Path, backend: LawfulBackend) -> None:
    found = run(tmp_path, study)
    sample = found.held_out[0].sample
    model = export_sample(sample, tmp_path / "m.onnx")
    taken = measure(model.path, found.profile)
    assert load_profile(found.profile).name == "local-predicted"
    assert found.calibration.origin is not None
    reference_ms = found.calibration.origin.reference_ms
    assert reference_ms is not None
    expected = sum(map(law, kernels(model.path))) / 0.5 * reference_ms
    assert taken.latency.median_ms == pytest.approx(expected, rel=0.1)
    assert taken.latency.provenance == "predicted"
    assert any("12 held-out networks measured on the device within 10%" in r for r in taken.remarks)
    with pytest.raises(MeasurementError, match="is of 1 threads, the protocol asks for 4"):
        measure(model.path, found.profile, protocol=TimingProtocol(threads=4))


def test_a_lost_device_and_an_interruption_cost_nothing(tmp_path: Path, study: Path, backend: LawfulBackend) -> None:
    backend.lost_after = 9
    with pytest.raises(DeviceLostError, match=r"does not answer; 9 of 52 .* kept in .*run the same command again"):
        run(tmp_path, study)
    backend.lost_after = None

    def interrupt(progress: Progress) -> None:
        if progress.measured == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, study, listener=interrupt)
    file = tmp_path / "local.measurements.jsonl"
    file.write_text(file.read_text() + '{"key": "cut sh')
    found = run(tmp_path, study)
    assert backend.measured == 52
    assert len(found.designed) + len(found.held_out) == 52
    more = run(tmp_path, study, samples=44, force=True)
    assert backend.measured < 52 + 44 - 40 + 12  # a larger design takes over what is measured
    assert len(more.designed) == 44


class Crowded(LawfulBackend):
    """Others slow the reference down in two of three measurements, and what is measured more than that."""

    def measure(self, model: ExportedModel, protocol: TimingProtocol) -> Measurement:
        taken = super().measure(model, protocol)
        slower = 1.3 if self.measured % 3 else 1.0
        ms, (low, high) = sum(map(law, kernels(model.path))), (0.995, 1.005)
        ratio = slower**2 * ms / 0.5
        latency = replace(
            taken.latency,
            median_ms=ratio * 0.5 * slower,
            ci95_ms=(low * ms, high * ms),
            reference_ratio=ratio,
            ratio_ci95=(low * ratio, high * ratio),
        )
        return replace(taken, latency=latency)


def test_what_others_disturbed_is_measured_again(tmp_path: Path, study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crowded = Crowded()
    monkeypatch.setattr(calibrating, "backend_for", lambda *_, **__: crowded)
    seen: list[Progress] = []
    once = run(tmp_path / "once", study)
    assert crowded.measured == 52
    assert once.calibration.quantities["latency_ms"].held_out.within_10 < 0.9
    patient = run(tmp_path / "patient", study, again=8, listener=seen.append)
    held = patient.calibration.quantities["latency_ms"].held_out
    assert held.within_10 == 1
    assert patient.calibration.origin is not None
    measured = crowded.measured - 52
    assert patient.calibration.origin.seconds == measured, "all attempts count"
    assert 52 < measured < 52 * 5
    assert seen[-1].done == seen[-1].total
    run(tmp_path / "patient", study, again=8, force=True)
    assert crowded.measured == 52 + measured, "the journal knows all attempts"


def test_what_cannot_be_calibrated_is_refused(tmp_path: Path, study: Path, backend: LawfulBackend) -> None:
    with pytest.raises(UsageError, match="5 samples are too few"):
        run(tmp_path, study, samples=5)
    with pytest.raises(UsageError, match="1 held-out networks judge nothing"):
        run(tmp_path, study, holdout=1)
    with pytest.raises(UsageError, match=r"again is how often .*, 0 or more, not -1"):
        run(tmp_path, study, again=-1)
    with pytest.raises(SpecError, match=r"none\.yaml"):
        run(tmp_path, tmp_path / "none.yaml")
    backend.refuses = True
    with pytest.raises(MeasurementError, match="no operator is taken here"):
        run(tmp_path, study)
    backend.refuses = False
    run(tmp_path, study, samples=12, holdout=5)
    with pytest.raises(UsageError, match=r"local\.json exists; --force replaces it"):
        run(tmp_path, study)
    fixed = tmp_path / "table.yaml"
    fixed.write_text(
        "study: {name: t}\nproblem: {kind: python, target: 'm:f'}\nobjectives: [{name: a, direction: minimize}]\n"
    )
    with pytest.raises(UsageError):
        run(tmp_path / "other", fixed)


def test_a_device_that_only_predicts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"costs of device 'jetson_nano' are estimated, by its backend 'predicted'"):
        calibrate("jetson_nano", folder=tmp_path)


def test_this_machine_by_the_command(tmp_path: Path, study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASOPT_LOCKS", str(tmp_path))  # real measurements take a while; how exact they are is not asked
    options = ["--samples", "12", "--holdout", "5", "--seconds", "0.05", "--meter", "none", "--json"]
    command = ["calibrate", "local", "--study", str(study), "--to", str(tmp_path / "boards"), *options]
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    printed = json.loads(done.stdout)
    assert printed["origin"]["backend"] == "onnxruntime"
    assert printed["origin"]["by"] == "processor time"
    assert printed["held_out"]["latency_ms"]["networks"] == 5
    profile = tmp_path / "boards" / "local-predicted.yaml"
    assert printed["profile"] == str(profile)
    model = export_sample(design.design(calibrating._frames_of(study), 1, seed=0)[0], tmp_path / "m.onnx")
    ours, clock = measure(model.path, profile), measure(model.path, meter="none", protocol=TimingProtocol(max_s=0.2))
    assert ours.latency.median_ms == pytest.approx(clock.latency.min_ms, rel=1.0)
