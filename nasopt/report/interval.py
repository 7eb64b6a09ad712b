"""Intervals of counted shares, and whether two figures can be told apart."""

from __future__ import annotations

import math

from nasopt.records import Interval

_Z95 = 1.959963984540054


def wilson(share: float, images: int) -> Interval:
    """95% interval of a share in [0, 1] that was counted over `images` inputs. [Wilson1927]"""
    squared = _Z95**2
    centre = (share + squared / (2 * images)) / (1 + squared / images)
    half = _Z95 / (1 + squared / images) * math.sqrt(share * (1 - share) / images + squared / (4 * images**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def overlap(first: Interval, second: Interval) -> bool:
    """Whether two intervals share a point; then the order of their figures is not established."""
    return first[0] <= second[1] and second[0] <= first[1]
