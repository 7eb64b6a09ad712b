"""Where the acquisition function is largest: screening, climbing, then BoTorch's optimisers from the best starts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from botorch.acquisition import AcquisitionFunction
from botorch.optim.optimize import optimize_acqf, optimize_acqf_discrete_local_search
from torch import Tensor

from nasopt.samplers.botorch.acquisition import Worth
from nasopt.samplers.botorch.kernel import Features
from nasopt.samplers.history import Seen
from nasopt.space.encoding import Array, Axis, Encoding

LISTED = 64
"""A number with more values than this is treated as continuous."""
CLIMBERS = 8
ROUNDS = 4
"""At most so many times one parameter of the best points so far is exchanged, by the cheap estimate."""
SCORED = 16
"""So many of the best points get the acquisition function itself."""
STARTS = 2
"""From so many of these BoTorch's search goes on."""
STEP = 0.1
"""Standard deviation of a step of a continuous number."""
POLISH = 8
"""Steps of L-BFGS over the continuous numbers."""


class Lattice:
    """The encoding's codes as the models see them: numbers scaled to 0..1, choices as they are."""

    def __init__(self, encoding: Encoding) -> None:
        self.encoding = encoding
        self._tops = np.array([1.0 if a.kind == "choice" else a.top for a in encoding.axes])
        self.features = Features([a.levels if a.kind == "choice" else None for a in encoding.axes])
        self.values = tuple(_values(axis, top) for axis, top in zip(encoding.axes, self._tops, strict=True))
        """All values of each parameter; None where they are continuous or too many."""
        self.continuous = [i for i, values in enumerate(self.values) if values is None]

    def scale(self, codes: Array) -> Array:
        """The models' rows (..., d)."""
        scaled: Array = codes / self._tops
        return scaled

    def codes(self, rows: Array) -> Array:
        """Codes (..., d) of the models' rows."""
        codes: Array = rows * self._tops
        return codes

    def neighbours(self, rows: Array, rng: np.random.Generator) -> Array:
        """Rows (N, d) that differ from one of the rows (n, d) in one parameter."""
        found = []
        for i, values in enumerate(self.values):
            if values is None:
                moved = np.clip(rows[:, i, None] + rng.normal(0.0, STEP, (len(rows), 6)), 0.0, 1.0)
            else:
                moved = np.broadcast_to(values, (len(rows), len(values)))
            copies = np.repeat(rows, moved.shape[1], axis=0)
            copies[:, i] = moved.ravel()
            found.append(copies[copies[:, i] != np.repeat(rows[:, i], moved.shape[1])])
        return np.concatenate(found)


def _values(axis: Axis, top: float) -> Array | None:
    if axis.levels is None or (axis.kind != "choice" and axis.levels > LISTED):
        return None
    return np.array([axis.level(i) for i in range(axis.levels)]) / top


def search(
    worth: Worth,
    lattice: Lattice,
    *,
    starts: Array,
    seen: Seen,
    pinned: Array,
    pool: int,
    rng: np.random.Generator,
) -> Iterator[Array]:
    """Codes (d,) of new points, best first; parameters are held at `pinned` (d,) where it is not NaN.

    Neighbours of `starts` (n, d) and random points are screened by the cheap estimate, the best of them improved by
    exchanges; those that are left are ranked by the acquisition function, and BoTorch goes on from the best.
    """
    hunt = _Hunt(worth, lattice, seen, pinned, rng)
    hunt.add(lattice.neighbours(starts, rng)[: 2 * pool])
    hunt.add(lattice.scale(lattice.encoding.draw(rng, pool)))
    for _ in range(ROUNDS):
        if not hunt.add(lattice.neighbours(hunt.best(CLIMBERS), rng)):
            break
    if not hunt.rows.size:
        return
    order = hunt.best(SCORED)
    if worth.improves:
        function = worth.function()
        with torch.no_grad():
            scores = function(torch.from_numpy(order)[:, None]).numpy()
        order = order[np.argsort(-scores, kind="stable")]
        yield from lattice.codes(hunt.refine(function, order[:STARTS]))
    yield from lattice.codes(order)
    yield from lattice.codes(hunt.best(len(hunt.rows))[len(order) :])


class _Hunt:
    """New points found so far, with their estimates."""

    def __init__(self, worth: Worth, lattice: Lattice, seen: Seen, pinned: Array, rng: np.random.Generator) -> None:
        self._worth, self._lattice, self._seen, self._rng = worth, lattice, seen, rng
        self._pinned = lattice.scale(pinned)
        self._known: set[bytes] = set()
        self.rows = np.empty((0, len(pinned)))
        self._estimates = np.empty(0)

    def add(self, rows: Array) -> bool:
        """Estimate those of the rows (N, d) that are new; whether one of them is the best of all."""
        rows = np.where(np.isnan(self._pinned), rows, self._pinned)
        fresh = [row for row in rows if self._is_new(row)]
        if not fresh:
            return False
        estimates = self._worth.estimate(torch.from_numpy(np.array(fresh))).numpy()
        better = not len(self._estimates) or estimates.max() > self._estimates.max()
        self.rows = np.concatenate([self.rows, fresh])
        self._estimates = np.concatenate([self._estimates, estimates])
        return bool(better)

    def _is_new(self, row: Array) -> bool:
        key = row.tobytes()
        if key in self._known:
            return False
        self._known.add(key)
        codes = self._lattice.codes(row)
        return (codes if self._lattice.continuous else codes.round()) not in self._seen

    def best(self, count: int) -> Array:
        """Rows (n, d) of the largest estimates, best first."""
        best: Array = self.rows[np.argsort(-self._estimates, kind="stable")[:count]]
        return best

    def refine(self, function: AcquisitionFunction, starts: Array) -> Array:
        """Row (1, d) where BoTorch's search from the starts (n, d) ends."""
        with torch.random.fork_rng(devices=[]):  # its optimisers draw from the global generator
            torch.manual_seed(int(self._rng.integers(2**31)))
            if self._lattice.continuous:
                return self._polish(function, torch.from_numpy(starts))
            return self._exchange(function, torch.from_numpy(starts))

    def _exchange(self, function: AcquisitionFunction, starts: Tensor) -> Array:
        choices = [
            torch.from_numpy(values if np.isnan(pin) else np.array([pin]))
            for values, pin in zip(self._lattice.values, self._pinned, strict=True)
            if values is not None
        ]
        found, _ = optimize_acqf_discrete_local_search(
            function,
            discrete_choices=choices,
            q=1,
            num_restarts=len(starts),
            raw_samples=len(starts),
            batch_initial_conditions=starts[:, None],
        )
        return found.detach().numpy()  # type: ignore[no-any-return]

    def _polish(self, function: AcquisitionFunction, starts: Tensor) -> Array:
        free = {i for i in self._lattice.continuous if np.isnan(self._pinned[i])}
        if not free:
            return starts[:1].numpy()  # type: ignore[no-any-return]
        held = {i: float(v) for i, v in enumerate(starts[0]) if i not in free}
        bounds = torch.tensor([[0.0], [1.0]], dtype=torch.double).expand(2, starts.shape[1])
        found, _ = optimize_acqf(
            function,
            bounds=bounds,
            q=1,
            num_restarts=1,
            raw_samples=None,
            batch_initial_conditions=starts[:1, None],
            fixed_features=held,
            options={"maxiter": POLISH},
        )
        return found.detach().numpy()  # type: ignore[no-any-return]
