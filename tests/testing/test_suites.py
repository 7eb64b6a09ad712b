"""The conformance suites, run against what comes with nasopt."""

from __future__ import annotations

import pytest

from nasopt.cache import Cache
from nasopt.hardware import Backend, backend_for, load_profile
from nasopt.hardware.meters import CodeCarbonMeter, EnergyMeter, NoMeter
from nasopt.problems import Problem
from nasopt.problems.big_little import BigLittleProblem
from nasopt.spec.device import DeviceProfile
from nasopt.spec.study import StudySpec
from nasopt.testing import BackendSuite, MeterSuite, ProblemSuite

pytestmark = pytest.mark.timed


class TestOnnxRuntime(BackendSuite):
    @pytest.fixture(scope="class")
    def backend(self) -> Backend:
        return backend_for(load_profile("local"), meter="codecarbon")


class TestShippedJetsonNano(BackendSuite):
    @pytest.fixture(scope="class")
    def backend(self) -> Backend:
        return backend_for(load_profile("jetson_nano"))


class TestRooflineWithoutPower(BackendSuite):
    @pytest.fixture(scope="class")
    def backend(self) -> Backend:
        sheet = {"peak_gflops": {"fp32": 10.0}, "bandwidth_gb_s": 2.0}
        content = {"name": "paper", "description": "", "processor": "", "backend": "predicted", "datasheet": sheet}
        return backend_for(DeviceProfile.model_validate(content))


class TestCodeCarbon(MeterSuite):
    @pytest.fixture
    def meter(self) -> EnergyMeter:
        return CodeCarbonMeter()


class TestNone(MeterSuite):
    reads_energy = False

    @pytest.fixture
    def meter(self) -> EnergyMeter:
        return NoMeter()


TINY = {
    "study": {"name": "tiny", "storage": "memory"},
    "data": {"name": "digits", "train_images": 200},
    "space": {
        "precision": "fp32",
        "channels": [8, 12],
        "strides": [2, 1],
        "little": {"width": [0.25, 0.5], "depth": 1, "kernel": 3, "expansion": [1, 2]},
        "big": {"width": [0.75, 1.0], "depth": [1, 2], "kernel": 3, "expansion": [2, 4]},
    },
    "training": {"supernet": {"epochs": 1}, "cotrain": {"epochs": 1}, "device": "cpu", "threads": 1},
    "hardware": {
        "device": ["local", "jetson_nano"],
        "protocol": {"warmup_s": 0.0, "min_runs": 20, "min_s": 0.02, "max_s": 0.5, "blocks": 4, "tight_enough": 1.0},
    },
    "objectives": ["accuracy", "latency_ms@local"],
}


class TestBigLittle(ProblemSuite):
    @pytest.fixture(scope="class")
    def problem(self, tmp_path_factory: pytest.TempPathFactory) -> Problem:
        return BigLittleProblem(StudySpec.model_validate(TINY), Cache(tmp_path_factory.mktemp("cache")))

    @pytest.fixture(scope="class")
    def twin(self, tmp_path_factory: pytest.TempPathFactory) -> Problem:
        return BigLittleProblem(StudySpec.model_validate(TINY), Cache(tmp_path_factory.mktemp("twin")))
