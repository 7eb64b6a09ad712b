"""Elastic blocks, the supernet, routers, plain networks extracted from it, and their MACs and parameters."""

from nasopt.models.counts import Counts, count
from nasopt.models.elastic import Supernet
from nasopt.models.extraction import build, extract, extract_path
from nasopt.models.geometry import plan, scaled_channels
from nasopt.models.routers import ConfidenceRouter, DifficultyRouter, FittedRouter, LearnedRouter, make_router
from nasopt.models.static import MBConv, RoutedNetwork, SubNetwork

__all__ = [
    "ConfidenceRouter",
    "Counts",
    "DifficultyRouter",
    "FittedRouter",
    "LearnedRouter",
    "MBConv",
    "RoutedNetwork",
    "SubNetwork",
    "Supernet",
    "build",
    "count",
    "extract",
    "extract_path",
    "make_router",
    "plan",
    "scaled_channels",
]
