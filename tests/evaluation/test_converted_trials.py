"""Trials below fp32: scored on what the converted graphs answer, kept by content, and scored on test the same way."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from nasopt.cache import Cache
from nasopt.errors import CacheError, ExportError, MeasurementError, UsageError
from nasopt.evaluation import Device, EvaluationContext, evaluate, inspect, score_test
from nasopt.evaluation.conversion import obtain_scored, predict_graphs
from nasopt.evaluation.pairs import obtain_pair
from nasopt.export import describe
from nasopt.hardware import backend_for, load_profile
from nasopt.problems.big_little import BigLittleProblem
from nasopt.records import ArtifactNames, Candidate, Precision
from nasopt.spec.study import StudySpec
from nasopt.training import Predictions

ROOFLINE = """
name: {name}
description: a device that computes in every precision
processor: paper
backend: predicted
precision: {precision}
datasheet:
  peak_gflops: {{fp32: 10, fp16: 20, int8: 40}}
  bandwidth_gb_s: 1
"""


@pytest.fixture(scope="session")
def anywhere(context: EvaluationContext, tmp_path_factory: pytest.TempPathFactory) -> EvaluationContext:
    """The context with a device for which a datasheet gives all three precisions."""
    file = tmp_path_factory.mktemp("profiles") / "paper.yaml"
    file.write_text(ROOFLINE.format(name="paper", precision="fp32"))
    profile = load_profile(file)
    device = Device(name="paper", profile=profile, backend=backend_for(profile), protocol=profile.protocol.protocol())
    return dataclasses.replace(context, devices=(device,))


def by_hand(files: dict[str, Path], context: EvaluationContext, candidate: Candidate) -> float:
    """Validation accuracy of the stored graphs, image by image, as a user of theirs would run them."""
    easy, hard = (onnxruntime.InferenceSession(str(files[n])) for n in (ArtifactNames.EASY, ArtifactNames.HARD))
    split = context.data.validation
    right = 0
    for image, label in zip(context.data.prepare(split.images, candidate.resolution), split.labels, strict=True):
        features, logits, score = easy.run(None, {"image": image[None].numpy()})
        if score[0] < np.float32(candidate.tau):
            (logits,) = hard.run(None, {"features": features})
        right += int(logits.argmax() == int(label))
    return right / len(split.labels)


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_accuracy_is_that_of_the_stored_graphs(
    anywhere: EvaluationContext, candidate: Candidate, precision: Precision
) -> None:
    full = evaluate(anywhere, candidate)
    lower = replace(candidate, precision=precision)
    outcome = evaluate(anywhere, lower)
    assert outcome.quality["accuracy"] == pytest.approx(by_hand(dict(outcome.files), anywhere, lower))
    assert outcome.details["precision"] == precision
    assert outcome.details["conversion"]["fp32"] == full.quality
    assert {"train", "evaluate", "export"} <= set(outcome.cached)  # one training for all precisions
    assert outcome.seconds["convert"] > 0
    assert outcome.costs["latency_ms"].value < full.costs["latency_ms"].value
    assert outcome.costs["macs_hard"] == full.costs["macs_hard"]
    low, high = inspect(anywhere.layout, lower).bounds["model_size_mb"]
    assert low <= outcome.costs["model_size_mb"].value <= high


def test_a_quantised_network_answers_otherwise(anywhere: EvaluationContext, candidate: Candidate) -> None:
    pair = obtain_pair(anywhere, candidate)
    scored = obtain_scored(anywhere, replace(candidate, precision="int8"), pair)
    assert np.abs(scored.predictions.big - pair.predictions.big).max() > 0.01
    assert scored.facts["agreement"]["big"] > 0.8
    assert scored.facts["images"] == 128


def test_another_threshold_converts_nothing(
    anywhere: EvaluationContext, candidate: Candidate, monkeypatch: pytest.MonkeyPatch
) -> None:
    lower = replace(candidate, precision="int8")
    evaluate(anywhere, lower)
    for name in ("_convert", "predict_graphs"):
        monkeypatch.setattr(f"nasopt.evaluation.conversion.{name}", None)
    again = evaluate(anywhere, replace(lower, tau=0.99))
    assert set(again.cached) == {"train", "evaluate", "export", "convert", "measure"}


def test_only_training_images_shape_the_network(
    anywhere: EvaluationContext, candidate: Candidate, tmp_path: Path
) -> None:
    lower = replace(candidate, precision="int8")
    pair = obtain_pair(anywhere, lower)
    data = anywhere.data
    blank = {
        s: dataclasses.replace(getattr(data, s), images=0 * getattr(data, s).images) for s in ("validation", "test")
    }
    made = [
        obtain_scored(dataclasses.replace(anywhere, data=d, cache=Cache(tmp_path / name)), lower, pair).files
        for name, d in (("as-is", data), ("blank", dataclasses.replace(data, **blank)))
    ]
    for name in (ArtifactNames.EASY, ArtifactNames.HARD):
        assert made[0][name].read_bytes() == made[1][name].read_bytes()


def test_a_damaged_conversion_is_made_anew(anywhere: EvaluationContext, candidate: Candidate) -> None:
    lower = replace(candidate, precision="int8")
    pair = obtain_pair(anywhere, lower)
    first = obtain_scored(anywhere, lower, pair)
    file = first.files[ArtifactNames.HARD]
    good = file.read_bytes()
    file.write_bytes(good[:-10])
    again = obtain_scored(anywhere, lower, pair)
    assert not again.cached
    assert file.read_bytes() == good
    assert np.array_equal(again.predictions.big, first.predictions.big)


def test_the_test_split_is_answered_by_the_stored_graphs(
    anywhere: EvaluationContext, candidate: Candidate, tmp_path: Path
) -> None:
    lower = replace(candidate, precision="int8", tau=1.0)
    files = dict(evaluate(anywhere, lower).files)
    scored = score_test(files, anywhere.data, lower)
    easy, hard = (describe(files[n]) for n in (ArtifactNames.EASY, ArtifactNames.HARD))
    answers = predict_graphs(easy, hard, anywhere.data.test.images, anywhere.data)
    labels = anywhere.data.test.labels.numpy()
    routed = np.where((answers.scores >= 1.0)[:, None], answers.little, answers.big).argmax(1)
    assert scored["accuracy"] == pytest.approx(float((routed == labels).mean()))
    del files[ArtifactNames.HARD]
    with pytest.raises(CacheError, match=r"hard\.onnx of a network in int8 is missing"):
        score_test(files, anywhere.data, lower)


def test_numbers_out_of_range_end_the_trial(
    anywhere: EvaluationContext, candidate: Candidate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The answers are replaced: ONNX Runtime on x86 computes fp16 graphs in float32, where nothing overflows."""
    lower = replace(candidate, precision="fp16")
    pair = obtain_pair(anywhere, lower)
    broken = Predictions(**{n: np.full((2, 2), np.inf, np.float32) for n in ("little", "big", "scores")})
    monkeypatch.setattr("nasopt.evaluation.conversion.predict_graphs", lambda *_: broken)
    with pytest.raises(ExportError, match="in fp16 the network's little values are not finite"):
        obtain_scored(dataclasses.replace(anywhere, cache=Cache(tmp_path)), lower, pair)


