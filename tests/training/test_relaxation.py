"""The relaxation of the supernet: exact at one-hot mixtures, gradients everywhere, costs as enumerated, priors."""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from nasopt.cache import Cache
from nasopt.export import export_hard
from nasopt.hardware import backend_for, load_profile
from nasopt.networks import Supernet, build, count
from nasopt.records import Architecture, Candidate, NetworkLayout, StageChoice, TimingProtocol
from nasopt.spec.training import RelaxationSpec, TrainingSpec
from nasopt.training import RelaxationTask, RoleChoices, TrainedSupernet, train_prior
from nasopt.training.block_costs import tabulate
from nasopt.training.preferences import PairTerms, exit_shares, preferences, relaxed_objective
from nasopt.training.relaxation import (
    AXES,
    ROLES,
    ArchitectureLogits,
    RelaxedSupernet,
    channel_mask,
    mixed_kernel,
    one_hot,
)

CHOICES = {
    "little": RoleChoices(width=(0.5,), depth=(1, 2), kernel=(3, 5), expansion=(1,)),
    "big": RoleChoices(width=(0.5, 1.0), depth=(1, 2), kernel=(3, 5), expansion=(1, 3)),
}
NAMES = {
    f"{role}.{stage + 1}.{axis}": (role, stage, axis)
    for role in ROLES
    for stage in range(2)
    for axis in AXES
    if len(CHOICES[role].of(axis)) > 1
}


def architectures(choices: RoleChoices, stages: int) -> list[Architecture]:
    own = [
        StageChoice(width=w, depth=d, kernel=k, expansion=e)
        for w, d, k, e in itertools.product(*(choices.of(axis) for axis in AXES))
    ]
    return list(itertools.product(own, repeat=stages))


@pytest.fixture
def rough(layout: NetworkLayout) -> Supernet:
    """A supernet none of whose weights is special: no zero branches, no identity transforms, no unit BatchNorm."""
    torch.manual_seed(0)
    supernet = Supernet(layout)
    for name, tensor in supernet.state_dict().items():
        if "norm" in name and tensor.ndim:
            torch.nn.init.uniform_(tensor, 0.5, 1.5)
        elif "transforms" in name:
            torch.nn.init.normal_(tensor, std=0.3)
    return supernet


@pytest.mark.parametrize("training", [True, False])
def test_one_hot_mixtures_are_the_sub_networks(rough: Supernet, training: bool) -> None:
    rough.train(training)
    relaxed = RelaxedSupernet(rough, CHOICES)
    images = torch.randn(6, 1, 8, 8)
    draw = random.Random(1)
    with torch.no_grad():
        for role in ROLES:
            for architecture in draw.sample(architectures(CHOICES[role], 2), 12 if role == "big" else 4):
                mixture = one_hot(CHOICES[role], architecture)
                mine = relaxed(images, {role: mixture})[role]
                torch.testing.assert_close(mine, rough(images, architecture, role), atol=1e-5, rtol=1e-5)


def test_masks_hold_the_probability_that_a_channel_is_there() -> None:
    mask = channel_mask((2, 4, 5), torch.tensor([0.5, 0.3, 0.2]))
    torch.testing.assert_close(mask, torch.tensor([1.0, 1.0, 0.5, 0.5, 0.2]))


def test_mixed_kernels_are_padded_at_the_centre(rough: Supernet) -> None:
    depthwise = rough.stages[0][0].depthwise
    small = mixed_kernel(depthwise, 4, (3, 5), torch.tensor([1.0, 0.0]))
    assert small.shape == (4, 1, 5, 5)
    torch.testing.assert_close(small[:, :, 1:4, 1:4], depthwise.sliced(4, 3))
    assert float(small.detach()[:, :, 0].abs().sum()) == 0.0
    half = mixed_kernel(depthwise, 4, (3, 5), torch.tensor([0.5, 0.5]))
    torch.testing.assert_close(2 * half - small, depthwise.sliced(4, 5))


@pytest.mark.parametrize("method", ["gumbel", "dirichlet", "softmax"])
def test_gradients_reach_every_logit(rough: Supernet, method: str) -> None:
    torch.manual_seed(1)
    alpha = ArchitectureLogits(CHOICES, 2, 2)
    for table in alpha.tables.values():
        torch.nn.init.normal_(table)
    relaxed = RelaxedSupernet(rough.train(), CHOICES)
    preference = torch.tensor([0.7, 0.3])
    mixtures = {role: alpha.mixture(role, preference, method, 1.0) for role in ROLES}
    for mixture in mixtures.values():
        for weights in mixture.values():
            torch.testing.assert_close(weights.sum(1), torch.ones(2))
            if method == "gumbel":
                assert set(weights.detach().round(decimals=5).unique().tolist()) <= {0.0, 1.0}
    logits = relaxed(torch.randn(6, 1, 8, 8), mixtures)
    sum(out.square().sum() for out in logits.values()).backward()
    for name, table in alpha.tables.items():
        if table.shape[-1] > 1:
            assert bool((table.grad.abs() > 0).all()), name


