"""ONNX graphs of routed networks and the check that they compute what the network computes."""

from nasopt.export.parity import Parity, check_parity
from nasopt.export.routed import TAU, compose_routed, export_easy, export_hard, set_tau
from nasopt.hardware.structure import describe, structure_hash

__all__ = [
    "TAU",
    "Parity",
    "check_parity",
    "compose_routed",
    "describe",
    "export_easy",
    "export_hard",
    "set_tau",
    "structure_hash",
]
