"""nasopt: multi-objective search for dynamic neural networks, scored on what they really cost.

The names below are the same functions that the command line calls. They are imported when first used, so that
`import nasopt` costs nothing.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nasopt import lazy

# Threads of PyTorch that wait for each other sleep rather than spin, unless the user says otherwise. Spinning takes the
# core from whoever is waited for: on cores that other programs use, a step on two threads took ten times as long. This
# is read when PyTorch is loaded, so it must be said before.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

if TYPE_CHECKING:
    from nasopt.evaluation.calibration import calibrate
    from nasopt.hardware import measure
    from nasopt.report import compare_views as compare
    from nasopt.report import write_report
    from nasopt.spec.contest import ContestSpec, load_contest
    from nasopt.spec.study import StudySpec, load_spec
    from nasopt.study import (
        ContestResult,
        RunResult,
        Study,
        export,
        find_study,
        open_contest,
        open_study,
        run,
        run_contest,
        score_front,
    )

_HOMES = {
    "ContestResult": "nasopt.study",
    "ContestSpec": "nasopt.spec.contest",
    "RunResult": "nasopt.study",
    "Study": "nasopt.study",
    "StudySpec": "nasopt.spec.study",
    "calibrate": "nasopt.evaluation.calibration",
    "compare": "nasopt.report:compare_views",
    "export": "nasopt.study",
    "find_study": "nasopt.study",
    "load_contest": "nasopt.spec.contest",
    "load_spec": "nasopt.spec.study",
    "measure": "nasopt.hardware",
    "open_contest": "nasopt.study",
    "open_study": "nasopt.study",
    "run": "nasopt.study",
    "run_contest": "nasopt.study",
    "score_front": "nasopt.study",
    "write_report": "nasopt.report",
}

__all__ = [
    "ContestResult",
    "ContestSpec",
    "RunResult",
    "Study",
    "StudySpec",
    "calibrate",
    "compare",
    "export",
    "find_study",
    "load_contest",
    "load_spec",
    "measure",
    "open_contest",
    "open_study",
    "run",
    "run_contest",
    "score_front",
    "write_report",
]
__getattr__ = lazy.attributes(__name__, _HOMES)
lazy.keep_callable(__name__, _HOMES)  # `nasopt.export` is a package and a function


def __dir__() -> list[str]:
    return __all__
