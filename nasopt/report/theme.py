"""How figures look, on light and on dark pages, without pyplot's global state."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import EngFormatter, FixedFormatter, FuncFormatter, LogLocator, NullFormatter

from nasopt.errors import FigureError
from nasopt.text.printable import printable

_DRAWABLE = 1e100
"""Ticks of longer axes overflow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """Colours of a figure."""

    paper: str
    ink: str
    muted: str
    """Text and marks of the second rank."""
    grid: str
    series: tuple[str, ...]
    """Told apart with the common colour-vision deficiencies. [OkabeIto2008]"""


LIGHT = Theme(
    paper="#ffffff",
    ink="#1f2328",
    muted="#6e7781",
    grid="#e4e7eb",
    series=("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9"),
)
DARK = Theme(
    paper="#14171c",
    ink="#e6e8eb",
    muted="#9aa3ad",
    grid="#2a3038",
    series=("#56b4e9", "#f0803c", "#2fc79a", "#e3a3c5", "#e6b93d", "#8f9bff"),
)
MARKERS = ("o", "s", "^", "D", "v", "P")


def canvas(theme: Theme, panels: int, *, height: float = 4.2) -> tuple[Figure, list[Axes]]:
    """A figure of page width with `panels` axes: one, or rows of two or three."""
    across = panels if panels <= 3 else (3 if panels % 3 == 0 else 2)
    down = -(-panels // across)
    width = 7.6 if across == 1 else 10.0 if across == 2 else 12.6
    figure = Figure(figsize=(width, height * down if down == 1 else 3.7 * down), layout="constrained")
    FigureCanvasAgg(figure)
    figure.set_facecolor(theme.paper)
    axes = [figure.add_subplot(down, across, i + 1) for i in range(panels)]
    for ax in axes:
        _dress(ax, theme)
    return figure, axes


def _dress(ax: Axes, theme: Theme) -> None:
    ax.set_facecolor(theme.paper)
    ax.grid(visible=True, color=theme.grid, linewidth=0.8)
    ax.set_axisbelow(True)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(theme.muted)
    ax.tick_params(colors=theme.muted, labelcolor=theme.ink, labelsize=9)
    ax.xaxis.label.set_color(theme.ink)
    ax.yaxis.label.set_color(theme.ink)


def name_label(name: str) -> str:
    """A user's name as a legend's label; matplotlib hides those that begin with an underscore."""
    return f" {name}" if name.startswith("_") else name


def stair_step(direction: str) -> Literal["pre", "post"]:
    """How the steps of a front run along an axis: what one point attains also holds at every worse value there."""
    return "pre" if direction == "maximize" else "post"


def legend(ax: Axes, theme: Theme, **options: Any) -> None:
    """A legend in the theme's colours, where there is something to tell apart."""
    handles, _ = ax.get_legend_handles_labels()
    if handles:
        box = ax.legend(fontsize=9, frameon=True, framealpha=0.85, **options)
        box.get_frame().set_facecolor(theme.paper)
        box.get_frame().set_edgecolor(theme.grid)
        for text in (box.get_title(), *box.get_texts()):
            text.set_color(theme.ink)


def log_if_wide(ax: Axes, axis: Literal["x", "y"], values: Sequence[float]) -> None:
    """A logarithmic axis where positive values span more than a factor of 20, with plain numbers on it."""
    finite = [v for v in values if 0 < v < float("inf")]
    if len(finite) == len(values) and finite and max(finite) / min(finite) > 20:
        (ax.set_xscale if axis == "x" else ax.set_yscale)("log")
        which = ax.xaxis if axis == "x" else ax.yaxis
        which.set_major_locator(LogLocator(subs=(1.0, 3.0), numticks=12))
        which.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
        which.set_minor_formatter(NullFormatter())


def prefixed(axis: Axis) -> None:
    """Write an axis's numbers with k, M and G."""
    axis.set_major_formatter(EngFormatter(sep=" "))


def encode(figure: Figure, kind: Literal["png", "svg"]) -> bytes:
    """The figure as a file's content; the same figure gives the same bytes.

    Raises:
        FigureError: it shows values that no axis can be drawn for.
    """
    _check_sizes(figure)
    buffer = BytesIO()
    for text in figure.findobj(Text):
        text.set_parse_math(False)  # a dollar sign in a name is no formula
        text.set_text(_drawable(text.get_text()))
    for axis in (axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)):
        if isinstance(labels := axis.get_major_formatter(), FixedFormatter):  # written anew when it is drawn
            labels.seq = [_drawable(label) for label in labels.seq]
    metadata = {"Date": None} if kind == "svg" else {"Software": None}
    with rc_context({"svg.hashsalt": "nasopt"}):
        figure.savefig(buffer, format=kind, dpi=160, facecolor=figure.get_facecolor(), metadata=metadata)
    return buffer.getvalue()


def _drawable(text: str) -> str:
    """Text without control characters, which are no XML, by a sign that the figures' font has."""
    return re.sub("[\u2400-\u2421]", "\ufffd", printable(text))


def _check_sizes(figure: Figure) -> None:
    for ax in figure.axes:
        for limits, label in ((ax.dataLim.intervalx, ax.get_xlabel()), (ax.dataLim.intervaly, ax.get_ylabel())):
            reached = max((abs(float(v)) for v in limits if math.isfinite(v)), default=0.0)
            if reached > _DRAWABLE:
                raise FigureError(
                    f"{label or 'its values'} reaches {reached:.2e}, and no axis can be drawn beyond 1e100"
                )


def save(figure: Figure, path: Path) -> None:
    """Write the figure, as the path's suffix says (.png or .svg); raises FigureError like `encode`."""
    path.write_bytes(encode(figure, "svg" if path.suffix == ".svg" else "png"))
