"""Stand-ins of TensorRT's Python API, versions 10 and 11, and of cuda-python, strict about how they are called.

Written after NVIDIA's own bindings (NVIDIA/TensorRT, python/src, v10.0.1 to v11.1). An "engine" holds the ONNX graph,
and ONNX Runtime computes it when the stream that it was queued on is waited for: before that, nothing is there to be
read. Neither replaces a run on a GPU.
"""

from __future__ import annotations

import ctypes
import enum
import itertools
import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

UNKNOWN = {"Frobnicate", "Erf"}
_TYPES = {1: np.float32, 3: np.int8, 6: np.int32, 7: np.int64, 9: np.bool_, 10: np.float16}


class Gpu:
    """Device memory, streams, and the order in which everything was called."""

    def __init__(self, count: int = 1, error: int = 0) -> None:
        self.count, self.error = count, error
        self.calls: list[str] = []
        self.blocks: dict[int, Any] = {}
        self.queues: dict[int, list[Callable[[], None]]] = {}
        self._numbers = itertools.count(0x7000)

    def memory(self, address: int, size: int) -> Any:
        """The bytes at an address, which must have been taken and be enough."""
        block = self.blocks[address]
        assert block.nbytes >= size, f"{size} bytes of a buffer of {block.nbytes}"
        return block[:size]

    def runtime(self) -> ModuleType:
        """A module like `cuda.bindings.runtime`."""
        module: Any = ModuleType("cuda.bindings.runtime")
        kinds = enum.Enum("cudaMemcpyKind", {"cudaMemcpyHostToDevice": 1, "cudaMemcpyDeviceToHost": 2})
        ok = enum.IntEnum("cudaError_t", {"cudaSuccess": 0, "cudaErrorNoDevice": 100, "cudaErrorMemoryAllocation": 2})

        def told(name: str, *values: Any) -> Any:
            self.calls.append(name)
            return (ok.cudaSuccess, *values) if values else (ok.cudaSuccess,)

        def count() -> Any:
            return (ok(self.error), None) if self.error else told("cudaGetDeviceCount", self.count)

        def malloc(size: int) -> Any:
            if size > 1 << 30:
                return (ok.cudaErrorMemoryAllocation, None)
            address = next(self._numbers) << 8
            self.blocks[address] = np.zeros(size, np.uint8)
            return told("cudaMalloc", address)

        def copy(target: int, source: int, size: int, kind: Any) -> Any:
            assert not any(self.queues.values()), "a copy that does not wait for what is queued"
            self._move(target, source, size, kind is kinds.cudaMemcpyHostToDevice)
            return told(f"copy {kind.name[10:]}")

        def copy_async(target: int, source: int, size: int, kind: Any, stream: Any) -> Any:
            assert kind is kinds.cudaMemcpyDeviceToHost
            self.queues[int(stream)].append(lambda: self._move(target, source, size, False))
            return told("copy async")

        def stream() -> Any:
            made = next(self._numbers)
            self.queues[made] = []
            return told("cudaStreamCreate", _Handle(made))

        def wait(stream: Any) -> Any:
            queue = self.queues[int(stream)]
            while queue:
                queue.pop(0)()
            return told("wait")

        facts = SimpleNamespace(name=b"NVIDIA Stand-in\0", major=8, minor=7)
        module.cudaMemcpyKind, module.cudaError_t = kinds, ok
        module.cudaGetDeviceCount, module.cudaMalloc, module.cudaMemcpy = count, malloc, copy
        module.cudaMemcpyAsync, module.cudaStreamCreate, module.cudaStreamSynchronize = copy_async, stream, wait
        module.cudaSetDevice = lambda index: told(f"cudaSetDevice {index}")
        module.cudaGetDeviceProperties = lambda index: told("cudaGetDeviceProperties", facts)
        module.cudaGetErrorString = lambda code: (ok.cudaSuccess, code.name.encode())
        module.cudaFree = lambda address: (self.blocks.pop(address), told("cudaFree"))[1]
        module.cudaStreamDestroy = lambda stream: (self.queues.pop(int(stream)), told("cudaStreamDestroy"))[1]
        return module

    def _move(self, target: int, source: int, size: int, inwards: bool) -> None:
        block = self.memory(target if inwards else source, size)
        if inwards:
            ctypes.memmove(block.ctypes.data, source, size)
        else:
            ctypes.memmove(target, block.ctypes.data, size)


class _Handle:
    def __init__(self, number: int) -> None:
        self._number = number

    def __int__(self) -> int:
        return self._number


