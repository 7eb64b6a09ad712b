"""The problem `big-little`: coupled networks of one supernet with a router, on real data and devices."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from nasopt.cache import Cache
from nasopt.data import load_data
from nasopt.errors import UsageError
from nasopt.evaluation import (
    LITTLE_LIGHTER,
    CostContext,
    Device,
    DeviceCosts,
    EvaluationContext,
    device_costs,
    evaluate,
    inspect,
    score_test,
    time_streams,
)
from nasopt.hardware import backend_for, load_profile, profile_with, refuse_precision
from nasopt.records import Inspection, Outcome, Precision, StudyKeys
from nasopt.records.metrics import split_metric
from nasopt.records.prior import ArchitecturePrior
from nasopt.records.stream import RoutedStream
from nasopt.space import BigLittleSpace
from nasopt.spec.study import StudySpec
from nasopt.training import RelaxationTask, RoleChoices, TrainedSupernet, train_prior, train_supernet
from nasopt.training.preferences import against_nature
from nasopt.training.relaxation import ROLES


class BigLittleProblem:
    """Loads data and devices at construction; trains or recalls the supernet in `prepare`."""

    structural = (LITTLE_LIGHTER,)

    def __init__(self, spec: StudySpec, cache: Cache) -> None:
        """Raises DataError, SpecError or UnknownPluginError where data or a device is not to be had.

        MeasurementError: a device has no costs for a precision of the space.
        UsageError: the space names no precision, and the devices differ in theirs.
        """
        self._spec = spec
        self._cache = cache
        self.data = load_data(spec.data, seed=spec.study.seed)
        self.suffix = "" if self.data.used == self.data.requested else f"@{self.data.used}"
        self.devices = tuple(_devices(spec))
        self.space = BigLittleSpace(
            spec.space, native_resolution=max(self.data.size, 8), native_precision=_native_precision(spec, self.devices)
        )
        for device in self.devices:
            for precision in self.space.precisions():
                refuse_precision(device.backend, device.name, precision, spec.training.quantization.activations)
        self.distributions = self.space.distributions
        self.layout = self.space.layout(in_channels=self.data.channels, classes=len(self.data.classes))
        self._trained: TrainedSupernet | None = None

    def prepare(self, progress: Callable[[Any], None]) -> None:
        """Train the supernet, or load it from the cache.

        Raises:
            MeasurementError: a device cannot be used, before anything is trained.
        """
        for device in self.devices:
            device.backend.signature()
        if self._trained is None:
            self._trained = train_supernet(
                self.layout,
                self.data,
                self._spec.training,
                seed=self._spec.study.seed,
                cache=self._cache,
                progress=progress,
            )

    def architecture_prior(self, progress: Callable[[Any], None]) -> ArchitecturePrior:
        """Relax the supernet and train the prior of both roles' choices, or recall it; `prepare` comes first.

        Thresholds, routers, loss weights and resolution are not relaxed, so the prior leaves them open; exits are
        reckoned by confidence, in expectation over the thresholds, at the largest resolution.

        Raises:
            UsageError: an objective is optimised in the direction that no metric of its kind is good in.
        """
        assert self._trained is not None
        for objective in self._spec.objectives:
            if against_nature(objective.metric, objective.sense):
                raise UsageError(
                    f"the relaxation cannot {objective.sense} {objective.metric}; leave its direction out, or take "
                    "another sampler"
                )
        return train_prior(
            self._trained,
            self._relaxation(),
            self.data,
            self._spec.training,
            seed=self._spec.study.seed,
            cache=self._cache,
            progress=progress,
        ).prior

    def _relaxation(self) -> RelaxationTask:
        wanted = {split_metric(o.metric)[1] for o in self._spec.objectives} - {None}
        device = next((d for d in self.devices if d.name in wanted), self.devices[0])
        predict, precision = getattr(device.backend, "predict", None), self.space.precisions()[0]
        return RelaxationTask(
            choices={role: RoleChoices(**self.space.offered(role)) for role in ROLES},  # type: ignore[arg-type]
            names=self.space.stage_parameters(),  # type: ignore[arg-type]
            objectives=tuple(o.metric for o in self._spec.objectives),
            taus=self.space.thresholds(),
            resolution=self.layout.resolutions[-1],
            predictor=None if predict is None else partial(predict, precision=precision),
            signature={**device.backend.signature(), "precision": precision},
        )

    def facts(self) -> Mapping[str, Any]:
        """Data, devices, and the supernet once there is one."""
        splits = {name: len(getattr(self.data, name).labels) for name in ("train", "validation", "test")}
        found: dict[str, Any] = {
            StudyKeys.DATA: {
                "name": self.data.name,
                "requested": self.data.requested,
                **splits,
                "classes": len(self.data.classes),
                "found": self.data.found,
                "notices": list(self.data.notices),
                "untested": self.data.untested,
                "fingerprint": self.data.fingerprint,
                "preprocessing": {
                    "pixel_range": list(self.data.pixel_range),
                    "scale": 1 / 255,
                    "mean": list(self.data.mean),
                    "std": list(self.data.std),
                    "class_names": list(self.data.classes),
                },
            },
            StudyKeys.DEVICES: [_describe(device) for device in self.devices],
        }
        if self._trained is not None:
            found[StudyKeys.SUPERNET] = {
                "key": self._trained.key,
                "seconds": self._trained.seconds,
                "cached": self._trained.cached,
                "subnet_accuracy": list(self._trained.subnet_accuracies),
            }
        return found

    def inspect(self, params: Mapping[str, Any]) -> Inspection:
        """Exact MACs and parameters, bounds of what hangs on the exit rate, and whether little is lighter than big."""
        return inspect(self.layout, self.space.decode(params))

    def evaluate(self, params: Mapping[str, Any]) -> Outcome:
        """Train, export, route and measure one candidate, or recall what is known of it."""
        return self.evaluate_watched(params, lambda _: None)

    def evaluate_watched(self, params: Mapping[str, Any], progress: Callable[[Any], None]) -> Outcome:
        """The same; `progress` hears of each epoch of co-training."""
        assert self._trained is not None, "prepare() comes first"
        context = EvaluationContext(
            layout=self.layout,
            data=self.data,
            trained=self._trained,
            training=self._spec.training,
            devices=self.devices,
            seed=self._spec.study.seed,
            cache=self._cache,
        )
        return evaluate(context, self.space.decode(params), progress)

    def score_test(self, params: Mapping[str, Any], files: Mapping[str, Path]) -> Mapping[str, float]:
        """Quality on the test split of the stored network, at this point's threshold and precision."""
        return score_test(files, self.data, self.space.decode(params))

    def recost(self, params: Mapping[str, Any], *, exit_rate: float) -> Mapping[str, DeviceCosts]:
        """Costs of a point on each device, at an exit rate seen on the validation split; nothing is trained."""
        context = CostContext(layout=self.layout, devices=self.devices, training=self._spec.training, cache=self._cache)
        candidate, inputs = self.space.decode(params), len(self.data.validation.labels)
        return {d.name: device_costs(context, candidate, d, exit_rate=exit_rate, inputs=inputs) for d in self.devices}

    def time_streams(
        self, params: Mapping[str, Any], files: Mapping[str, Path]
    ) -> tuple[Mapping[str, RoutedStream], Mapping[str, str]]:
        """The stored network over validation images in their order; by device, and why the others cannot time it."""
        return time_streams(files, self.data, self.devices, self.space.decode(params))


