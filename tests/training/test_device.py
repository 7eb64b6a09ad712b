"""How many threads train."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from nasopt.spec.training import TrainingSpec
from nasopt.training import device
from nasopt.training.device import SMALL_BATCH, choose_device


@pytest.fixture(autouse=True)
def threads_as_before():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("asked", "pixels", "expected"),
    [(None, 64 * 8 * 8, 1), (None, 64 * 32 * 32, 3), (None, SMALL_BATCH, 3), (2, 64 * 8 * 8, 2), (None, None, 2)],
    ids=["digits", "cifar", "at the border", "as asked", "nothing is trained"],
)
def test_small_batches_get_one_thread_unless_the_study_says_otherwise(asked, pixels, expected, monkeypatch):
    monkeypatch.setattr(device, "_ALL_THREADS", 3)
    torch.set_num_threads(2)
    choose_device(TrainingSpec(device="cpu", threads=asked), batch_pixels=pixels)
    assert torch.get_num_threads() == expected


@pytest.mark.parametrize(("given", "expected"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_sleep_while_they_wait_unless_the_user_says_otherwise(given, expected):
    environment = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"}
    environment |= {"OMP_WAIT_POLICY": given} if given else {}
    code = "import nasopt, os; print(os.environ['OMP_WAIT_POLICY'])"
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == expected
