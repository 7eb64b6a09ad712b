"""A co-training that was killed goes on where it was, and ends with the weights of an undisturbed one."""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from nasopt.cache import Cache
from nasopt.networks import RoutedNetwork
from nasopt.spec.training import CotrainSpec, TrainingSpec
from nasopt.training import CotrainProgress, TrainedSupernet, checkpoint, cotrain
from nasopt.training.checkpoint import Checkpoint, optimizer_tensors, restore_optimizer, save_state

SCRIPT = """
import json, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from conftest import LAYOUT
from test_cotrain_resumed import digest
from nasopt.cache import Cache
from nasopt.records import Candidate
from nasopt.spec.data import AugmentSpec, DataSpec
from nasopt.spec.training import TrainingSpec
from nasopt.data import load_data
from nasopt.training import checkpoint, cotrain, train_supernet
checkpoint.WRITE_EVERY_S, checkpoint.WRITING_SHARE = 0.0, 1e9
cache = Cache(Path({cache!r}))
data = load_data(DataSpec(augment=AugmentSpec(crop=1)), seed=0)
spec = TrainingSpec.model_validate_json({spec!r})
trained = train_supernet(LAYOUT, data, spec, seed=0, cache=cache)
assert trained.cached
kept = checkpoint.Checkpoint(cache=cache, path=Path({path!r}))
candidate = Candidate.from_json(json.loads({candidate!r}))
network = cotrain(
    trained, candidate, data, spec, seed=0, checkpoint=kept, progress=lambda p: print(p.epoch, flush=True)
)
print(digest(network), flush=True)
"""


def digest(network: RoutedNetwork) -> str:
    """Hash of all weights and statistics, bit for bit."""
    total = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        total.update(name.encode())
        total.update(tensor.contiguous().numpy().tobytes())
    return total.hexdigest()


@pytest.fixture
def longer(recipe: TrainingSpec) -> TrainingSpec:
    return recipe.model_copy(update={"cotrain": CotrainSpec(epochs=4, router_epochs=3)})


@pytest.fixture
def every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints are written whenever they may be."""
    monkeypatch.setattr(checkpoint, "WRITE_EVERY_S", 0.0)
    monkeypatch.setattr(checkpoint, "WRITING_SHARE", 1e9)


def start(trained: TrainedSupernet, candidate, spec: TrainingSpec, folder: Path) -> subprocess.Popen[bytes]:
    """A process that co-trains the candidate's pair with a checkpoint after each epoch, which it then tells."""
    facts = {"seconds": 1.0, "subnet_accuracies": [0.5]}
    cache = Cache(folder)
    save_state(cache, cache.path("supernet", trained.key, ".safetensors"), trained.supernet.state_dict(), facts)
    script = SCRIPT.format(
        tests=str(Path(__file__).parent),
        cache=str(folder),
        path=str(folder / "pair.partial.safetensors"),
        spec=spec.model_dump_json(),
        candidate=json.dumps(asdict(candidate)),
    )
    return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, env={**os.environ})


def test_cotraining_survives_sigkill_with_the_weights_of_an_undisturbed_run(
    trained, candidate, digits, longer, tmp_path
):
    process = start(trained, candidate, longer, tmp_path)
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == b"2":
            process.send_signal(signal.SIGKILL)
            break
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()
    seen: list[CotrainProgress] = []
    kept = Checkpoint(cache=Cache(tmp_path), path=tmp_path / "pair.partial.safetensors")
    resumed = cotrain(trained, candidate, digits, longer, seed=0, checkpoint=kept, progress=seen.append)
    assert seen[0].resumed >= 2
    assert [p.epoch for p in seen] == list(range(seen[0].resumed, 5))
    assert seen[0].loss is None
    assert kept.spent_s > 0
    assert seen[0].seconds >= kept.spent_s
    assert digest(resumed) == digest(cotrain(trained, candidate, digits, longer, seed=0))


def test_two_processes_that_train_the_same_pair_do_not_spoil_each_others(trained, candidate, digits, longer, tmp_path):
    processes = [start(trained, candidate, longer, tmp_path) for _ in range(2)]
    said = [process.communicate(timeout=240)[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    expected = digest(cotrain(trained, candidate, digits, longer, seed=0)).encode()
    assert [words[-1] for words in said] == [expected, expected]


def interrupt_after(epoch: int):
    """A listener that raises once this epoch is over."""

    def listen(step: CotrainProgress) -> None:
        if step.epoch == epoch:
            raise KeyboardInterrupt

    return listen


@pytest.mark.usefixtures("every_epoch")
@pytest.mark.parametrize("damage", ["flipped bit", "half a file", "another network"])
def test_a_damaged_checkpoint_is_dropped_and_said(trained, candidate, digits, longer, tmp_path, caplog, damage):
    path = tmp_path / "pair.partial.safetensors"
    with pytest.raises(KeyboardInterrupt):
        cotrain(
            trained,
            candidate,
            digits,
            longer,
            seed=0,
            checkpoint=Checkpoint(cache=Cache(tmp_path), path=path),
            progress=interrupt_after(2),
        )
    data = bytearray(path.read_bytes())
    if damage == "flipped bit":
        data[-100] ^= 0xFF
        path.write_bytes(data)
    elif damage == "half a file":
        path.write_bytes(data[: len(data) // 2])
    else:
        save_state(Cache(tmp_path), path, {"weights.x": torch.zeros(3)}, {"epoch": 2, "seconds": 1.0})
    seen: list[CotrainProgress] = []
    with caplog.at_level(logging.WARNING):
        kept = Checkpoint(cache=Cache(tmp_path), path=path)
        again = cotrain(trained, candidate, digits, longer, seed=0, checkpoint=kept, progress=seen.append)
    assert seen[0].resumed == 0
    assert "discarding the" in caplog.text
    assert digest(again) == digest(cotrain(trained, candidate, digits, longer, seed=0))


def test_short_epochs_are_seldom_written(tmp_path, monkeypatch):
    now, written = [0.0], []
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr(checkpoint, "save_state", lambda *_: (written.append(now[0]), now.__setitem__(0, now[0] + 1)))
    kept = Checkpoint(cache=Cache(tmp_path), path=tmp_path / "x.safetensors")
    for _ in range(1000):  # of 50 ms each
        now[0] += 0.05
        kept.save(dict, {"seconds": now[0]})
    gaps = [later - earlier for earlier, later in itertools.pairwise(written)]
    assert written[0] >= checkpoint.WRITE_EVERY_S
    assert min(gaps) >= 1 / checkpoint.WRITING_SHARE  # a write of a second is repeated after twenty at the earliest


def test_moments_are_restored_in_the_memory_format_of_their_weights():
    """A fused optimizer reads weights and moments in the order in which they lie in memory."""
    found = []
    for stopped in (False, True):
        torch.manual_seed(0)
        weight = torch.nn.Parameter(torch.randn(4, 3, 3, 3).contiguous(memory_format=torch.channels_last))
        optimizer = torch.optim.AdamW([weight], lr=0.1, fused=True)
        for step in range(6):
            weight.grad = torch.randn(4, 3, 3, 3).contiguous(memory_format=torch.channels_last)
            optimizer.step()
            if step == 2 and stopped:
                kept = {name: t.contiguous().clone() for name, t in optimizer_tensors(optimizer).items()}
                optimizer = torch.optim.AdamW([weight], lr=0.1, fused=True)
                restore_optimizer(optimizer, kept)
        found.append(weight.detach())
    assert torch.equal(*found)
