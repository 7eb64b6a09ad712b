from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from nasopt.errors import MeasurementError, SpecError
from nasopt.graphs.describe import describe
from nasopt.hardware import Backend, backend_for, load_profile, measure
from nasopt.hardware.prediction.calibration import Calibration, Predictor, load_calibration
from nasopt.hardware.prediction.domain import Domain
from nasopt.hardware.prediction.kernels import Kernel, kernels
from nasopt.hardware.prediction.model import fit, network
from nasopt.hardware.prediction.validation import errors
from nasopt.records import TimingProtocol
from nasopt.testing import graphs
from nasopt.testing.backends import BackendSuite

Make = Callable[..., Path]
PROFILE = "name: board\ndescription: a board\nprocessor: a chip\nbackend: predicted\ncalibration: board.json\n"


def cost(kernel: Kernel) -> float:
    return 0.01 + kernel.operations / 1e7 + (kernel.read + kernel.written) / 1e7


def write_calibration(folder: Path, **changes: object) -> Path:
    """Classifiers of many sizes on a made-up device, fitted and written beside its profile."""
    sizes = [(c, s) for c in (4, 8, 16, 32, 64) for s in (8, 16, 32, 64)]
    found = [kernels(graphs.write_classifier(folder / "c.onnx", channels=c, side=s).path) for c, s in sizes]
    nets = [network(k) for k in found]
    costs = np.array([sum(map(cost, k)) for k in found])
    model = fit(nets, costs)
    held = errors(model.predict(nets), costs, 1.05, "networks")
    predictor = Predictor.of(model, factor=1.05, factor_outside=1.5, held_out=held, outside=[])
    made = Calibration(
        device="board",
        description="a made-up device",
        runtime="paper 1",
        networks=len(nets),
        domain=Domain.of(found),
        quantities={"latency_ms": predictor},
    )
    made.model_copy(update=changes).save(folder / "board.json")
    (folder / "board.yaml").write_text(PROFILE)
    return folder / "board.yaml"


class TestCalibrated(BackendSuite):
    @pytest.fixture(scope="class")
    def backend(self, tmp_path_factory: pytest.TempPathFactory) -> Backend:
        return backend_for(load_profile(write_calibration(tmp_path_factory.mktemp("board"))))


def test_a_prediction_says_what_it_is(tmp_path: Path) -> None:
    profile = write_calibration(tmp_path)
    model = graphs.write_classifier(tmp_path / "m.onnx", channels=24, side=32)
    taken = measure(model.path, profile)
    expected = sum(map(cost, kernels(model.path)))
    assert taken.latency.median_ms == pytest.approx(expected, rel=0.1)
    assert taken.latency.provenance == "predicted"
    assert taken.latency.ci95_ms[1] == pytest.approx(1.05 * taken.latency.median_ms, rel=1e-4)
    assert taken.energy is None
    assert taken.remarks[0] == "calibration: a made-up device"
    assert "within 10%" in taken.remarks[1]
    assert not any("extrapolated" in r for r in taken.remarks)


def test_what_was_never_measured_is_marked_and_less_certain(tmp_path: Path) -> None:
    profile = write_calibration(tmp_path)
    taken = measure(graphs.write_classifier(tmp_path / "m.onnx", channels=96, side=32).path, profile)
    assert any(r.startswith("extrapolated: ") and "96 output channels (seen: 4 to 64)" in r for r in taken.remarks)
    assert taken.latency.ci95_ms[1] == pytest.approx(1.5 * taken.latency.median_ms, rel=1e-4)


def test_a_file_gives_the_same_figures_again(tmp_path: Path) -> None:
    write_calibration(tmp_path)
    first = load_calibration(tmp_path / "board.json")
    first.save(tmp_path / "again.json")
    found = kernels(graphs.write_classifier(tmp_path / "m.onnx").path)
    again = load_calibration(tmp_path / "again.json").predict("latency_ms", found)
    assert again[0] == first.predict("latency_ms", found)[0]


@pytest.mark.parametrize("text", ["", "{}", "not JSON", '{"format": 2}', "[1, 2]"])
def test_what_is_no_calibration_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    profile = write_calibration(tmp_path)
    (tmp_path / "board.json").write_text(text)
    with pytest.raises(SpecError, match=r"board\.json: not a calibration") as refusal:
        backend_for(load_profile(profile))
    assert "\n" not in str(refusal.value)


def test_a_missing_calibration_is_named_with_its_line(tmp_path: Path) -> None:
    profile = write_calibration(tmp_path)
    (tmp_path / "board.json").unlink()
    with pytest.raises(
        SpecError, match=r"board\.yaml:5.*no calibration .*board\.json; name one that exists, or leave the key out"
    ):
        load_profile(profile)


