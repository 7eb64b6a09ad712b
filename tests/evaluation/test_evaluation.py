"""Evaluation of real candidates on digits: figures that fit together, and work that is done once."""

from __future__ import annotations

import csv
import dataclasses
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from nasopt.cache import Cache
from nasopt.errors import CacheError, DivergedError, MeasurementError
from nasopt.evaluation import LITTLE_LIGHTER, Device, EvaluationContext, evaluate, inspect, load_network, score_test
from nasopt.evaluation.measuring import Graph, _file, obtain_measurements
from nasopt.evaluation.pairs import obtain_pair
from nasopt.hardware import backend_for, load_profile
from nasopt.networks import count
from nasopt.records import ArtifactNames, Candidate, Outcome, TimingProtocol
from nasopt.records.metrics import METRICS
from nasopt.spec.training import CotrainSpec
from nasopt.training import CotrainProgress, checkpoint, pair_key, predict


def test_an_outcome_has_every_metric_and_adds_up(context: EvaluationContext, candidate: Candidate) -> None:
    outcome = evaluate(context, candidate)
    assert {m for m in METRICS if outcome.value(m) is None} == set()
    rate = outcome.quality["exit_rate"]
    counts = count(context.layout, candidate)
    assert outcome.costs["macs"].value == pytest.approx(rate * counts.macs_easy + (1 - rate) * counts.macs_hard)
    device = outcome.details["devices"]["jetson_nano"]
    expected = device["easy_ms"] + (1 - rate) * device["hard_ms"]
    assert outcome.costs["latency_ms"].value == pytest.approx(expected)
    assert outcome.costs["latency_worst_ms"].value == pytest.approx(device["easy_ms"] + device["hard_ms"])
    assert {c.provenance for n, c in outcome.costs.items() if n in ("latency_ms", "energy_mj")} == {"estimated"}
    assert {c.provenance for n, c in outcome.costs.items() if n.startswith("macs")} == {"computed"}
    for cost in outcome.costs.values():
        assert cost.ci95[0] <= cost.value <= cost.ci95[1]
    assert outcome.details["parity"]["max_difference"] < 1e-4
    assert 0 < outcome.details["parity"]["exited"] < outcome.details["parity"]["images"]


def test_an_outcome_survives_json(context: EvaluationContext, candidate: Candidate) -> None:
    outcome = evaluate(context, candidate)
    restored = Outcome.from_json(json.loads(json.dumps(outcome.to_json())))
    assert restored == replace(outcome, files={})


