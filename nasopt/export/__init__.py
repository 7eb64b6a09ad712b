"""ONNX graphs of routed networks and the check that they compute what the network computes.

The exporter is our own: it records the ATen operations of one run and writes each as ONNX. Measured on two shared cores
with torch 2.15 on a little and a big MBConv path of 9 and 48 convolutions, the first export of a process included:
15 and 17 ms, against 85 and 111 ms for `torch.onnx.export(dynamo=False)`, which is deprecated, and 2.8 and 2.1 s for
`dynamo=True` (1.3 and 1.9 s once warm).
"""

from nasopt.export.parity import Parity, check_assembled, check_parity
from nasopt.export.segments import export_easy, export_hard
from nasopt.export.trying import try_runtimes
from nasopt.graphs.describe import describe
from nasopt.graphs.precision import observe_ranges, to_fp16, to_int8
from nasopt.graphs.routed import TAU, compose_routed, set_tau
from nasopt.graphs.running import Runner
from nasopt.graphs.structure_hash import structure_hash

__all__ = [
    "TAU",
    "Parity",
    "Runner",
    "check_assembled",
    "check_parity",
    "compose_routed",
    "describe",
    "export_easy",
    "export_hard",
    "observe_ranges",
    "set_tau",
    "structure_hash",
    "to_fp16",
    "to_int8",
    "try_runtimes",
]
