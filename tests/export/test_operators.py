from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from nasopt.errors import ExportError
from nasopt.export.recording import record
from nasopt.export.translation import translate
from nasopt.graphs.model import save

OPERATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "adaptive_avg_pool": lambda x: F.adaptive_avg_pool2d(x, 2),
    "avg_pool_padded": lambda x: F.avg_pool2d(x, 3, 2, 1),
    "max_pool": lambda x: F.max_pool2d(x, 2),
    "global_pool": lambda x: nn.AdaptiveAvgPool2d(1)(x).flatten(1),
    "mean_of_all": lambda x: x.mean().reshape(1) + 0 * x[:, 0, 0, 0],
    "silu": F.silu,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "hardsigmoid": F.hardsigmoid,
    "hardswish": F.hardswish,
    "mish": F.mish,
    "elu": F.elu,
    "leaky": lambda x: F.leaky_relu(x, 0.2),
    "relu6": F.relu6,
    "hardtanh": F.hardtanh,
    "softplus": F.softplus,
    "clamp_low": lambda x: x.clamp(min=0.1),
    "clamp_high": lambda x: x.clamp_max(0.1),
    "clamp_both": lambda x: x.clamp(-0.2, 0.3),
    "softmax": lambda x: x.flatten(1).softmax(1),
    "log_softmax": lambda x: x.log_softmax(1),
    "logsumexp": lambda x: x.logsumexp((2, 3)),
    "entropy": lambda x: torch.special.entr(x.softmax(1)).sum(1),
    "clamped_entropy": lambda x: -(x.softmax(1) * x.softmax(1).clamp_min(1e-8).log()).sum(1),
    "amax": lambda x: x.amax((2, 3)),
    "max_values": lambda x: x.max(1).values,
    "maximum": lambda x: torch.maximum(x, 0.5 * x),
    "argmax": lambda x: x.argmax(1).float(),
    "topk_gap": lambda x: x.topk(2, 1).values[:, 0] - x.topk(2, 1).values[:, 1],
    "sort": lambda x: x.sort(1, descending=True).values,
    "variance": lambda x: x.var((2, 3)),
    "variance_biased": lambda x: x.var(1, correction=0, keepdim=True),
    "deviation": lambda x: x.flatten(1).std(1),
    "var_mean": lambda x: torch.cat(torch.var_mean(x.flatten(1), 1, keepdim=True), 1),
    "norm": lambda x: F.normalize(x.flatten(1), dim=1),
    "norm1": lambda x: x.abs().flatten(1).norm(p=1, dim=1),
    "subtract_from": lambda x: 1 - x,
    "divide_into": lambda x: 1 / (x.abs() + 1),
    "add_scaled": lambda x: torch.add(x, x * x, alpha=-0.5),
    "square": lambda x: x**2,
    "cube": lambda x: x**3,
    "log1p": lambda x: x.abs().log1p(),
    "rsqrt": lambda x: (x.abs() + 1).rsqrt(),
    "where": lambda x: torch.where(x > 0.1, x, -2.0 * x),
    "slices": lambda x: x[:, 1:5:2, 1:, :-1],
    "select": lambda x: x[..., 0] + x[:, :, 1],
    "chunks": lambda x: torch.cat(x.chunk(2, 1)[::-1], 1),
    "unbind": lambda x: x.unbind(1)[2],
    "stack": lambda x: torch.stack([x[:, 0], x[:, 1]], -1),
    "expand": lambda x: x[:, :1].expand(-1, 6, -1, -1) * x,
    "shuffle": lambda x: x.unflatten(1, (2, 3)).transpose(1, 2).flatten(1, 2),
    "permute": lambda x: x.permute(0, 2, 3, 1).contiguous(),
    "squeeze": lambda x: x.mean(1, keepdim=True).squeeze(1).unsqueeze(-1),
    "pad": lambda x: F.pad(x, (1, 2, 0, 1), value=0.5),
    "matmul": lambda x: x.flatten(1) @ torch.linspace(-1, 1, 96 * 4).reshape(96, 4),
    "linear_4d": lambda x: F.linear(x, torch.linspace(-1, 1, 12).reshape(3, 4), torch.ones(3)),
    "in_place": lambda x: (x * 1.0).relu_().add_(1.0),
    "constant_branch": lambda x: x + torch.ones(6, 1, 1).cumsum(0),
}


class Wrapped(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def run(module: nn.Module, x: Tensor, path: Path) -> np.ndarray:
    save(translate(record(module, module.forward, [x]), module, ["x"], ["y"]), path)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x.numpy()})[0]


@pytest.mark.parametrize("name", OPERATIONS)
def test_operation_computes_the_same(name: str, tmp_path: Path) -> None:
    x = torch.randn(2, 6, 4, 4, generator=torch.Generator().manual_seed(3))
    expected = OPERATIONS[name](x.clone())
    got = run(Wrapped(OPERATIONS[name]), x, tmp_path / "graph.onnx")
    assert got.shape == tuple(expected.shape)
    np.testing.assert_allclose(got, expected.numpy(), atol=2e-6, rtol=2e-6)


LAYERS = {
    "norm_without_convolution": nn.BatchNorm2d(6),
    "norm_read_twice": None,
    "layer_norm": nn.LayerNorm([4, 4]),
    "strided_grouped": nn.Sequential(nn.Conv2d(6, 12, 3, 2, 1, groups=6), nn.BatchNorm2d(12), nn.ReLU(inplace=True)),
    "dilated": nn.Sequential(nn.Conv2d(6, 4, (3, 1), padding=(2, 0), dilation=2), nn.BatchNorm2d(4, affine=False)),
    "dropout": nn.Sequential(nn.Conv2d(6, 4, 1), nn.Dropout(0.5), nn.Sigmoid()),
}


class NormReadTwice(nn.Module):
    """The convolution's own result is used too, so its BatchNorm may not be folded into it."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(6, 6, 1, bias=False), nn.BatchNorm2d(6)

    def forward(self, x: Tensor) -> Tensor:
        y = self.convolution(x)
        return self.norm(y) + y


@pytest.mark.parametrize("name", LAYERS)
def test_layer_computes_the_same(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = LAYERS[name] or NormReadTwice()
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.running_mean.normal_()  # type: ignore[union-attr]
            norm.running_var.uniform_(0.2, 3)  # type: ignore[union-attr]
    x = torch.randn(2, 6, 4, 4)
    got = run(module, x, tmp_path / "graph.onnx")
    np.testing.assert_allclose(got, module.eval()(x).detach().numpy(), atol=5e-6, rtol=5e-6)


def reads_a_value(x: Tensor) -> Tensor:
    return x if x.sum() > 0 else -x


def writes_into_a_view(x: Tensor) -> Tensor:
    y = x * 1.0
    y[:, 0].relu_()
    return y


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x.cumsum(1), r"no ONNX translation of aten\.cumsum"),
        (reads_a_value, "reads a value in Python"),
        (writes_into_a_view, "writes into memory that another tensor"),
        (lambda x: torch.ones(3), "output 0 of the network does not depend on its input"),
        (lambda x: x.reshape(7, 7), r"does not run on an input of shape \(2, 6, 4, 4\)"),
        (lambda x: x.double() * 2, r"a conversion to torch\.float64"),
        (lambda x: x * torch.ones(1, dtype=torch.float16), "expected float32 weights, found torch.float16"),
    ],
)
def test_refuses_with_a_reason(function: Callable[[Tensor], Tensor], message: str, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=message):
        run(Wrapped(function), torch.randn(2, 6, 4, 4), tmp_path / "graph.onnx")
    assert not list(tmp_path.iterdir())