def _native_precision(spec: StudySpec, devices: Sequence[Device]) -> Precision:
    """What the devices run in, where the space does not say.

    Raises:
        UsageError: they differ; one network has one accuracy.
    """
    own = {device.name: device.profile.precision for device in devices}
    if spec.space.precision is None and len(set(own.values())) > 1:
        listed = ", ".join(f"{name} {precision}" for name, precision in own.items())
        raise UsageError(f"the devices run networks in different precisions ({listed}); choose with space.precision")
    return devices[0].profile.precision


def _devices(spec: StudySpec) -> list[Device]:
    """The devices of a study, ready to measure.

    Raises:
        UsageError: energy is asked of a device that has no meter.
    """
    wanted = [*(o.metric for o in spec.objectives), *(c.metric for c in spec.constraints)]
    wants_energy = {split_metric(m)[1] or spec.device_names[0] for m in wanted if split_metric(m)[0] == "energy_mj"}
    devices = []
    for name, given in zip(spec.device_names, spec.hardware.device, strict=True):
        profile = profile_with(load_profile(given), spec.hardware.backend)
        backend = backend_for(profile, meter=spec.hardware.meter)
        if name in wants_energy and backend.meter == "none":
            raise UsageError(f"energy_mj is wanted of {name}, which has no energy meter; set hardware.meter")
        protocol = spec.hardware.protocol.protocol(profile.protocol)
        devices.append(Device(name=name, profile=profile, backend=backend, protocol=protocol))
    return devices


def _describe(device: Device) -> dict[str, Any]:
    return {
        "name": device.name,
        "description": device.profile.description,
        "backend": device.backend.name,
        "provenance": device.backend.provenance,
        "meter": device.backend.meter,
        "reading": {key: str(value) for key, value in getattr(device.backend, "reading", {}).items()},
        "remedy": device.profile.how_to_measure,
    }
