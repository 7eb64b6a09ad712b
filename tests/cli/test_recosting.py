"""A study's networks on other devices: predicted, estimated and really measured ones, from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Nasopt, Said
from tests.cli.test_streams import QUICK


def content(said: Said) -> Any:
    assert said.code == 0, said.err
    return json.loads(said.out)


def test_transfer_ranks_and_keeps_what_it_took(nasopt: Nasopt, study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = content(nasopt("transfer", "tiny.yaml", "--device", "raspberry_pi_4", "--all", "--json"))
    assert told["provenance"] == "predicted"
    assert [t["number"] for t in told["trials"]] == [0, 1, 2, 3]
    (ranks,) = told["correlations"]
    here = [t["here"]["latency_ms"]["value"] for t in told["trials"]]
    there = [t["there"]["latency_ms"]["value"] for t in told["trials"]]
    concordant = [(here[i] - here[j]) * (there[i] - there[j]) > 0 for i in range(4) for j in range(i)]
    assert ranks["kendall"] == pytest.approx(2 * sum(concordant) / 6 - 1)
    assert ranks["kendall_ci95"] is None  # four trials are too few
    assert {t["here"]["latency_ms"]["provenance"] for t in told["trials"]} == {"estimated"}
    front = {t["number"] for t in content(nasopt("status", "--json"))[0]["front"]}
    assert set(told["front"]["stays"]) | set(told["front"]["leaves"]) == front

    def again(*_: object, **__: object) -> None:
        raise AssertionError("this was taken before")

    with monkeypatch.context() as patch:
        patch.setattr("nasopt.study.recosting.open_problem", again)
        shown = nasopt("transfer", "tiny.yaml", "--device", "raspberry_pi_4", "--all", "--to", "figures")
    assert shown.code == 0, shown.err
    assert "Kendall tau" in shown.out
    assert {f.name for f in Path("figures").iterdir()} == {f"transfer-raspberry_pi_4.{kind}" for kind in ("png", "svg")}
    assert nasopt("report", "tiny.yaml", "--no-test").code == 0
    report = Path("report-tiny/report.md").read_text().replace("\\", "")
    assert "## Other devices" in report
    assert "(transfer-raspberry_pi_4.png)" in report


def test_other_conditions_are_taken_anew(nasopt: Nasopt, study: Path) -> None:
    def figure() -> float:
        told = content(nasopt("transfer", "tiny.yaml", "--device", "board.yaml", "--json"))
        return float(told["trials"][0]["there"]["latency_ms"]["value"])

    from nasopt.spec.shipped import folder

    profile = (folder("hardware") / "jetson_nano.yaml").read_text().replace("name: jetson_nano", "name: board")
    (study / "board.yaml").write_text(profile)
    before = figure()
    (study / "board.yaml").write_text(profile.replace("run_overhead_us: 50", "run_overhead_us: 5000"))
    assert figure() > before + 4


def test_confirmation_sets_measured_beside_estimated(nasopt: Nasopt, study: Path) -> None:
    (study / "quick.yaml").write_text(QUICK)
    told = content(nasopt("confirm", "tiny.yaml", "--device", "quick.yaml", "--json"))
    assert (told["modelled_device"], told["device"]) == ("jetson_nano", "quick")
    (latency,) = told["metrics"]
    entries = zip(latency["modelled"], latency["measured"], latency["errors"], latency["held"], strict=True)
    for modelled, measured, error, held in entries:
        assert (modelled["provenance"], measured["provenance"]) == ("estimated", "measured")
        assert error == pytest.approx(modelled["value"] / measured["value"] - 1)
        assert held == (modelled["ci95"][0] <= measured["value"] <= modelled["ci95"][1])
    assert "interval held" in nasopt("confirm", "tiny.yaml", "--device", "quick.yaml").out
    assert nasopt("report", "tiny.yaml", "--no-test").code == 0
    assert "Modelled costs of jetson\\_nano beside those measured on quick" in Path("report-tiny/report.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "pattern"),
    [
        (["transfer", "tiny.yaml", "--device", "jetson_nano"], "has its costs from jetson_nano; name another"),
        (["transfer", "tiny.yaml", "--device", "nope"], "no device named 'nope'; known: "),
        (["transfer", "nope", "--device", "pixel", "--storage", "sqlite:///tiny.db"], "no study 'nope'"),
        (["confirm", "tiny.yaml", "--device", "pixel"], "pixel gives estimated costs; confirming takes a device that"),
        (["confirm", "tiny.yaml", "--device", "local", "--of", "pi"], "costs of jetson_nano, and none named 'pi'"),
    ],
)
def test_mistakes(nasopt: Nasopt, study: Path, arguments: list[str], pattern: str) -> None:
    said = nasopt(*arguments)
    assert (said.code, len(said.mistakes)) == (2, 1), said.err
    assert pattern in said.mistakes[0]


def test_points_of_a_table_run_nowhere(nasopt: Nasopt, here: Path) -> None:
    (here / "t.csv").write_text("a,b,accuracy,latency_ms\nx,u,0.5,1\nx,v,0.6,2\ny,u,0.7,3\ny,v,0.8,4\n")
    (here / "t.yaml").write_text(
        "study: {name: t, storage: 'sqlite:///t.db', trials: 3}\nproblem: {kind: table, file: t.csv}\n"
        "objectives: [accuracy, {metric: latency_ms, direction: minimize}]\n"
    )
    assert nasopt("run", "t.yaml", "-q").code == 0
    assert "no networks that another device could run" in nasopt("transfer", "t.yaml", "--device", "pixel").mistakes[0]
    assert "no network to measure" in nasopt("measure", "t.yaml", "--trial", 0).mistakes[0]