def problem(tmp_path: Path, **sections: object) -> BigLittleProblem:
    spec = StudySpec.model_validate({"study": {"name": "x"}, "objectives": ["accuracy", "macs"], **sections})
    return BigLittleProblem(spec, Cache(tmp_path))


@pytest.mark.parametrize(
    ("device", "precision", "said"),
    [
        ("jetson_nano", ["fp32", "int8"], "'jetson_nano' .backend predicted. has costs for networks in fp32, fp16"),
        ("raspberry_pi_4", "fp16", "'raspberry_pi_4' .backend predicted. has costs for networks in fp32, not in fp16"),
        ("coral_dev_board", "fp32", "has costs for networks in int8, not in fp32"),
    ],
)
def test_a_device_without_costs_for_a_precision_says_so_before_training(
    tmp_path: Path, device: str, precision: object, said: str
) -> None:
    with pytest.raises(MeasurementError, match=said):
        problem(tmp_path, hardware=device, space={"precision": precision})


def test_devices_of_different_precisions_need_a_choice(tmp_path: Path) -> None:
    devices = {"device": ["raspberry_pi_4", "jetson_nano"]}
    with pytest.raises(UsageError, match=r"raspberry_pi_4 fp32, jetson_nano fp16.*choose with space\.precision"):
        problem(tmp_path, hardware=devices)
    assert problem(tmp_path, hardware=devices, space={"precision": "fp32"}).space.precisions() == ("fp32",)


def test_a_device_brings_its_own_precision(tmp_path: Path) -> None:
    opened = problem(tmp_path, hardware="jetson_nano")
    params = {n: d.to_external_repr(0) for n, d in opened.distributions.items() if n != "router.tau"}
    assert opened.space.decode(params | {"router.tau": 0.5}).precision == "fp16"
