"""ONNX files of other people, ready to be measured: open sizes filled in, single numbers given, bounded in size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper, version_converter

from nasopt.errors import MeasurementError, UsageError
from nasopt.graphs.describe import LARGEST_MB, described, load, refuse_size, shown
from nasopt.graphs.resolving import resolved, shapes_of
from nasopt.records import ExportedModel

_BYTES_PER_VALUE = 4
"""Of what a graph computes, for its bound."""
_OLDEST_OPSET = 7
"""That ONNX Runtime has kernels for."""
_WIDE = (onnx.TensorProto.INT16, onnx.TensorProto.UINT16, onnx.TensorProto.INT32, onnx.TensorProto.UINT32)
_FILLED = (*_WIDE, onnx.TensorProto.INT64, onnx.TensorProto.UINT64)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A model that can be measured, and what was assumed for it."""

    model: ExportedModel
    remarks: tuple[str, ...] = ()
    proto: onnx.ModelProto = field(repr=False, default_factory=onnx.ModelProto)


@contextmanager
def prepared(
    path: Path,
    *,
    shapes: Mapping[str, Sequence[int]] | None = None,
    values: Mapping[str, float] | None = None,
    largest_mb: float = LARGEST_MB,
) -> Iterator[Prepared]:
    """The model at `path`, or a copy with what was given, for as long as the context lasts.

    Args:
        path: of the ONNX file.
        shapes: sizes of inputs by their name, or of an open dimension by its name, as one number.
        values: what inputs of a single element hold, by name; they become the inputs' defaults.
        largest_mb: bound of one tensor, in 10^6 bytes.

    Raises:
        UsageError: there is no such input or dimension, or the sizes do not fit it.
        MeasurementError: the file cannot be read, sizes are still open, or a tensor is larger than the bound.
    """
    model = load(path)
    given = _Given(model, path)
    given.set_shapes(shapes or {})
    given.set_values(values or {})
    given.assume_batch()
    given.renew()
    remarks = tuple(given.remarks) + _filling(given.inputs())
    if not given.changed:
        yield Prepared(described(model, path, path.stat().st_size, largest_mb), remarks, model)
        return
    described(model, path, 0, largest_mb)  # refuses under the name that the user knows
    with TemporaryDirectory(prefix="nasopt-model-") as folder:
        copy = Path(folder) / path.name
        try:
            copy.write_bytes(model.SerializeToString())
        except Exception as error:  # protobuf's own, for more than 2 GB
            raise MeasurementError(f"{path} with the given sizes cannot be written: {error}") from error
        yield Prepared(described(model, copy, copy.stat().st_size, largest_mb), remarks, model)


def refuse_large(found: Prepared, path: Path, largest_mb: float) -> None:
    """Raises MeasurementError where a runtime would have to make a tensor beyond the bound, as far as shapes tell."""
    stored = {t.name for t in found.proto.graph.initializer}
    try:
        graph = resolved(found.proto, path).graph
    except MeasurementError:
        return  # what runs the graph says what is wrong with it
    for name, shape in shapes_of(graph).items():
        if name not in stored:
            refuse_size(path, f"the value {name!r}", shape, _BYTES_PER_VALUE, largest_mb)


def _filling(inputs: Sequence[onnx.ValueInfoProto]) -> tuple[str, ...]:
    whole = [v.name for v in inputs if v.type.tensor_type.elem_type in _FILLED]
    if not whole:
        return ()
    return (f"integer inputs hold 1, or 0 where the graph does not run on 1: {', '.join(whole)}",)


