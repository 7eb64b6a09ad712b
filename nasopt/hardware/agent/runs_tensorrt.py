"""TensorRT 10 and 11. Options: `device` (which GPU, from 0), `engine` (file that keeps the built engine).

Networks are strongly typed: every layer computes in the type that the graph says, and TF32 is off, so precision is the
graph's alone. Version 10 is told so by a flag, version 11 knows nothing else. Both have tensors by name, and queue a
run on a stream. An engine belongs to its graph, this version of TensorRT and this GPU; it is kept beside the graph
where `engine` names no file.
"""

import hashlib
import os
from typing import Any, Callable, Dict, List, Tuple

import numpy as np
import tensorrt

from .gpu import Buffer, Stream, named_gpu
from .inputs import normal_draws
from .refusals import RefusedError

_VERSIONS = (10, 11)
_MOST_ERRORS = 5


class _Log(tensorrt.ILogger):  # type: ignore[misc]
    """Keeps what TensorRT complains about. It takes one logger for the whole process."""

    def __init__(self) -> None:
        tensorrt.ILogger.__init__(self)
        self.errors: List[str] = []

    def log(self, severity: Any, msg: str) -> None:
        """What TensorRT calls."""
        if severity in (tensorrt.ILogger.Severity.ERROR, tensorrt.ILogger.Severity.INTERNAL_ERROR):
            self.errors.append(" ".join(msg.split()))

    def last(self) -> str:
        """The latest complaint; forgets them all."""
        told = self.errors[-1] if self.errors else "it does not say why"
        del self.errors[:]
        return told


_LOG = _Log()


def describe(options: Dict[str, Any]) -> Dict[str, Any]:
    """Version and GPU.

    Raises:
        RefusedError: it is another TensorRT than 10 or 11, or there is no such GPU.
    """
    if _major() not in _VERSIONS:
        raise RefusedError(
            f"{_version()} is here, and nasopt speaks to TensorRT {' and '.join(map(str, _VERSIONS))}",
            "on a Jetson, JetPack 6 brings TensorRT 10; an older board runs onnxruntime or torch",
        )
    return {"runtime": _version(), "provider": "CUDA " + named_gpu(int(options.get("device") or 0))}


def open_run(model_path: str, threads: int, options: Dict[str, Any]) -> Tuple[Callable[[], None], Dict[str, Any]]:
    """An engine with its inputs on the GPU: standard normal draws. A run ends when the GPU has ended it.

    The number of threads means nothing here: the GPU computes.

    Raises:
        RefusedError: TensorRT does not take the graph, an input is not float32 of fixed shape, or there is no such GPU.
    """
    session = Session(model_path, options)
    draw = np.random.RandomState(0)
    session.fill([normal_draws(shape, draw) for _, shape in session.inputs])
    session.run()
    return session.once, session.facts


class Session:
    """A network that is ready to run: `once` runs it, after `fill` has set its inputs."""

    def __init__(self, model_path: str, options: Dict[str, Any]) -> None:
        self.facts = describe(options)
        self._path = model_path
        self._engine = _engine(model_path, str(options.get("engine") or ""), self.facts)
        self._context = self._engine.create_execution_context()
        if self._context is None:
            raise RefusedError(f"{_version()} cannot run {model_path}: {_LOG.last()}", "the GPU may be out of memory")
        self._stream = Stream()
        self._buffers: Dict[str, Buffer] = {}
        self._results: Dict[str, Any] = {}
        self.inputs: List[Tuple[str, Tuple[int, ...]]] = []
        for index in range(self._engine.num_io_tensors):
            self._place(self._engine.get_tensor_name(index))

    def _place(self, name: str) -> None:
        """Give an input or output its memory on the GPU."""
        shape = tuple(int(d) for d in self._engine.get_tensor_shape(name))
        kind = np.dtype(tensorrt.nptype(self._engine.get_tensor_dtype(name)))
        if self._engine.get_tensor_mode(name) == tensorrt.TensorIOMode.INPUT:
            _refuse_input(self._path, name, shape, kind)
            self.inputs.append((name, shape))
        elif any(d < 0 for d in shape):
            raise RefusedError(f"{self._path}: the shape of output {name!r} hangs on its input", "fix it in the graph")
        else:
            self._results[name] = np.empty(shape, kind)
        self.bind(name, Buffer(int(np.prod(shape, dtype=np.int64)) * kind.itemsize))

    @property
    def outputs(self) -> Dict[str, Tuple[int, ...]]:
        """Shapes of the outputs by name."""
        return {name: array.shape for name, array in self._results.items()}

    def bind(self, name: str, buffer: Buffer) -> None:
        """Read an input from this memory, or write an output there: another network's, for instance."""
        if name in self._buffers and self._buffers[name].size != buffer.size:
            raise ValueError(f"{name!r} takes {self._buffers[name].size} bytes, not {buffer.size}")
        if not self._context.set_tensor_address(name, buffer.address):
            raise RefusedError(f"{_version()} takes no memory for {name!r} of {self._path}: {_LOG.last()}")
        self._buffers[name] = buffer

    def buffer(self, name: str) -> Buffer:
        """The memory of an input or output."""
        return self._buffers[name]

    def fill(self, arrays: List[Any]) -> None:
        """Copy in the inputs, float32 arrays in the graph's order."""
        for (name, _), array in zip(self.inputs, arrays):
            self._buffers[name].write(np.ascontiguousarray(array, dtype=np.float32))

    def once(self) -> None:
        """Run once, and wait for the GPU."""
        self._start()
        self._stream.wait()

    def once_reading(self, name: str) -> Any:
        """Run once; the values of one output, in an array that the next run writes again."""
        self._start()
        self._stream.read_later(self._buffers[name], self._results[name])
        self._stream.wait()
        return self._results[name]

    def run(self) -> List[Any]:
        """Run once and return copies of the results."""
        self.once()
        for name, array in self._results.items():
            self._buffers[name].read(array)
        return [array.copy() for array in self._results.values()]

    def _start(self) -> None:
        if not self._context.execute_async_v3(self._stream.handle):
            raise RefusedError(f"{self._path} does not run under {_version()}: {_LOG.last()}")


