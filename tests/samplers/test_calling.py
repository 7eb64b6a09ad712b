"""Factories that leave the check of their options to Python: users read one line all the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from optuna.samplers import BaseSampler, RandomSampler

from nasopt.errors import UsageError
from nasopt.samplers.factory import call_factory


def plain(*, seed: int | None = None, start: int = 6) -> BaseSampler:
    if start < 0:
        raise ValueError("start must be 0 or more\nand a second line")
    return RandomSampler(seed=seed + start if seed is not None else None)


def needy(*, model: str) -> Any:
    return model


@pytest.mark.parametrize(
    ("factory", "options", "said"),
    [
        (plain, {"begin": 1}, r"^sampler mine has no option 'begin'; it takes start$"),
        (plain, {"seed": 1}, r"^sampler mine: option 'seed' is set by nasopt itself; remove it$"),
        (plain, {"start": -1}, r"^sampler mine refuses its options: start must be 0 or more$"),
        (plain, {"start": "x"}, r"^sampler mine refuses its options: .*'str' and 'int'"),
        (needy, {}, r"^sampler mine refuses its options: .*'model'$"),
        (needy, {"model": "m"}, r"^sampler mine gave a str, not an optuna\.samplers\.BaseSampler$"),
    ],
)
def test_wrong_options_are_a_usage_error_of_one_line(factory: Any, options: Mapping[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        call_factory("mine", factory, options, {"seed": 0, "trials": 9})


def test_a_factory_is_given_what_it_asks_for() -> None:
    assert isinstance(call_factory("mine", plain, {"start": 2}, {"seed": 0, "trials": 9}), RandomSampler)
