"""Routed networks as streams under ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from nasopt.errors import MeasurementError
from nasopt.hardware.agent import runs_onnxruntime
from nasopt.hardware.devices.refusals import translated
from nasopt.hardware.timing.stream import Images
from nasopt.records.stream import Way


class IfStream:
    """One session of the routed graph: ONNX Runtime runs the branch that `If` takes. Inputs and outputs stay bound."""

    way: Way = "if-graph"

    def __init__(self, model: Path, images: Images, threads: int, options: Mapping[str, Any]) -> None:
        """`images` (n, c, h, w) as the network takes them; `options` as the measuring loop takes them.

        Raises:
            MeasurementError: ONNX Runtime does not take the graph, or the images do not fit it.
        """
        providers = list(options["providers"])
        with translated():
            session = runs_onnxruntime.open_session(str(model), threads, providers)
            runs_onnxruntime.refuse_fallback(session, providers[0])
        (source,), outputs = session.get_inputs(), {v.name: v for v in session.get_outputs()}
        if list(source.shape) != [1, *images.shape[1:]] or set(outputs) != {"logits", "exited"}:
            wanted = ", ".join(map(str, (1, *images.shape[1:])))
            raise MeasurementError(
                f"{model} takes {source.shape} and gives {', '.join(outputs)}; expected a routed graph that takes "
                f"[{wanted}] and gives logits and exited"
            )
        self._session, self._images = session, images
        self._image = onnxruntime.OrtValue.ortvalue_from_numpy(images[:1])
        self._exited = onnxruntime.OrtValue.ortvalue_from_shape_and_type(outputs["exited"].shape, np.bool_)
        self._binding = session.io_binding()
        self._binding.bind_ortvalue_input(source.name, self._image)
        self._binding.bind_ortvalue_output("exited", self._exited)
        self._logits = onnxruntime.OrtValue.ortvalue_from_shape_and_type(outputs["logits"].shape, np.float32)
        self._binding.bind_ortvalue_output("logits", self._logits)

    def load(self, index: int) -> None:
        """Copy an image into the bound input."""
        self._image.update_inplace(self._images[index : index + 1])

    def run(self) -> None:
        """Run the graph once."""
        self._session.run_with_iobinding(self._binding)

    def exited(self) -> bool:
        """What the graph's router decided."""
        return bool(self._exited.numpy()[0])
