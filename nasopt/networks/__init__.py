"""Elastic blocks, the supernet, routers, plain networks extracted from it, and their MACs and parameters."""

from nasopt.networks.counts import Counts, count
from nasopt.networks.elastic import Supernet
from nasopt.networks.extraction import build, extract, extract_path
from nasopt.networks.geometry import plan, scaled_channels
from nasopt.networks.routers import ConfidenceRouter, DifficultyRouter, FittedRouter, LearnedRouter, make_router
from nasopt.networks.static import MBConv, RoutedNetwork, SubNetwork

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
