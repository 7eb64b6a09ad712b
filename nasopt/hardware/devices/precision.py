"""Which precisions a device's backend can take the costs of."""

from __future__ import annotations

from typing import Any

from nasopt.errors import MeasurementError
from nasopt.records import Precision


def refuse_precision(backend: Any, device: str, precision: Precision, activations: str | None = None) -> None:
    """Nothing, if the backend takes networks of this precision: it names those that it takes in `precisions`, or any.

    `activations` are those of quantised networks (`training.quantization`); a backend may name what it takes there.

    Raises:
        MeasurementError: it does not.
    """
    taken = getattr(backend, "precisions", None)
    if taken is not None and precision not in taken:
        raise MeasurementError(
            f"device {device!r} (backend {backend.name}) has costs for networks in {', '.join(taken)}, not in "
            f"{precision}; choose another (space.precision), or complete the device's datasheet or calibration"
        )
    eight = getattr(backend, "activations", None)
    if precision == "int8" and activations is not None and eight is not None and activations not in eight:
        raise MeasurementError(
            f"device {device!r} (backend {backend.name}) takes quantised networks with {' or '.join(eight)} "
            f"activations, and the study makes {activations} ones; set training.quantization.activations: {eight[0]}"
        )
