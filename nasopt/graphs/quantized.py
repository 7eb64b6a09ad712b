"""Quantised graphs as what they compute: without the pairs that convert between 8 bits and floats."""

from __future__ import annotations

import onnx
from onnx import helper


def without_quantization(graph: onnx.GraphProto) -> None:
    """Take QuantizeLinear and DequantizeLinear out of a graph and its subgraphs, scales and zero points with them.

    What is left is the float graph with weights of 8 bits: the pairs are no work of their own on a device that computes
    in 8 bits, where they are the ends of the kernel between them.
    """
    _strip(graph, {})


def _strip(graph: onnx.GraphProto, outer: dict[str, str]) -> None:
    alias, kept = dict(outer), []
    for node in graph.node:
        for i, name in enumerate(node.input):
            node.input[i] = alias.get(name, name)
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            alias[node.output[0]] = node.input[0]
            continue
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                _strip(attribute.g, alias)
        kept.append(node)
    for value in graph.output:  # an output keeps its name, so it is another name of what feeds it
        if value.name in alias:
            kept.append(helper.make_node("Identity", [alias[value.name]], [value.name]))
    del graph.node[:]
    graph.node.extend(kept)
    read = _read(graph)
    initializers = [t for t in graph.initializer if t.name in read]
    del graph.initializer[:]
    graph.initializer.extend(initializers)


def _read(graph: onnx.GraphProto) -> set[str]:
    """Names that the nodes of a graph and its subgraphs read."""
    found = {name for node in graph.node for name in node.input}
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                found |= _read(attribute.g)
    return found
