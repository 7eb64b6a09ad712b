"""Blocks of a document, and their writing as Markdown and as one self-contained HTML page; all text is escaped."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape as escape_html
from typing import TypeAlias

from nasopt.text.printable import one_line, printable


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """Plain text; a `warning` stands out."""

    text: str
    warning: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Terms and what they are."""

    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A table; columns after the first are numbers, aligned right, unless listed in `text_columns`."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    text_columns: frozenset[int] = frozenset({0})


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A figure on disk under `name`.png and `name`.svg, and as SVG for light and dark pages."""

    name: str
    caption: str
    png: bytes
    light: bytes
    dark: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """Text in a fixed-width face."""

    text: str
    language: str = ""


Block: TypeAlias = Paragraph | Listing | Grid | Picture | Code


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A titled part of a document."""

    title: str
    blocks: tuple[Block, ...]


def markdown(title: str, sections: Sequence[Section]) -> str:
    """The document as GitHub-flavoured Markdown; pictures are links to PNG files beside it."""
    parts = [f"# {plain(title)}"]
    for section in sections:
        parts.append(f"## {plain(section.title)}")
        parts += [_markdown_block(b) for b in section.blocks]
    return "\n\n".join(parts) + "\n"


def plain(text: str) -> str:
    """Text on one line that Markdown shows as it is."""
    line = one_line(text)
    line = re.sub(r"([\\`*_{}\[\]<>#|~$!&])", r"\\\1", line)
    return re.sub(r"^(\d*)([-+=.)])(?=\s|$)", r"\1\\\2", line)


def _markdown_block(block: Block) -> str:
    if isinstance(block, Paragraph):
        return f"> **Note:** {plain(block.text)}" if block.warning else plain(block.text)
    if isinstance(block, Listing):
        return "\n".join(f"- **{plain(term)}:** {plain(text)}" for term, text in block.items)
    if isinstance(block, Grid):
        rule = ["---" if i in block.text_columns else "---:" for i in range(len(block.header))]
        lines = [[plain(h) or " " for h in block.header], rule, *([plain(c) for c in row] for row in block.rows)]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines) + f"\n\n{plain(block.caption)}"
    if isinstance(block, Picture):
        return f"![{plain(block.caption)}]({block.name}.png)\n\n{plain(block.caption)}"
    code = printable(block.text)
    longest = max((len(run) for run in re.findall(r"`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{block.language}\n{code.rstrip()}\n{fence}"


def escape(text: str) -> str:
    """Text that HTML shows as it is."""
    return escape_html(printable(text))


_STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1f2328; --muted: #59636e; --line: #d9dee3; --soft: #f5f7f9;
  --accent: #0060a0; --warn: #fff4d6; --warn-line: #d9a300; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171c; --ink: #e6e8eb; --muted: #9aa3ad; --line: #2f363f;
  --soft: #1c2027; --accent: #7cc4f5; --warn: #33290f; --warn-line: #b98a00; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 68rem; padding: 2rem 1.25rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .5rem; }
h2 { font-size: 1.2rem; margin: 2.4rem 0 .6rem; padding-bottom: .25rem; border-bottom: 1px solid var(--line); }
nav ul { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; list-style: none; padding: 0; margin: .6rem 0 0; }
a { color: var(--accent); }
.warning { background: var(--warn); border-left: 4px solid var(--warn-line); padding: .55rem .9rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; overflow-wrap: normal; }
caption { caption-side: bottom; text-align: left; color: var(--muted); font-size: .85rem; padding-top: .5rem; }
th, td { padding: .35rem .75rem; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top; }
td { white-space: nowrap; }
th { font-weight: 600; }
thead th { background: var(--soft); }
.text { text-align: left; }
tbody tr:hover { background: var(--soft); }
figure { margin: 1rem 0; }
img { max-width: 100%; height: auto; border: 1px solid var(--line); border-radius: 6px; }
figcaption { color: var(--muted); font-size: .85rem; }
dl { display: grid; grid-template-columns: minmax(8rem, max-content) 1fr; gap: .3rem 1.2rem; margin: .8rem 0; }
dt { color: var(--muted); } dd { margin: 0; }
pre { background: var(--soft); border: 1px solid var(--line); border-radius: 6px; padding: .8rem 1rem; overflow-x: auto;
  font-size: .85rem; line-height: 1.45; overflow-wrap: normal; }
@media print { nav { display: none; } body { max-width: none; } }
"""


def html(title: str, sections: Sequence[Section]) -> str:
    """The document as one HTML page that loads nothing: styles and figures are inside, and it follows the reader's
    choice of a light or dark page."""
    entries = "".join(f'<li><a href="#s{i}">{escape(s.title)}</a></li>' for i, s in enumerate(sections))
    body = "".join(
        f'<section aria-labelledby="s{i}"><h2 id="s{i}">{escape(s.title)}</h2>'
        + "".join(_html_block(b) for b in s.blocks)
        + "</section>\n"
        for i, s in enumerate(sections)
    )
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{escape(title)}</h1>\n"
        f'<nav aria-label="Sections"><ul>{entries}</ul></nav>\n{body}</main>\n</body>\n</html>\n'
    )


def _html_block(block: Block) -> str:
    if isinstance(block, Paragraph):
        attribute = ' class="warning" role="note"' if block.warning else ""
        return f"<p{attribute}>{escape(block.text)}</p>"
    if isinstance(block, Listing):
        items = "".join(f"<dt>{escape(term)}</dt><dd>{escape(text)}</dd>" for term, text in block.items)
        return f"<dl>{items}</dl>"
    if isinstance(block, Grid):
        return _html_table(block)
    if isinstance(block, Picture):
        return (
            f'<figure><picture><source media="(prefers-color-scheme: dark)" srcset="{_data_uri(block.dark)}">'
            f'<img alt="{escape(block.caption)}" src="{_data_uri(block.light)}"></picture>'
            f"<figcaption>{escape(block.caption)}</figcaption></figure>"
        )
    return f'<pre tabindex="0"><code>{escape(block.text)}</code></pre>'


def _html_table(table: Grid) -> str:
    def side(index: int) -> str:
        return ' class="text"' if index in table.text_columns else ""

    head = "".join(f'<th scope="col"{side(i)}>{escape(h)}</th>' for i, h in enumerate(table.header))
    rows = "".join(
        "<tr>"
        + "".join(
            f'<th scope="row"{side(0)}>{escape(c)}</th>' if i == 0 else f"<td{side(i)}>{escape(c)}</td>"
            for i, c in enumerate(row)
        )
        + "</tr>\n"
        for row in table.rows
    )
    label = escape(table.caption)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{label}"><table><caption>{label}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>\n{rows}</tbody></table></div>"
    )


def _data_uri(svg: bytes) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"
