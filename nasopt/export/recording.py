"""What a module computes for one input, as a list of ATen operations.

The module runs once under a dispatch mode that notes every operation PyTorch really executes. Against tracing the
Python source this needs no support from the module: whatever it calls arrives as one of a few dozen ATen operations,
shapes are concrete, and an operation on weights alone (a transposed matrix, a cropped kernel) is a constant already
computed. What it cannot follow is a decision in Python that depends on values, which is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from nasopt.errors import ExportError

_READS_A_VALUE = frozenset({"_local_scalar_dense", "item", "is_nonzero", "equal", "nonzero"})


@dataclass(frozen=True, slots=True)
class Ref:
    """A value that depends on the module's input."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One ATen operation with at least one argument that depends on the input."""

    name: str
    """Name without namespace, overload and the underscore of an in-place variant: `native_batch_norm`."""
    args: tuple[Any, ...]
    """Values as `Ref`, weights as tensors, the rest as Python values."""
    kwargs: dict[str, Any]
    inputs: tuple[int, ...]
    outputs: tuple[int | None, ...]
    shapes: dict[int, tuple[int, ...]]
    """Shapes of inputs and outputs by value number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """All operations of one run, in the order they ran."""

    operations: tuple[Operation, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    output_shapes: tuple[tuple[int, ...], ...]
    kept: tuple[Tensor, ...]
    """Keeps every tensor alive, since values are told apart by identity."""


class _Recorder(TorchDispatchMode):
    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # True, the default, imports the compiler on first use: 0.9 s on two cores, and nothing is compiled here.
        return False

    def __init__(self, inputs: Sequence[Tensor]) -> None:
        super().__init__()
        self.operations: list[Operation] = []
        self.kept: list[Tensor] = []
        self._numbers: dict[int, int] = {}
        self._shapes: dict[int, tuple[int, ...]] = {}
        self._owners: dict[int, set[int]] = {}
        for tensor in inputs:
            self.number(tensor)

    def number(self, tensor: Tensor) -> int:
        """A new value number for this tensor, whose content is new."""
        value = len(self._shapes)
        self._numbers[id(tensor)] = value
        self._shapes[value] = tuple(tensor.shape)
        self._owners.setdefault(tensor.untyped_storage().data_ptr(), set()).add(id(tensor))
        self.kept.append(tensor)
        return value

    def known(self, tensor: Tensor) -> int | None:
        """The value number of a tensor, or None for a constant."""
        return self._numbers.get(id(tensor))

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        inputs: list[int] = []
        noted_args = _replace(args, self.known, inputs)
        noted_kwargs = _replace(kwargs, self.known, inputs)
        result = func(*args, **kwargs)
        if not inputs:
            return result
        name = func.overloadpacket.__name__
        if name in _READS_A_VALUE:
            raise ExportError(
                f"the network reads a value in Python (aten.{name}), so its graph depends on the input; "
                "decide with tensor operations instead"
            )
        if func._schema.is_mutable:
            self._refuse_shared(args[0], name)
        results = result if isinstance(result, list | tuple) else (result,)
        outputs = tuple(self.number(r) if isinstance(r, Tensor) else None for r in results)
        numbers = [*inputs, *(o for o in outputs if o is not None)]
        self.operations.append(
            Operation(
                name=name.removesuffix("_") if func._schema.is_mutable else name,
                args=noted_args,
                kwargs=noted_kwargs,
                inputs=tuple(inputs),
                outputs=outputs,
                shapes={n: self._shapes[n] for n in numbers},
            )
        )
        return result

    def _refuse_shared(self, target: Any, name: str) -> None:
        owners = self._owners.get(target.untyped_storage().data_ptr(), set()) if isinstance(target, Tensor) else set()
        if self.known(target) is None or len(owners) > 1:
            raise ExportError(
                f"aten.{name} writes into memory that another tensor of the network sees; use its variant that "
                "returns a new tensor"
            )


def _replace(value: Any, known: Callable[[Tensor], int | None], found: list[int]) -> Any:
    if isinstance(value, Tensor):
        number = known(value)
        if number is None:
            return value
        found.append(number)
        return Ref(number)
    if isinstance(value, list | tuple):
        return tuple(_replace(v, known, found) for v in value)
    if isinstance(value, dict):
        return {k: _replace(v, known, found) for k, v in value.items()}
    return value


def record(module: nn.Module, function: Callable[..., Any], inputs: Sequence[Tensor]) -> Recording:
    """The operations of `function(*inputs)`, a method of `module`, in evaluation mode and without gradients.

    The module's training flags are restored; weights and statistics are only read.

    Raises:
        ExportError: the run fails, reads a value in Python, or writes into shared memory.
    """
    modes = [(m, m.training) for m in module.modules()]
    for m, _ in modes:
        m.training = False
    recorder = _Recorder(inputs)
    try:
        with torch.inference_mode(False), torch.no_grad(), recorder:
            result = function(*inputs)
    except (RuntimeError, ValueError, TypeError) as error:
        shapes = ", ".join(str(tuple(t.shape)) for t in inputs)
        raise ExportError(f"the network does not run on an input of shape {shapes}: {error}") from error
    finally:
        for m, training in modes:
            m.training = training
    outputs = result if isinstance(result, list | tuple) else (result,)
    numbers = [recorder.known(o) for o in outputs]
    if (missing := [i for i, n in enumerate(numbers) if n is None]) or not numbers:
        raise ExportError(f"output {missing[0] if missing else 0} of the network does not depend on its input")
    return Recording(
        operations=tuple(recorder.operations),
        inputs=tuple(range(len(inputs))),
        outputs=tuple(n for n in numbers if n is not None),
        output_shapes=tuple(tuple(o.shape) for o in outputs),
        kept=(*recorder.kept, *outputs),
    )