def test_another_precision_or_number_of_threads_is_refused(tmp_path: Path) -> None:
    profile = write_calibration(tmp_path, precision="int8")
    with pytest.raises(MeasurementError, match=r"runs fp32, its calibration .* is of int8"):
        backend_for(load_profile(profile))
    profile = write_calibration(tmp_path, threads=4)
    model = describe(graphs.write_classifier(tmp_path / "m.onnx").path)
    with pytest.raises(MeasurementError, match="is of 4 threads, the protocol asks for 1"):
        backend_for(load_profile(profile)).measure(model, TimingProtocol(threads=1))


@pytest.mark.parametrize("device", ["board", "jetson_nano"])
@pytest.mark.parametrize("domain", ["", "com.example"])
def test_an_operator_without_known_cost_is_refused(tmp_path: Path, write_model: Make, device: str, domain: str) -> None:
    profile: str | Path = write_calibration(tmp_path) if device == "board" else device
    nodes = [helper.make_node("Fancy" if not domain else "Relu", ["x"], ["y"], domain=domain)]
    opsets = [("", 17), ("com.example", 1)]
    path = write_model("u.onnx", nodes, {"x": [1, 4, 6, 6]}, {"y": [1, 4, 6, 6]}, opsets=opsets)
    with pytest.raises(MeasurementError, match="no cost is known for operator"):
        measure(path, profile)


@pytest.mark.parametrize("device", ["raspberry_pi_4", "pixel_3"])
def test_shipped_calibrations_carry_their_errors(device: str) -> None:
    from nasopt.spec import shipped

    found = load_calibration(shipped.folder("hardware") / "calibrations" / f"{device}.json")
    predictor = found.quantities["latency_ms"]
    assert found.device == device
    assert predictor.held_out.within_10 > 0.99
    assert predictor.held_out.coverage > 0.9
    assert len(predictor.outside) == 7
    assert predictor.factor_outside > predictor.factor
    assert found.domain.expansions == [1, 3, 6]
    assert found.domain.kinds["depthwise"].sizes == [3, 5]
    assert json.loads((shipped.folder("hardware") / "calibrations" / f"{device}.json").read_text())["format"] == 1


SMALL_GRAPHS = {
    "unused_input": "outside of the calibration",
    "matmul_1d_1d": "too small for the calibration",
    "split_2_and_3": "",
    "sparse_constant": "outside of the calibration",
}


@pytest.mark.parametrize("name", SMALL_GRAPHS)
def test_graphs_without_what_was_fitted_have_a_figure_or_one_line(name: str, reference: Path) -> None:
    path = reference / "cases" / "onnx" / f"{name}.onnx"
    if refused := SMALL_GRAPHS[name]:
        with pytest.raises(MeasurementError, match=refused) as error:
            measure(path, "raspberry_pi_4")
        assert "\n" not in str(error.value)
        return
    latency = measure(path, "raspberry_pi_4").latency
    assert 0 < latency.ci95_ms[0] < latency.median_ms < latency.ci95_ms[1]
    assert latency.ci95_ms[1] / latency.median_ms > 1.5  # copies alone are none of the networks that were fitted


def test_kinds_without_a_rate_are_no_more_than_a_small_part(write_model: Make) -> None:
    def convolved(steps: int) -> Path:
        nodes = [helper.make_node("Conv", ["x", "w"], ["v0"])]
        nodes += [helper.make_node("Sin", [f"v{i}"], [f"v{i + 1}"]) for i in range(steps)]
        weights = {"w": np.full((64, 64, 1, 1), 0.1, np.float32)}
        return write_model(f"s{steps}.onnx", nodes, {"x": [1, 64, 8, 8]}, {f"v{steps}": [1, 64, 8, 8]}, weights)

    assert measure(convolved(0), "raspberry_pi_4").latency.median_ms > 0
    with pytest.raises(MeasurementError, match=r"67% of its values .* \(elementwise; it knows"):
        measure(convolved(2), "raspberry_pi_4")


def test_recurrent_layers_are_not_priced_as_convolutions(write_model: Make) -> None:
    nodes = [helper.make_node("LSTM", ["x", "w", "r"], ["y"], hidden_size=8)]
    weights = {"w": np.ones((1, 32, 8), np.float32), "r": np.ones((1, 32, 8), np.float32)}
    path = write_model("lstm.onnx", nodes, {"x": [16, 1, 8]}, {"y": [16, 1, 1, 8]}, weights)
    with pytest.raises(MeasurementError, match="never seen a kernel like 'recurrent'"):
        measure(path, "raspberry_pi_4")
    assert measure(path, "jetson_nano").latency.median_ms > 0
