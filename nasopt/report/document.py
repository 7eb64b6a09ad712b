"""A study's report on disk: Markdown with its figures beside it, and one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nasopt.errors import UsageError
from nasopt.report.contest_sections import contest_sections
from nasopt.report.markup import Picture, Section, html, markdown
from nasopt.report.sections import sections
from nasopt.report.view import StudyView


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFiles:
    """What `write_report` wrote."""

    markdown: Path
    html: Path
    figures: tuple[Path, ...]


def write_report(view: StudyView, folder: Path) -> ReportFiles:
    """Write `report.md`, `report.html` and the figures as PNG and SVG into `folder`, which is made if need be.

    Files of an earlier report are replaced.

    Raises:
        UsageError: the folder cannot be written.
    """
    return _write(f"nasopt report: {view.name}", sections(view), folder)


def write_contest_report(views: Sequence[StudyView], folder: Path) -> ReportFiles:
    """Like `write_report`, of all studies of a contest together.

    Raises:
        UsageError: the folder cannot be written, or nothing can be compared yet.
    """
    name = views[0].contest.contest if views[0].contest else views[0].name
    return _write(f"nasopt report: {name}", contest_sections(views), folder)


def _write(title: str, content: Sequence[Section], folder: Path) -> ReportFiles:
    pictures = [b for s in content for b in s.blocks if isinstance(b, Picture)]
    files = ReportFiles(
        markdown=folder / "report.md",
        html=folder / "report.html",
        figures=tuple(folder / f"{p.name}{suffix}" for p in pictures for suffix in (".png", ".svg")),
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for picture in pictures:
            (folder / f"{picture.name}.png").write_bytes(picture.png)
            (folder / f"{picture.name}.svg").write_bytes(picture.light)
        files.markdown.write_text(markdown(title, content), encoding="utf-8")
        files.html.write_text(html(title, content), encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"cannot write the report to {folder}: {error.strerror or error}; name another folder"
        ) from error
    return files
