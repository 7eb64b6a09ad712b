"""Intervals of counted shares, and whether two figures can be told apart."""

from nasopt.statistics.binomial import wilson

__all__ = ["wilson"]
