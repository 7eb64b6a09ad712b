"""The record of an architecture prior."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasopt.errors import UsageError
from nasopt.records.prior import ArchitecturePrior, read_prior


def tables(rows: int, choices: int) -> st.SearchStrategy[list[list[float]]]:
    row = st.lists(st.floats(0.01, 1), min_size=choices, max_size=choices).map(lambda r: [v / sum(r) for v in r])
    return st.lists(row, min_size=rows, max_size=rows)


@st.composite
def priors(draw: st.DrawFn) -> ArchitecturePrior:
    rows = draw(st.integers(1, 3))
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    made = {f"x{i}": draw(tables(rows, size)) for i, size in enumerate(sizes)}
    return ArchitecturePrior(
        objectives=("accuracy", "macs"),
        preferences=tuple(tuple(r) for r in draw(tables(rows, 2))),
        choices={f"x{i}": tuple(range(size)) for i, size in enumerate(sizes)},
        probabilities={n: tuple(tuple(r) for r in t) for n, t in made.items()},
        provenance={"seconds": 3.5, "supernet": "abc"},
        epochs=({"entropy": 0.9, "smallest_share": 0.3, "loss": 1.0},),
    )


@given(priors())
def test_json_restores_the_record(prior: ArchitecturePrior) -> None:
    assert ArchitecturePrior.from_json(json.loads(json.dumps(prior.to_json()))) == prior
    assert json.loads(json.dumps(prior.summary()))["seconds"] == prior.seconds == 3.5


@given(priors())
def test_controls(prior: ArchitecturePrior) -> None:
    """The uniform one has all entropy there is; the shuffled one has this prior's, on an order that is not its own."""
    open_choice = any(len(c) > 1 for c in prior.choices.values())
    for row in range(len(prior.preferences)):
        assert prior.uniform().entropy(row) == pytest.approx(1.0 if open_choice else 0.0)
        assert prior.shuffled().entropy(row) == pytest.approx(prior.entropy(row))
        for name, table in prior.probabilities.items():
            mine = prior.shuffled().probabilities[name][row]
            assert sorted(mine) == sorted(table[row])
            if len(mine) > 1 and len(set(table[row])) == len(mine):
                assert mine != table[row]
    assert prior.shuffled() == prior.shuffled()


def test_entropy_and_smallest_share() -> None:
    prior = ArchitecturePrior(
        objectives=("accuracy",),
        preferences=((1.0,),),
        choices={"a": (1, 2), "b": (1, 2), "fixed": (7,)},
        probabilities={"a": ((1.0, 0.0),), "b": ((0.5, 0.5),), "fixed": ((1.0,),)},
    )
    assert prior.entropy(0) == pytest.approx(0.5)
    assert prior.smallest_share(0) == pytest.approx(0.75)
    assert prior.mode(0) == {"a": 1, "b": 1}


def test_nearest_preference() -> None:
    prior = ArchitecturePrior(
        objectives=("a", "b"),
        preferences=((0.8, 0.2), (0.2, 0.8)),
        choices={"x": (1, 2)},
        probabilities={"x": ((0.5, 0.5), (0.5, 0.5))},
    )
    assert prior.nearest((0.9, 0.1)) == 0
    assert prior.nearest((0.4, 0.6)) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"preferences": [[0.5, 0.6]]},
        {"preferences": []},
        {"choices": {}},
        {"probabilities": {"x": [[0.5, 0.4]]}},
        {"probabilities": {"x": [[math.nan, 0.5]]}},
        {"probabilities": {"x": [[0.5, 0.5], [0.5, 0.5]]}},
        {"probabilities": {"y": [[0.5, 0.5]]}},
        {"probabilities": [1]},
        {"format": 2},
    ],
)
def test_what_does_not_fit_together_is_refused(change: dict[str, object], tmp_path: Path) -> None:
    good = ArchitecturePrior(
        objectives=("a", "b"),
        preferences=((0.5, 0.5),),
        choices={"x": (1, 2)},
        probabilities={"x": ((0.5, 0.5),)},
    ).to_json()
    file = tmp_path / "prior.json"
    file.write_text(json.dumps(good))
    assert read_prior(file).choices == {"x": (1, 2)}
    file.write_text(json.dumps(good | change))
    with pytest.raises(UsageError, match=r"prior\.json"):
        read_prior(file)
