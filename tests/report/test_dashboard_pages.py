"""The dashboard's pages in a real browser, and who may ask its server."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIServer

import pytest
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from nasopt.database import open_storage
from nasopt.report import load_view, serving
from tests.stored import restore

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    f"--{flag}"
    for flag in (
        *("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking"),
        *("disable-component-update", "disable-sync"),
    )
]
PATIENCE_MS = 120_000
PLOTS = """() => [...document.querySelectorAll('.js-plotly-plot')].filter(d => d._fullLayout && d._fullLayout.xaxis)
.map(d => ({id: d.id, x: d._fullLayout.xaxis.type, y: d._fullLayout.yaxis.type,
traces: d.data.map(t => ({x: [...(t.x || [])], y: [...(t.y || [])]}))}))"""


@pytest.fixture
def serve() -> Iterator[Callable[[BaseStorage], WSGIServer]]:
    """`serve(storage)`: a server in a thread."""
    servers: list[WSGIServer] = []

    def start(storage: BaseStorage) -> WSGIServer:
        server = serving.open_server(storage, port=0)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    if not CHROMIUM.exists():
        pytest.skip(f"needs a Chromium at {CHROMIUM}: apt-get install chromium")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS, timeout=PATIENCE_MS)
        yield opened
        opened.close()


def plots(browser: Any, address: str, *, wanted: str) -> dict[str, Any]:
    """Axes and points of a page's plots, once the one of this id has drawn; a script's error fails."""
    page = browser.new_page(viewport={"width": 1400, "height": 1600})
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(address, timeout=PATIENCE_MS, wait_until="domcontentloaded")
    page.wait_for_selector(f"#{wanted} .main-svg", timeout=PATIENCE_MS)
    page.wait_for_function(
        f"() => document.getElementById('{wanted}').data.some(t => (t.y || []).some(v => v !== null))",
        timeout=PATIENCE_MS,
    )
    found = {plot["id"]: plot for plot in page.evaluate(PLOTS)}
    page.close()
    assert not errors
    return found


def points(plot: Any) -> set[tuple[Any, Any]]:
    """Every point of a plot that has a place."""
    pairs = {pair for trace in plot["traces"] for pair in zip(trace["x"], trace["y"], strict=False)}
    return {(x, y) for x, y in pairs if x is not None and y is not None}


@pytest.mark.parametrize("older", [True, False])
def test_pareto_axes_are_numbers_and_the_front_is_where_it_belongs(
    older: bool, browser: Any, serve: Callable[[BaseStorage], WSGIServer], write: Callable[..., Any], tmp_path: Path
) -> None:
    """Mostly infeasible, with diverged, failed, pruned and running trials, of an older version and of this one."""
    if older:
        storage, name = open_storage(restore("infinite_values.sql", tmp_path / "old.db")), "digits"
    else:
        storage, name = open_storage(f"sqlite:///{tmp_path}/new.db"), "new"
        written = write(name, storage=storage)
        for _ in range(6):
            written.lost("infeasible")
            written.lost("diverged")
        written.completed(0.9, 2.0)
        written.completed(0.7, 1.0)
        written.completed(0.6, 4.0)
        written.completed(0.99, 0.5, over=0.3)
        written.failed("device lost")
        written.study.tell(written.running(), state=TrialState.PRUNED)
        written.running()
    address = f"http://127.0.0.1:{serve(storage).server_port}"
    page = f"{address}/dashboard/studies/{storage.get_study_id_from_name(name)}"
    overview = plots(browser, page, wanted="graph-pareto-front")
    pareto = overview["graph-pareto-front"]
    assert (pareto["x"], pareto["y"]) == ("linear", "linear")
    view = load_view(storage, name)
    measured = {t.values for t in view.trials if t.values is not None}
    assert points(pareto) == measured
    front = {(x, y) for x, y in zip(pareto["traces"][-1]["x"], pareto["traces"][-1]["y"], strict=True)}
    assert front == {t.values for t in view.front()}
    assert {y for _, y in points(overview["plot-history"])} <= {first for first, _ in measured}
    analytics = plots(browser, f"{page}/analytics", wanted="plot-slice")
    assert analytics["plot-slice"]["y"] == "linear"
    assert {y for _, y in points(analytics["plot-slice"])} == {first for first, _ in measured}
    assert all(plot["x"] == plot["y"] == "linear" for id_, plot in analytics.items() if id_.startswith("plot-edf"))
    assert points(analytics["plot-edf-0"])


def asked(port: int, method: str, path: str, **headers: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.putrequest(method, path, skip_host=True)
    for key, value in ({"Host": f"127.0.0.1:{port}"} | headers).items():
        connection.putheader(key, value)
    connection.endheaders()
    status = connection.getresponse().status
    connection.close()
    return status


def test_only_its_own_pages_may_ask_and_change(
    serve: Callable[[BaseStorage], WSGIServer], storage: BaseStorage, write: Callable[..., Any]
) -> None:
    study_id = write("s", storage=storage).study._study_id
    port = serve(storage).server_port
    own, path = f"http://127.0.0.1:{port}", f"/api/studies/{study_id}"
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", "localhost:1", ""):
        for method in ("GET", "DELETE", "POST", "PUT", "PATCH"):
            assert asked(port, method, path, Host=host) == 403
    for origin in (
        "http://evil.example",
        f"http://evil.example:{port}",
        "null",
        f"https://127.0.0.1:{port}",
        own + "1",
    ):
        for method in ("DELETE", "POST", "PUT", "PATCH"):
            assert asked(port, method, path, Origin=origin) == 403
    assert [s.study_name for s in storage.get_all_studies()] == ["s"]
    assert asked(port, "GET", path, Origin="http://evil.example") == 200  # a browser hands such an answer to nobody
    assert asked(port, "GET", path, Host=f"LOCALHOST:{port}") == 200
    assert asked(port, "DELETE", path, Origin=own) == 204
    assert storage.get_all_studies() == []


def test_downloads_and_answers_hold_no_infinity(
    serve: Callable[[BaseStorage], WSGIServer], storage: BaseStorage, write: Callable[..., Any], tmp_path: Path
) -> None:
    """Neither values of an older version, nor attributes and intermediate values of somebody else's trials."""
    old = open_storage(restore("infinite_values.sql", tmp_path / "old.db"))
    study_id = old.get_study_id_from_name("ends")
    trial_id = old.create_new_trial(study_id)
    old.set_trial_user_attr(trial_id, "endless", float("inf"))
    old.set_trial_intermediate_value(trial_id, 1, float("inf"))
    connection = http.client.HTTPConnection("127.0.0.1", serve(old).server_port, timeout=60)
    connection.request("GET", f"/csv/{study_id}")
    assert ",inf," not in connection.getresponse().read().decode().replace("-inf", "inf")
    connection.request("GET", f"/api/studies/{study_id}")
    detail = json.loads(connection.getresponse().read())
    by_number = {t["number"]: t for t in detail["trials"]}
    assert by_number[0]["state"] == "Pruned"
    assert {a["key"]: a["value"] for a in by_number[0]["user_attrs"]}["reason"] == "weights<=900 violated by 11.1%"
    assert not {"inf", "-inf"} & {str(v) for t in detail["trials"] for v in t.get("values", [])}
    assert not {"inf", "-inf"} & {a["value"] for t in detail["trials"] for a in t["user_attrs"]}
    assert not by_number[max(by_number)]["intermediate_values"]
    assert old.get_all_trials(study_id)[0].values == [float("-inf"), float("inf")]
