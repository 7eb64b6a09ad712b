"""From the supernet, or from nothing, to a routed pair of plain networks."""

from __future__ import annotations

import copy

import torch
from torch import nn

from nasopt.networks.elastic import ElasticNorm, Head, Stem, Supernet
from nasopt.networks.geometry import check_architecture, plan, stem_side
from nasopt.networks.routers import make_router
from nasopt.networks.static import MBConv, RoutedNetwork, SubNetwork
from nasopt.records import Architecture, Candidate, NetworkLayout


@torch.no_grad()
def extract_path(supernet: Supernet, architecture: Architecture, head: Head, resolution: int) -> SubNetwork:
    """One sub-network behind the stem as plain modules with their own copy of the weights and BatchNorm statistics.

    It is for images of `resolution` pixels: kernels wider than its feature maps can tell are cropped.

    Raises:
        ValueError: the layout does not offer this architecture.
    """
    layout = supernet.layout
    check_architecture(layout, architecture)
    blocks = plan(layout, architecture, stem_side(layout, resolution))
    network = SubNetwork(blocks, layout.classes)
    for shape, static in zip(blocks, network.blocks, strict=True):
        assert isinstance(static, MBConv)
        elastic = supernet.block(shape)
        static.expand.weight.copy_(elastic.expand.sliced(shape.inputs, shape.hidden))
        static.depthwise.weight.copy_(elastic.depthwise.sliced(shape.hidden, shape.chosen, shape.kernel))
        static.project.weight.copy_(elastic.project.sliced(shape.hidden, shape.outputs))
        _copy_norm(elastic.expand_norm, static.expand_norm)
        _copy_norm(elastic.depthwise_norm, static.depthwise_norm)
        _copy_norm(elastic.project_norm, static.project_norm)
    classifier = supernet.heads[head]
    network.head.weight.copy_(classifier.get_parameter("weight")[:, : blocks[-1].outputs])
    network.head.bias.copy_(classifier.get_parameter("bias"))
    return network.train(supernet.training)


def _copy_norm(source: ElasticNorm, target: nn.BatchNorm2d) -> None:
    channels = target.num_features
    for name, tensor in target.state_dict().items():
        if tensor.ndim:  # all but the count of batches
            tensor.copy_(source.state_dict()[name][:channels])


def extract(supernet: Supernet, candidate: Candidate) -> RoutedNetwork:
    """The candidate's pair as plain modules, outputs equal to the elastic forward within 1e-5; its router is fresh.

    Little and big get separate copies of the shared weights; the stem stays one. The result is in the supernet's mode
    (training or evaluation) and on its device. BatchNorm statistics are the supernet's: recalibrate before use.

    Raises:
        ValueError: the layout does not offer one of the architectures.
    """
    device = next(supernet.parameters()).device
    little = extract_path(supernet, candidate.little, "little", candidate.resolution)
    big = extract_path(supernet, candidate.big, "big", candidate.resolution)
    router = make_router(candidate.router, little.head.in_features)
    network = RoutedNetwork(copy.deepcopy(supernet.stem), little, big, router, candidate.router)
    return network.train(supernet.training).to(device)


def build(layout: NetworkLayout, candidate: Candidate) -> RoutedNetwork:
    """The same structure as `extract` with fresh weights, in evaluation mode: its cost is that of the trained pair.

    Raises:
        ValueError: the layout does not offer one of the architectures.
    """
    check_architecture(layout, candidate.little)
    check_architecture(layout, candidate.big)
    side = stem_side(layout, candidate.resolution)
    little = SubNetwork(plan(layout, candidate.little, side), layout.classes)
    big = SubNetwork(plan(layout, candidate.big, side), layout.classes)
    router = make_router(candidate.router, little.head.in_features)
    return RoutedNetwork(Stem(layout), little, big, router, candidate.router).eval()
