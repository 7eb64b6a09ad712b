"""Candidate -> Outcome: the one place where training, routing, export and measurement meet."""

from nasopt.evaluation.context import Device, EvaluationContext
from nasopt.evaluation.outcome import LITTLE_LIGHTER, evaluate, inspect
from nasopt.evaluation.pairs import load_network
from nasopt.evaluation.scoring import score_test

__all__ = ["LITTLE_LIGHTER", "Device", "EvaluationContext", "evaluate", "inspect", "load_network", "score_test"]
