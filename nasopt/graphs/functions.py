"""Functions that an ONNX file defines for itself, put in the place of their calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import onnx
from onnx import inliner

from nasopt.errors import MeasurementError

MOST_NODES = 1_000_000
"""Nodes after inlining: functions that call each other twice double at each level."""
_Key = tuple[str, str, str]


def inlined(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model without functions of its own: itself where it has none, else a copy.

    Raises:
        MeasurementError: a function calls itself, or the graph would have more than a million nodes.
    """
    if not model.functions:
        return model
    bodies = {(f.domain, f.name, getattr(f, "overload", "")): list(f.node) for f in model.functions}
    sizes: dict[_Key, int] = {}
    for key in bodies:
        _measure(key, bodies, sizes, ())
    total = sum(sizes.get(_called(node), 1) for node in _nodes(model.graph.node))
    if total > MOST_NODES:
        raise MeasurementError(
            f"its functions unfold to {total:.3g} nodes, at most {MOST_NODES:.0e} are read; export it without functions"
        )
    try:
        return inliner.inline_local_functions(model, convert_version=False)
    except Exception as error:  # whatever onnx' C++ raises
        raise MeasurementError(f"its functions cannot be put in place: {error}; export it without functions") from error


def _measure(
    key: _Key, bodies: dict[_Key, list[onnx.NodeProto]], sizes: dict[_Key, int], above: tuple[_Key, ...]
) -> int:
    """Nodes of a function with all that it calls."""
    if key in above:
        raise MeasurementError(f"its function {key[1]!r} calls itself, which ONNX does not allow; export it again")
    if key not in sizes:
        calls = (_called(node) for node in _nodes(bodies[key]))
        sizes[key] = sum(_measure(c, bodies, sizes, (*above, key)) if c in bodies else 1 for c in calls)
    return sizes[key]


def _called(node: onnx.NodeProto) -> _Key:
    return node.domain, node.op_type, getattr(node, "overload", "")


def _nodes(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                yield from _nodes(graph.node)