def tensorrt(gpu: Gpu, version: str) -> ModuleType:
    """A module like `tensorrt`; what a version does not have is not there either."""
    module: Any = ModuleType("tensorrt")
    module.__version__ = version
    major = int(version.partition(".")[0])

    class ILogger:
        Severity = enum.IntEnum("Severity", ["INTERNAL_ERROR", "ERROR", "WARNING", "INFO", "VERBOSE"], start=0)
        made = False

        def __init__(self) -> None:
            self.made = True

        def log(self, severity: Any, msg: str) -> None:
            raise NotImplementedError

    loggers: set[int] = set()

    def logged(logger: Any) -> Any:
        assert isinstance(logger, ILogger)
        assert logger.made, "the logger's own constructor was not called"
        loggers.add(id(logger))
        assert len(loggers) == 1, "TensorRT has one logger for the whole process"
        return logger

    flags = {"TF32": 6, "DEBUG": 2} | ({"FP16": 0, "INT8": 1} if major == 10 else {})
    module.ILogger = ILogger
    module.BuilderFlag = enum.IntEnum("BuilderFlag", flags)
    module.NetworkDefinitionCreationFlag = enum.IntEnum("NetworkDefinitionCreationFlag", {"STRONGLY_TYPED": 1})
    module.TensorIOMode = enum.Enum("TensorIOMode", ["NONE", "INPUT", "OUTPUT"])
    module.DataType = enum.Enum("DataType", {np.dtype(t).name: n for n, t in _TYPES.items()})
    module.nptype = lambda kind: _TYPES[kind.value]

    class Builder:
        def __init__(self, logger: Any) -> None:
            self.logger = logged(logger)

        def create_network(self, flags: int = 0) -> Any:
            wanted = 1 << module.NetworkDefinitionCreationFlag.STRONGLY_TYPED if major == 10 else 0
            assert flags == wanted, f"flags {flags} in version {major}"
            gpu.calls.append(f"create_network {flags}")
            return Network()

        def create_builder_config(self) -> Any:
            return Config()

        def build_serialized_network(self, network: Any, config: Any) -> Any:
            assert config.flags == set(), "TF32 is on unless it is cleared"
            gpu.calls.append("build")
            if "unbuildable" in network.content.decode(errors="ignore"):
                self.logger.log(ILogger.Severity.ERROR, "no tactic for\nnode unbuildable")
                return None
            return memoryview(b"engine " + version.encode() + b"\0" + network.content)

    class Config:
        def __init__(self) -> None:
            self.flags = {module.BuilderFlag.TF32}

        def clear_flag(self, flag: Any) -> None:
            self.flags.discard(module.BuilderFlag(flag))

    class Network:
        content = b""

        @property
        def num_inputs(self) -> int:
            return len(_values(self.content)[0])

        def get_input(self, index: int) -> Any:
            name, shape, kind = _values(self.content)[0][index]
            return SimpleNamespace(name=name, shape=shape, dtype=module.DataType(kind))

    class OnnxParser:
        def __init__(self, network: Any, logger: Any) -> None:
            self._network, self._errors = network, []  # type: ignore[var-annotated]
            logged(logger)

        def parse(self, model: bytes, path: str | None = None) -> bool:
            assert isinstance(model, bytes)
            try:
                parsed = onnx.load_model_from_string(model)
            except Exception:
                self._errors = [("", "", "Failed to parse\nthe file")]
                return False
            self._errors = list(_complaints(parsed.graph))
            self._network.content = model
            gpu.calls.append("parse")
            return not self._errors

        @property
        def num_errors(self) -> int:
            return len(self._errors)

        def get_error(self, index: int) -> Any:
            operator, node, text = self._errors[index]
            return SimpleNamespace(node_operator=lambda: operator, node_name=lambda: node, desc=lambda: text)

    class Runtime:
        def __init__(self, logger: Any) -> None:
            self._logger = logged(logger)

        def deserialize_cuda_engine(self, plan: Any) -> Any:
            head, _, content = bytes(plan).partition(b"\0")
            if head != b"engine " + version.encode() or not content:
                self._logger.log(ILogger.Severity.ERROR, "the plan is of another version")
                return None
            gpu.calls.append("deserialize")
            return Engine(content)

    class Engine:
        def __init__(self, content: bytes) -> None:
            self.content = content
            inputs, outputs = _values(content)
            self._all = [(*v, module.TensorIOMode.INPUT) for v in inputs]
            self._all += [(*v, module.TensorIOMode.OUTPUT) for v in outputs]
            self._of = {v[0]: v for v in self._all}

        @property
        def num_io_tensors(self) -> int:
            return len(self._all)

        def get_tensor_name(self, index: int) -> str:
            return str(self._all[index][0])

        def get_tensor_shape(self, name: str) -> Any:
            return self._of[name][1]

        def get_tensor_dtype(self, name: str) -> Any:
            return module.DataType(self._of[name][2])

        def get_tensor_mode(self, name: str) -> Any:
            return self._of[name][3]

        def create_execution_context(self) -> Any:
            return Context(self)

    class Context:
        def __init__(self, engine: Any) -> None:
            self._engine, self._addresses = engine, {}  # type: ignore[var-annotated]
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            # fused int8 kernels saturate on processors without VNNI; what the graph says is wanted
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
            self._session = onnxruntime.InferenceSession(engine.content, options, providers=["CPUExecutionProvider"])

        def set_tensor_address(self, name: str, memory: int) -> bool:
            assert isinstance(memory, int)
            assert memory in gpu.blocks
            self._addresses[name] = memory
            gpu.calls.append(f"address {name}")
            return name in self._engine._of

        def execute_async_v3(self, stream_handle: int) -> bool:
            assert isinstance(stream_handle, int)
            assert stream_handle, "the default stream is not to be used"
            assert set(self._addresses) == set(self._engine._of), "every tensor has its address first"
            gpu.queues[stream_handle].append(self._compute)
            gpu.calls.append("execute")
            return True

        def _array(self, name: str) -> Any:
            _, shape, kind, _ = self._engine._of[name]
            size = int(np.prod(shape)) * np.dtype(_TYPES[kind]).itemsize
            return gpu.memory(self._addresses[name], size).view(_TYPES[kind]).reshape(shape)

        def _compute(self) -> None:
            feed = {v.name: self._array(v.name) for v in self._session.get_inputs()}
            outputs = [v.name for v in self._session.get_outputs()]
            for name, value in zip(outputs, self._session.run(None, feed), strict=True):
                self._array(name)[...] = value

    for made in (Builder, OnnxParser, Runtime):
        setattr(module, made.__name__, made)
    return module


