"""Candidate -> Outcome: the one place where training, routing, export and measurement meet."""

from nasopt.evaluation.context import CostContext, Device, EvaluationContext
from nasopt.evaluation.outcome import LITTLE_LIGHTER, DeviceCosts, device_costs, evaluate, inspect
from nasopt.evaluation.pairs import load_network
from nasopt.evaluation.scoring import score_test
from nasopt.evaluation.streaming import time_streams, why_no_stream

__all__ = [
    "LITTLE_LIGHTER",
    "CostContext",
    "Device",
    "DeviceCosts",
    "EvaluationContext",
    "device_costs",
    "evaluate",
    "inspect",
    "load_network",
    "score_test",
    "time_streams",
    "why_no_stream",
]
