from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from nasopt.errors import DivergedError
from nasopt.networks import extract
from nasopt.spec.training import CotrainSpec
from nasopt.training import cotrain, pair_key, predict
from nasopt.training.cotrain import pair_loss
from nasopt.training.losses import balance, consistency, exit_targets, routing
from nasopt.training.recalibration import calibration_batch, recalibrate


def budget(spec, **values):
    return spec.model_copy(update={"cotrain": CotrainSpec(**values)})


@pytest.mark.parametrize("router", ["confidence", "learned", "difficulty"])
@pytest.mark.parametrize("epochs", [0, 1])
def test_routers_rank_easy_inputs_above_hard_ones(trained, candidate, digits, recipe, router, epochs):
    network = cotrain(trained, replace(candidate, router=router), digits, budget(recipe, epochs=epochs), seed=0)
    said = predict(network, digits.validation.images, digits, 8)
    labels = digits.validation.labels.numpy()
    easy = (said.little.argmax(1) == labels) | (said.big.argmax(1) != labels)
    assert not network.training
    assert said.scores.min() >= 0
    assert said.scores.max() <= 1
    assert easy.any()
    assert not easy.all()
    assert said.scores[easy].mean() > said.scores[~easy].mean()
    assert np.quantile(said.scores, 0.9) - np.quantile(said.scores, 0.1) > 0.1


def test_cotraining_improves_the_little_network_and_repeats_exactly(trained, candidate, digits, recipe):
    labels = digits.train.labels.numpy()
    seen = []
    spec = budget(recipe, epochs=2, learning_rate=3e-3)
    before = predict(
        cotrain(trained, candidate, digits, budget(recipe, epochs=0), seed=0), digits.train.images, digits, 8
    )
    after = predict(
        cotrain(trained, candidate, digits, spec, seed=0, progress=seen.append), digits.train.images, digits, 8
    )
    again = predict(cotrain(trained, candidate, digits, spec, seed=0), digits.train.images, digits, 8)
    assert (after.little.argmax(1) == labels).mean() > (before.little.argmax(1) == labels).mean()
    np.testing.assert_array_equal(after.little, again.little)
    np.testing.assert_array_equal(after.scores, again.scores)
    assert [(p.epoch, p.loss is None) for p in seen] == [(0, True), (1, False), (2, False)]


def test_the_supernet_stays_as_it_was(trained, candidate, digits, recipe):
    before = {name: tensor.clone() for name, tensor in trained.supernet.state_dict().items()}
    cotrain(trained, candidate, digits, recipe, seed=0)
    assert all(torch.equal(before[name], tensor) for name, tensor in trained.supernet.state_dict().items())


def test_divergence_is_the_networks_own_fault(trained, candidate, digits, recipe):
    with pytest.raises(DivergedError, match=r"training\.cotrain\.learning_rate"):
        cotrain(trained, candidate, digits, budget(recipe, epochs=2, learning_rate=1e30), seed=0)


