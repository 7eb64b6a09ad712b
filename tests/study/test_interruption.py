from __future__ import annotations

import os
import signal

import pytest

from nasopt.study.events import CompetitorOut
from nasopt.study.interruption import Interruption

EVENT = CompetitorOut(study="s", reason="r")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_was_swallowed_is_heeded_at_the_next_event(number: signal.Signals) -> None:
    seen: list[object] = []
    with Interruption() as interruption:
        listener = interruption.beside(seen.append)
        listener(EVENT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
        with pytest.raises(KeyboardInterrupt):
            listener(EVENT)
    assert seen == [EVENT]


def test_what_was_set_before_comes_back_and_ignored_signals_stay_so() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        kept = signal.getsignal(signal.SIGINT)
        with Interruption():
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
            assert signal.getsignal(signal.SIGINT) is not kept
        assert signal.getsignal(signal.SIGINT) is kept
    finally:
        signal.signal(signal.SIGTERM, before)