class _Given:
    """Fills in what was given for the inputs of a model, in place."""

    def __init__(self, model: onnx.ModelProto, path: Path) -> None:
        self._model, self._path = model, path
        self.changed = False
        self.remarks: list[str] = []

    def inputs(self) -> list[onnx.ValueInfoProto]:
        """Inputs without a default, which have to be fed."""
        constants = {t.name for t in self._model.graph.initializer}
        return [v for v in self._model.graph.input if v.name not in constants]

    def set_shapes(self, shapes: Mapping[str, Sequence[int]]) -> None:
        """Fix the sizes of inputs, or of dimensions that have a name."""
        inputs = {v.name: v for v in self.inputs()}
        named = {d.dim_param for v in inputs.values() for d in v.type.tensor_type.shape.dim if d.dim_param}
        for name, sizes in shapes.items():
            if any(size < 1 for size in sizes):
                raise UsageError(f"the shape of {name!r} is {shown(sizes)}; expected sizes of at least 1")
            if name in inputs:
                self._fix(inputs[name], sizes)
            elif name in named and len(sizes) == 1:
                for value in inputs.values():
                    for dim in value.type.tensor_type.shape.dim:
                        if dim.dim_param == name:
                            self._set(dim, sizes[0])
            else:
                raise UsageError(
                    f"{self._path} has no input {name!r}; it has {', '.join(map(repr, inputs)) or 'none'}"
                    + (f", and open sizes called {', '.join(map(repr, sorted(named)))}" if named else "")
                )

    def _fix(self, value: onnx.ValueInfoProto, sizes: Sequence[int]) -> None:
        tensor = value.type.tensor_type
        seen = _sizes(value)
        if tensor.HasField("shape"):
            fits = len(seen) == len(sizes) and all(
                a == b or not isinstance(a, int) or a < 1 for a, b in zip(seen, sizes, strict=True)
            )
            if not fits:
                raise UsageError(
                    f"{self._path}: input {value.name!r} is {shown(seen)}, which {shown(sizes)} does not fit"
                )
        else:
            tensor.shape.SetInParent()
            for _ in sizes:
                tensor.shape.dim.add()
        for dim, size in zip(tensor.shape.dim, sizes, strict=True):
            if not (dim.HasField("dim_value") and dim.dim_value == size):
                self._set(dim, size)

    def set_values(self, values: Mapping[str, float]) -> None:
        """Make numbers the defaults of inputs that hold a single one."""
        inputs = {v.name: v for v in self.inputs()}
        for name, number in values.items():
            if name not in inputs:
                raise UsageError(f"{self._path} has no input {name!r}; it has {', '.join(map(repr, inputs)) or 'none'}")
            value = inputs[name]
            shape = _sizes(value)
            if any(size != 1 for size in shape):
                raise UsageError(
                    f"{self._path}: input {name!r} is {shown(shape)}; only inputs of a single number are given a "
                    "value, others are drawn"
                )
            kind = helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
            try:
                array = np.full([1] * len(shape), number).astype(kind)
            except (OverflowError, ValueError) as error:
                raise UsageError(f"input {name!r} is {kind}, which {number:g} does not fit: {error}") from error
            if kind.kind != "b" and not np.isclose(float(array.reshape(-1)[0]), number, rtol=1e-3):
                raise UsageError(f"input {name!r} is {kind}, which {number:g} does not fit")
            self._model.graph.initializer.append(numpy_helper.from_array(array, name))
            self._model.ir_version = max(4, self._model.ir_version)  # before, such a default would be a constant
            self.remarks.append(f"input {name} holds {number:g}")
            self.changed = True

    def assume_batch(self) -> None:
        """Take an open first dimension as a batch of 1, and say so."""
        found = []
        for value in self.inputs():
            sizes = _sizes(value)
            if len(sizes) > 1 and not _is_fixed(sizes[0]) and all(map(_is_fixed, sizes[1:])):
                self._set(value.type.tensor_type.shape.dim[0], 1)
                found.append(value.name)
        if found:
            self.remarks.append(f"the open first dimension was taken as a batch of 1: {', '.join(found)}")

    def renew(self) -> None:
        """Convert a graph of an opset that runtimes no longer know."""
        found = next((o.version for o in self._model.opset_import if o.domain in ("", "ai.onnx")), _OLDEST_OPSET)
        if found >= _OLDEST_OPSET:
            return
        newer = onnx.ModelProto()
        newer.CopyFrom(self._model)
        newer.ir_version = max(4, newer.ir_version)  # before, constants had to be inputs as well
        try:
            newer = version_converter.convert_version(newer, _OLDEST_OPSET)
        except Exception:  # the converter's own; the runtime says what it does not know
            return
        self._model.CopyFrom(newer)
        self.remarks.append(f"opset {found} was converted to {_OLDEST_OPSET}, the oldest that ONNX Runtime runs")
        self.changed = True

    def _set(self, dim: Any, size: int) -> None:
        dim.dim_value = size
        if not self.changed:
            self._forget_shapes()
        self.changed = True

    def _forget_shapes(self) -> None:
        """Shapes of other values may say what held before."""
        del self._model.graph.value_info[:]
        for value in self._model.graph.output:
            for dim in value.type.tensor_type.shape.dim:
                if dim.dim_value < 1:
                    dim.Clear()


def _sizes(value: onnx.ValueInfoProto) -> list[int | str]:
    dims = value.type.tensor_type.shape.dim
    return [d.dim_value if d.HasField("dim_value") else (d.dim_param or "?") for d in dims]


def _is_fixed(size: int | str) -> bool:
    return isinstance(size, int) and size >= 0