def _major() -> int:
    return int(tensorrt.__version__.partition(".")[0])


def _version() -> str:
    return "tensorrt " + tensorrt.__version__


def _engine(model_path: str, kept: str, facts: Dict[str, Any]) -> Any:
    """The engine that was kept, if it still loads, or a new one."""
    if not os.path.isfile(model_path):
        raise RefusedError(f"no model at {model_path}", "export it first")
    path = kept or _beside(model_path, facts)
    runtime = tensorrt.Runtime(_LOG)
    try:
        with open(path, "rb") as file:
            engine = runtime.deserialize_cuda_engine(file.read())
        os.utime(path)  # the least used go first where room is short
    except OSError:
        engine = None
    if engine is None:  # none was kept, or it is damaged
        plan = _built(model_path)
        _keep(path, plan)
        engine = runtime.deserialize_cuda_engine(plan)
    if engine is None:
        raise RefusedError(f"{_version()} cannot load the engine of {model_path}: {_LOG.last()}")
    del _LOG.errors[:]
    return engine


def _beside(model_path: str, facts: Dict[str, Any]) -> str:
    """A file beside the graph, whose name says what the engine is of: content, version and GPU."""
    with open(model_path, "rb") as file:
        digest = hashlib.sha256(file.read())
    digest.update(repr((facts["runtime"], facts["provider"])).encode())
    return os.path.join(os.path.dirname(model_path), digest.hexdigest() + ".engine")


def _keep(path: str, plan: bytes) -> None:
    scratch = f"{path}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(scratch, "wb") as file:
            file.write(plan)
        os.replace(scratch, path)
    except OSError:  # it is built again next time
        if os.path.exists(scratch):
            os.remove(scratch)


def _built(model_path: str) -> bytes:
    """The serialised engine of a graph."""
    builder = tensorrt.Builder(_LOG)
    network = builder.create_network(_typed())
    parser = tensorrt.OnnxParser(network, _LOG)
    with open(model_path, "rb") as file:
        content = file.read()
    if not parser.parse(content):
        raise RefusedError(
            f"{_version()} does not take {model_path}: {_complaints(parser)}",
            "leave out what it does not know, or measure with onnxruntime or torch",
        )
    for index in range(network.num_inputs):
        value = network.get_input(index)
        _refuse_input(model_path, value.name, tuple(value.shape), np.dtype(tensorrt.nptype(value.dtype)))
    config = builder.create_builder_config()
    config.clear_flag(tensorrt.BuilderFlag.TF32)  # which keeps 10 bits of the mantissa of 23
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise RefusedError(f"{_version()} builds no engine of {model_path}: {_LOG.last()}")
    return bytes(plan)


def _typed() -> int:
    """Flags of a network in which the graph alone says what is computed in which type."""
    if _major() == 10:
        return 1 << int(tensorrt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    return 0


def _complaints(parser: Any) -> str:
    """What a parser has against a graph: each operator once, with its first node."""
    said: Dict[str, str] = {}
    for index in range(parser.num_errors):
        error = parser.get_error(index)
        operator = str(error.node_operator() or "the file")
        where = f" at {error.node_name()}" if error.node_name() else ""
        said.setdefault(operator, f"{operator}{where}: {' '.join(str(error.desc()).split())}")
    told = list(said.values())
    more = [f"and {len(told) - _MOST_ERRORS} more"] if len(told) > _MOST_ERRORS else []
    return ", ".join(told[:_MOST_ERRORS] + more) or _LOG.last()


def _refuse_input(model_path: str, name: str, shape: Tuple[int, ...], kind: Any) -> None:
    if any(d < 1 for d in shape) or kind != np.float32:
        raise RefusedError(
            f"{model_path}: input {name!r} is {kind} of shape {shape}; expected float32 of fixed shape",
            "export with fixed shapes",
        )
