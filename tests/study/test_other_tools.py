"""What other tools make of a study in which trials ended in every way: Optuna's own, pandas and pyarrow."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import pytest
from optuna import visualization
from optuna.trial import TrialState, create_trial

from nasopt.errors import DivergedError, EvaluationError, PrunedError
from nasopt.spec.study import load_spec
from nasopt.study import run

from .stand_in import StandIn, make_spec

ENDINGS: dict[str, Callable[[], Exception]] = {
    "diverged": lambda: DivergedError("the loss is not finite in epoch 1"),
    "evaluation failed": lambda: EvaluationError("raised"),
    "pruned": lambda: PrunedError("given up"),
}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Trials that completed, were refused, diverged, failed and were pruned; one added and one asked for by others."""
    url = f"sqlite:///{tmp_path_factory.mktemp('mixed')}/mixed.db"
    spec = make_spec(url, constraints=[{"metric": "macs_hard", "max": 3.0e5}])
    turns = iter(range(1000))

    def fault(_: Mapping[str, Any]) -> None:
        turn = next(turns)
        if turn % 2 and turn // 2 < len(ENDINGS):  # never two in a row
            raise list(ENDINGS.values())[turn // 2]()

    problem = StandIn(spec, fault=fault)
    run(spec, problem=problem)
    study = optuna.load_study(study_name="stand-in", storage=url)
    some = next(t for t in study.trials if t.state == TrialState.COMPLETE)
    study.add_trial(create_trial(params=some.params, distributions=some.distributions, values=some.values))
    study.ask()
    return url


@pytest.fixture
def study(url: str) -> optuna.Study:
    return optuna.load_study(study_name="stand-in", storage=url)


def test_all_endings_are_there(study: optuna.Study) -> None:
    ended = {t.user_attrs.get("ended") for t in study.trials}
    assert ended == {"completed", "infeasible", *ENDINGS, None}
    assert {t.state for t in study.trials} == {
        TrialState.COMPLETE,
        TrialState.PRUNED,
        TrialState.FAIL,
        TrialState.RUNNING,
    }


def test_figures_are_scalar_attributes(study: optuna.Study) -> None:
    for trial in study.trials:
        attributes = trial.user_attrs
        if attributes.get("ended") == "completed":
            assert attributes["accuracy"] == trial.values[0]
            assert attributes["macs"] == trial.values[1]
            assert 0 <= attributes["exit_rate"] <= 1
        if attributes.get("ended") in ("infeasible", *ENDINGS):
            assert attributes["macs_hard"] > 0  # known without an evaluation
            assert "macs" not in attributes  # only its bounds are
            assert attributes["reason"]
        scalars = {k: v for k, v in attributes.items() if k != "slot"}
        assert all(isinstance(v, str | int | float) for v in scalars.values())


def test_the_command_line_of_optuna_prints_json(url: str) -> None:
    code = "import sys; from optuna.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "trials", "--study-name", "stand-in", "--storage", url, "-f", "json"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    assert len(json.loads(said.stdout, parse_constant=refuse)) == len(
        optuna.load_study(study_name="stand-in", storage=url).trials
    )


def test_a_data_frame_describes_and_saves(study: optuna.Study, tmp_path: Path) -> None:
    frame = study.trials_dataframe()
    assert {"values_accuracy", "values_macs", "user_attrs_exit_rate", "user_attrs_macs_hard"} <= set(frame.columns)
    described = frame.describe()
    numbers = described.select_dtypes("number").drop(index="count")
    assert not numbers.map(lambda v: isinstance(v, float) and math.isinf(v)).any(axis=None)
    _saves(frame, tmp_path)


@pytest.mark.parametrize("kind", ["table", "python"])
def test_data_frames_of_other_problems_save(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    changes = ["study.trials=4", "study.storage=sqlite:///s.db", "sampler=random"]
    if kind == "table":
        rows = [f"{a},{b},{a / 7 + b / 9},{a * b}" for a in range(5) for b in range(5)]
        Path("t.csv").write_text("\n".join(["a,b,error,cost", *rows]))
        Path("s.yaml").write_text(
            "study: {name: s}\nproblem: {kind: table, file: t.csv, choices: [a, b]}\n"
            "objectives: [{metric: error, direction: minimize}, {metric: cost, direction: minimize}]\n"
        )
        spec = load_spec("s.yaml", overrides=changes)
    else:
        Path("bowl.py").write_text(
            "from optuna.distributions import FloatDistribution\n"
            "class Bowl:\n"
            "    distributions = {'x': FloatDistribution(0, 1)}\n"
            "    def evaluate(self, params):\n"
            "        return {'error': params['x'] ** 2, 'cost': 1 - params['x']}\n"
        )
        Path("s.yaml").write_text(
            "study: {name: s}\nproblem: {kind: python, target: 'bowl:Bowl'}\n"
            "objectives: [{metric: error, direction: minimize}, {metric: cost, direction: minimize}]\n"
        )
        spec = load_spec("s.yaml", overrides=changes)
    result = run(spec)
    _saves(result.study.optuna.trials_dataframe(), tmp_path)


def _saves(frame: pd.DataFrame, folder: Path) -> None:
    frame.to_csv(folder / "frame.csv")
    frame.to_parquet(folder / "frame.parquet")
    assert len(pd.read_csv(folder / "frame.csv")) == len(pd.read_parquet(folder / "frame.parquet")) == len(frame)


PLOTS = sorted(n for n in visualization.__all__ if n.startswith("plot_"))
ONE_OBJECTIVE = {
    "plot_contour",
    "plot_edf",
    "plot_optimization_history",
    "plot_parallel_coordinate",
    "plot_param_importances",
    "plot_rank",
    "plot_slice",
}
NOT_FOR_SEVERAL = {"plot_intermediate_values", "plot_terminator_improvement"}


@pytest.mark.parametrize("name", [n for n in PLOTS if n not in NOT_FOR_SEVERAL])
def test_plots_have_finite_values_and_named_axes(study: optuna.Study, name: str) -> None:
    options: dict[str, Any] = {}
    if name in ONE_OBJECTIVE:
        options = {"target": lambda t: t.values[0], "target_name": "accuracy"}
    if name == "plot_hypervolume_history":
        options = {"reference_point": [0.0, 1e9]}
    figure = getattr(visualization, name)(study, **options).to_dict()
    text = json.dumps(figure, default=lambda v: getattr(v, "tolist", lambda: str(v))())
    assert "Infinity" not in text
    if name == "plot_pareto_front":
        axes = [figure["layout"][a]["title"]["text"] for a in ("xaxis", "yaxis")]
        assert axes == ["accuracy", "macs"]
