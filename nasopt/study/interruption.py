"""Ctrl-C, a polite kill and a terminal that has gone, remembered until somebody heeds them."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any, Self

from nasopt.study.early import ENDING, importing
from nasopt.study.events import Event, Listener


class Interruption:
    """Raises KeyboardInterrupt on SIGINT, SIGTERM and SIGHUP, at the next event of the run at the latest.

    Python drops an exception that a signal raises inside a destructor or a callback from C. Such a run would go on.
    """

    def __init__(self) -> None:
        self._asked = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for number in ENDING:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as set by nohup, and by shells for background jobs
                self._before[number] = signal.signal(number, self._interrupt)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def beside(self, listener: Listener) -> Listener:
        """A listener that heeds an interruption before it serves `listener`."""

        def heeding(event: Event) -> None:
            if self._asked:
                raise KeyboardInterrupt
            listener(event)

        return heeding

    def _interrupt(self, _number: int, frame: FrameType | None) -> None:
        again, self._asked = self._asked, True
        if again or not importing(frame):  # a module that is half imported would raise something else
            raise KeyboardInterrupt
