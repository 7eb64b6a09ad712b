"""Studies: opened, resumed, run, re-scored and exported."""

from nasopt.study.exporting import ExportedFiles, export
from nasopt.study.locating import find_study, find_views
from nasopt.study.opening import Study, open_study
from nasopt.study.running import RunResult, run
from nasopt.study.scoring import score_front
from nasopt.study.summary import study_json, summarise
from nasopt.study.watching import Watcher

__all__ = [
    "ExportedFiles",
    "RunResult",
    "Study",
    "Watcher",
    "export",
    "find_study",
    "find_views",
    "open_study",
    "run",
    "score_front",
    "study_json",
    "summarise",
]
