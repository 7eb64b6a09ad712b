"""The routed stream in tables: what routing costs over real inputs, beside the sum of the paths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.markup import escape

from nasopt.records import Interval
from nasopt.records.stream import TOLERANCE, RoutedStream
from nasopt.report.markup import Block, Grid, Paragraph
from nasopt.report.notation import relative, significant
from nasopt.report.tables import bare_table
from nasopt.report.view import StudyView
from nasopt.text.commands import about

_LEGEND = (
    "Stream: images of the validation split in order, at batch 1, the router deciding on each; time of one image. "
    "Sum: easy path + (1 - exit rate) x hard path, the paths timed alone between the stream's blocks."
)


def stream_section(view: StudyView) -> Iterator[Block]:
    """The report's section on the front's streams; says why there are none."""
    front = [t for t in view.front() if t.number in view.streams]
    if not front:
        modelled = [d.name for d in view.devices if d.provenance != "measured"]
        if view.devices and len(modelled) == len(view.devices):
            yield Paragraph(text=f"No network runs on {' and '.join(modelled)}: there is no stream to time.")
        else:
            yield Paragraph(text="The routed networks have not been timed over a stream of inputs yet; make a report.")
        return
    rows = [(str(t.number), *_cells(s)) for t in front for s in view.streams[t.number].values()]
    yield Grid(
        caption=f"{_LEGEND} ± is half of the 95% interval, by bootstrap over blocks; all times of a row are from one "
        "interleaved run, so that only their ratio matters here.",
        header=("trial", "device", "images", "exit rate", "easy (ms)", "hard (ms)", "sum (ms)", "stream (ms)", "apart"),
        rows=tuple(rows),
        text_columns=frozenset({0, 1}),
    )


def _cells(stream: RoutedStream) -> tuple[str, ...]:
    unsteady = "" if stream.valid else " (machine not steady)"
    return (
        stream.device,
        str(stream.images),
        f"{100 * stream.exit_rate:.1f}%",
        significant(stream.easy_ms),
        significant(stream.hard_ms),
        f"{significant(stream.weighted_ms)} ±{relative(stream.weighted_ms, stream.weighted_ci95_ms)}",
        f"{significant(stream.stream_ms)} ±{relative(stream.stream_ms, stream.stream_ci95_ms)}",
        f"{_percent(stream.difference)}, {_range(stream.difference_ci95)}{unsteady}",
    )


def stream_findings(view: StudyView, *, named: bool = False) -> Iterator[str]:
    """Members of the front whose stream is surely further from the sum of its paths than the tolerance, a sentence
    each; then, in one sentence, those of which that could not be told, and the command that would tell."""
    untold: dict[int, list[RoutedStream]] = {}
    for trial in view.front():
        for stream in view.streams.get(trial.number, {}).values():
            if stream.is_finding:
                on = f" on {stream.device}" if named else ""
                yield f"trial {trial.number}{on}: {_apart(stream)}"
            elif stream.is_untold:
                untold.setdefault(trial.number, []).append(stream)
    if untold:
        streams = [stream for found in untold.values() for stream in found]
        first = min(untold)
        storage = (view.spec.get("study") or {}).get("storage") or ""
        again = about("measure", view.name, storage, "--trial", str(first))
        many = "trials" if len(untold) > 1 else "trial"
        numbers = ", ".join(map(str, sorted(untold)))
        yield (
            f"whether a stream takes the weighted sum of its paths, within {TOLERANCE:.0%}, could not be told for "
            f"{many} {numbers}: {_doubt(streams)}; on a quiet machine this would tell: {again}"
        )


def finding_of(stream: RoutedStream) -> str | None:
    """What is to be said of a stream that the sum of its paths may not stand for; None where it does."""
    if stream.is_finding:
        return _apart(stream)
    if stream.is_untold:
        return (
            f"whether the stream takes the weighted sum of its paths, within {TOLERANCE:.0%}, could not be told: "
            f"{_doubt([stream])}; on a quiet machine the same command would tell"
        )
    return None


def _doubt(streams: Sequence[RoutedStream]) -> str:
    """Why these streams cannot be told from the sum of their paths."""
    low = min(s.difference_ci95[0] for s in streams)
    high = max(s.difference_ci95[1] for s in streams)
    unsteady = "" if all(s.valid for s in streams) else ", and the machine was not steady"
    intervals = "its interval is" if len(streams) == 1 else "their intervals lie in"
    return f"{intervals} {_range((low, high))}{unsteady}"


def _apart(stream: RoutedStream) -> str:
    return (
        f"a stream of {stream.images} images takes {100 * abs(stream.difference):.1f}% "
        f"{'more' if stream.difference > 0 else 'less'} than the weighted sum of its paths "
        f"({_range(stream.difference_ci95)})"
    )


def stream_table(number: int, streams: Sequence[RoutedStream]) -> RenderableType:
    """Streams of one trial, a column for each device."""
    table = bare_table(f"Trial {number} over a stream of real inputs", _LEGEND)
    table.add_column("")
    for stream in streams:
        table.add_column(escape(f"{stream.device}\n{stream.runtime}"), justify="right")
    rows = {
        "images": [str(s.images) for s in streams],
        "exit rate": [f"{100 * s.exit_rate:.1f}%" for s in streams],
        "easy path": [f"{significant(s.easy_ms)} ms" for s in streams],
        "hard path": [f"{significant(s.hard_ms)} ms" for s in streams],
        "weighted sum": [_figure(s.weighted_ms, s.weighted_ci95_ms) for s in streams],
        "routed stream": [_figure(s.stream_ms, s.stream_ci95_ms) for s in streams],
        "apart": [f"{_percent(s.difference)}, {_range(s.difference_ci95)}" for s in streams],
        "routed by": [s.way.replace("-", " ") for s in streams],
        "steady": ["yes" if s.valid else "no" for s in streams],
    }
    for name, cells in rows.items():
        table.add_row(name, *map(escape, cells))
    return table


def _figure(value: float, interval: Interval) -> str:
    return f"{significant(value)} ms ±{relative(value, interval)}"


def _percent(share: float) -> str:
    return f"{100 * share:+.1f}%"


def _range(interval: Interval) -> str:
    return f"{100 * interval[0]:+.1f} to {100 * interval[1]:+.1f}%"
