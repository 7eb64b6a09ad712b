"""What a run says where there is no terminal."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from nasopt.study.events import PreparationProgress
from nasopt.study.watching import Watcher


@pytest.mark.parametrize(
    ("verbosity", "terminal", "expected"),
    [(0, False, [7, 14]), (-1, False, []), (0, True, [])],
    ids=["a line a minute", "quiet", "a bar moves instead"],
)
def test_how_far_a_supernet_is(verbosity: int, terminal: bool, expected: list[int]) -> None:
    now = [0.0]
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=200)
    watcher = Watcher(console, verbosity=verbosity, clock=lambda: now[0])
    for epoch in range(1, 21):  # of 9 seconds each
        now[0] += 9.0
        step = SimpleNamespace(epoch=epoch, epochs=20, loss=1.0, seconds=now[0], resumed=0)
        watcher(PreparationProgress(step=step))
    lines = [f"supernet: epoch {e} of 20, loss 1.000, {9 * e} s" for e in expected]
    assert out.getvalue().splitlines() == lines
