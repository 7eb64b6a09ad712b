"""Everything besides the candidate that an evaluation depends on."""

from __future__ import annotations

from dataclasses import dataclass

from nasopt.cache import Cache
from nasopt.data import ImageData
from nasopt.hardware import Backend
from nasopt.records import NetworkLayout, TimingProtocol
from nasopt.spec.device import DeviceProfile
from nasopt.spec.training import TrainingSpec
from nasopt.training import TrainedSupernet


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device that costs are taken on, ready to measure."""

    name: str
    profile: DeviceProfile
    backend: Backend
    protocol: TimingProtocol


@dataclass(frozen=True, slots=True, kw_only=True)
class CostContext:
    """What the costs of a candidate depend on: no weights."""

    layout: NetworkLayout
    devices: tuple[Device, ...]
    training: TrainingSpec
    """Its section `quantization` shapes graphs in int8."""
    cache: Cache


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationContext(CostContext):
    """The fixed inputs of every evaluation of a study."""

    data: ImageData
    trained: TrainedSupernet
    seed: int
