from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from nasopt.errors import ExportError, ParityError
from nasopt.export import check_parity, compose_routed, describe, export_easy, export_hard, set_tau, try_runtimes
from nasopt.networks import RoutedNetwork
from nasopt.records import ExportedModel

Make = Callable[..., RoutedNetwork]


def export(
    network: RoutedNetwork, folder: Path, tau: float = 0.5
) -> tuple[ExportedModel, ExportedModel, ExportedModel]:
    easy = export_easy(network, (1, 3, 16, 16), folder / "easy.onnx")
    hard = export_hard(network, (1, 8, 16, 16), folder / "hard.onnx")
    return easy, hard, compose_routed(easy, hard, folder / "routed.onnx", tau)


def session(model: ExportedModel) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(str(model.path), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("kind", ["confidence", "learned", "difficulty"])
@pytest.mark.parametrize("batch", [1, 4])
def test_paths_compute_what_the_network_computes(kind: str, batch: int, network: Make, tmp_path: Path) -> None:
    net, x = network(kind), torch.randn(batch, 3, 16, 16)
    easy = export_easy(net, (batch, 3, 16, 16), tmp_path / "easy.onnx")
    hard = export_hard(net, (batch, 8, 16, 16), tmp_path / "hard.onnx")
    assert easy.inputs == (("image", (batch, 3, 16, 16)),)
    assert easy.batch == batch
    assert easy.size_bytes == easy.path.stat().st_size
    with torch.no_grad():
        expected = [v.numpy() for v in net.easy(x)]
        expected_big = net.hard(torch.from_numpy(expected[0])).numpy()
    names = ["features", "logits", "score"]
    for got, want in zip(session(easy).run(names, {"image": x.numpy()}), expected, strict=True):
        np.testing.assert_allclose(got, want, atol=1e-5)
    np.testing.assert_allclose(session(hard).run(["logits"], {"features": expected[0]})[0], expected_big, atol=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_export_only_reads_the_network(training: bool, network: Make, tmp_path: Path, images: torch.Tensor) -> None:
    net = network("learned").train(training)
    net.little.eval()  # a mixture of modes must survive as it is
    before = {k: v.clone() for k, v in net.state_dict().items()}
    modes = [m.training for m in net.modules()]
    gradients = [p.requires_grad for p in net.parameters()]
    graphs = export(net, tmp_path)
    check_parity(net, *graphs, images)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert [m.training for m in net.modules()] == modes
    assert [p.requires_grad for p in net.parameters()] == gradients
    assert all(p.grad is None for p in net.parameters())


def test_graphs_are_lean_and_old_enough(network: Make, tmp_path: Path) -> None:
    for model in export(network("difficulty"), tmp_path):
        proto = onnx.load(str(model.path))
        onnx.checker.check_model(proto, full_check=True)
        assert proto.opset_import[0].version == 18
        assert proto.ir_version == 8
        operators = {n.op_type for n in proto.graph.node}
        assert not operators & {"BatchNormalization", "Identity"}
        assert len({n.name for n in proto.graph.node}) == len(proto.graph.node)
    weights = {t.name for t in onnx.load(str(tmp_path / "easy.onnx")).graph.initializer}
    assert "little.head.bias" in weights
    assert not {n for n in weights if "running" in n or n.startswith("big")}


def test_routed_graph_takes_the_branch_of_its_threshold(network: Make, tmp_path: Path, images: torch.Tensor) -> None:
    net = network()
    easy, _, routed = export(net, tmp_path)
    with torch.no_grad():
        features, little, score = net.easy(images)
        big = net.hard(features)
    never = set_tau(routed, tmp_path / "never.onnx", 2.0)
    assert never.structure != routed.structure  # on one input, the threshold decides which branch is timed
    set_tau(routed, tmp_path / "always.onnx", 0.0)
    for name, expected, leaves in (("always", little, True), ("never", big, False)):
        run = session(describe(tmp_path / f"{name}.onnx"))
        for i in range(5):
            logits, exited = run.run(["logits", "exited"], {"image": images[i : i + 1].numpy()})
            assert exited.tolist() == [leaves]
            np.testing.assert_allclose(logits[0], expected[i], atol=1e-5)
    boundary = set_tau(
        routed, tmp_path / "boundary.onnx", float(session(easy).run(["score"], {"image": images[:1].numpy()})[0][0])
    )
    assert session(boundary).run(["exited"], {"image": images[:1].numpy()})[0].tolist() == [
        True
    ]  # a score of tau leaves
    assert (score.numpy() > 0).all()


@pytest.mark.parametrize("kind", ["confidence", "learned", "difficulty"])
def test_common_runtimes_read_the_routed_graph_and_answer_alike(kind: str, network: Make, tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    *_, routed = export(network(kind), tmp_path)
    tried = try_runtimes(routed)
    assert [name.split()[0] for name in tried] == ["ONNX", "OpenVINO"]
    assert set(tried.values()) == {"runs"}


def test_a_runtime_that_does_not_take_a_graph_is_named_with_its_reason(network: Make, tmp_path: Path) -> None:
    *_, routed = export(network(), tmp_path)
    model = onnx.load(str(routed.path))
    model.graph.node[0].op_type = "Frobnicate"
    routed.path.write_bytes(model.SerializeToString())
    assert all(said.startswith("failed: ") for said in try_runtimes(routed).values())


def test_structure_ignores_weights_and_names_but_not_shapes(network: Make, tmp_path: Path) -> None:
    first = export(network(seed=0), tmp_path / "a")
    second = export(network(seed=1), tmp_path / "b", tau=0.9)
    assert [m.structure for m in first[:2]] == [m.structure for m in second[:2]]
    assert first[2].structure != second[2].structure  # what an `If` decides by counts
    other = export(network(kernel=3), tmp_path / "c")
    assert other[0].structure == first[0].structure
    assert other[1].structure != first[1].structure
    assert other[2].structure != first[2].structure
    batch8 = export_easy(network(), (8, 3, 16, 16), tmp_path / "batch8.onnx")
    assert batch8.structure != first[0].structure
    renamed = onnx.compose.add_prefix(onnx.load(str(first[0].path)), "other/")
    onnx.save(renamed, str(tmp_path / "renamed.onnx"))
    assert describe(tmp_path / "renamed.onnx").structure == first[0].structure
    assert first[2].size_bytes > first[1].size_bytes


def test_compose_refuses_what_does_not_fit(network: Make, tmp_path: Path) -> None:
    easy, hard, _ = export(network(), tmp_path)
    with pytest.raises(ExportError, match="expected batch 1, got 8 and 1"):
        compose_routed(export_easy(network(), (8, 3, 16, 16), tmp_path / "b.onnx"), hard, tmp_path / "r.onnx", 0.5)
    small = export_hard(network(), (1, 8, 8, 8), tmp_path / "small.onnx")
    with pytest.raises(ExportError, match=r"features of shape \[1, 8, 16, 16\].*takes \[1, 8, 8, 8\]"):
        compose_routed(easy, small, tmp_path / "r.onnx", 0.5)
    with pytest.raises(ExportError, match="finite threshold, got nan"):
        compose_routed(easy, hard, tmp_path / "r.onnx", float("nan"))
    with pytest.raises(ExportError, match="no initializer 'tau'"):
        set_tau(easy, tmp_path / "r.onnx", 0.5)
    with pytest.raises(ExportError, match="cannot read the ONNX model"):
        set_tau(tmp_path / "absent.onnx", tmp_path / "r.onnx", 0.5)
    assert not (tmp_path / "r.onnx").exists()


def test_a_folder_that_cannot_be_written_is_an_error(network: Make, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ExportError, match="cannot write"):
        export_easy(network(), (1, 3, 16, 16), tmp_path / "file" / "easy.onnx")


@pytest.mark.parametrize("kind", ["confidence", "learned", "difficulty"])
def test_parity_takes_both_branches(kind: str, network: Make, tmp_path: Path, images: torch.Tensor) -> None:
    net = network(kind)
    graphs = export(net, tmp_path)
    parity = check_parity(net, *graphs, images)
    assert parity.images == 64
    assert 20 <= parity.exited <= 44
    assert parity.max_difference < 1e-4
    assert parity.decisions_equal
    with torch.no_grad():
        assert parity.tau == pytest.approx(float(np.median(net.easy(images)[2].numpy())), abs=1e-7)


def test_parity_finds_a_changed_weight(network: Make, tmp_path: Path, images: torch.Tensor) -> None:
    net = network()
    graphs = export(net, tmp_path)
    with torch.no_grad():
        net.big.head.bias[3] += 3e-4
    with pytest.raises(ParityError, match=r"differ from the network's by 3\.0.e-04 .*64 images: little .*big 3\.0"):
        check_parity(net, *graphs, images)


def test_parity_finds_a_router_that_decides_otherwise(network: Make, tmp_path: Path, images: torch.Tensor) -> None:
    net = network("learned")
    with torch.no_grad():
        net.router.layers[2].weight.mul_(20)
    graphs = export(net, tmp_path)
    with torch.no_grad():
        net.router.layers[2].bias += 1.0
    with pytest.raises(ParityError, match=r"the exported router decides otherwise for \d+ of 64 images"):
        check_parity(net, *graphs, images)


def test_parity_refuses_logits_that_are_not_finite(network: Make, tmp_path: Path, images: torch.Tensor) -> None:
    net = network()
    with torch.no_grad():
        net.big.head.bias[0] = float("nan")
    graphs = export(net, tmp_path)
    with pytest.raises(ParityError, match="differ from the network's by inf"):
        check_parity(net, *graphs, images)
    with pytest.raises(ParityError, match="takes inputs of shape"):
        check_parity(network(), *graphs, images[:, :, :8, :8])


def test_parity_of_a_batched_easy_graph(network: Make, tmp_path: Path, images: torch.Tensor) -> None:
    """A last batch that is not full is filled up, not dropped."""
    net = network()
    _, hard, routed = export(net, tmp_path)
    easy = export_easy(net, (24, 3, 16, 16), tmp_path / "easy24.onnx")
    assert check_parity(net, easy, hard, routed, images).images == 64
    wrong = replace(easy, path=tmp_path / "absent.onnx")
    with pytest.raises(ExportError, match=r"does not take .*absent\.onnx"):
        check_parity(net, wrong, hard, routed, images)


def test_first_export_is_quick_and_loads_no_compiler(tmp_path: Path) -> None:
    """The first export of a process, which the dynamo exporter takes seconds for."""
    code = (
        "import sys, time; from pathlib import Path; from torch import nn, set_num_threads\n"
        "from nasopt.export import export_hard; set_num_threads(1)\n"
        "net = nn.Sequential(*(m for _ in range(30) for m in (nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8), nn.ReLU(True))))\n"
        "net.hard = net.forward; start = time.process_time()\n"  # not disturbed by other processes
        "export_hard(net, (1, 8, 64, 64), Path(sys.argv[1]))\n"
        "print(time.process_time() - start, 'torch._dynamo' in sys.modules)"
    )
    argv = [sys.executable, "-c", code, str(tmp_path / "hard.onnx")]
    seconds, compiler = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()
    assert compiler == "False"
    assert float(seconds) < 0.5
