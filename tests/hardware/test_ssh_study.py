"""A study that measures over SSH, whose server is killed in the middle of a measurement."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest

from nasopt.hardware import backend_for
from nasopt.hardware.backends.ssh.backend import SshBackend
from nasopt.records import TimingProtocol, TrialKeys
from nasopt.spec.device import DeviceProfile
from nasopt.study import run
from nasopt.study.events import TrialEnded
from nasopt.testing import graphs
from tests.hardware.sshd import Server, why_not
from tests.study.stand_in import StandIn, make_spec

pytestmark = [pytest.mark.timed, pytest.mark.skipif(why_not() is not None, reason=str(why_not()))]

PROTOCOL = TimingProtocol(warmup_runs=3, warmup_s=0, min_runs=10, min_s=0.6, max_s=1.0, drift_limit=9, tight_enough=9)
LONG = replace(PROTOCOL, min_s=6.0, max_s=8.0)  # the server is killed well before its end


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    running = Server(tmp_path / "sshd").start()
    yield running
    running.stop()


def test_killing_the_server_in_a_measurement_loses_no_trial(server: Server, tmp_path: Path) -> None:
    content = {"name": "bench", "description": "", "processor": "", "reach": server.reach()}
    choice = server.backend(tmp_path / "board", patience_s=1.5)
    backend = backend_for(DeviceProfile.model_validate(content | {"backend": choice}))
    assert isinstance(backend, SshBackend)
    model = graphs.write_classifier(tmp_path / "model.onnx")
    started, ends, drawn = [], [], []

    def measure(params: Mapping[str, Any]) -> None:
        drawn.append(dict(params))
        if len(drawn) == 2:
            timer = threading.Timer(0.4, server.stop)
            timer.start()
            started.append(timer)
        if server.stopped and len(drawn) > 2:
            server.start()  # the board is switched on again only after the trial was given up
        assert backend.measure(model, LONG if len(drawn) == 2 else PROTOCOL).latency.runs >= 10

    def listen(event: Any) -> None:
        if isinstance(event, TrialEnded):
            ends.append(event)

    backend.signature()
    spec, storage = make_spec("memory", study__trials=4), optuna.storages.InMemoryStorage()
    start = time.perf_counter()
    result = run(spec, problem=StandIn(spec, fault=measure), storage=storage, listener=listen)
    assert time.perf_counter() - start < 60
    assert result.finished == 4
    (lost,) = [event for event in ends if event.ended == "device lost"]
    assert lost.aside
    trials = result.study.optuna.get_trials()
    assert {t.user_attrs[TrialKeys.ENDED] for t in trials} <= {"completed", "infeasible"}
    back = next(t for t in trials if t.number == lost.number)
    assert back.params == drawn[1]
    assert back.user_attrs[TrialKeys.ENDED] == "completed"