def test_logits_follow_the_preference() -> None:
    alpha = ArchitectureLogits(CHOICES, 2, 2)
    with torch.no_grad():
        alpha.tables["big_depth"][1, :, 1] = 4.0  # more depth where the first objective weighs more
    deep = alpha.means("big", torch.tensor([0.9, 0.1]), "softmax")["depth"][:, 1]
    shallow = alpha.means("big", torch.tensor([0.1, 0.9]), "softmax")["depth"][:, 1]
    assert bool((deep > 0.8).all())
    assert bool((shallow < 0.2).all())


def predictor():
    return backend_for(load_profile("jetson_nano")).predict


def test_expected_cost_is_the_enumerated_one(layout: NetworkLayout) -> None:
    """The mean over all 256 big networks, each weighed by its probability under mixtures that are far from uniform."""
    torch.manual_seed(2)
    choices = CHOICES["big"]
    mixture = {axis: torch.randn(2, len(choices.of(axis))).softmax(1) for axis in AXES}
    for table in tabulate(layout, CHOICES, 8, predictor()).values():
        total = 0.0
        for architecture in architectures(choices, 2):
            p = math.prod(
                float(mixture[axis][stage, choices.of(axis).index(getattr(choice, axis))])
                for stage, choice in enumerate(architecture)
                for axis in AXES
            )
            total += p * float(table["big"].expected(one_hot(choices, architecture)))
        assert float(table["big"].expected(mixture)) == pytest.approx(total, rel=1e-4)


def test_tables_agree_with_counts_and_with_measured_graphs(
    layout: NetworkLayout, candidate: Candidate, tmp_path: Path
) -> None:
    """Multiply-accumulates are exact; what the backend says of whole graphs differs from a table by a constant."""
    backend = backend_for(load_profile("jetson_nano"))
    tables = tabulate(layout, CHOICES, 8, partial(backend.predict, precision="fp32"))
    constants: dict[str, list[float]] = {"latency_ms": [], "energy_mj": []}
    for architecture in random.Random(3).sample(architectures(CHOICES["big"], 2), 4):
        pair = replace(candidate, big=architecture)
        mixture = one_hot(CHOICES["big"], architecture)
        assert float(tables["macs"]["big"].expected(mixture)) == count(layout, pair).macs_big
        graph = export_hard(build(layout, pair), (1, layout.stem_channels, 8, 8), tmp_path / "hard.onnx")
        measured = backend.measure(graph, TimingProtocol())
        assert measured.energy is not None
        constants["latency_ms"].append(
            measured.latency.median_ms - float(tables["latency_ms"]["big"].expected(mixture))
        )
        constants["energy_mj"].append(measured.energy.gross_mj - float(tables["energy_mj"]["big"].expected(mixture)))
    for values in constants.values():
        assert max(values) - min(values) < 1e-5


def test_exit_shares_rise_with_confidence() -> None:
    logits = torch.tensor([[0.0, 0.0], [2.0, 0.0], [9.0, 0.0]])
    shares = exit_shares(logits, torch.tensor([0.6, 0.8, 0.95]))
    assert float(shares[0]) < 0.05
    assert 0.5 < float(shares[1]) < 0.9
    assert float(shares[2]) > 0.9


def test_preferences_lie_inside_the_simplex() -> None:
    assert len(preferences(2, 2)) == 3
    assert len(preferences(3, 2)) == 6
    for row in itertools.chain(preferences(2, 2), preferences(3, 3), preferences(1, 2)):
        assert sum(row) == pytest.approx(1)
        assert min(row) > 0


def test_stand_ins_are_named() -> None:
    figures = ["macs", "params", "latency_ms"]
    assert relaxed_objective("latency_ms@pi", figures).stand_in is None
    assert "multiply-accumulates" in (relaxed_objective("energy_mj", figures).stand_in or "")
    assert relaxed_objective("macs_hard", figures).paths == "both"
    assert "cross-entropy" in (relaxed_objective("accuracy", figures).stand_in or "")


