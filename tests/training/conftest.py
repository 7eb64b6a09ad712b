from __future__ import annotations

import pytest

from nasopt.cache import Cache
from nasopt.data import ImageData, load_data
from nasopt.records import Candidate, LossWeights, NetworkLayout, StageChoice
from nasopt.spec.data import AugmentSpec, DataSpec
from nasopt.spec.training import CotrainSpec, SupernetSpec, TrainingSpec
from nasopt.training import TrainedSupernet, train_supernet

LAYOUT = NetworkLayout(
    in_channels=1,
    classes=10,
    stem_channels=8,
    stem_stride=1,
    channels=(8, 16),
    strides=(2, 1),
    widths=(0.5, 1.0),
    depths=(1, 2),
    kernels=(3, 5),
    expansions=(1, 3),
    resolutions=(8,),
)


@pytest.fixture(scope="session")
def layout() -> NetworkLayout:
    return LAYOUT


@pytest.fixture(scope="session")
def digits() -> ImageData:
    return load_data(DataSpec(augment=AugmentSpec(crop=1)), seed=0)


@pytest.fixture(scope="session")
def recipe() -> TrainingSpec:
    return TrainingSpec(
        threads=1,
        supernet=SupernetSpec(epochs=8, batch_size=64, learning_rate=8e-3, ema=0.9),
        cotrain=CotrainSpec(epochs=1, router_epochs=3),
    )


@pytest.fixture(scope="session")
def trained(layout, digits, recipe, tmp_path_factory) -> TrainedSupernet:
    return train_supernet(layout, digits, recipe, seed=0, cache=Cache(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def candidate(layout) -> Candidate:
    return Candidate(
        little=(StageChoice(width=0.5, depth=1, kernel=3, expansion=1),) * 2,
        big=layout.largest(),
        router="learned",
        tau=0.5,
        loss=LossWeights(alpha=1.0, beta=1.0, gamma=0.5, lambda_=0.5, temperature=2.0, eta=0.1),
        resolution=8,
    )
