"""Optuna's own samplers through our factories. Optuna runs its suites on them; ours says what they leave out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from optuna.samplers import BaseSampler
from optuna.testing.pytest_samplers import BasicSamplerTestCase, MultiObjectiveSamplerTestCase, RelativeSamplerTestCase

from nasopt.samplers.builtin import tpe
from nasopt.testing.samplers import SamplerSuite


class TestNSGA2(SamplerSuite, BasicSamplerTestCase, MultiObjectiveSamplerTestCase):
    target = "nasopt.samplers.builtin:nsga2"
    unique = False
    learns = False  # trials added from elsewhere are no generation of its own
    stateless = False  # generations are attributes of the study


class TestNSGA3(SamplerSuite, BasicSamplerTestCase, MultiObjectiveSamplerTestCase):
    target = "nasopt.samplers.builtin:nsga3"
    unique = False
    learns = False
    stateless = False


class TestTPE(SamplerSuite, BasicSamplerTestCase, MultiObjectiveSamplerTestCase):
    target = "nasopt.samplers.builtin:tpe"
    unique = False


class TestTPEFromTheStart(RelativeSamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return lambda: tpe(seed=0, n_startup_trials=0)


class TestRandom(SamplerSuite, BasicSamplerTestCase, MultiObjectiveSamplerTestCase):
    target = "nasopt.samplers.builtin:random"
    unique = False
    learns = False


class TestGP(SamplerSuite):
    target = "nasopt.samplers.builtin:gp"
    unique = False
    trials = 16
