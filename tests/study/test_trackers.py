"""Mirrors of a study: what they get, read back from the files that TensorBoard and Weights & Biases wrote."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
STUDY = """\
study: {name: same, storage: "sqlite:///one.db", trials: 3}
problem: {kind: python, target: "counting:Problem"}
objectives: [{metric: score, direction: maximize}]
sampler: random
"""
CODE = """\
from optuna.distributions import CategoricalDistribution, IntDistribution


class Problem:
    distributions = {"n": IntDistribution(1, 50), "kind": CategoricalDistribution(("a", "b"))}

    def evaluate(self, params):
        return {"score": 2.0 * params["n"]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "s.yaml").write_text(STUDY)
    (tmp_path / "counting.py").write_text(CODE)
    return tmp_path


def run(folder: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    known = {k: v for k, v in os.environ.items() if not k.startswith("WANDB") and k != "NETRC"}
    done = subprocess.run(
        [sys.executable, "-m", "nasopt.cli", "run", "s.yaml", "-q", *arguments],
        cwd=folder,
        env={**known, "PYTHONPATH": str(ROOT), "HOME": str(folder), **environment},
        capture_output=True,
        text=True,
        timeout=180,
    )
    return done.returncode, done.stderr


def test_tensorboard_has_parameters_and_a_folder_for_each_database(folder: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    for arguments in ((), ("--trials", "5"), ("--storage", "sqlite:///two.db")):
        code, said = run(folder, "--tracker", "tensorboard", *arguments)
        assert code == 0, said
    first, second = sorted((folder / "runs").iterdir(), key=lambda p: len(list(p.glob("trial-*"))), reverse=True)
    assert [len(list(p.glob("trial-*"))) for p in (first, second)] == [5, 3]
    read = accumulator.EventAccumulator(str(first))
    read.Reload()
    scores = {e.step: e.value for e in read.Scalars("score")}
    assert sorted(scores) == [0, 1, 2, 3, 4]  # over both runs
    for number, score in scores.items():
        trial = accumulator.EventAccumulator(str(first / f"trial-{number}"))
        trial.Reload()
        content = trial.summary_metadata["_hparams_/session_start_info"].plugin_data.content
        plugin = pytest.importorskip("tensorboard.plugins.hparams.plugin_data_pb2").HParamsPluginData
        told: Any = plugin.FromString(content).session_start_info.hparams
        assert 2 * told["n"].number_value == score
        assert told["kind"].string_value in ("a", "b")


def test_wandb_without_a_login_is_one_line_before_anything_is_created(folder: Path) -> None:
    pytest.importorskip("wandb")
    code, said = run(folder, "--tracker", "wandb")
    assert code == 2
    own = [line for line in said.splitlines() if not line.startswith("wandb:")]
    assert len(own) == 1
    assert "no login; log in with `wandb login`, or set WANDB_MODE=offline" in own[0]
    assert not (folder / "one.db").exists()


def test_wandb_keeps_one_run_over_resumptions(folder: Path) -> None:
    pytest.importorskip("wandb")
    for arguments in ((), ("--trials", "5"), ("--storage", "sqlite:///two.db")):
        code, said = run(folder, "--tracker", "wandb", *arguments, WANDB_MODE="offline")
        assert code == 0, said
    runs = list((folder / "wandb").glob("offline-run-*"))
    identities = [path.name.rpartition("-")[2] for path in runs]
    assert len(runs) == 3
    assert len(set(identities)) == 2  # resumed, and in another database
    content = b"".join(file.read_bytes() for path in runs for file in path.glob("*.wandb"))
    assert b"params/kind" in content
    assert content.count(b"params/n") >= 8
