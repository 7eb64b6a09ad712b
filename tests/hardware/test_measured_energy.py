"""Energy of a real network on ONNX Runtime, by counters of a machine that draws 40 W while this process computes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nasopt.cli import app
from tests.hardware import sensors
from tests.hardware.sensors import Machine

pytestmark = pytest.mark.timed

BUSY_W = 40.0

PROFILE = """
name: bench
description: This machine with counters of its own
processor: the host's CPU
backend: onnxruntime
meter: {{name: rapl, options: {{root: {root}}}}}
protocol: {{warmup_s: 0.05, min_s: 0.2, blocks: 6, drift_limit: 0.5, tight_enough: 1, energy_windows: 3,
  energy_window_s: 0.6}}
"""


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="this system tells no processor time by thread")
def test_net_energy_is_what_the_network_draws(tmp_path: Path, convolution: Callable[..., Path]) -> None:
    machine = Machine(swing_w=0.0, busy_w=BUSY_W)
    root = sensors.powercap(machine, tmp_path / "powercap")
    profile = tmp_path / "bench.yaml"
    profile.write_text(PROFILE.format(root=root))
    with machine.running():
        said = CliRunner().invoke(app, ["measure", str(convolution(64, 32)), "--device", str(profile), "--json"])
    assert said.exit_code == 0, said.output
    taken: dict[str, Any] = json.loads(said.output)
    energy, latency = taken["energy"], taken["latency"]
    assert (energy["meter"], energy["provenance"], energy["windows"]) == ("rapl", "measured", 3)
    # processor time is no less than the quickest run, and no more than wall time with the loop around it
    assert 0.9 * BUSY_W * latency["min_ms"] < energy["net_mj"] < 1.5 * BUSY_W * latency["p90_ms"]
    assert energy["net_ci95_mj"][0] <= energy["net_mj"] <= energy["net_ci95_mj"][1]
    assert energy["gross_mj"] > energy["net_mj"]  # the machine idles at 8 W


def test_a_meter_can_be_named_on_the_command_line(tmp_path: Path, convolution: Callable[..., Path]) -> None:
    said = CliRunner().invoke(app, ["measure", str(convolution()), "--meter", "iio"])
    assert said.exit_code == 1
    assert "no energy counter under /sys/bus/iio/devices" in str(said.exception)