def test_terms_weigh_the_big_network_by_what_stays(layout: NetworkLayout, rough: Supernet) -> None:
    """Where every input leaves, the expected cost and the loss are the little network's."""
    tables = tabulate(layout, CHOICES, 8, None)
    objectives = tuple(relaxed_objective(m, list(tables)) for m in ("accuracy", "macs", "exit_rate"))
    terms = PairTerms(objectives=objectives, tables=tables, taus=(0.5,))
    mixtures = {role: one_hot(CHOICES[role], architectures(CHOICES[role], 2)[-1]) for role in ROLES}
    labels = torch.tensor([0, 1])
    sure = torch.eye(10)[:2] * 40
    sums = {role: float(tables["macs"][role].expected(mixtures[role])) for role in ROLES}
    left = terms.of({"little": sure, "big": -sure}, labels, mixtures)
    assert float(left[0]) == pytest.approx(0, abs=1e-4)
    assert float(left[1]) == pytest.approx(sums["little"], rel=1e-4)
    assert float(left[2]) == pytest.approx(-1, abs=1e-4)
    stayed = terms.of({"little": 0 * sure, "big": sure}, labels, mixtures)
    assert float(stayed[0]) == pytest.approx(0, abs=1e-3)
    assert float(stayed[1]) == pytest.approx(sums["little"] + sums["big"], rel=1e-4)


def task(**changes: object) -> RelaxationTask:
    made = RelaxationTask(
        choices=CHOICES,
        names=NAMES,
        objectives=("accuracy", "latency_ms"),
        taus=(0.5, 0.7, 0.9),
        resolution=8,
        predictor=predictor(),
        signature={"device": "jetson_nano"},
    )
    return replace(made, **changes)


QUICK = TrainingSpec(threads=1, relaxation=RelaxationSpec(epochs=4, min_steps=0, batch_size=64, learning_rate=0.1))


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Cache:
    return Cache(tmp_path_factory.mktemp("cache"))


def test_the_prior_of_digits(trained: TrainedSupernet, digits, cache: Cache) -> None:
    """It sharpens, moves with the preference, comes from the cache again, and leaves the supernet alone."""
    before = {name: tensor.clone() for name, tensor in trained.supernet.state_dict().items()}
    seen = []
    made = train_prior(trained, task(), digits, QUICK, seed=0, cache=cache, progress=seen.append)
    assert [step.epoch for step in seen] == [1, 2, 3, 4]
    prior = made.prior
    assert not made.cached
    assert set(prior.choices) == set(NAMES)
    assert prior.entropy(0) < 0.98
    assert len(prior.epochs) == 4
    assert prior.seconds > 0
    careful, cheap = prior.preferences.index(max(prior.preferences)), prior.preferences.index(min(prior.preferences))
    assert prior.smallest_share(cheap) > prior.smallest_share(careful)
    assert prior.mode(cheap) != prior.mode(careful)
    again = train_prior(trained, task(), digits, QUICK, seed=0, cache=cache)
    assert again.cached
    assert again.prior == prior
    for name, tensor in trained.supernet.state_dict().items():
        assert torch.equal(tensor, before[name])


class KilledError(Exception):
    pass


def test_an_interrupted_training_goes_on_as_if_undisturbed(
    trained: TrainedSupernet, digits, cache: Cache, tmp_path: Path
) -> None:
    def stop(step: object) -> None:
        if step.epoch == 2:
            raise KilledError

    other = Cache(tmp_path)
    with pytest.raises(KilledError):
        train_prior(trained, task(), digits, QUICK, seed=0, cache=other, progress=stop)
    seen = []
    resumed = train_prior(trained, task(), digits, QUICK, seed=0, cache=other, progress=seen.append)
    assert [(step.epoch, step.resumed) for step in seen] == [(3, 2), (4, 2)]
    undisturbed = train_prior(trained, task(), digits, QUICK, seed=0, cache=cache)
    assert resumed.key == undisturbed.key
    for name, table in undisturbed.prior.probabilities.items():
        for row, mine in zip(table, resumed.prior.probabilities[name], strict=True):
            assert mine == pytest.approx(row, abs=1e-4)


def test_without_a_predictor_multiply_accumulates_stand_in(trained: TrainedSupernet, digits, tmp_path: Path) -> None:
    quick = TrainingSpec(threads=1, relaxation=RelaxationSpec(epochs=1, min_steps=0, batch_size=256))
    made = train_prior(trained, task(predictor=None), digits, quick, seed=0, cache=Cache(tmp_path))
    assert made.prior.provenance["predictor"] is None
    assert "multiply-accumulates" in made.prior.provenance["stand_ins"]["latency_ms"]


@pytest.mark.parametrize("method", ["dirichlet", "softmax"])
def test_the_other_methods_train(trained: TrainedSupernet, digits, tmp_path: Path, method: str) -> None:
    quick = TrainingSpec(
        threads=1, relaxation=RelaxationSpec(epochs=2, min_steps=0, batch_size=96, method=method, learning_rate=0.2)
    )
    prior = train_prior(trained, task(), digits, quick, seed=0, cache=Cache(tmp_path)).prior
    assert prior.provenance["method"] == method
    assert prior.epochs[1]["entropy"] < 0.999
