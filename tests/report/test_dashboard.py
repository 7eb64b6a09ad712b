"""The dashboard over real HTTP: feasibility is respected and every answer is JSON that a browser reads."""

from __future__ import annotations

import json
import math
import threading
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import optuna
import pytest
from optuna.storages import BaseStorage
from optuna.trial import create_trial

from nasopt.errors import NasoptError, UsageError
from nasopt.report import dashboard, serving

Write = Callable[..., Any]


def _strict(constant: str) -> Any:
    raise AssertionError(f"a browser cannot parse {constant}")


class Client:
    def __init__(self, port: int) -> None:
        self.base = f"http://127.0.0.1:{port}"

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.base + path, timeout=20) as answer:
            return json.loads(answer.read(), parse_constant=_strict)

    def study(self, name: str) -> Any:
        listed = self.get("/api/studies")["study_summaries"]
        found = next(s for s in listed if s["study_name"] == name)
        return self.get(f"/api/studies/{found['study_id']}")

    def id_of(self, name: str) -> int:
        return next(s["study_id"] for s in self.get("/api/studies")["study_summaries"] if s["study_name"] == name)


@pytest.fixture
def client(storage: BaseStorage) -> Iterator[Client]:
    server = serving.open_server(storage, port=0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Client(server.server_port)
    server.shutdown()
    server.server_close()
    thread.join(10)


def numbers(trials: list[Any]) -> list[int]:
    return sorted(t["number"] for t in trials)


def test_infeasible_trials_show_constraints_and_are_never_best(
    storage: BaseStorage, write: Write, client: Client
) -> None:
    written = write("s", storage=storage)
    good = written.completed(0.9, 2.0)
    dominating_but_refused = written.completed(0.99, 1.0, over=0.5)
    refused = written.lost("infeasible")
    written.lost("diverged")
    written.failed("device lost")
    written.running()
    detail = client.study("s")
    by_number = {t["number"]: t for t in detail["trials"]}
    assert numbers(detail["best_trials"]) == [good]
    assert by_number[dominating_but_refused]["constraints"] == [0.5]
    assert by_number[refused]["constraints"] == [5.0]
    assert "values" not in by_number[refused]
    assert by_number[good]["constraints"] == [-1.0]
    assert len(by_number) == 6
    assert detail["objective_names"] == ["accuracy", "latency_ms"]


def test_the_database_keeps_one_format(storage: BaseStorage, write: Write, client: Client) -> None:
    write("s", storage=storage).completed(0.9, 2.0, over=0.5)
    client.study("s")
    study = optuna.load_study(study_name="s", storage=storage)
    assert study.trials[0].constraints == {"macs": 0.5}
    assert "constraints" not in study.trials[0].system_attrs


def test_one_objective_takes_the_best_feasible_trial(storage: BaseStorage, write: Write, client: Client) -> None:
    written = write("one", (("accuracy", "maximize"),), storage)
    written.completed(0.99, over=2.0)
    assert numbers(client.study("one")["best_trials"]) == []
    good = write("two", (("accuracy", "maximize"),), storage)
    good.completed(0.99, over=2.0)
    best = good.completed(0.9)
    good.completed(0.8)
    assert numbers(client.study("two")["best_trials"]) == [best]


def test_infinite_violations_are_json(storage: BaseStorage, write: Write, client: Client) -> None:
    study = optuna.create_study(storage=storage, study_name="inf", directions=["minimize", "minimize"])
    study.add_trial(create_trial(values=[math.inf, math.inf], constraints={"a": math.inf, "b": -math.inf}))
    trial = client.study("inf")["trials"][0]
    assert trial["constraints"][0] > 0 > trial["constraints"][1]


def test_importances_are_served_beside_refused_trials(storage: BaseStorage, write: Write, client: Client) -> None:
    written = write("imp", storage=storage).search(12)
    written.lost("infeasible")
    answer = client.get(f"/api/studies/{client.id_of('imp')}/param_importances")
    assert len(answer["param_importances"]) == 2
    assert all(math.isfinite(p["importance"]) for p in answer["param_importances"][0])


def test_new_trials_appear_after_polling(
    storage: BaseStorage, write: Write, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = write("poll", storage=storage)
    running = written.running()
    assert client.study("poll")["trials"][running]["state"] == "Running"
    study = written.study
    study.tell(running, [0.5, 1.0])
    monkeypatch.setattr("optuna_dashboard._storage.timedelta", lambda seconds: __import__("datetime").timedelta(0))
    assert client.study("poll")["trials"][running]["state"] == "Complete"


def test_another_dashboard_is_refused_rather_than_wrong(memory: BaseStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    from optuna_dashboard import _app

    monkeypatch.delattr(_app, "get_pareto_front_trials")
    with pytest.raises(NasoptError, match=r"install optuna-dashboard 0\.21"):
        dashboard.make_app(memory)


def test_a_taken_port_is_said_so(memory: BaseStorage) -> None:
    with (
        serving.open_server(memory, port=0) as server,
        pytest.raises(UsageError, match=f"{server.server_port}.*--port"),
    ):
        serving.open_server(memory, port=server.server_port)


def test_pareto_front_agrees_with_optuna(write: Write) -> None:
    for count in (2, 3):
        objectives = (("accuracy", "maximize"), ("latency_ms", "minimize"), ("energy_mj", "minimize"))[:count]
        written = write(f"s{count}", objectives).search(60, seed=count)
        study = written.study
        expected = [t.number for t in study.best_trials]
        assert [t.number for t in dashboard.pareto_front(study.trials, study.directions)] == sorted(expected)
