"""Trials that came to nothing: networks that were cut off or diverged, and all have the same worst value.

No Gaussian process follows the cliff between these and the others: it promises networks half-way down, as cheap as the
ones and nearly as good as the others, and none of the refusals that follow makes it change its mind. So objectives are
learned from the other trials alone, and whether a point would collapse is learned beside them, as a constraint is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nasopt.space.encoding import Array

WIDTH = 0.02
"""A pile is no wider than this share of the objective's span."""
CLEAR = 0.05
"""Next to a pile, so much of the span is clear, but for a few."""
FEWEST = 3
"""So many trials make a pile."""
LEFT = 8
"""So many trials must remain to learn the objectives from."""


def collapsed(losses: Array, front: Array) -> NDArray[np.bool_]:
    """Mask (n,) of the losses (n, m) that pile up at the worst value of an objective, clear of all others.

    On the front (f, m), which they may end as the cheapest of all, they must count as one point. Taking something else
    for a collapse costs little: beyond the worst value seen lies only the margin of the reference point.
    """
    found = np.zeros(len(losses), dtype=bool)
    for k, values in enumerate(losses.T):
        worst, span = values.max(), float(np.ptp(values))
        edge = worst - WIDTH * span
        pile = values >= edge
        beside = int((~pile & (values >= edge - CLEAR * span)).sum())
        there = front[front[:, k] >= edge]
        alike = len(there) < 2 or np.ptp(there, axis=0).max() <= WIDTH  # the front spans 0 to 1
        if span > 0.0 and pile.sum() >= max(FEWEST, 4 * beside) and alike:
            found |= pile
    return found if (~found).sum() >= LEFT else np.zeros(len(losses), dtype=bool)