def _values(content: bytes) -> tuple[list[Any], list[Any]]:
    """Name, shape (-1 where it is open) and type of inputs and outputs."""
    graph = onnx.load_model_from_string(content).graph
    weights = {t.name for t in graph.initializer}

    def described(value: onnx.ValueInfoProto) -> Any:
        tensor = value.type.tensor_type
        shape = tuple(d.dim_value if d.HasField("dim_value") else -1 for d in tensor.shape.dim)
        return value.name, shape, tensor.elem_type

    return [described(v) for v in graph.input if v.name not in weights], [described(v) for v in graph.output]


def _complaints(graph: onnx.GraphProto) -> Any:
    """What TensorRT's parser has against a graph: unknown operators, and quantisation other than symmetric int8."""
    constants = {t.name: t for t in graph.initializer}
    for node in graph.node:
        if node.op_type in UNKNOWN:
            yield node.op_type, node.name, f"No importer registered for op: {node.op_type}."
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            stored, zero = constants.get(node.input[0]), constants[node.input[2]]
            if zero.data_type != onnx.TensorProto.INT8 or onnx.numpy_helper.to_array(zero).any():
                yield node.op_type, node.name, "TensorRT only supports symmetric quantization."
            elif stored is not None and stored.data_type != onnx.TensorProto.INT8:
                yield node.op_type, node.name, "TensorRT only allows FP8, INT8, and INT4 quantization."


def install(monkeypatch: pytest.MonkeyPatch, gpu: Gpu, version: str) -> None:
    """Put both in the place of what is installed, and forget what was imported with that."""
    import nasopt.hardware.agent as agent

    runtime = gpu.runtime()
    cuda, bindings = ModuleType("cuda"), ModuleType("cuda.bindings")
    bindings.runtime = runtime  # type: ignore[attr-defined]
    modules = {"cuda": cuda, "cuda.bindings": bindings, "cuda.bindings.runtime": runtime}
    for name, module in {**modules, "tensorrt": tensorrt(gpu, version)}.items():
        monkeypatch.setitem(sys.modules, name, module)
    for name in ("gpu", "runs_tensorrt"):
        monkeypatch.delitem(sys.modules, f"{agent.__name__}.{name}", raising=False)
        monkeypatch.delattr(agent, name, raising=False)