def test_another_threshold_trains_exports_and_measures_nothing(
    context: EvaluationContext, candidate: Candidate, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = evaluate(context, candidate)

    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("this work was done before")

    for name in (
        "pairs.cotrain",
        "pairs.export_easy",
        "pairs.predict",
        "measuring.measure_all",
        "measuring.export_easy",
    ):
        monkeypatch.setattr(f"nasopt.evaluation.{name}", forbidden)
    second = evaluate(context, replace(candidate, tau=0.0))
    third = evaluate(context, replace(candidate, tau=1.0))
    assert set(second.cached) == {"train", "evaluate", "export", "measure"}
    assert second.seconds == first.seconds
    assert second.quality["exit_rate"] == 1.0
    assert third.quality["exit_rate"] < 1.0
    assert third.costs["latency_ms"].value > second.costs["latency_ms"].value


def test_choices_that_do_not_act_share_a_pair(context: EvaluationContext, candidate: Candidate) -> None:
    def key(c: Candidate) -> str:
        return pair_key(context.trained.key, c, context.training, context.seed)

    confident = replace(candidate, router="confidence")
    other_gamma = replace(confident, loss=replace(confident.loss, gamma=9.0, eta=9.0))
    assert key(confident) == key(other_gamma)
    assert key(candidate) != key(replace(candidate, loss=replace(candidate.loss, gamma=9.0)))
    quiet = replace(confident, loss=replace(confident.loss, lambda_=0.0, temperature=1.0))
    assert key(quiet) == key(replace(quiet, loss=replace(quiet.loss, temperature=5.0)))
    assert key(candidate) == key(replace(candidate, tau=0.123))


def test_a_path_shared_by_two_candidates_is_measured_once(context: EvaluationContext, candidate: Candidate) -> None:
    device = context.devices[0]
    graphs = [Graph("easy", 1), Graph("hard", 1)]
    obtain_measurements(context, candidate, device, graphs)
    other_big = replace(candidate, big=tuple(replace(s, kernel=3, depth=1) for s in candidate.big))
    obtained = obtain_measurements(context, other_big, device, graphs)
    assert obtained[graphs[0]].cached
    assert not obtained[graphs[1]].cached


def test_damaged_cache_files_are_replaced(context: EvaluationContext, candidate: Candidate) -> None:
    before = evaluate(context, candidate)
    key = pair_key(context.trained.key, candidate, context.training, context.seed)
    for suffix in (".safetensors", ".predictions.safetensors"):
        file = context.cache.path("pairs", key, suffix)
        file.write_bytes(file.read_bytes()[:100])
        after = evaluate(context, candidate)
        assert "train" not in after.cached
        assert after.quality == before.quality


@pytest.mark.parametrize("suffix", [".safetensors", ".predictions.safetensors"])
def test_a_flipped_bit_in_the_cache_is_noticed(context: EvaluationContext, candidate: Candidate, suffix: str) -> None:
    before = evaluate(context, candidate)
    key = pair_key(context.trained.key, candidate, context.training, context.seed)
    file = context.cache.path("pairs", key, suffix)
    content = bytearray(file.read_bytes())
    content[-10] ^= 1
    file.write_bytes(content)
    after = evaluate(context, candidate)
    assert "train" not in after.cached
    assert after.quality == before.quality


def test_a_stored_network_predicts_what_was_cached(context: EvaluationContext, candidate: Candidate) -> None:
    outcome = evaluate(context, candidate)
    network, stored = load_network(outcome.files[ArtifactNames.WEIGHTS])
    assert stored == candidate
    predicted = predict(network, context.data.validation.images, context.data, candidate.resolution)
    labels = np.asarray(context.data.validation.labels)
    exited = predicted.scores >= np.float32(candidate.tau)
    answers = np.where(exited, predicted.little.argmax(1), predicted.big.argmax(1))
    assert (answers == labels).mean() == pytest.approx(outcome.quality["accuracy"])


def test_the_test_split_is_another_one(context: EvaluationContext, candidate: Candidate) -> None:
    outcome = evaluate(context, candidate)
    scored = score_test(outcome.files, context.data, candidate)
    assert scored["images"] == len(context.data.test.labels)
    assert 0 <= scored["accuracy"] <= 1


def test_the_class_table_adds_up(context: EvaluationContext, candidate: Candidate) -> None:
    outcome = evaluate(context, candidate)
    with outcome.files[ArtifactNames.CLASSES].open() as file:
        rows = list(csv.DictReader(file))
    images = sum(int(row["images"]) for row in rows)
    assert images == len(context.data.validation.labels)
    right = sum(int(row["images"]) * float(row["accuracy"]) for row in rows)
    assert right / images == pytest.approx(outcome.quality["accuracy"])


def test_inspection_bounds_hold(context: EvaluationContext, candidate: Candidate) -> None:
    inspection = inspect(context.layout, candidate)
    outcome = evaluate(context, candidate)
    for metric, (low, high) in inspection.bounds.items():
        value = outcome.value(metric)
        assert value is not None
        assert low <= value <= high
    assert inspection.structural[LITTLE_LIGHTER] < 0
    swapped = replace(candidate, little=candidate.big, big=candidate.little)
    assert inspect(context.layout, swapped).structural[LITTLE_LIGHTER] > 0


def test_routers_are_in_the_counts(context: EvaluationContext, candidate: Candidate) -> None:
    easy = {
        k: count(context.layout, replace(candidate, router=k)).macs_easy
        for k in ("confidence", "learned", "difficulty")
    }
    assert easy["confidence"] < min(easy["learned"], easy["difficulty"])


def test_several_devices_are_told_apart(context: EvaluationContext, candidate: Candidate) -> None:
    other = dataclasses.replace(context.devices[0], name="other")
    both = dataclasses.replace(context, devices=(context.devices[0], other))
    outcome = evaluate(both, candidate)
    assert outcome.costs["latency_ms@other"].value == outcome.costs["latency_ms@jetson_nano"].value
    assert "latency_ms" not in outcome.costs


def test_real_measurements_on_this_machine(context: EvaluationContext, candidate: Candidate) -> None:
    profile = load_profile("local")
    protocol = TimingProtocol(
        warmup_runs=3, warmup_s=0.0, min_runs=20, min_s=0.01, max_s=0.5, blocks=3, drift_limit=1.0, tight_enough=1.0
    )
    device = Device(name="local", profile=profile, backend=backend_for(profile, meter="none"), protocol=protocol)
    outcome = evaluate(dataclasses.replace(context, devices=(device,)), candidate)
    assert outcome.costs["latency_ms"].provenance == "measured"
    assert outcome.costs["latency_ms"].value > 0
    assert "energy_mj" not in outcome.costs
    assert outcome.details["devices"]["local"]["provider"] == "CPUExecutionProvider"


def test_a_refused_reading_is_no_number(
    context: EvaluationContext, candidate: Candidate, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise MeasurementError("the clock stood still")

    monkeypatch.setattr("nasopt.evaluation.measuring.measure_all", refuse)
    unseen = replace(candidate, router="difficulty")
    with pytest.raises(MeasurementError, match="stood still"):
        evaluate(context, unseen)


def test_weights_of_another_make_are_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("bad") / "pair.safetensors"
    with pytest.raises(CacheError, match="cannot restore"):
        load_network(file)
    file.write_bytes(b"x" * 64)
    with pytest.raises(CacheError, match="cannot restore"):
        load_network(file)


def test_a_killed_cotraining_goes_on_and_leaves_nothing_but_the_pair(
    context: EvaluationContext, candidate: Candidate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stored weights are those of an undisturbed co-training; its seconds hold what came before."""
    monkeypatch.setattr(checkpoint, "WRITE_EVERY_S", 0.0)
    monkeypatch.setattr(checkpoint, "WRITING_SHARE", 1e9)
    longer = context.training.model_copy(update={"cotrain": CotrainSpec(epochs=3)})
    stored = []
    for folder in ("killed", "undisturbed"):
        place = replace(context, training=longer, cache=Cache(tmp_path / folder))
        seen: list[CotrainProgress] = []

        def listen(step: CotrainProgress, seen: list[CotrainProgress] = seen, folder: str = folder) -> None:
            seen.append(step)
            if folder == "killed" and len(seen) == 3:
                raise KeyboardInterrupt

        if folder == "killed":
            with pytest.raises(KeyboardInterrupt):
                obtain_pair(place, candidate, listen)
            assert [f.suffixes for f in (tmp_path / folder / "pairs").glob("*.safetensors")] == [
                [".partial", ".safetensors"]
            ]
        pair = obtain_pair(place, candidate, listen)
        assert seen[-1].epoch == 3
        assert seen[-1].resumed == (2 if folder == "killed" else 0)
        assert pair.facts["seconds"]["train"] > seen[-1].seconds
        assert not list((tmp_path / folder).glob("**/*.partial*"))
        stored.append(load_file(pair.weights))  # its metadata lie in any order, so the files' bytes may differ
    assert stored[0].keys() == stored[1].keys()
    assert all(torch.equal(stored[0][name], tensor) for name, tensor in stored[1].items())


def test_a_diverged_cotraining_leaves_no_checkpoint(
    context: EvaluationContext, candidate: Candidate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "WRITE_EVERY_S", 0.0)
    wild = context.training.model_copy(update={"cotrain": CotrainSpec(epochs=3, learning_rate=1e30)})
    with pytest.raises(DivergedError):
        obtain_pair(replace(context, training=wild, cache=Cache(tmp_path)), candidate)
    assert not list(tmp_path.glob("**/*.safetensors"))


def test_kernels_that_run_alike_are_measured_once(context: EvaluationContext, candidate: Candidate) -> None:
    """At 2 pixels a kernel of 5 and one of 7 both run as 3 x 3; at 8 they are two graphs."""
    for resolution, alike in ((2, True), (8, False)):
        files = {
            _file(
                context,
                replace(candidate, resolution=resolution, big=tuple(replace(s, kernel=k) for s in candidate.big)),
                context.devices[0],
                Graph("hard", 1),
            )
            for k in (5, 7)
        }
        assert (len(files) == 1) == alike
