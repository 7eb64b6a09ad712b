"""The encoding of the big-little family."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from nasopt.space import BigLittleSpace
from nasopt.spec.space import SpaceSpec

EVERYTHING = SpaceSpec.model_validate(
    {
        "resolution": [8, 16, 32],
        "precision": ["int8", "fp32"],
        "channels": [8, 12, 16],
        "strides": [1, 2, 1],
        "little": {"width": {"low": 0.1, "high": 0.7, "step": 0.1}, "depth": {"low": 1, "high": 3}},
        "big": {"kernel": {"low": 3, "high": 7, "step": 2}, "expansion": 4},
        "loss": {
            "alpha": [0.5, 1],
            "lambda": {"low": 0.01, "high": 1.0, "log": True},
            "eta": {"low": 0.0, "high": 1.0},
        },
    }
)


def draw(distribution: BaseDistribution) -> st.SearchStrategy[Any]:
    match distribution:
        case CategoricalDistribution():
            return st.sampled_from(distribution.choices)
        case IntDistribution():
            return st.integers(0, (distribution.high - distribution.low) // distribution.step).map(
                lambda i: distribution.low + i * distribution.step
            )
        case FloatDistribution(step=None):
            return st.floats(distribution.low, distribution.high)
        case FloatDistribution():
            steps = round((distribution.high - distribution.low) / distribution.step)
            return st.integers(0, steps).map(lambda i: min(distribution.low + i * distribution.step, distribution.high))
    raise AssertionError(distribution)


@pytest.mark.parametrize("spec", [SpaceSpec(), EVERYTHING], ids=["default", "everything"])
@given(data=st.data())
def test_encoding_round_trips(spec: SpaceSpec, data: st.DataObject) -> None:
    space = BigLittleSpace(spec, native_resolution=32)
    params = data.draw(st.fixed_dictionaries({n: draw(d) for n, d in space.distributions.items()}))
    candidate = space.decode(params)
    assert space.encode(candidate) == params
    assert space.decode(space.encode(candidate)) == candidate
    assert all(d._contains(d.to_internal_repr(space.encode(candidate)[n])) for n, d in space.distributions.items())


def test_cardinality_of_the_default_space() -> None:
    cardinality = BigLittleSpace(SpaceSpec(), native_resolution=32).cardinality()
    assert cardinality.discrete == (4 * 4 * 3 * 4) ** 8 * 3
    assert cardinality.continuous == ("router.tau",)


def test_cardinality_counts_every_point() -> None:
    spec = SpaceSpec.model_validate(
        {
            "channels": [8],
            "strides": [1],
            "little": {"width": [0.5, 1.0], "depth": {"low": 1, "high": 4, "step": 2}, "kernel": 3, "expansion": [2]},
            "big": {"width": 1.0, "depth": 2, "kernel": [3, 5], "expansion": 4},
            "router": {"kind": "confidence", "tau": {"low": 0.1, "high": 0.7, "step": 0.1}},
        }
    )
    space = BigLittleSpace(spec, native_resolution=8)
    points = set()
    axes = {
        "little.1.width": [0.5, 1.0],
        "little.1.depth": [1, 3],
        "big.1.kernel": [3, 5],
        "router.tau": [0.1 + 0.1 * i for i in range(7)],
    }
    assert set(space.distributions) == set(axes)
    for values in itertools.product(*axes.values()):
        points.add(space.decode(dict(zip(axes, values, strict=True))))
    assert space.cardinality().discrete == len(points)
    assert space.cardinality().continuous == ()


def test_fixed_values_are_filled_in() -> None:
    spec = SpaceSpec.model_validate({"router": {"tau": 0.7, "kind": "learned"}, "loss": {"lambda": 0.25}})
    space = BigLittleSpace(spec, native_resolution=32)
    params = {n: d.to_external_repr(0.0) for n, d in space.distributions.items()}
    candidate = space.decode(params)
    assert (candidate.router, candidate.tau, candidate.loss.lambda_, candidate.resolution) == ("learned", 0.7, 0.25, 32)
    assert "router.tau" not in space.distributions


def test_layout_offers_the_choices_of_both_networks() -> None:
    spec = SpaceSpec.model_validate(
        {"little": {"kernel": 3, "width": [0.25, 0.5]}, "big": {"kernel": [5, 7], "width": [0.75, 1]}}
    )
    layout = BigLittleSpace(spec, native_resolution=32).layout(in_channels=3, classes=10)
    assert layout.kernels == (3, 5, 7)
    assert layout.widths == (0.25, 0.5, 0.75, 1.0)
    assert layout.smallest()[0].kernel == 3
    assert layout.largest()[0].width == 1.0


def test_what_each_role_offers_and_which_parameters_say_so() -> None:
    """Choices ascend, fixed ones are there; every searched parameter of a stage is named with its place."""
    space = BigLittleSpace(EVERYTHING, native_resolution=8)
    little, big = space.offered("little"), space.offered("big")
    assert little["depth"] == (1, 2, 3)
    assert len(little["width"]) == 7
    assert big["kernel"] == (3, 5, 7)
    assert big["expansion"] == (4,)
    parameters = space.stage_parameters()
    assert parameters["big.2.kernel"] == ("big", 1, "kernel")
    assert "big.1.expansion" not in parameters
    assert set(parameters) == {n for n in space.distributions if n.startswith(("little.", "big."))}


@pytest.mark.parametrize(
    ("tau", "expected"),
    [(0.7, (0.7,)), ([0.5, 0.9], (0.5, 0.9)), ({"low": 0.2, "high": 0.6, "step": 0.2}, (0.2, 0.4, 0.6))],
)
def test_finite_thresholds(tau: Any, expected: tuple[float, ...]) -> None:
    space = BigLittleSpace(SpaceSpec.model_validate({"router": {"tau": tau}}), native_resolution=8)
    assert space.thresholds() == pytest.approx(expected)


def test_a_range_of_thresholds_is_spread_evenly() -> None:
    spec = SpaceSpec.model_validate({"router": {"tau": {"low": 0.2, "high": 0.6}}})
    found = BigLittleSpace(spec, native_resolution=8).thresholds()
    assert sum(found) / len(found) == pytest.approx(0.4)
    assert 0.2 < min(found) < 0.22
    assert 0.58 < max(found) < 0.6


@pytest.mark.parametrize("choice", [None, "int8", ["int8"]])
def test_a_single_precision_is_no_parameter(choice: Any) -> None:
    spec = SpaceSpec.model_validate({"precision": choice})
    space = BigLittleSpace(spec, native_resolution=8, native_precision="fp16")
    assert "precision" not in space.distributions
    assert space.precisions() == ("fp16" if choice is None else "int8",)


def test_several_precisions_double_the_space() -> None:
    plain = BigLittleSpace(SpaceSpec(), native_resolution=8)
    both = BigLittleSpace(SpaceSpec.model_validate({"precision": ["fp32", "int8"]}), native_resolution=8)
    assert both.cardinality().discrete == 2 * plain.cardinality().discrete
    assert both.precisions() == ("fp32", "int8")
