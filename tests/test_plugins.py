"""Plug-ins that clash with others, or are not what they should be, are refused by name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULE = """\
from optuna.samplers import RandomSampler


def tpe(**options):
    return RandomSampler()


def nothing(**options):
    return "no sampler"


def backend(profile):
    return "no backend"


class Nameless:
    provenance = "measured"
"""
STUDY = """\
study: {name: s, storage: "sqlite:///s.db", trials: 2}
problem: {kind: table, file: grid.csv}
objectives: [{metric: score, direction: maximize}]
"""
PROFILE = """\
name: plain
description: This machine
processor: the host's CPU
backend: onnxruntime
meter: nameless
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with an installed plug-in package, and something to use it on."""
    (tmp_path / "theirs.py").write_text(MODULE)
    info = tmp_path / "their_plugins-0.3.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-plugins\nVersion: 0.3\n")
    (info / "entry_points.txt").write_text(
        "[nasopt.samplers]\ntpe = theirs:tpe\nnothing = theirs:nothing\n"
        "[nasopt.meters]\nnameless = theirs:Nameless\n[nasopt.backends]\n"
        "nameless = theirs:backend\nodd = theirs:nothing\n"
    )
    (tmp_path / "grid.csv").write_text("a,score\n" + "".join(f"a{i},{i}\n" for i in range(6)))
    (tmp_path / "s.yaml").write_text(STUDY)
    (tmp_path / "plain.yaml").write_text(PROFILE)
    (tmp_path / "other.yaml").write_text(PROFILE.replace("onnxruntime", "nameless").replace("meter: nameless\n", ""))
    odd = PROFILE.replace("onnxruntime", "odd").replace("meter: nameless\n", "")
    (tmp_path / "odd.yaml").write_text(odd)
    return tmp_path


def nasopt(folder: Path, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "nasopt.cli", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stderr


def test_a_namesake_of_a_built_in_is_refused_with_both_origins(site: Path) -> None:
    code, said = nasopt(site, "run", "s.yaml", "--sampler", "tpe")
    assert code == 2
    assert said.startswith("nasopt: 2 samplers are called 'tpe': nasopt.samplers.builtin:tpe of nasopt 0")
    assert "theirs:tpe of their-plugins 0.3" in said
    assert len(said.splitlines()) == 1
    assert nasopt(site, "run", "s.yaml", "--sampler", "random", "-q")[0] == 0  # the others are not held up


def test_what_is_no_plug_in_of_its_kind_is_refused_with_what_it_lacks(site: Path) -> None:
    code, said = nasopt(site, "run", "s.yaml", "--sampler", "nothing")
    assert code == 2
    assert said == "nasopt: sampler nothing gave a str, not an optuna.samplers.BaseSampler\n"
    for profile, expected in (
        (
            "plain.yaml",
            "meter 'nameless' (theirs.Nameless) has no name, window, describe; a meter has name,",
        ),
        ("other.yaml", "backend 'nameless' (builtins.str) has no name, provenance, meter, signature, measure"),
        ("odd.yaml", "backend 'odd' is called with (DeviceProfile, **options): too many positional arguments"),
    ):
        _, said = nasopt(site, "devices", "check", profile)
        assert "Traceback" not in said
        script = f"from nasopt.hardware import backend_for, load_profile; backend_for(load_profile('{profile}'))"
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=site,
            env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{site}"},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert expected in done.stderr.splitlines()[-1], done.stderr
