"""A supernet of digits, trained for a moment, shared by the tests of what is built on it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nasopt.cache import Cache
from nasopt.data import load_data
from nasopt.evaluation import Device, EvaluationContext
from nasopt.hardware import backend_for, load_profile
from nasopt.records import Candidate
from nasopt.space import BigLittleSpace
from nasopt.spec.data import DataSpec
from nasopt.spec.space import SpaceSpec
from nasopt.spec.training import TrainingSpec
from nasopt.training import train_supernet

SPACE = SpaceSpec.model_validate(
    {"channels": [8, 12], "strides": [1, 2], "little": {"depth": [1, 2]}, "big": {"depth": [1, 2]}}
)
TRAINING = TrainingSpec.model_validate(
    {"threads": 1, "supernet": {"epochs": 2, "batch_size": 128}, "cotrain": {"epochs": 1}}
)


@pytest.fixture(scope="session")
def space() -> BigLittleSpace:
    return BigLittleSpace(SPACE, native_resolution=8)


@pytest.fixture(scope="session")
def context(space: BigLittleSpace, tmp_path_factory: pytest.TempPathFactory) -> EvaluationContext:
    """Costs are predicted from a datasheet, which is quick and always the same."""
    cache = Cache(tmp_path_factory.mktemp("evaluation"))
    data = load_data(DataSpec(), seed=0)
    layout = space.layout(in_channels=data.channels, classes=len(data.classes))
    trained = train_supernet(layout, data, TRAINING, seed=0, cache=cache, progress=lambda _: None)
    profile = load_profile("jetson_nano")
    device = Device(
        name="jetson_nano", profile=profile, backend=backend_for(profile), protocol=profile.protocol.protocol()
    )
    return EvaluationContext(
        layout=layout, data=data, trained=trained, training=TRAINING, devices=(device,), seed=0, cache=cache
    )


@pytest.fixture
def candidate(space: BigLittleSpace) -> Candidate:
    """Smallest little, largest big, a learned router."""
    first = space.decode(
        {name: d.to_external_repr(0) for name, d in space.distributions.items() if name != "router.tau"}
        | {"router.tau": 0.6}
    )
    layout = space.layout(in_channels=1, classes=10)
    return replace(first, little=layout.smallest(), big=layout.largest(), router="learned")
