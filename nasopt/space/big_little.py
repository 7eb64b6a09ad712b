"""The family `big-little`: two sub-networks of one supernet, a router between them, and the weights of their loss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any, cast

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from nasopt.records import Architecture, Candidate, LossWeights, NetworkLayout, Precision, StageChoice
from nasopt.space.cardinality import Cardinality, cardinality
from nasopt.spec.base import Range
from nasopt.spec.space import SpaceSpec, StageSpace, values

ROLES = ("little", "big")
THRESHOLDS = 16
"""So many values of tau stand for a continuous range of it."""


class BigLittleSpace:
    """Optuna distributions of what is searched, and the way between parameters and candidates.

    The distributions are static: no choice opens or closes another, so relational samplers see the whole space. What
    the study file fixes has no distribution; `decode` fills it in.
    """

    def __init__(self, spec: SpaceSpec, *, native_resolution: int, native_precision: Precision = "fp32") -> None:
        """`native_resolution` (pixels) and `native_precision` are used where the study file names none."""
        self.spec = spec
        self.stages = len(spec.channels)
        self._choices = dict(_choices(spec, native_resolution, native_precision))
        self.distributions: dict[str, BaseDistribution] = {
            name: distribution
            for name, choice in self._choices.items()
            if (distribution := _distribution(choice)) is not None
        }

    def decode(self, params: Mapping[str, Any]) -> Candidate:
        """The candidate that these parameters (name -> value, as Optuna gives them) stand for.

        Raises:
            KeyError: a searched parameter is missing.
        """
        full = {n: params[n] if n in self.distributions else _only(c) for n, c in self._choices.items()}
        loss = {n.removeprefix("loss."): float(v) for n, v in full.items() if n.startswith("loss.")}
        loss["lambda_"] = loss.pop("lambda")
        return Candidate(
            little=self._architecture("little", full),
            big=self._architecture("big", full),
            router=full["router.kind"],
            tau=float(full["router.tau"]),
            loss=LossWeights(**loss),
            resolution=int(full["resolution"]),
            precision=full["precision"],
        )

    def encode(self, candidate: Candidate) -> dict[str, Any]:
        """The parameters of a candidate; `decode` of them is the candidate again."""
        full: dict[str, Any] = {"resolution": candidate.resolution, "precision": candidate.precision}
        for role in ROLES:
            for number, stage in enumerate(getattr(candidate, role), start=1):
                full |= {_name(role, number, axis): value for axis, value in asdict(stage).items()}
        full |= {"router.kind": candidate.router, "router.tau": candidate.tau}
        full |= {f"loss.{k.rstrip('_')}": v for k, v in asdict(candidate.loss).items()}
        return {name: full[name] for name in self.distributions}

    def cardinality(self) -> Cardinality:
        """Exact count of the discrete points; every combination is a different candidate."""
        return cardinality(self.distributions)

    def layout(self, *, in_channels: int, classes: int) -> NetworkLayout:
        """The supernet that offers every choice of this space."""
        offered = {axis: self._offered(axis) for axis in ("width", "depth", "kernel", "expansion")}
        return NetworkLayout(
            in_channels=in_channels,
            classes=classes,
            stem_channels=self.spec.stem_channels,
            stem_stride=self.spec.stem_stride,
            channels=tuple(self.spec.channels),
            strides=tuple(self.spec.strides),
            widths=tuple(offered["width"]),
            depths=tuple(int(v) for v in offered["depth"]),
            kernels=tuple(int(v) for v in offered["kernel"]),
            expansions=tuple(int(v) for v in offered["expansion"]),
            resolutions=tuple(sorted(int(v) for v in values(self._choices["resolution"]))),
        )

    def precisions(self) -> tuple[Precision, ...]:
        """What networks may run in, the first of the study file first."""
        choice = self._choices["precision"]
        return tuple(choice) if isinstance(choice, list) else (choice,)

    def offered(self, role: str) -> dict[str, tuple[float, ...]]:
        """What each stage of a role may be: axis -> values, ascending, fixed ones included.

        Raises:
            ValueError: a choice is continuous.
        """
        section = getattr(self.spec, role)
        return {axis: tuple(sorted(values(getattr(section, axis)))) for axis in StageSpace.model_fields}

    def stage_parameters(self) -> dict[str, tuple[str, int, str]]:
        """The searched parameters that shape the networks: name -> role, stage from 0, axis."""
        return {
            name: (role, stage, axis)
            for role in ROLES
            for stage in range(self.stages)
            for axis in StageSpace.model_fields
            if (name := _name(role, stage + 1, axis)) in self.distributions
        }

    def thresholds(self) -> tuple[float, ...]:
        """Values of tau that stand for all that may be drawn: the finite ones, or evenly spaced over the range."""
        tau = self.spec.router.tau
        if isinstance(tau, Range) and tau.step is None:
            width = (tau.high - tau.low) / THRESHOLDS
            return tuple(tau.low + (i + 0.5) * width for i in range(THRESHOLDS))
        return tuple(values(tau))

    def _offered(self, axis: str) -> list[float]:
        return sorted({v for role in ROLES for v in values(getattr(getattr(self.spec, role), axis))})

    def _architecture(self, role: str, full: Mapping[str, Any]) -> Architecture:
        widths = values(getattr(self.spec, role).width)  # a sampler's arithmetic may miss a step by a rounding error

        def stage(number: int) -> StageChoice:
            return StageChoice(
                width=min(widths, key=lambda w: abs(w - full[_name(role, number, "width")])),
                depth=int(full[_name(role, number, "depth")]),
                kernel=int(full[_name(role, number, "kernel")]),
                expansion=int(full[_name(role, number, "expansion")]),
            )

        return tuple(stage(n) for n in range(1, self.stages + 1))


def _name(role: str, stage: int, axis: str) -> str:
    return f"{role}.{stage}.{axis}"


def _choices(spec: SpaceSpec, native_resolution: int, native_precision: Precision) -> Iterator[tuple[str, Any]]:
    """Every choice by parameter name, in the order in which samplers meet them."""
    for role in ROLES:
        stage: StageSpace = getattr(spec, role)
        for number in range(1, len(spec.channels) + 1):
            for axis in StageSpace.model_fields:
                yield _name(role, number, axis), getattr(stage, axis)
    yield "router.kind", spec.router.kind
    yield "router.tau", spec.router.tau
    for weight in type(spec.loss).model_fields:
        yield f"loss.{weight.rstrip('_')}", getattr(spec.loss, weight)
    yield "resolution", native_resolution if spec.resolution is None else spec.resolution
    yield "precision", native_precision if spec.precision is None else spec.precision


def _distribution(choice: Any) -> BaseDistribution | None:
    """The distribution of a choice; None where it leaves nothing to choose."""
    if isinstance(choice, list):
        return CategoricalDistribution(choice) if len(choice) > 1 else None
    if not isinstance(choice, Range) or choice.low == choice.high:
        return None
    if isinstance(choice.low, int):
        whole = cast(Range[int], choice)
        high = whole.high if whole.log else int(values(whole)[-1])  # the last step that fits
        return IntDistribution(whole.low, high, log=whole.log, step=whole.step or 1)
    top = choice.high if choice.step is None else values(choice)[-1]
    return FloatDistribution(choice.low, top, log=choice.log, step=choice.step)


def _only(choice: Any) -> Any:
    if isinstance(choice, list):
        return choice[0]
    return choice.low if isinstance(choice, Range) else choice
