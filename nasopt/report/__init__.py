"""Tables, figures, reports and comparisons, read from the database and its artifacts alone.

Names load with their modules on first use, so that importing this package imports neither optuna nor matplotlib.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nasopt import lazy

if TYPE_CHECKING:
    from nasopt.report.compare import Comparison as Comparison
    from nasopt.report.compare import compare_views as compare_views
    from nasopt.report.comparison_figures import write_comparison_figures as write_comparison_figures
    from nasopt.report.comparison_tables import comparison_table as comparison_table
    from nasopt.report.cost import SearchCost as SearchCost
    from nasopt.report.cost import search_cost as search_cost
    from nasopt.report.dashboard import make_app as make_app
    from nasopt.report.document import ReportFiles as ReportFiles
    from nasopt.report.document import write_contest_report as write_contest_report
    from nasopt.report.document import write_report as write_report
    from nasopt.report.portfolio import proposers as proposers
    from nasopt.report.recosted import Recosted as Recosted
    from nasopt.report.recosted import confirmations as confirmations
    from nasopt.report.recosted import transfer_of as transfer_of
    from nasopt.report.recosted_tables import confirmation_json as confirmation_json
    from nasopt.report.recosted_tables import confirmation_table as confirmation_table
    from nasopt.report.recosted_tables import transfer_json as transfer_json
    from nasopt.report.recosted_tables import transfer_table as transfer_table
    from nasopt.report.recosted_tables import write_transfer_figure as write_transfer_figure
    from nasopt.report.regret import Regret as Regret
    from nasopt.report.regret import regret_of as regret_of
    from nasopt.report.serving import serve as serve
    from nasopt.report.side_by_side import TrialComparison as TrialComparison
    from nasopt.report.side_by_side import compare_trials as compare_trials
    from nasopt.report.status import status_table as status_table
    from nasopt.report.stored import study_records as study_records
    from nasopt.report.stored import trials_of as trials_of
    from nasopt.report.streaming import finding_of as finding_of
    from nasopt.report.streaming import stream_findings as stream_findings
    from nasopt.report.streaming import stream_table as stream_table
    from nasopt.report.tables import damage as damage
    from nasopt.report.tables import foreign_text as foreign_text
    from nasopt.report.tables import front_table as front_table
    from nasopt.report.tables import summary as summary
    from nasopt.report.view import StudyView as StudyView
    from nasopt.report.view import TrialView as TrialView
    from nasopt.report.view import load_view as load_view
    from nasopt.report.view import study_names as study_names

_HOMES = {
    "Comparison": "nasopt.report.compare",
    "compare_views": "nasopt.report.compare",
    "write_comparison_figures": "nasopt.report.comparison_figures",
    "comparison_table": "nasopt.report.comparison_tables",
    "SearchCost": "nasopt.report.cost",
    "search_cost": "nasopt.report.cost",
    "make_app": "nasopt.report.dashboard",
    "serve": "nasopt.report.serving",
    "ReportFiles": "nasopt.report.document",
    "write_contest_report": "nasopt.report.document",
    "write_report": "nasopt.report.document",
    "proposers": "nasopt.report.portfolio",
    "Recosted": "nasopt.report.recosted",
    "confirmations": "nasopt.report.recosted",
    "transfer_of": "nasopt.report.recosted",
    "confirmation_json": "nasopt.report.recosted_tables",
    "confirmation_table": "nasopt.report.recosted_tables",
    "transfer_json": "nasopt.report.recosted_tables",
    "transfer_table": "nasopt.report.recosted_tables",
    "write_transfer_figure": "nasopt.report.recosted_tables",
    "Regret": "nasopt.report.regret",
    "regret_of": "nasopt.report.regret",
    "TrialComparison": "nasopt.report.side_by_side",
    "compare_trials": "nasopt.report.side_by_side",
    "finding_of": "nasopt.report.streaming",
    "stream_findings": "nasopt.report.streaming",
    "stream_table": "nasopt.report.streaming",
    "study_records": "nasopt.report.stored",
    "trials_of": "nasopt.report.stored",
    "damage": "nasopt.report.tables",
    "foreign_text": "nasopt.report.tables",
    "front_table": "nasopt.report.tables",
    "status_table": "nasopt.report.status",
    "summary": "nasopt.report.tables",
    "StudyView": "nasopt.report.view",
    "TrialView": "nasopt.report.view",
    "load_view": "nasopt.report.view",
    "study_names": "nasopt.report.view",
}
__all__ = sorted(_HOMES)
__getattr__ = lazy.attributes(__name__, _HOMES)
