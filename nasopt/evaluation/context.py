"""Everything besides the candidate that an evaluation depends on."""

from __future__ import annotations

from dataclasses import dataclass

from nasopt.cache import Cache
from nasopt.hardware import Backend
from nasopt.records import NetworkLayout, TimingProtocol
from nasopt.spec.device import DeviceProfile
from nasopt.spec.training import TrainingSpec
from nasopt.training import ImageData, TrainedSupernet


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device that costs are taken on, ready to measure."""

    name: str
    profile: DeviceProfile
    backend: Backend
    protocol: TimingProtocol


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationContext:
    """The fixed inputs of every evaluation of a study."""

    layout: NetworkLayout
    data: ImageData
    trained: TrainedSupernet
    training: TrainingSpec
    devices: tuple[Device, ...]
    seed: int
    cache: Cache
