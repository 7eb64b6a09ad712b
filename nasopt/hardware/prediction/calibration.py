"""Calibration files: a predictor of one device with its domain and its errors, as plain JSON."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field, ValidationError

from nasopt.errors import MeasurementError, SpecError
from nasopt.graphs.operators import Kind
from nasopt.hardware.prediction.domain import Domain
from nasopt.hardware.prediction.kernels import Kernel
from nasopt.hardware.prediction.model import KernelModel, network
from nasopt.hardware.prediction.validation import Errors
from nasopt.spec.base import Section

Quantity = Literal["latency_ms", "energy_mj"]
Yardstick = Literal["processor time", "ratio", "median"]
"""What tells latencies: the ratio to the reference network, in processor time or by the clock, or the median."""


_SHORTEST_MS = 1e-3
"""Starting any runtime takes a microsecond; a sum of rates below that says nothing."""
_MOST_UNPRICED = 0.1
"""Share of the values of a graph."""


class Anchor(Section):
    """A kernel that was seen, by what its correction depends on, and its weight."""

    kind: Kind
    channels: tuple[int, int]
    side: int = Field(ge=1)
    size: int = Field(ge=1)
    stride: int = Field(ge=1)
    batch: int = Field(default=1, ge=1)
    weight: float

    def kernel(self) -> Kernel:
        """The kernel as far as the correction needs it."""
        return Kernel(
            kind=self.kind,
            read=0,
            written=0,
            channels=self.channels,
            side=self.side,
            size=self.size,
            stride=self.stride,
            batch=self.batch,
        )


class Predictor(Section):
    """The fitted numbers of one quantity."""

    rates: dict[str, float]
    """Cost of a unit of each quantity, see `prediction.model`."""
    length: float = Field(gt=0)
    lanes: int = Field(default=1, ge=1)
    """Channels that the device packs into a vector, see `prediction.quantities`."""
    anchors: list[Anchor] = Field(default=[])
    factor: float = Field(ge=1)
    """The 95% interval of a network inside the domain is its prediction divided and multiplied by this."""
    factor_outside: float = Field(ge=1)
    """The same where anything about the network is extrapolated."""
    held_out: Errors
    """Networks of the domain that the fit did not see."""
    outside: list[Errors] = Field(default=[])
    """Networks that leave the domain of a fit made for this purpose."""

    @classmethod
    def of(
        cls, model: KernelModel, *, factor: float, factor_outside: float, held_out: Errors, outside: list[Errors]
    ) -> Predictor:
        """The record of a fitted model."""
        anchors = [
            Anchor(
                kind=k.kind,
                channels=k.channels,
                side=k.side,
                size=k.size,
                stride=k.stride,
                batch=k.batch,
                weight=weight,
            )
            for k, weight in model.anchors
        ]
        return cls(
            rates={name: rate for name, rate in model.rates.items() if rate > 0 or name.endswith(".starts")},
            length=model.length,
            lanes=model.lanes,
            anchors=anchors,
            factor=factor,
            factor_outside=max(factor, factor_outside),
            held_out=held_out,
            outside=outside,
        )

    def model(self) -> KernelModel:
        """The model that these numbers are."""
        anchors = tuple((a.kernel(), a.weight) for a in self.anchors)
        return KernelModel(rates=self.rates, anchors=anchors, length=self.length, lanes=self.lanes)


class Origin(Section):
    """How the costs of a calibration of one's own were taken."""

    backend: str
    provider: str
    taken: dt.date
    by: Yardstick
    reference_ms: float | None = None
    """What the reference took, in the median over the whole calibration: latencies hold while it does."""
    seconds: float = Field(ge=0)
    """Of measuring."""
    steady: float = Field(ge=0, le=1)
    """Share of measurements during which the machine kept to its baseline."""


class Calibration(Section):
    """All that a device's predictions need."""

    format: Literal[1] = 1
    device: str
    description: str
    """What was measured where, and with which software."""
    runtime: str
    precision: str = "fp32"
    threads: int | None = None
    networks: int = Field(ge=5)
    """How many the fit has seen."""
    domain: Domain
    quantities: dict[Quantity, Predictor] = Field(min_length=1)
    origin: Origin | None = None
    """None for published figures."""

    def predict(self, quantity: Quantity, kernels: tuple[Kernel, ...]) -> tuple[float, tuple[float, float]]:
        """Cost of one run and its 95% interval.

        Raises:
            MeasurementError: the graph is too small for this calibration, or too much of it is of kinds that the
                calibration has no rates for.
        """
        predictor = self.quantities[quantity]
        model = predictor.model()
        self._refuse_unpriced(kernels, model)
        value = float(model.predict([network(kernels)])[0])
        if not value > (_SHORTEST_MS if quantity == "latency_ms" else 0):
            raise MeasurementError(
                f"the graph is too small for the calibration of {self.device}, which was fitted to whole networks and "
                f"would say {value:.2g} {'ms' if quantity == 'latency_ms' else 'mJ'}; measure it on the device itself"
            )
        factor = predictor.factor_outside if self.domain.outside(kernels) else predictor.factor
        return value, (value / factor, value * factor)

    def _refuse_unpriced(self, kernels: tuple[Kernel, ...], model: KernelModel) -> None:
        """Kinds that were never seen and that shared rates charge nothing for may be a small part of a graph only."""
        unseen = [k for k in kernels if k.kind not in self.domain.kinds]
        costs = model.costs(unseen)
        free = [k for k, cost in zip(unseen, costs, strict=True) if cost <= 0]
        moved, whole = (sum(k.read + k.written for k in part) for part in (free, kernels))
        if moved > _MOST_UNPRICED * whole:
            kinds, known = (", ".join(sorted(set(names))) for names in ((k.kind for k in free), self.domain.kinds))
            raise MeasurementError(
                f"the graph is outside of the calibration of {self.device}: {moved / whole:.0%} of its values are "
                f"moved by kernels that were never measured there ({kinds}; it knows {known}); measure it on the "
                "device itself, or calibrate with networks that hold them"
            )

    def save(self, path: Path) -> None:
        """Write the file, rounded to what a measurement can mean."""
        path.write_text(_rounded(self).model_dump_json(indent=1, exclude_defaults=False) + "\n")


def load_calibration(path: Path) -> Calibration:
    """The calibration stored at `path`.

    Raises:
        SpecError: the file is missing, or is not a calibration.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SpecError(f"cannot read the calibration {path}: {reason}") from error
    try:
        return Calibration.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise SpecError(f"{path}: not a calibration of this version of nasopt: {place}: {first['msg']}") from error


def _rounded(calibration: Calibration) -> Calibration:
    """Six significant digits."""

    def short(value: float) -> float:
        return float(np.format_float_scientific(value, precision=5))

    quantities = {}
    for name, found in calibration.quantities.items():
        anchors = [a.model_copy(update={"weight": short(a.weight)}) for a in found.anchors]
        rates = {k: short(v) for k, v in found.rates.items()}
        factors = {"factor": short(found.factor) + 1e-5, "factor_outside": short(found.factor_outside) + 1e-5}
        quantities[name] = found.model_copy(update={"rates": rates, "anchors": anchors, **factors})
    return calibration.model_copy(update={"quantities": quantities})
