"""Tables, figures, reports and comparisons, read from the database and its artifacts alone.

Names load with their modules on first use, so that importing this package imports neither optuna nor matplotlib.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nasopt.report.compare import Comparison as Comparison
    from nasopt.report.compare import compare_views as compare_views
    from nasopt.report.comparison_figures import write_comparison_figures as write_comparison_figures
    from nasopt.report.comparison_tables import comparison_table as comparison_table
    from nasopt.report.cost import SearchCost as SearchCost
    from nasopt.report.cost import search_cost as search_cost
    from nasopt.report.dashboard import make_app as make_app
    from nasopt.report.dashboard import serve as serve
    from nasopt.report.document import ReportFiles as ReportFiles
    from nasopt.report.document import write_report as write_report
    from nasopt.report.side_by_side import TrialComparison as TrialComparison
    from nasopt.report.side_by_side import compare_trials as compare_trials
    from nasopt.report.tables import front_table as front_table
    from nasopt.report.tables import status_table as status_table
    from nasopt.report.tables import summary as summary
    from nasopt.report.view import StudyView as StudyView
    from nasopt.report.view import TrialView as TrialView
    from nasopt.report.view import load_view as load_view
    from nasopt.report.view import study_names as study_names

_HOMES = {
    "Comparison": "compare",
    "compare_views": "compare",
    "write_comparison_figures": "comparison_figures",
    "comparison_table": "comparison_tables",
    "SearchCost": "cost",
    "search_cost": "cost",
    "make_app": "dashboard",
    "serve": "dashboard",
    "ReportFiles": "document",
    "write_report": "document",
    "TrialComparison": "side_by_side",
    "compare_trials": "side_by_side",
    "front_table": "tables",
    "status_table": "tables",
    "summary": "tables",
    "StudyView": "view",
    "TrialView": "view",
    "load_view": "view",
    "study_names": "view",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"nasopt.report.{_HOMES[name]}"), name)
