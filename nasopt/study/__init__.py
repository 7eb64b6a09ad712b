"""Studies: opened, resumed, run, re-scored and exported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nasopt import lazy

if TYPE_CHECKING:
    from nasopt.study.contest import ContestResult as ContestResult
    from nasopt.study.contest import run_contest as run_contest
    from nasopt.study.contest import run_file as run_file
    from nasopt.study.exporting import ExportedFiles as ExportedFiles
    from nasopt.study.exporting import export as export
    from nasopt.study.finalize import complete_contest as complete_contest
    from nasopt.study.finalize import complete_front as complete_front
    from nasopt.study.lookup import find_studies as find_studies
    from nasopt.study.lookup import find_study as find_study
    from nasopt.study.lookup import find_views as find_views
    from nasopt.study.lookup import open_contest as open_contest
    from nasopt.study.recosting import confirm as confirm
    from nasopt.study.recosting import transfer as transfer
    from nasopt.study.running import RunResult as RunResult
    from nasopt.study.running import run as run
    from nasopt.study.scoring import score_front as score_front
    from nasopt.study.store import Study as Study
    from nasopt.study.store import open_study as open_study
    from nasopt.study.streaming import stream_front as stream_front
    from nasopt.study.streaming import stream_trial as stream_trial
    from nasopt.study.summary import result_json as result_json
    from nasopt.study.summary import study_json as study_json
    from nasopt.study.summary import summarise as summarise
    from nasopt.study.watching import Watcher as Watcher

_HOMES = {
    "ContestResult": "nasopt.study.contest",
    "ExportedFiles": "nasopt.study.exporting",
    "RunResult": "nasopt.study.running",
    "Study": "nasopt.study.store",
    "Watcher": "nasopt.study.watching",
    "complete_contest": "nasopt.study.finalize",
    "complete_front": "nasopt.study.finalize",
    "export": "nasopt.study.exporting",
    "find_studies": "nasopt.study.lookup",
    "find_study": "nasopt.study.lookup",
    "find_views": "nasopt.study.lookup",
    "open_contest": "nasopt.study.lookup",
    "open_study": "nasopt.study.store",
    "result_json": "nasopt.study.summary",
    "confirm": "nasopt.study.recosting",
    "transfer": "nasopt.study.recosting",
    "run": "nasopt.study.running",
    "run_contest": "nasopt.study.contest",
    "run_file": "nasopt.study.contest",
    "score_front": "nasopt.study.scoring",
    "stream_front": "nasopt.study.streaming",
    "stream_trial": "nasopt.study.streaming",
    "study_json": "nasopt.study.summary",
    "summarise": "nasopt.study.summary",
}
__all__ = sorted(_HOMES)
__getattr__ = lazy.attributes(__name__, _HOMES)
