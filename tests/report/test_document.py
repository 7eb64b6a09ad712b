"""Reports on disk: complete, self-contained, and safe against what users typed."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from markdown_it import MarkdownIt
from optuna.storages import BaseStorage

from nasopt.database import open_storage
from nasopt.errors import UsageError
from nasopt.records import StudyKeys
from nasopt.records.stream import RoutedStream
from nasopt.report import finding_of, stream_findings, write_report
from nasopt.report.document import ReportFiles
from nasopt.report.markup import Code, Grid, Paragraph, Section, html, markdown, plain
from nasopt.report.sections import sections
from nasopt.report.streaming import stream_section
from nasopt.report.view import load_view

Write = Callable[..., Any]
NASTY = "<script>alert(1)</script> | *x* `y` [z](javascript:1) ~~w~~\n# h"


class Page(HTMLParser):
    """Tags, text and everything that a page could load."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ("meta", "img", "source"):
            self.open.append(tag)
        self.links += [v or "" for k, v in attrs if k in ("src", "href", "srcset")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def report(studies: Write, jetson: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> ReportFiles:
    memory = open_storage("memory")
    spec = {"study": {"name": NASTY, "storage": "postgresql://me:hunter2@host/db", "trials": 24}}
    spec["space"] = {"channels": [16, 24], "strides": [1, 2]}
    objectives = (("accuracy", "maximize"), ("latency_ms", "minimize"))
    written = studies(memory, NASTY, objectives, devices=[jetson], spec=spec)
    written.search(12)
    written.lost("infeasible", NASTY)
    written.failed("device lost", "the board went away")
    written.session()
    first = load_view(memory, NASTY).front()[0]
    written.study.set_user_attr("test_scores", {str(first.number): {"accuracy": 0.876, "ece": 0.04, "images": 360}})
    return write_report(load_view(memory, NASTY), tmp_path_factory.mktemp("out"))


def test_the_page_loads_nothing_and_runs_nothing(report: ReportFiles) -> None:
    page = Page(report.html.read_text())
    assert page.open == []
    assert "script" not in page.tags
    assert all(link.startswith(("data:image/svg+xml;base64,", "#")) for link in page.links)
    assert "default-src 'none'" in report.html.read_text()
    assert NASTY.split("\n")[0] in page.text  # shown, not interpreted
    assert page.tags.count("picture") == 4
    assert all(f"#s{i}" in page.links for i in range(11))


def test_both_documents_tell_the_whole_story(report: ReportFiles) -> None:
    page, text = Page(report.html.read_text()).text, report.markdown.read_text()
    for told in (
        "(estimated)",
        "to measure, run on the board with backend: onnxruntime",
        "87.6% ±",
        "the board went away",
        "1.00 hours on 2 x CPU",
        "codecarbon, TDP x load",
        "PED-ANOVA",
        "device lost",
        "abc1234",
        "On 360 test images",
    ):
        assert told in page
        assert plain(told) in text or told in text
    assert "hunter2" not in page + text


def test_markdown_keeps_user_text_as_text(report: ReportFiles) -> None:
    rendered = (
        MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(report.markdown.read_text())
    )
    assert "<script>" not in rendered
    assert 'javascript:1"' not in rendered
    assert "<em>x</em>" not in rendered
    assert "<s>" not in rendered
    assert rendered.count("<h1>") == 1
    assert rendered.count("<h2>") == 12


def test_markdown_links_the_figures_beside_it(report: ReportFiles) -> None:
    linked = re.findall(r"!\[.*?\]\((\S+)\)", report.markdown.read_text())
    assert linked == ["front.png", "hypervolume.png", "importance.png", "routing.png"]
    assert {f.name for f in report.figures} == {n.replace("png", s) for n in linked for s in ("png", "svg")}
    for figure in report.figures:
        assert figure.read_bytes()[:4] in (b"\x89PNG", b"<?xm")


def test_the_study_file_can_be_taken_from_the_report(report: ReportFiles) -> None:
    block = re.search(r"```+yaml\n(.*?)\n```", report.markdown.read_text(), re.DOTALL)
    assert block is not None
    spec = yaml.safe_load(block[1])
    assert spec["study"] == {"name": NASTY, "storage": "postgresql://me:***@host/db", "trials": 24}


def test_the_same_study_gives_the_same_report(write: Write, memory: BaseStorage, tmp_path: Path) -> None:
    write().search(12)
    view = load_view(memory, "study")
    one, two = write_report(view, tmp_path / "a"), write_report(view, tmp_path / "b")
    assert one.html.read_bytes() == two.html.read_bytes()
    assert one.markdown.read_bytes() == two.markdown.read_bytes()


def test_a_study_without_results_has_a_report_too(write: Write, memory: BaseStorage, tmp_path: Path) -> None:
    write("empty")
    write("refused").lost("infeasible", "too big")
    for name in ("empty", "refused"):
        files = write_report(load_view(memory, name), tmp_path / name)
        text = files.markdown.read_text()
        assert "No feasible trial has been trained and measured yet" in text
        assert "finished trials are too few; importances need 10 or more" in text
        assert files.figures == ()


def test_an_unwritable_folder_is_a_usage_error(write: Write, memory: BaseStorage, tmp_path: Path) -> None:
    write()
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"cannot write the report to .*file"):
        write_report(load_view(memory, "study"), tmp_path / "file")


def test_unknown_spaces_fall_back_to_parameters(write: Write, memory: BaseStorage, tmp_path: Path) -> None:
    written = write(spec={"space": {"family": "of tomorrow"}})
    written.completed(0.9, 2.0)
    text = write_report(load_view(memory, "study"), tmp_path).markdown.read_text()
    assert "little.1.width" in text
    assert "cannot read the space" in text


@pytest.mark.parametrize(
    "text", ["a|b", "1. one", "2) two", "- x", "# h", "<b>", "a_b_c", "$x$", "&amp;", "back\\slash", "```", "+ y"]
)
def test_plain_text_survives_markdown(text: str) -> None:
    table = Grid(caption="c", header=("h",), rows=((text,),))
    content = markdown("t", [Section(title="s", blocks=(Paragraph(text=text), table))])
    rendered = MarkdownIt("commonmark").enable("table").render(content)
    from html import escape

    assert f"<p>{escape(text, quote=False)}</p>" in rendered
    assert f">{escape(text, quote=False)}</td>" in rendered


def test_code_with_fences_stays_one_block() -> None:
    content = markdown("t", [Section(title="s", blocks=(Code(text="a\n```\nb", language="yaml"),))])
    rendered = MarkdownIt("commonmark").render(content)
    assert rendered.count("<pre>") == 1
    assert '<code class="language-yaml">a\n```\nb\n</code>' in rendered


def test_tables_are_accessible() -> None:
    content = html("t", [Section(title="s", blocks=(Grid(caption="what", header=("a", "b"), rows=(("1", "2"),)),))])
    assert "<caption>what</caption>" in content
    assert '<th scope="col" class="text">a</th><th scope="col">b</th>' in content
    assert '<th scope="row" class="text">1</th><td>2</td>' in content


def routed(difference: float, interval: tuple[float, float], *, valid: bool = True) -> RoutedStream:
    return RoutedStream(
        device="local", backend="onnxruntime", provider="CPUExecutionProvider", runtime="onnxruntime 1", way="if-graph",
        images=288, exit_rate=0.5, stream_ms=2 * (1 + difference), stream_ci95_ms=(1.9, 2.2), easy_ms=1.0, hard_ms=2.0,
        weighted_ms=2.0, weighted_ci95_ms=(1.9, 2.1), difference=difference, difference_ci95=interval, blocks=10,
        valid=valid, seconds=3.0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("difference", "interval", "valid", "kind"),
    [
        (0.02, (0.01, 0.03), True, "none"),
        (0.02, (-0.09, 0.12), False, "none"),
        (0.08, (0.07, 0.09), True, "finding"),
        (-0.08, (-0.09, -0.06), True, "finding"),
        (-0.06, (-0.09, 0.0), True, "untold"),
        (0.22, (-0.02, 0.4), True, "untold"),
        (0.08, (0.07, 0.09), False, "untold"),
    ],
)
def test_a_stream_that_the_sum_of_its_paths_does_not_stand_for(
    write: Write, difference: float, interval: tuple[float, float], valid: bool, kind: str
) -> None:
    written = write()
    number = written.completed(0.9, 2.0)
    stream = routed(difference, interval, valid=valid)
    written.study.set_user_attr(f"{StudyKeys.STREAM}{number}", {"local": stream.to_json()})
    view = load_view(written.study._storage, "study")
    (table,) = stream_section(view)
    assert isinstance(table, Grid)
    assert table.rows[0][:4] == ("0", "local", "288", "50.0%")
    assert f"{100 * difference:+.1f}%" in table.rows[0][-1]
    found = list(stream_findings(view))
    assert len(found) == (kind != "none")
    assert (finding_of(stream) is None) == (kind == "none")
    if found:
        assert ("more" in found[0] or "less" in found[0]) == (kind == "finding")
        assert ("could not be told for trial 0" in found[0]) == (kind == "untold")
        assert ("not steady" in found[0]) == (not valid)
        outcome = sections(view)[0]
        assert any(isinstance(b, Paragraph) and b.warning and found[0][1:] in b.text for b in outcome.blocks)


def test_what_could_not_be_told_is_said_once_with_the_command_that_would(write: Write) -> None:
    written = write("microseconds")
    streams = [routed(0.05 * k + 0.01, (-0.02, 0.1 * k + 0.05), valid=k > 1) for k in (1, 2, 3)]
    for k, stream in enumerate(streams):
        number = written.completed(0.9 - 0.1 * k, 3.0 - k)
        written.study.set_user_attr(f"{StudyKeys.STREAM}{number}", {"local": stream.to_json()})
    (said,) = stream_findings(load_view(written.study._storage, "microseconds"))
    assert "trials 0, 1, 2: their intervals lie in -2.0 to +35.0%, and the machine was not steady" in said
    assert said.endswith("nasopt measure microseconds --storage sqlite:///nasopt.db --trial 0")
