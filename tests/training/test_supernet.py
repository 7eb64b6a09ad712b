from __future__ import annotations

import logging
import os
import random
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nasopt.cache import Cache
from nasopt.errors import CacheError, DivergedError
from nasopt.networks import Supernet
from nasopt.spec.training import ShrinkSpec, SupernetSpec, TrainingSpec
from nasopt.training import SupernetProgress, train_supernet
from nasopt.training.checkpoint import load_state, save_state
from nasopt.training.sandwich import accumulate, choose
from nasopt.training.shrinking import opened, shrink
from nasopt.training.supernet import cosine, lengthened, shuffled, supernet_key

KILLED = """
import sys
sys.path.insert(0, {tests!r})
from conftest import LAYOUT
from nasopt.cache import Cache
from nasopt.spec.data import AugmentSpec, DataSpec
from nasopt.spec.training import TrainingSpec
from nasopt.data import load_data
from nasopt.training import train_supernet
from pathlib import Path
data = load_data(DataSpec(augment=AugmentSpec(crop=1)), seed=0)
spec = TrainingSpec.model_validate_json({spec!r})
train_supernet(LAYOUT, data, spec, seed=0, cache=Cache(Path({cache!r})), progress=lambda p: print(p.epoch, flush=True))
"""


def weights_equal(first: Supernet, second: Supernet) -> bool:
    return all(
        torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )


def test_sub_networks_learn(trained):
    assert len(trained.subnet_accuracies) == 20
    assert sorted(trained.subnet_accuracies)[10] > 0.5
    assert not trained.cached
    assert trained.seconds > 0


def test_training_survives_sigkill_with_the_result_of_an_undisturbed_run(layout, digits, trained, recipe, tmp_path):
    script = KILLED.format(tests=str(Path(__file__).parent), spec=recipe.model_dump_json(), cache=str(tmp_path))
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, env={**os.environ})
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == b"2":
            process.send_signal(signal.SIGKILL)
            break
    process.wait()
    process.stdout.close()
    seen: list[SupernetProgress] = []
    resumed = train_supernet(layout, digits, recipe, seed=0, cache=Cache(tmp_path), progress=seen.append)
    assert seen[0].resumed >= 2
    assert [p.epoch for p in seen] == list(range(seen[0].resumed + 1, recipe.supernet.epochs + 1))
    assert weights_equal(resumed.supernet, trained.supernet)
    assert resumed.subnet_accuracies == trained.subnet_accuracies
    assert not list(tmp_path.glob("supernet/*.partial*"))


def test_second_training_is_answered_by_the_cache_and_damage_is_trained_again(layout, digits, tmp_path, caplog):
    spec = TrainingSpec(supernet=SupernetSpec(epochs=1, batch_size=256, sandwich=False), threads=1)
    cache = Cache(tmp_path)
    first = train_supernet(layout, digits, spec, seed=0, cache=cache)
    second = train_supernet(layout, digits, spec, seed=0, cache=cache)
    assert second.cached
    assert second.seconds == first.seconds
    assert second.subnet_accuracies == first.subnet_accuracies
    assert weights_equal(first.supernet, second.supernet)
    path = cache.path("supernet", first.key, ".safetensors")
    data = bytearray(path.read_bytes())
    data[-100] ^= 0xFF
    path.write_bytes(data)
    with caplog.at_level(logging.WARNING):
        third = train_supernet(layout, digits, spec, seed=0, cache=cache)
    assert not third.cached
    assert "discarding the damaged checkpoint" in caplog.text
    assert weights_equal(first.supernet, third.supernet)


def test_key_holds_what_shapes_the_weights_only(layout, digits):
    spec = TrainingSpec()
    key = supernet_key(layout, digits, spec, seed=0)
    assert key == supernet_key(layout, digits, spec.model_copy(update={"threads": 1}), seed=0)
    cotrained = spec.model_copy(update={"cotrain": spec.cotrain.model_copy(update={"epochs": 9})})
    assert key == supernet_key(layout, digits, cotrained, seed=0)
    assert key != supernet_key(layout, digits, spec, seed=1)
    assert key != supernet_key(replace(layout, widths=(0.25, 1.0)), digits, spec, seed=0)
    assert key != supernet_key(layout, replace(digits, fingerprint="other"), spec, seed=0)
    longer = spec.model_copy(update={"supernet": SupernetSpec(epochs=61)})
    assert key != supernet_key(layout, digits, longer, seed=0)


def test_divergence_is_reported_and_leaves_no_checkpoint(layout, digits, tmp_path):
    spec = TrainingSpec(threads=1, supernet=SupernetSpec(epochs=2, learning_rate=1e30, warmup_epochs=0, clip_norm=1e30))
    with pytest.raises(DivergedError, match=r"epoch 1: the loss is nan; lower training\.supernet\.learning_rate"):
        train_supernet(layout, digits, spec, seed=0, cache=Cache(tmp_path))
    assert not list(tmp_path.glob("supernet/*.safetensors"))


