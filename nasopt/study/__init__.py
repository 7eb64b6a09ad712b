"""Studies: opened, resumed, run, re-scored and exported."""

from nasopt.study.opening import Study, open_study
from nasopt.study.running import RunResult, run

__all__ = ["RunResult", "Study", "open_study", "run"]
