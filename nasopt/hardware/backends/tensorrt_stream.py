"""Routed networks as streams of two engines, with the router on the host between them."""

from __future__ import annotations

from typing import Any

import numpy as np

from nasopt.errors import MeasurementError
from nasopt.hardware.timing.stream import Images
from nasopt.records.stream import Way


class HostRouter:
    """The easy path's engine, and the hard one's, which reads the features where the other left them on the GPU.

    The host reads the score and decides. Answers stay on the GPU, as they do where the paths are timed alone.
    """

    way: Way = "host-router"

    def __init__(self, easy: Any, hard: Any, images: Images, tau: float) -> None:
        """`easy` and `hard` are sessions of `runs_tensorrt`; `images` (n, c, h, w) as the network takes them.

        Raises:
            MeasurementError: the images do not fit the easy path, or its features the hard one.
        """
        (_, shape), (features, taken) = easy.inputs[0], hard.inputs[0]
        if shape != (1, *images.shape[1:]):
            raise MeasurementError(f"the easy path takes images of shape {shape}, not {(1, *images.shape[1:])}")
        if features not in easy.outputs or easy.outputs[features] != taken:
            raise MeasurementError(
                f"the hard path reads {features!r} of shape {taken}, and the easy one gives {easy.outputs}; expected "
                "the two paths of one network"
            )
        hard.bind(features, easy.buffer(features))
        self._easy, self._hard, self._images, self._tau = easy, hard, images, np.float32(tau)
        self._left = False

    def load(self, index: int) -> None:
        """Copy an image to the GPU."""
        self._easy.fill([self._images[index : index + 1]])

    def run(self) -> None:
        """Run the easy path, and the hard one where the score is below tau."""
        self._left = bool(self._easy.once_reading("score").reshape(-1)[0] >= self._tau)
        if not self._left:
            self._hard.once()

    def exited(self) -> bool:
        """What the host decided."""
        return self._left