def test_recalibration_takes_the_statistics_of_the_batch(trained, candidate, digits):
    network = extract(trained.supernet, candidate)
    images = calibration_batch(digits, 8, 0)
    features = recalibrate(network.stem, images)
    before = network.stem[0](images)
    torch.testing.assert_close(network.stem[1].running_mean, before.mean((0, 2, 3)), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(network.stem(images), features, atol=1e-3, rtol=1e-3)
    assert network.stem[1].momentum == 0.1


class TestPairKey:
    def key(self, candidate, spec, seed=0):
        return pair_key("supernet", candidate, spec, seed)

    def with_loss(self, candidate, **changes):
        return replace(candidate, loss=replace(candidate.loss, **changes))

    def test_tau_never_acts(self, candidate, recipe):
        assert self.key(candidate, recipe) == self.key(replace(candidate, tau=0.9), recipe)

    def test_no_loss_weight_acts_at_no_epochs(self, candidate, recipe):
        none = budget(recipe, epochs=0)
        other = self.with_loss(candidate, alpha=2.0, beta=3.0, gamma=1.0, lambda_=1.0, temperature=4.0, eta=1.0)
        assert self.key(candidate, none) == self.key(other, none)
        assert self.key(candidate, none) == self.key(candidate, budget(recipe, epochs=0, learning_rate=0.5))
        assert self.key(candidate, none) != self.key(candidate, recipe)

    @pytest.mark.parametrize("weight", ["alpha", "beta", "gamma", "lambda_", "temperature", "eta"])
    def test_every_loss_weight_acts_otherwise(self, candidate, recipe, weight):
        assert self.key(candidate, recipe) != self.key(self.with_loss(candidate, **{weight: 0.7}), recipe)

    def test_gamma_and_eta_do_not_act_on_a_confidence_router(self, candidate, recipe):
        confident = replace(candidate, router="confidence")
        assert self.key(confident, recipe) == self.key(self.with_loss(confident, gamma=0.0, eta=0.7), recipe)
        longer = budget(recipe, epochs=recipe.cotrain.epochs, router_epochs=9)
        shorter = budget(recipe, epochs=recipe.cotrain.epochs, router_epochs=2)
        assert self.key(confident, longer) == self.key(confident, shorter)
        assert self.key(candidate, longer) != self.key(candidate, shorter)

    def test_what_is_multiplied_by_nothing_does_not_act(self, candidate, recipe):
        still = self.with_loss(candidate, lambda_=0.0, gamma=0.0)
        assert self.key(still, recipe) == self.key(self.with_loss(still, temperature=9.0, eta=0.9), recipe)

    def test_architecture_resolution_and_seed_act(self, candidate, recipe):
        keys = {
            self.key(candidate, recipe),
            self.key(replace(candidate, little=candidate.big), recipe),
            self.key(replace(candidate, resolution=12), recipe),
            self.key(replace(candidate, router="difficulty"), recipe),
            self.key(candidate, recipe, seed=1),
        }
        assert len(keys) == 5


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 1000))
def test_optimal_decision_and_loss_terms(seed):
    generator = torch.Generator().manual_seed(seed)
    little, big = torch.randn(2, 12, 4, generator=generator)
    labels = torch.randint(4, (12,), generator=generator)
    for target, a, b, label in zip(exit_targets(little, big, labels), little, big, labels, strict=True):
        assert bool(target) == bool(a.argmax() == label or b.argmax() != label)
    temperature = 3.0
    teacher, student = (big / temperature).softmax(1), (little / temperature).softmax(1)
    expected = (teacher * (teacher.log() - student.log())).sum(1).mean() * temperature**2
    torch.testing.assert_close(consistency(little, big, temperature), expected)
    assert float(consistency(big, big, temperature)) == pytest.approx(0.0, abs=1e-6)


def test_big_is_only_read_by_the_consistency_term():
    little, big = torch.randn(4, 3, requires_grad=True), torch.randn(4, 3, requires_grad=True)
    consistency(little, big, 2.0).backward()
    assert big.grad is None
    assert little.grad.abs().sum() > 0


def test_routing_loss_balances_decisions_and_charges_calls_of_the_big_network():
    targets = torch.tensor([1.0] * 9 + [0.0])
    weights = balance(targets)
    assert float(weights.mean()) == pytest.approx(1.0)
    assert float(weights[:9].sum()) == pytest.approx(float(weights[9:].sum()))
    assert torch.equal(balance(torch.ones(4)), torch.ones(4))
    odds = torch.full((10,), -1.0)
    charge = routing(odds, targets, 0.5) - routing(odds, targets, 0.0)
    assert float(charge) == pytest.approx(0.5 * float(torch.sigmoid(torch.tensor(1.0))))


def test_pair_loss_is_the_weighted_sum_of_its_terms(trained, candidate, digits):
    torch.manual_seed(0)
    network = extract(trained.supernet, candidate).eval()
    images, labels = digits.prepare(digits.train.images[:16], 8), digits.train.labels[:16]
    weights = replace(candidate.loss, alpha=2.0, beta=3.0, gamma=0.7, lambda_=0.4)
    with torch.no_grad():
        features = network.stem(images)
        little, pooled = network.little(features)
        big = network.hard(features)
        odds = network.router.decide(little, pooled)
        expected = 2 * functional.cross_entropy(big, labels) + 3 * functional.cross_entropy(little, labels)
        plain = expected + 0.4 * consistency(little, big, 2.0)
        full = plain + 0.7 * routing(odds, exit_targets(little, big, labels), 0.1)
        torch.testing.assert_close(pair_loss(network, images, labels, weights), full)
        confident = extract(trained.supernet, replace(candidate, router="confidence")).eval()
        torch.testing.assert_close(pair_loss(confident, images, labels, weights), plain)
