"""Signals that come while nasopt is still loading: a clean end, for there is nothing to lose yet.

An exception that a signal raises within an import may be swallowed there, or leave a module half made. So while
anything is imported, and until a command begins, a signal ends the process at once.
"""

from __future__ import annotations

import os
import signal
from types import FrameType

ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Ctrl-C, a polite kill, and a terminal that has gone."""
_begun = False


def watch() -> None:
    """Heed signals from now on; those that a shell or nohup has told this process to ignore stay ignored."""
    for number in ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


def begin() -> None:
    """Say that a command runs now: it hears of a signal as KeyboardInterrupt."""
    global _begun
    _begun = True


def importing(frame: FrameType | None) -> bool:
    """Whether a module is being imported below this frame."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _end(_number: int, frame: FrameType | None) -> None:
    if _begun and not importing(frame):
        raise KeyboardInterrupt
    os.write(2, b"nasopt: interrupted before anything began; the same command starts again\n")
    os._exit(130)