def test_full_disk_is_a_cache_error(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nasopt.training.checkpoint.save_file", full)
    with pytest.raises(CacheError, match="No space left on device"):
        save_state(Cache(tmp_path), tmp_path / "x.safetensors", {"a": torch.zeros(2)}, {})
    assert not list(tmp_path.iterdir())


def test_truncated_checkpoint_is_discarded(tmp_path):
    path = tmp_path / "x.safetensors"
    save_state(Cache(tmp_path), path, {"a": torch.arange(100.0), "n": torch.tensor(3)}, {"epoch": 7})
    loaded = load_state(path)
    assert loaded is not None
    assert loaded[1] == {"epoch": 7}
    torch.testing.assert_close(loaded[0]["a"], torch.arange(100.0))
    path.write_bytes(path.read_bytes()[:-50])
    assert load_state(path) is None
    assert not path.exists()


def test_sandwich_holds_largest_and_smallest_and_its_loss_uses_the_teacher(layout):
    chosen = choose(layout, SupernetSpec(), random.Random(0))
    assert len(chosen) == 4
    assert chosen[:2] == (layout.largest(), layout.smallest())
    assert len(choose(layout, SupernetSpec(sandwich=False), random.Random(0))) == 1
    torch.manual_seed(0)
    supernet = Supernet(layout).train()
    images, labels = torch.randn(8, 1, 8, 8), torch.randint(10, (8,))
    taught = accumulate(supernet, images, labels, chosen, SupernetSpec())
    told = accumulate(supernet, images, labels, chosen, SupernetSpec(distill=False))
    assert float(taught) != pytest.approx(float(told), abs=1e-4)
    alone = accumulate(supernet, images, labels, chosen[:1], SupernetSpec())
    logits = torch.cat([supernet(images, chosen[0], head) for head in ("little", "big")])
    expected = torch.nn.functional.cross_entropy(logits, torch.cat([labels, labels]))
    torch.testing.assert_close(alone, expected.detach())


def test_separate_backward_passes_give_the_gradient_of_the_whole(layout):
    torch.manual_seed(0)
    supernet = Supernet(layout).train()
    images, labels = torch.randn(8, 1, 8, 8), torch.randint(10, (8,))
    chosen = (layout.largest(), layout.smallest())
    accumulate(supernet, images, labels, chosen, SupernetSpec(distill=False))
    pieces = {name: p.grad.clone() for name, p in supernet.named_parameters() if p.grad is not None}
    supernet.zero_grad()
    features = supernet.stem(images)
    total = torch.zeros(())
    for architecture in chosen:
        pooled = supernet.pool(features, architecture)
        for head in supernet.heads.values():
            total = total + torch.nn.functional.cross_entropy(head(pooled), labels) / 4
    total.backward()
    for name, gradient in pieces.items():
        torch.testing.assert_close(gradient, supernet.get_parameter(name).grad, atol=1e-5, rtol=1e-4)


@given(progress=st.floats(0, 0.999), step=st.floats(0, 0.5))
def test_shrinking_only_opens_choices_and_keeps_the_largest(progress, step):
    for dimension in ("kernel", "depth", "width"):
        earlier, later = (
            opened((1, 2, 3, 4), dimension, progress),
            opened((1, 2, 3, 4), dimension, min(0.999, progress + step)),
        )
        assert set(earlier) <= set(later)
        assert earlier[-1] == 4


def test_shrinking_goes_kernel_then_depth_then_width_and_can_be_switched_off(layout):
    assert shrink(layout, ShrinkSpec(), 0.0) == replace(
        layout, widths=(1.0,), depths=(2,), kernels=(5,), expansions=(3,)
    )
    assert shrink(layout, ShrinkSpec(), 0.99) == layout
    assert shrink(layout, ShrinkSpec(kernel=False, depth=False, width=False), 0.0) == layout
    complete = [
        next(p for p in range(100) if len(opened((1, 2), d, p / 100)) == 2) for d in ("kernel", "depth", "width")
    ]
    assert complete == sorted(complete)


def test_schedule_rises_then_falls_to_zero():
    assert cosine(0.05, 0.1) == pytest.approx(0.5)
    assert cosine(0.1, 0.1) == pytest.approx(1.0)
    assert cosine(1.0, 0.1) == pytest.approx(0.0)


def test_batches_cover_the_images_once():
    seen = torch.cat(list(shuffled(100, 30)))
    assert len(seen) == 90  # the last 10 are too few for a batch
    assert len(set(seen.tolist())) == 90
    assert len(next(shuffled(5, 30))) == 5


def test_a_small_data_set_gets_more_epochs_for_the_steps_asked_for() -> None:
    spec = SupernetSpec(epochs=8, min_steps=500, batch_size=64)
    assert lengthened(spec, 1149).epochs == 28
    assert lengthened(spec, 8000).epochs == 8
    assert lengthened(lengthened(spec, 1149), 1149) == lengthened(spec, 1149)
