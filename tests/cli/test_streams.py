"""Routed networks over real inputs, from the command line: on digits, with ONNX Runtime, in a moment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Nasopt

pytestmark = pytest.mark.timed

QUICK = """\
name: quick
description: This machine, in a hurry
processor: the host's CPU
backend: onnxruntime
meter: none
protocol: {warmup_s: 0.0, min_runs: 20, min_s: 0.02, max_s: 1.0, blocks: 4, drift_limit: 0.95}
"""


def test_a_trial_on_a_device_that_runs_networks(nasopt: Nasopt, study: Path) -> None:
    (study / "quick.yaml").write_text(QUICK)
    exit_rate = {
        t["number"]: t["outcome"]["quality"]["exit_rate"]
        for t in json.loads(nasopt("status", "--json").out)[0]["front"]
    }
    number = next(iter(exit_rate))
    said = nasopt("measure", "tiny.yaml", "--trial", number, "--device", "quick.yaml", "--json")
    (taken,) = json.loads(said.out)
    assert taken["images"] == 288
    assert taken["exit_rate"] == pytest.approx(exit_rate[number], abs=0.01)
    weighted = taken["easy_ms"] + (1 - taken["exit_rate"]) * taken["hard_ms"]
    assert taken["weighted_ms"] == pytest.approx(weighted)
    assert "routed stream" in nasopt("measure", "tiny.yaml", "--trial", number, "--device", "quick.yaml").out


def test_a_trial_where_no_network_runs(nasopt: Nasopt, study: Path) -> None:
    said = nasopt("measure", "tiny.yaml", "--trial", 0)
    assert (said.code, len(said.mistakes)) == (1, 1)
    assert "costs of jetson_nano are estimated: no network runs there; name a device" in said.mistakes[0]
    assert "finished: 0, 1, 2, 3" in nasopt("measure", "tiny.yaml", "--trial", 77).mistakes[0]
    assert nasopt("report", "tiny.yaml", "--no-test").code == 0
    assert "No network runs on jetson\\_nano" in (study / "report-tiny/report.md").read_text()


def test_a_report_times_the_front_once(nasopt: Nasopt, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "quick.yaml").write_text(QUICK)
    assert nasopt("run", "tiny.yaml", "-q", "--trials", 2, "--set", "hardware.device=quick.yaml").code == 0
    where = ("report", "tiny", "--storage", "sqlite:///tiny.db", "--no-test")
    assert nasopt(*where, "--no-stream").code == 0
    assert "have not been timed over a stream" in (here / "report-tiny/report.md").read_text()
    assert nasopt(*where).code == 0
    written = (here / "report-tiny/report.md").read_text()
    assert "| quick | 288 |" in written

    def again(*_: object) -> None:
        raise AssertionError("the front was timed before")

    with monkeypatch.context() as patch:
        patch.setattr("nasopt.hardware.backends.local.time_stream", again)
        assert nasopt(*where).code == 0
    assert (here / "report-tiny/report.md").read_text() == written
    for file in (here / "tiny.db.nasopt/artifacts").iterdir():
        file.unlink()
    assert "weights of trial" in nasopt("measure", "tiny.yaml", "--trial", 0).mistakes[0]
